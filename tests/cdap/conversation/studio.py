"""Drafts and connections."""

from typing import Any

from tests.cdap.calls import delete, get, put
from tests.cdap.pipelines import ARTIFACT, CORE, config

_STUDIO = "/v3/namespaces/system/apps/pipeline/services/studio/methods/v1/contexts"
_DRAFTS = f"{_STUDIO}/ns1/drafts"
_CONNECTIONS = f"{_STUDIO}/ns1/connections"
_FILE: dict[str, Any] = {"category": "File", "name": "File", "type": "connector", "properties": {}, "artifact": CORE}
_HASH = ("draft-hash",)

CALLS = (
    get(_DRAFTS),
    put(f"{_DRAFTS}/d1", {"name": "D 1", "description": "x", "revision": 3, "artifact": ARTIFACT, "config": config()}),
    # The engine is lost unless it is in capitals, and so is a field nobody knows.
    get(f"{_DRAFTS}/d1", deviations=_HASH),
    get(_DRAFTS),
    put(f"{_DRAFTS}/d1", {"name": "D 1", "artifact": ARTIFACT, "config": config(engine="SPARK", unknown=1)}),
    get(f"{_DRAFTS}/d1", deviations=_HASH),
    put(f"{_DRAFTS}/d2", {"name": "é", "artifact": ARTIFACT}),
    get(f"{_DRAFTS}/d2"),
    get(f"{_DRAFTS}?includeConfig=true", deviations=_HASH),
    get(f"{_DRAFTS}?sortBy=bogus"),
    put(f"{_DRAFTS}/d3", "{bad"),
    put(f"{_DRAFTS}/d3", ""),
    put(f"{_DRAFTS}/d3", "[]"),
    put(f"{_DRAFTS}/d3", "{}"),
    put(f"{_DRAFTS}/d3", {"name": "x", "artifact": {**ARTIFACT, "name": "nope"}, "config": {}}),
    get(f"{_DRAFTS}/none"),
    delete(f"{_DRAFTS}/none"),
    get(f"{_STUDIO}/nope/drafts"),
    put(f"{_STUDIO}/nope/drafts/a", {"name": "n", "artifact": ARTIFACT}),
    delete(f"{_DRAFTS}/d1"),
    delete(f"{_DRAFTS}/d2"),
    get(_DRAFTS),
    get(_CONNECTIONS),
    put(f"{_CONNECTIONS}/c1", {"name": "c1", "description": "d", "category": "File", "plugin": _FILE}),
    get(f"{_CONNECTIONS}/c1"),
    put(f"{_CONNECTIONS}/c1", {"plugin": {**_FILE, "properties": {"a": "${secure(k1)}"}}}),
    get(f"{_CONNECTIONS}/c1"),
    put(f"{_CONNECTIONS}/c%202", {"name": "c 2", "plugin": {**_FILE, "name": "Nope", "category": "Nope"}}),
    get(_CONNECTIONS),
    get(f"{_CONNECTIONS}/c_2"),
    put(f"{_CONNECTIONS}/c3", "{bad"),
    put(f"{_CONNECTIONS}/c3", "{}"),
    get(f"{_CONNECTIONS}/none"),
    delete(f"{_CONNECTIONS}/none"),
    delete(f"{_CONNECTIONS}/c_2"),
    get(f"{_STUDIO}/nope/connections"),
    get(f"{_STUDIO}/ns1/nothing"),
)
