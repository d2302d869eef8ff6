"""The editors' schemas: they accept what is right, refuse unknown keys, and describe every key."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.loader import load_document
from dataplatform.show import schema as schemas
from dataplatform.show.convert import to_yaml
from tests.config.test_stacks import FULL
from tests.show import plans
from tests.show.jsonschema_check import problems

ROOT = Path(__file__).parent.parent.parent
STACK, DEFINITION = schemas.schema("stack"), schemas.schema("definition")


def read(path: Path, text: str | None = None) -> Any:
    node, found = load_document(path, text)
    assert node is not None, found.render()
    return node.value()


def full() -> Any:
    return read(Path("Pulumi.dev.yaml"), FULL)


def test_the_stacks_of_the_project_are_valid() -> None:
    stacks = sorted(ROOT.glob("Pulumi.*.yaml"))
    assert stacks
    for path in stacks:
        assert problems(read(path), STACK) == [], path.name
    assert problems(full(), STACK) == []


def test_every_definition_is_valid_and_so_is_its_yaml() -> None:
    paths = [*plans.AEF, *sorted(ROOT.glob("pipelines/*.json"))]
    assert len(paths) >= 5
    for path in paths:
        data = read(path)
        assert problems(data, DEFINITION) == [], path.name
        assert problems(read(Path("x.yaml"), to_yaml(data)), DEFINITION) == [], path.name


def mappings(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    if isinstance(value, dict):
        yield at, value
        for key, item in value.items():
            yield from mappings(item, (*at, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from mappings(item, (*at, n))


FREE = {"pulumi:tags", "azure-native:clientSecret", "env_variables", "airflow_config_overrides", "pypi_packages"}
"""Mappings whose keys are the user's or another's."""
NAMED = {"labels", "zones", "lifecycle", "secrets"}
"""Mappings whose keys are names."""


def test_an_unknown_key_is_refused_anywhere() -> None:
    tried = 0
    for at, _ in mappings(full()):
        if at and at[-1] in FREE:
            continue
        changed = full()
        place = next(mapping for path, mapping in mappings(changed) if path == at)
        place["Not A Key" if at and at[-1] in NAMED else "unknown_key"] = {}
        assert any("unknown key" in p or "forms" in p for p in problems(changed, STACK)), at
        tried += 1
    assert tried > 20
    for path in plans.AEF:
        for at, _ in mappings(read(path)):
            changed = read(path)
            next(mapping for where, mapping in mappings(changed) if where == at)["LEVELID"] = "1"
            assert problems(changed, DEFINITION), at


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LEVEL_ID", "one"),
        ("THREADS", []),
        ("engine", "airflow"),
        ("TYPE", "Async"),
        ("WAIT_TIME_SECONDS", "ten"),
        ("WAIT_TIME_SECONDS", 1.5),
        ("JOB_NAME", " "),
        ("READ_INPUT_FROM", "J02"),
        ("CONTINUE_IF_FAIL", "maybe"),
        ("STEP_PROPERTIES", 5),
    ],
)
def test_wrong_values_are_refused(key: str, value: Any) -> None:
    data = copy.deepcopy(json.loads(plans.AEF[0].read_text()))
    level = data["definition"][0]
    places = (data, level, level["THREADS"][0]["STEPS"][0])
    place = next((p for p in places if key in p), places[-1])
    place[key] = value
    assert problems(data, DEFINITION)


def test_a_plain_text_secret_is_refused() -> None:
    data = full()
    data["config"]["data-platform:hawk_key"] = "plain"
    assert problems(data, STACK)


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    def below(node: Any, owner: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if isinstance(node, dict):
            for key, value in node.get("properties", {}).items():
                yield owner, key, value
            for name, value in node.items():
                if name == "$defs":
                    for model, one in value.items():
                        yield from below(one, model)
                else:
                    yield from below(value, name if name == "config" else owner)

    yield from below(schema, "")


def test_every_key_is_described_and_nothing_else_is() -> None:
    """Where this fails for a new field: write its meaning below it in the model, or in `DESCRIPTIONS`."""
    found = [*keys(STACK), *keys(DEFINITION)]
    assert [f"{owner}.{key}" for owner, key, value in found if not value.get("description")] == []
    known = {f"{owner}.{key}" if owner else key for owner, key, _ in found}
    assert set(schemas.DESCRIPTIONS) <= known
    used = {value["description"] for _, _, value in found}
    assert {key for key, text in schemas.DESCRIPTIONS.items() if text not in used} == set()


def test_the_models_own_words_are_taken() -> None:
    definitions = STACK["$defs"]
    assert "Rings and keys can never be deleted" in definitions["Kms"]["properties"]["generation"]["description"]
    steps = DEFINITION["$defs"]["StepFile"]["properties"]
    assert steps["JOB_ID"]["description"] == "Unique in the pipeline."


def test_the_dialect_and_the_bytes() -> None:
    for kind in schemas.KINDS:
        text = schemas.text(kind)
        assert json.loads(text)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert text == schemas.text(kind)
