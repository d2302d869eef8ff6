"""Deployments that are refused, and some that should be."""

from typing import Any

from tests.cdap.calls import Call, get, put
from tests.cdap.pipelines import ARTIFACT, CORE, app, config, link, sink, source, stage

_APP = "/v3/namespaces/ns1/apps/e1"


def _deploy(body: Any, **options: Any) -> Call:
    return put(_APP, body, **options)


def _two(first: dict[str, Any], second: dict[str, Any], **more: Any) -> dict[str, Any]:
    return app(config(stages=[first, second], connections=[link("A", "B")], **more))


def _from(artifact: dict[str, Any] | None) -> dict[str, Any]:
    made = source("A")
    made["plugin"] = {k: v for k, v in made["plugin"].items() if k != "artifact"}
    if artifact is not None:
        made["plugin"]["artifact"] = artifact
    return made


_ACTION = stage("X", "FileDelete", "action", {"path": "/x", "continueOnError": "true"})
_LAST = stage("Y", "FileDelete", "action", {"path": "/y", "continueOnError": "true"})

CALLS = (
    _deploy("{bad json"),
    _deploy(""),
    _deploy("{}"),
    _deploy("[]"),
    _deploy({"artifact": {"name": "cdap-data-pipeline", "version": "6.11.0"}, "config": {}}),
    _deploy({"artifact": {**ARTIFACT, "version": "1.0.0"}, "config": config()}),
    _deploy({"artifact": {**ARTIFACT, "version": ""}, "config": config()}),
    _deploy({"artifact": {**ARTIFACT, "version": "[6.0.0,7.0.0)"}, "config": config()}),
    _deploy({"artifact": {"name": "none", "version": "1.0.0", "scope": "USER"}, "config": {}}),
    _deploy(app({})),
    _deploy({"artifact": ARTIFACT}),
    _deploy(app(config(stages=[]))),
    _deploy(app("not json")),
    _deploy(app([])),
    _deploy(app(5)),
    _deploy(app(config(stages="x"))),
    _deploy(app(config(stages=[1]))),
    _deploy(app(config(connections="x"))),
    _deploy(app(config(resources="x"))),
    _deploy(app(config(maxConcurrentRuns="x"))),
    _deploy(app(config(properties={"a": {"b": 1}}))),
    _deploy(app(config(engine="bogus"))),
    _deploy(app(config(schedule="bogus"))),
    _deploy(app(config(stages=[{"name": "A"}, sink("B")]))),
    _deploy(app(config(stages=[{"plugin": {}}, sink("B")]))),
    _deploy(_two(stage("A", "NoSuch", "batchsource", {}), sink("B"))),
    _deploy(_two(_from(None), sink("B"))),
    _deploy(_two(_from({**CORE, "version": "9.9.9"}), sink("B"))),
    _deploy(_two(_from({**CORE, "version": "[2.0.0,3.0.0)"}), sink("B"))),
    _deploy(_two(_from({**CORE, "version": "bogus"}), sink("B"))),
    _deploy(_two(_from({**CORE, "scope": "USER"}), sink("B"))),
    _deploy(_two(stage("A", "KVTable", "batchsource", {}), sink("B"))),
    _deploy(_two(source("A"), stage("B", "KVTable", "batchsink", {}))),
    _deploy(_two(source("A", name=None), sink("B"))),
    _deploy(_two(source("A", name=""), sink("B"))),
    _deploy(_two(source("A", name="bad name!"), sink("B"))),
    _deploy(_two(source("A", unknown="1"), sink("B"))),
    _deploy(_two(source("A", name="${in}"), sink("B"))),
    get(_APP),
    _deploy(app(config(connections=[]))),
    _deploy(app(config(connections=[link("Src", "Zzz")]))),
    _deploy(app(config(connections=[{"from": "Src"}]))),
    _deploy(app(config(stages=[source("A"), source("A"), sink("B")], connections=[link("A", "B")]))),
    _deploy(app(config(stages=[source("A"), source("A", name="x"), sink("B")], connections=[link("A", "B")]))),
    _deploy(app(config(stages=[source("A"), sink("B"), sink("C")], connections=[link("A", "B")]))),
    _deploy(_two(source("A"), sink("B")) | {"config": config(stages=[source("A"), sink("B")],
            connections=[link("A", "B"), link("B", "A")])}),
    _deploy(app(config(stages=[source("A"), sink("B")], connections=[link("B", "A")]))),
    _deploy(app(config(stages=[source("A"), source("B")], connections=[link("A", "B")]))),
    _deploy(app(config(stages=[source("A"), sink("B")], connections=[link("A", "B"), link("A", "B")]))),
    _deploy(app(config(stages=[source("A")], connections=[]))),
    _deploy(app(config(stages=[_ACTION], connections=[]))),
    get(_APP),
    # Actions before the data and after it, as in the sample that loads by a watermark.
    _deploy(app(config(stages=[_ACTION, source(), sink()], connections=[link("X", "Src"), link("Src", "Snk")]))),
    get(_APP),
    _deploy(app(config(stages=[_ACTION, source(), sink(), _LAST],
            connections=[link("X", "Src"), link("Src", "Snk"), link("Snk", "Y")]))),
    get(_APP),
    _deploy(app(config(stages=[_ACTION, source(), sink(), _LAST],
            connections=[link("X", "Y"), link("Y", "Src"), link("Src", "Snk")]))),
    get(_APP),
    _deploy(app(config(stages=[source(), sink(), _LAST], connections=[link("Src", "Snk"), link("Snk", "Y")]))),
    get(_APP),
    put("/v3/namespaces/nope/apps/e1", app()),
    put("/v3/namespaces/ns1/apps/ok-name_1", app()),
    get("/v3/namespaces/nope/apps"),
    get("/v3/namespaces/nope/apps/x"),
)  # fmt: skip
