"""The two readers: the same data as the standard libraries read, with positions."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataplatform.config import yamlreader
from dataplatform.config.document import Node
from dataplatform.config.loader import load_document
from dataplatform.diagnostics import Position


def read(name: str, text: str) -> Node:
    node, found = load_document(Path(name), text)
    assert node is not None, found.render()
    assert not found, found.render()
    return node


def some_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 4 else 6)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return chance.choice([0, -1, 7, 2**63 - 1, -(2**63), chance.randrange(10**6)])
    if kind == 2:
        return chance.choice([0.5, -1.25e-7, 1e300, 3.0])
    if kind in (3, 4, 5):
        return "".join(chance.choice("ab \n\t\"'\\/:#-{}[],é日\U0001f600\x7f0yn") for _ in range(chance.randrange(12)))
    if kind == 6:
        return [some_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {f"k{i}{chance.choice(['', ' é', ':'])}": some_value(chance, depth + 1) for i in range(chance.randrange(4))}


@pytest.mark.parametrize("seed", range(20))
def test_json_is_read_as_the_standard_library_does(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(20):
        value = some_value(chance)
        for text in (json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False)):
            assert read("a.json", text).value() == value


@pytest.mark.parametrize("seed", range(20))
def test_yaml_is_read_as_it_was_written(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        # Quoted texts only, so that no plain scalar could be read in two ways. YAML wants U+007F escaped.
        text = json.dumps({"root": some_value(chance)}, ensure_ascii=False).replace("\x7f", "")
        assert read("a.yaml", text).value() == json.loads(text)
        block = yaml.safe_dump(json.loads(text), allow_unicode=True, default_style='"')
        if "!!" not in block:
            assert read("a.yaml", block).value() == json.loads(text)


@pytest.mark.parametrize("library", ["C", "Python"])
def test_both_parsers_of_pyyaml_give_the_same(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamlreader, "_LOADER", yaml.CSafeLoader if library == "C" else yaml.SafeLoader)
    text = "a: [1, 'two', \"three\", true, null, 1.5]\nb:\n  c: |\n    x\n    y\n  é: >-\n    p\n    q\n"
    node = read("a.yaml", text)
    assert node.value() == {"a": [1, "two", "three", True, None, 1.5], "b": {"c": "x\ny\n", "é": "p q"}}
    assert node.position_of(("b", "é"), key=True) == Position("a.yaml", 6, 3)
    assert node.position_of(("a", 2)) == Position("a.yaml", 1, 15)
    for bad in ("a: 'x", "a:\n\tb", "a: b: c", "a: \x1b"):
        found = load_document(Path("a.yaml"), bad)[1]
        assert len(found.items) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("10.0.0.0/22", "10.0.0.0/22"),
        ("1.2.3", "1.2.3"),
        ("v1:abc", "v1:abc"),
        ("europe-west1", "europe-west1"),
        ("P30D", "P30D"),
        ("-", None),
        ("'yes'", "yes"),
        ('"012"', "012"),
        ("2.9.7-x", "2.9.7-x"),
        ("nope", "nope"),
        ("once upon", "once upon"),
        ("2024-W01", "2024-W01"),
        ("+x", "+x"),
        ("0.5.1", "0.5.1"),
        ("==2.2.*", "==2.2.*"),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    if text == "-":
        assert read("a.yaml", "a:\n  -").value() == {"a": [None]}
        return
    found = read("a.yaml", f"a: {text}").value()["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    ["yes", "No", "ON", "off", "y", "N", "True", "FALSE", "Null", "012", "0o17", "0x1f", "0b11", "1_000", "1:30",
     "190:20:30.15", "2024-01-01", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00 +01:00", ".inf", "-.INF", ".nan",
     "99999999999999999999", "1e400"],
)  # fmt: skip
def test_scalars_that_readers_disagree_on_are_refused(text: str) -> None:
    node, found = load_document(Path("a.yaml"), f"a: {text}\nb: 1\n")
    assert [d.code for d in found.items] in (["DP113"], ["DP116"])
    assert found.items[0].position == Position("a.yaml", 1, 4)
    assert text in found.items[0].remedy or "write" in found.items[0].remedy
    assert node is not None
    flawed = node.at(("a",))
    assert flawed is not None
    assert flawed.flawed
    assert read("a.yaml", f'a: "{text}"').value() == {"a": text}


def test_positions_point_at_keys_and_values() -> None:
    text = '{\n  "a": {"b": [1, {"c": "x"}]},\n  "é": 2\n}'
    for name in ("a.json", "a.yaml"):
        node = read(name, text)
        assert node.position_of() == Position(name, 1, 1)
        assert node.position_of(("a",), key=True) == Position(name, 2, 3)
        assert node.position_of(("a", "b")) == Position(name, 2, 14)
        assert node.position_of(("a", "b", 1, "c"), key=True) == Position(name, 2, 19)
        assert node.position_of(("a", "b", 1, "c")) == Position(name, 2, 24)
        assert node.position_of(("é",)) == Position(name, 3, 8)
        assert node.line_text(3) == '  "é": 2'
        assert node.line_text(99) == ""
        # What is not there is shown at the mapping that lacks it.
        assert node.position_of(("a", "nothing")) == Position(name, 2, 3)
        assert node.position_of(("nothing", "deeper")) == Position(name, 1, 1)


def test_line_ends_of_every_kind_count_once() -> None:
    assert read("a.json", '{\r\n"a":\r1,\n"b": 2}').position_of(("b",)) == Position("a.json", 4, 6)
    assert read("a.yaml", "a: 1\r\nb: 2\r\n").position_of(("b",)) == Position("a.yaml", 2, 4)
