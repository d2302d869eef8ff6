"""The tables that words come from are complete, and the schemas fit the models."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dataplatform.config
from dataplatform.config.codes import CODES
from dataplatform.config.executors import EXECUTORS
from dataplatform.config.explain import PATTERNS
from dataplatform.config.plaintext import plain_secret, secret_key
from dataplatform.config.regions import REGIONS
from dataplatform.config.schema import definition_schema, stack_schema


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for key, value in schema.items():
            if key == "propertyNames" and "pattern" in value:
                yield value["pattern"]
            yield from patterns(value)
        for key in schema.get("patternProperties", {}):
            yield key
    elif isinstance(schema, list):
        for value in schema:
            yield from patterns(value)


def test_every_pattern_of_the_models_has_words() -> None:
    found = {*patterns(stack_schema()["$defs"]), *patterns(definition_schema()["$defs"])}
    assert found - set(PATTERNS) == set()
    assert set(PATTERNS) - found == set(), "words for patterns that no model has"


def test_every_code_is_used_and_every_used_code_is_in_the_table() -> None:
    folder = Path(dataplatform.config.__file__).parent
    used = set()
    for path in folder.glob("*.py"):
        if path.name != "codes.py":
            used |= set(re.findall(r"\bDP\d{3}\b", path.read_text(encoding="utf-8")))
    assert used <= set(CODES)
    assert {code for code in CODES if code < "DP400"} - used == {"DP221", "DP252", "DP255"}, "these are told by infra"
    assert all(meaning and not meaning.endswith(".") for meaning in CODES.values())
    source = ast.parse((folder / "codes.py").read_text(encoding="utf-8"))
    keys = [k.value for n in ast.walk(source) if isinstance(n, ast.Dict) for k in n.keys if isinstance(k, ast.Constant)]
    assert len(keys) == len(set(keys)), "a code stands in the table twice"


def test_schemas_are_plain_json_and_close_every_object() -> None:
    for schema in (stack_schema(), definition_schema()):
        assert json.loads(json.dumps(schema)) == schema
        for name, part in schema["$defs"].items():
            if part.get("type") == "object":
                assert part.get("additionalProperties") is False, name
    steps = definition_schema()["$defs"]["StepFile"]["properties"]
    assert {"JOB_ID", "STEP_PROPERTIES", "ASYNC_TIMEOUT_LOOP_IN_MINUTES"} <= set(steps)
    assert steps["TYPE"].get("const", "async") == "async"


def test_data_tables_are_of_one_form() -> None:
    assert all(re.fullmatch(r"[a-z]+-[a-z]+[0-9]{1,2}", region) for region in REGIONS)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", name) for name in EXECUTORS)


def test_names_of_secrets() -> None:
    for key in ("password", "DB_PASSWORD", "dbPassword", "smtp-smtp_password", "client.secret", "api_key", "apiKey",
                "x-api-key", "accessToken", "SECRET", "private_key", "passwd2", "AccountKey",
                "secret_value"):  # fmt: skip
        assert secret_key(key), key
    for key in ("secrets-backend", "secret_name", "password_secret_id", "token_uri", "max_tokens", "keyboard", "key",
                "primary_key", "partition_key", "passwords_file", "compass", "secretary"):  # fmt: skip
        assert not secret_key(key), key


def test_secrets_by_their_look() -> None:
    fake = "A" * 16
    assert plain_secret("x", f"AKIA{fake}")
    assert plain_secret(None, "-----BEGIN " + "PRIVATE KEY-----\nabc")
    assert plain_secret("args", "--password=abc")
    assert plain_secret("url", "postgresql://user:secret@host/db")
    assert plain_secret("password", 4711)
    for value in (
        "",
        "   ",
        None,
        True,
        "$secret:x",
        "${secret}",
        "projects/p/secrets/s/versions/1",
        "{{ var.value.x }}",
    ):
        assert plain_secret("password", value) is None, value
    for value in (
        "postgresql://user@host/db",
        "https://host:8080/a@b",
        "jdbc:x?password=${p}",
        "password = ***",
        "a@b:c",
    ):
        assert plain_secret("url", value) is None, value
