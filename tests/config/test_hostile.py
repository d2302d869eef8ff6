"""Hostile and broken input: always diagnostics, quickly, and nothing else."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

from dataplatform.config import loader
from dataplatform.config.check import check_stacks, load_definition
from dataplatform.config.loader import MAX_BYTES, load_document
from dataplatform.diagnostics import Diagnostics

pytestmark = pytest.mark.slow

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
STACK = """\
config:
  data-platform:hawk_key: {secure: v1:abc}
  data-platform:platform:
    environment: dev
    protect: false
    labels: {owner: data-platform}
    gcp:
      project: acme-data-dev
      region: europe-west1
      lake: {zones: {landing: {lifecycle: {old: {age_days: 30, action: delete}}}}}
      secrets: {hawk_key: {accessors: ["user:a@example.com"]}}
      data_fusion:
        private: true
        network: {connection: vpc_peering, network: vpc, ip_allocation: 10.0.0.0/22}
      composer: {env_variables: {A: "b"}, workloads: {scheduler: {cpu: 1}}}
"""


def codes(found: Diagnostics) -> list[str]:
    return [diagnostic.code for diagnostic in found.sorted()]


def test_missing_file_folder_and_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    for name in ("missing.json", "folder.json", "pipe.json", "x" * 300 + ".json", "a\0b.json"):
        node, found = load_document(tmp_path / name)
        assert node is None
        assert codes(found) == ["DP101"]
        assert load_definition(tmp_path / name)[0] is None


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}", encoding="utf-8")

    def refuse(_: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert codes(load_document(path)[1]) == ["DP101"]


def test_a_stack_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").mkdir()
    assert codes(check_stacks(tmp_path)) == ["DP101"]


def test_odd_file_names_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(
        STACK.replace("      composer: {", "      workflows: {}\n      composer: {") + "    pipelines: {}\n",
        encoding="utf-8",
    )
    folder = tmp_path / "pipelines"
    folder.mkdir()
    for name in (b"\x1b[31mred.json", b"\xff\xfe.json", b"a\nb.json", "\u202egnp.json".encode(), b"-rf", b"$(x).json"):
        (folder / os.fsdecode(name)).write_bytes(CORPUS[0].read_bytes())
    found = check_stacks(tmp_path)
    assert sorted(codes(found)) == ["DP304", *["DP305"] * 5]
    text = "\n".join(diagnostic.headline() for diagnostic in found.sorted())
    assert len(text.split("\n")) == 6
    assert all(line.isprintable() for line in text.split("\n"))


def test_large_files_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a" * (MAX_BYTES + 1))
    assert codes(load_document(path)[1]) == ["DP104"]
    assert codes(load_document(Path("a.json"), "[" + "1," * MAX_BYTES + "1]")[1]) == ["DP104"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.json", "[" * 900_000),
        ("deep_objects.json", '{"a":' * 300_000),
        ("deep.yaml", "[" * 900_000),
        ("deep_block.yaml", "- " * 900_000),
        ("deep_mapping.yaml", "{a: " * 400_000),
        ("wide.json", "[" + "1," * 800_000 + "1]"),
        ("wide.yaml", "- 1\n" * 400_000),
        ("duplicates.json", "{" + '"a":1,' * 200_000 + '"a":1}'),
        ("duplicates.yaml", "a: 1\n" * 300_000),
        ("aliases.yaml", "a: &a 1\nb: [" + "*a," * 500_000 + "]"),
        ("commas.json", "[" + "," * 1_000_000 + "]"),
        ("quotes.json", "'" * 1_000_000),
        ("words.json", "a " * 900_000),
        ("hashes.json", "#\n" * 900_000),
        ("backslashes.json", '"' + "\\" * 1_900_000 + '"'),
        ("number.json", "1" * 1_900_000),
        ("number.yaml", "a: " + "1" * 1_900_000),
        ("long_key.json", '{"' + "k" * 1_900_000 + '": 1}'),
        ("long_key.yaml", "? " + "k" * 1_900_000 + "\n: 1"),
        ("spaces.json", " " * 1_900_000),
        ("spaces.yaml", " " * 1_900_000),
        ("lines.yaml", "\n" * 1_900_000 + "a: [\n"),
        ("indent.yaml", "\n".join(" " * (i % 90) + "x" for i in range(20_000)) + "\n: ["),
        ("url.yaml", "a: " + "a://" + "b" * 1_500_000),
        ("pw.json", '{"definition": "' + "password = " * 100_000 + '"}'),
    ],
)
def test_hostile_text_is_told_quickly(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    begin = time.perf_counter()
    definition, found = load_definition(path)
    seconds = time.perf_counter() - begin
    assert definition is None
    assert found
    assert len(found.items) <= 202
    assert len(found.render()) < 300_000
    assert seconds < 5, "a second on a quiet machine; five where others work on it too"


def mutated(text: str, chance: random.Random) -> str:
    """The text with one to eight random edits, among them the characters that mean something to a reader."""
    odd = "{}[]:,\"'\\#&*!|>%@`-?~ \t\n\r\0\x1b\u2028\ud7ff\ufeff\u202e0123456789eE+.aNnTtrue<$"
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            text = text[:at] + text[at + chance.randint(1, 20) :]
        elif kind == 1:
            text = text[:at] + "".join(chance.choice(odd) for _ in range(chance.randint(1, 3))) + text[at:]
        elif kind == 2:
            end = at + chance.randint(1, 80)
            text = text[:end] + text[at:end] + text[end:]
        elif kind == 3:
            text = text[:at] + chance.choice(odd) + text[at + 1 :]
        else:
            values = ("null", "{}", "[]", "1e400", '""', "true", '"x"', "-1", "{a: b}", "- 1", "&a", "*a", "2024-01-01")
            text = text[:at] + chance.choice(values) + text[at:]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_mutated_definitions_never_crash(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    accepted = 0
    for round_ in range(500):
        source = chance.choice(CORPUS).read_text(encoding="utf-8")
        path = tmp_path / ("orders.json" if round_ % 4 else "orders.yaml")
        path.write_bytes(mutated(source, chance).encode("utf-8", "surrogatepass"))
        definition, found = load_definition(path)
        assert (definition is None) == bool(found)
        found.render()
        json.dumps([diagnostic.as_dict() for diagnostic in found.items])
        accepted += definition is not None
    assert accepted < 250


@pytest.mark.parametrize("seed", range(2))
def test_mutated_stack_files_never_crash(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    for _ in range(500):
        text = mutated(STACK, chance)
        (tmp_path / "Pulumi.dev.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        found = check_stacks(tmp_path)
        found.render()
        assert all(diagnostic.position.line >= 1 and diagnostic.position.column >= 1 for diagnostic in found.items)


def test_the_unmutated_stack_file_is_right(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK, encoding="utf-8")
    found = check_stacks(tmp_path)
    assert not found, found.render()


def test_wrong_values_at_every_place_never_crash(tmp_path: Path) -> None:
    """Each scalar and mapping of a stack is replaced by values of every other kind."""
    node, _ = load_document(Path("Pulumi.dev.yaml"), STACK)
    assert node is not None
    lines = STACK.splitlines()
    for number, line in enumerate(lines):
        head, colon, _ = line.partition(": ")
        if not colon:
            continue
        for value in (
            "null",
            "[]",
            "{}",
            "-1",
            "text",
            '""',
            "1.5",
            "true",
            "[[[]]]",
            "{a: {b: [c]}}",
            "{secure: x}",
            "9" * 18,
        ):
            text = "\n".join([*lines[:number], f"{head}: {value}", *lines[number + 1 :]])
            (tmp_path / "Pulumi.dev.yaml").write_text(text + "\n", encoding="utf-8")
            check_stacks(tmp_path).render()


def test_no_secret_value_is_ever_shown(tmp_path: Path) -> None:
    """A canary in the place of each secret, and the file broken after it in turn in several ways."""
    secret = "CANARY-" + "hunter2"
    places = [
        f"  data-platform:hawk_key: {secret}\n",
        f"  data-platform:hawk_key: '{secret}\n",
        f"  data-platform:hawk_key: [{secret}\n",
        f"  data-platform:hawk_key: {secret}: {secret}\n",
        f"  data-platform:hawk_key:\n    secure: {secret}: x\n",
        f"  data-platform:hawk_key:\n    - {secret}\n    {secret}\n",
        f"  data-platform:hawk_key: |\n    {secret}\n\t{secret}\n",
        f"  data-platform:hawk_key: !x {secret}\n",
        f"  data-platform:hawk_key: &{secret} {secret}\n",
        f"  gcp:credentials: {secret}\n  gcp:credentials: {secret}\n",
        f"  other:thing: {secret}\n",
        f'  "data-platform:hawk_key": "{secret}\\q"\n',
        f"  data-platform:hawk_key: |\n{secret}\n",
        f"  data-platform:hawk_key: |\n    x\n{secret}: [\n",
    ]
    for place in places:
        for tail in ("", "broken: [", "\tx", "\0", "a: b: c"):
            (tmp_path / "Pulumi.dev.yaml").write_text(
                STACK.replace("  data-platform:hawk_key: {secure: v1:abc}\n", place) + tail, encoding="utf-8"
            )
            found = check_stacks(tmp_path)
            assert found
            if "&CANARY" not in place:  # an anchor is a name
                assert secret not in found.render()
                assert secret not in json.dumps([diagnostic.as_dict() for diagnostic in found.items])


@pytest.mark.parametrize(
    "text",
    [
        '{"password": CANARY}',
        '{"password": "CANARY}',
        "{'password': 'CANARY'}",
        '{"password": 0123456789}',
        '{"password": 0123456789, "password": 1}',
        '{"x": 1 "password": "CANARY"}',
        '{"a": {"api_key":\n  CANARY\n}}',
        '{"engine": "composer", "definition": [], "password": ["CANARY", {"x": "CANARY"}]}',
        '{"engine": "postgres://me:CANARY@host/db", "definition": []}',
        '{"engine": "composer", "definition": [{"LEVEL_ID": "x?password=CANARY", "THREADS": []}]}',
    ],
)
def test_no_secret_of_a_definition_is_shown(text: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    path.write_text(text, encoding="utf-8")
    _, found = load_definition(path)
    assert found
    assert "CANARY" not in found.render()
    assert "123456789" not in found.render()
    yaml_path = tmp_path / "orders.yaml"
    yaml_path.write_text("engine: composer\npassword: 0123456789\ntoken:\n  0123456789\n", encoding="utf-8")
    assert "123456789" not in load_definition(yaml_path)[1].render()


def test_reader_is_not_asked_for_more_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_BYTES", 10)
    assert codes(load_document(Path("a.json"), '{"a": "0123456789"}')[1]) == ["DP104"]
