"""Files that somebody edited by hand: a sentence with a place, and never a traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.codes import CODES
from dataplatform.datafusion import layout, normalise, service
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.errors import DataFusionError
from dataplatform.datafusion.macros import Environment
from dataplatform.datafusion.model import Json, Key, Kind
from dataplatform.datafusion.service import Selection
from dataplatform.diagnostics import InputError
from localcloud.cdap.server import Server
from tests.datafusion.pipelines import generated, pipeline, write
from tests.datafusion.test_push import jar
from tests.datafusion.test_roundtrip import everything

NOTHING = Environment()
ODD: list[Any] = [
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    [],
    {},
    [1],
    [None],
    {"a": 1},
    "${",
    "${}",
    "${secure()}",
    "\0",
    [[]],
]


def all_kinds() -> dict[Key, Json]:
    """An export with something of every kind of file."""
    made = everything("ns")
    first = made[Key(namespace="ns", kind=Kind.PIPELINE, name="first")]
    odd = generated(3)
    tiny: Json = {"name": "tiny", "version": "1.0.0", "parents": ["system:cdap-data-pipeline[6.0.0,7.0.0)"]}
    tiny["plugins"] = [{"type": "jdbc", "name": "tinyjdbc", "className": "tiny.Tiny", "description": "d"}]
    return made | {
        Key(namespace="ns", kind=Kind.SECURE_KEYS): {"keys": [{"name": "k", "description": "d"}]},
        Key(namespace="ns", kind=Kind.VERSION, name="first", part="1"): {**first, "version": "1"},
        Key(namespace="ns", kind=Kind.PIPELINE, name=odd["name"]): layout.normalised(Kind.PIPELINE, odd),
        Key(namespace="ns", kind=Kind.ARTIFACT, name="tiny", part="1.0.0"): normalise.artifact(tiny),
        Key(namespace="system", kind=Kind.PREFERENCES): {"preferences": {"a": "b"}},
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    if path:
        yield path
    for name, child in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(child, (*path, name))


def spoiled(body: Json, r: random.Random) -> Json:
    """The document with one part gone, or of another type."""
    made = copy.deepcopy(body)
    *above, last = r.choice(list(places(made)))
    at: Any = made
    for part in above:
        at = at[part]
    if r.random() < 0.25:
        del at[last]
    else:
        at[last] = copy.deepcopy(r.choice(ODD))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_no_spoiled_file_is_a_traceback(embedded: Server, tmp_path: Path, seed: int) -> None:
    r = random.Random(seed)
    base = all_kinds()
    paths = layout.paths(base)
    client = Client(embedded.url, concurrency=1)
    refused = 0
    write(tmp_path, base)
    (tmp_path / "ns" / "artifacts" / "tiny@1.0.0.jar").write_bytes(jar())
    for _ in range(40):
        key = r.choice(sorted(base))
        file = tmp_path / paths[key]
        whole = file.read_text("utf-8")
        file.write_text(json.dumps(spoiled(base[key], r)), "utf-8")
        try:
            for upgrade in (False, True):
                service.prepare(client, tmp_path, NOTHING, Selection(), upgrade=upgrade)
            service.difference(client, tmp_path, NOTHING, Selection())
        except InputError as problem:
            refused += 1
            for diagnostic in problem.diagnostics.sorted():
                assert diagnostic.code in CODES
                assert diagnostic.message
                assert diagnostic.remedy
        except DataFusionError:
            refused += 1
        file.write_text(whole, "utf-8")
    assert refused > 8, "what was spoiled was not looked at"


def stages(**changes: Any) -> Json:
    made = pipeline("p")
    made["config"] |= changes
    return made


def plugin(**changes: Any) -> Json:
    made = pipeline("p")
    made["config"]["stages"][1]["plugin"] |= changes
    return made


SENTENCES = {
    "a stage that is not there": (
        stages(connections=[{"from": "Read", "to": "Wriet"}]),
        "config.connections[0].to: the connection leads to 'Wriet', which is no stage of the pipeline; did you mean",
    ),
    "an open end": (stages(connections=[{"from": "Read"}]), "the connection has no 'to'; add \"to\""),
    "an artifact that is a name": (
        plugin(artifact="core-plugins"),
        "config.stages[1].plugin.artifact: this must be an object; write { … }",
    ),
    "a version that is a number": (
        plugin(artifact={"name": "core-plugins", "version": 2.13, "scope": "SYSTEM"}),
        'artifact.version: this must be a text; write "…"',
    ),
    "a property that is a list": (
        plugin(properties={"name": ["a", "b"]}),
        "properties.name: this must be a single value",
    ),
    "a schedule of three fields": (
        stages(schedule="0 3 *"),
        "pipeline ns/p: '0 3 *' is no time of a schedule; write five fields",
    ),
    "a name that no pipeline may have": (
        pipeline("two words") | {"name": "two words"},
        "'two words' is no name of a pipeline; use letters, digits, '_' and '-' only",
    ),
}


@pytest.mark.parametrize(("body", "said"), SENTENCES.values(), ids=list(SENTENCES))
def test_what_is_wrong_is_said_before_anything_is_changed(
    embedded: Server, tmp_path: Path, body: Json, said: str
) -> None:
    file = tmp_path / "ns" / "pipelines" / "p.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(body, indent=2), "utf-8")
    with pytest.raises(InputError) as caught:
        service.prepare(Client(embedded.url), tmp_path, NOTHING, Selection())
    (diagnostic,) = caught.value.diagnostics.sorted()
    assert said in diagnostic.headline()
    assert diagnostic.position.line > 1


def test_a_schedule_of_nobodys_pipeline_is_refused(embedded: Server, tmp_path: Path) -> None:
    export = everything("ns")
    del export[Key(namespace="ns", kind=Kind.PIPELINE, name="second")]
    write(tmp_path, export)
    with pytest.raises(InputError) as caught:
        service.prepare(Client(embedded.url), tmp_path, NOTHING, Selection())
    said = {diagnostic.headline().partition("error: ")[2] for diagnostic in caught.value.diagnostics.sorted()}
    assert said == {
        f"{what} belongs to a pipeline that neither the files nor the instance have; "
        "add the file of pipeline ns/second, or delete this one [DP608]"
        for what in ("runtime arguments of pipeline ns/second", "trigger ns/second/after first")
    }


def test_a_macro_is_told_at_its_line(embedded: Server, tmp_path: Path) -> None:
    write(tmp_path, {Key(namespace="ns", kind=Kind.PIPELINE, name="p"): normalise.pipeline(pipeline("p", "${bucket}"))})
    with pytest.raises(InputError) as caught:
        service.prepare(Client(embedded.url), tmp_path, NOTHING, Selection())
    (diagnostic,) = caught.value.diagnostics.sorted()
    lines = (tmp_path / "ns" / "pipelines" / "p.json").read_text("utf-8").splitlines()
    assert lines[diagnostic.position.line - 1][diagnostic.position.column - 1 :].startswith("${bucket}")
