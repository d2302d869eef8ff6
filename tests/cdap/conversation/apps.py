"""Pipelines: deployed, listed, changed, given back, deleted."""

from tests.cdap.calls import delete, get, post, put
from tests.cdap.pipelines import ARTIFACT, app, config

_APPS = "/v3/namespaces/ns1/apps"
_ODD = {"a": "x=1 & <b> 'q' é ${macro} \u2028", "int": 5, "float": 1.5, "big": 12345678901, "null": None, "z": True,
        "arr": [3, 1, None], "small": 0.00001, "minus": -7, "zero": 0, "exp": 1e20, "tenth": 0.1, "seven": 1234567.0,
        "eight": 12345678.0, "nested": {"n": None, "m": {}}}  # fmt: skip

CALLS = (
    get(_APPS),
    get(f"{_APPS}/p1"),
    get(f"{_APPS}/p1/versions"),
    put(f"{_APPS}/p1", app(description="ignored", name="ignored"), capture={"v1": "version"}),
    get(f"{_APPS}/p1"),
    # The same again is another version.
    put(f"{_APPS}/p1", app(), capture={"v2": "version"}),
    get(f"{_APPS}/p1/versions"),
    get(_APPS),
    put(f"{_APPS}/p1", app(change={"description": "my change"}), capture={"v3": "version"}),
    get(f"{_APPS}/p1"),
    get(f"{_APPS}/p1/versions/$(v1)"),
    get(f"{_APPS}/p1/versions/-SNAPSHOT"),
    get(f"{_APPS}/p1/versions/nope"),
    # A version that is no longer the latest is no parent.
    put(f"{_APPS}/p1", app(change={"parentVersion": "$(v1)"})),
    put(f"{_APPS}/p1", app(change={"parentVersion": "nope"})),
    put(f"{_APPS}/p1", app(change={"parentVersion": "$(v3)", "description": "child"}), capture={"v4": "version"}),
    put(f"{_APPS}/p1", app(change={"parentVersion": "$(v3)"})),
    get(f"{_APPS}/p1"),
    put(f"{_APPS}/p1", app(parentVersion="nope")),
    put(f"{_APPS}/fresh", app(change={"parentVersion": "nope"})),
    put(f"{_APPS}/p1", app(config(description="in the configuration"))),
    put(f"{_APPS}/fmt", app(config(uiextra=_ODD))),
    get(f"{_APPS}/fmt", capture={"text": "configuration"}),
    # What came back, put back, as it is and under both names.
    put(f"{_APPS}/back1", {"artifact": ARTIFACT, "configuration": config(uiextra=_ODD)}),
    get(f"{_APPS}/back1"),
    put(f"{_APPS}/back2", {"artifact": ARTIFACT, "config": "$(text)"}),
    get(f"{_APPS}/back2"),
    put(f"{_APPS}/back3", {"artifact": ARTIFACT, "configuration": "$(text)"}),
    get(f"{_APPS}/back3"),
    put(f"{_APPS}/p2", app(config(schedule=..., maxConcurrentRuns=...), name="other")),
    get(f"{_APPS}/p2"),
    put(f"{_APPS}/sp", app(config(engine="spark"))),
    get(f"{_APPS}/sp"),
    get(_APPS),
    get(f"{_APPS}?artifactName=cdap-data-pipeline"),
    get(f"{_APPS}?artifactName=zzz"),
    get(f"{_APPS}?artifactVersion=9.9.9"),
    get(f"{_APPS}?nameFilter=p"),
    get(f"{_APPS}?pageSize=2", capture={"token": "nextPageToken"}),
    get(f"{_APPS}?pageSize=2&pageToken=$(token)"),
    get(f"{_APPS}?orderBy=DESC"),
    post(f"{_APPS}/p2/update", {"artifact": ARTIFACT, "config": config()}),
    get(f"{_APPS}/p2"),
    post(f"{_APPS}/none/update", {"artifact": ARTIFACT, "config": config()}),
    post(f"{_APPS}/p2/update", "{bad"),
    delete(f"{_APPS}/p1/versions/$(v1)"),
    get(f"{_APPS}/p1/preferences"),
    put(f"{_APPS}/p1/preferences", {"x": "1"}),
    get(f"{_APPS}/p1/preferences?resolved=true"),
    delete(f"{_APPS}/fmt"),
    delete(f"{_APPS}/fmt"),
    delete(f"{_APPS}/none"),
    get(f"{_APPS}/fmt"),
)
