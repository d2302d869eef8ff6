"""Pipelines for tests: one that deploys everywhere, and many that a generator made."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

from dataplatform.datafusion import files, normalise
from dataplatform.datafusion.layout import normalised
from dataplatform.datafusion.model import Json, Key, Kind

PIPELINE_ARTIFACT = {"name": "cdap-data-pipeline", "version": "6.11.0", "scope": "SYSTEM"}
PLUGINS = {"name": "core-plugins", "version": "2.13.0", "scope": "SYSTEM"}
ODD = [
    "plain",
    "two words",
    "a/b",
    "ümläut",
    "日本語",
    "x=1 & <b> 'q' \"d\"",
    "back\\slash",
    "line\nend",
    "tab\t",
    "%41",
    "🙂",
]


def stage(name: str, plugin: str, kind: str, /, **properties: str) -> Json:
    return {"name": name, "plugin": {"name": plugin, "type": kind, "artifact": dict(PLUGINS), "properties": properties}}


def pipeline(name: str, table: str = "orders", **config: Any) -> Json:
    """A pipeline from one table to another."""
    return {
        "name": name,
        "artifact": dict(PIPELINE_ARTIFACT),
        "config": {
            "resources": {"memoryMB": 1024, "virtualCores": 1},
            "driverResources": {"memoryMB": 1024, "virtualCores": 1},
            "connections": [{"from": "Read", "to": "Write"}],
            "comments": [],
            "postActions": [],
            "properties": {},
            "processTimingEnabled": True,
            "stages": [
                stage("Read", "KVTable", "batchsource", name=table),
                stage("Write", "KVTable", "batchsink", name=f"{table}_copy"),
            ],
            "schedule": "0 1 */1 * *",
            "engine": "mapreduce",
            "maxConcurrentRuns": 1,
            **config,
        },
    }


def export_of(namespace: str, *bodies: Json) -> dict[Key, Json]:
    """A namespace with pipelines, as files hold it."""
    made = {
        Key(namespace=namespace, kind=Kind.NAMESPACE): normalise.namespace({"name": namespace}),
    }
    for body in bodies:
        made[Key(namespace=namespace, kind=Kind.PIPELINE, name=body["name"])] = normalised(Kind.PIPELINE, body)
    return made


def generated(seed: int) -> Json:
    """A pipeline with odd names, values and numbers that CDAP accepts."""
    r = random.Random(seed)
    name = "".join(r.choice("abcXYZ019_-") for _ in range(r.randint(1, 24))) + f"_{seed}"
    source, sink = r.sample(ODD, 2)
    middles = r.sample([o for o in ODD if o not in (source, sink)], r.randint(0, 3))
    stages = [
        stage(source, "KVTable", "batchsource", name=f"table{seed}"),
        # CDAP keeps properties that a plugin does not know.
        *(stage(m, "Projection", "transform", note=r.choice(ODD), text=_text(r), schema=_schema(r)) for m in middles),
        stage(sink, "KVTable", "batchsink", **{"name": "out", "key.field": "key", "note": r.choice(ODD)}),
    ]
    chain = [source, *middles, sink]
    config: Json = {
        "stages": stages,
        "connections": [{"from": a, "to": b} for a, b in itertools.pairwise(chain)],
        "schedule": r.choice(["0 1 */1 * *", "*/5 * * * *", "30 6 * * 1"]),
        "engine": r.choice(["mapreduce", "spark"]),
        "maxConcurrentRuns": r.randint(1, 5),
        "resources": {"memoryMB": r.choice([512, 2048, 12345]), "virtualCores": r.randint(1, 4)},
        "numOfRecordsPreview": r.choice([100, 1, 5000]),
        "stageLoggingEnabled": r.random() < 0.5,
        "properties": {r.choice(ODD): r.choice(ODD) for _ in range(r.randint(0, 3))},
        "uiextra": {"float": 1.5, "big": 12345678901, "none": None, "list": [3, None, {"x": 1e-7}], "e": 1e300},
    }
    if r.random() < 0.5:
        config["description"] = r.choice(ODD)
    r.shuffle(config["stages"])
    return {"name": name, "artifact": dict(PIPELINE_ARTIFACT), "config": config}


def _text(r: random.Random) -> str:
    return "function transform(input) {\n  emit(input); // " + "".join(r.sample(ODD, 3)) + "\n}"


def _schema(r: random.Random) -> str:
    fields = ",".join(f'{{"name":"f{i}","type":["string","null"]}}' for i in range(r.randint(1, 3)))
    return f'{{"type":"record","name":"out","fields":[{fields}]}}'


def as_saved_in_ui(body: Json, seed: int = 0) -> Json:
    """The same pipeline as the user interface sends it: with places of boxes and copies of what stands elsewhere."""
    r = random.Random(seed)
    made = copy.deepcopy(body)
    for one in made["config"]["stages"]:
        one["_uiPosition"] = {"left": f"{r.randint(0, 900)}px", "top": f"{r.randint(0, 900)}px"}
        one["id"] = one["name"]
        one["type"] = one["plugin"]["type"]
        one["icon"] = "fa-plug"
        one["isPluginAvailable"] = True
        one["plugin"]["label"] = one["name"]
    r.shuffle(made["config"]["stages"])
    r.shuffle(made["config"]["connections"])
    return made


def tree(folder: Any) -> dict[str, bytes]:
    """Every file with its bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write(folder: Any, export: dict[Key, Json]) -> None:
    files.write(folder, export, lambda key: True)
