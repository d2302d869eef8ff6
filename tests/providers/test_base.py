"""The provider base over gRPC: unknowns, secrets, differences, refusals and half-made resources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc as pb_grpc
from pulumi.runtime.proto import status_pb2

from providers.base import (
    UNKNOWN,
    Diff,
    Failure,
    PartialError,
    ProviderError,
    State,
    Values,
    diff_values,
    has_unknown,
)
from providers.protocol import Provider, start
from providers.wire import changed_paths, from_wire, path_text, to_wire

TOKEN = "test:index:Thing"
URN = "urn:pulumi:dev::p::test:index:Thing::t"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hush-hush"}
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Thing:
    """A resource that keeps what it is given."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.there: dict[str, Values] = {}

    def check(self, news: Values, olds: Values) -> tuple[Values, Sequence[Failure]]:
        self.seen.append((news, olds))
        wrong = [Failure(property="name", reason=f"not {news['name']}")] if news.get("name") == "hush-hush" else []
        return {"size": 1, **news}, wrong

    def diff(self, id: str, olds: State, news: Values) -> Diff:  # noqa: A002
        return diff_values(olds.inputs, news, replace=("name",), delete_first=True)

    def create(self, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        if preview:
            return "", {**inputs, "url": UNKNOWN}
        if inputs["name"] == "refused":
            raise ProviderError(f"the service\nrefuses {inputs['key']}")
        if inputs["name"] == "half":
            raise PartialError("it is there, but not ready", id="half-id", outputs={**inputs, "ready": False})
        if inputs["name"] == "bug":
            raise KeyError("oops " + inputs["key"])
        self.there[str(inputs["name"])] = inputs
        return str(inputs["name"]), {**inputs, "url": "u", "token": "t0ken"}

    def read(self, id: str, inputs: Values, outputs: Values) -> State | None:  # noqa: A002
        found = self.there.get(id)
        return None if found is None else State(id=id, inputs=found, outputs=found)

    def update(self, id: str, olds: State, news: Values, *, preview: bool) -> Values:  # noqa: A002
        if not preview:
            self.there[id] = news
        return news

    def delete(self, id: str, outputs: Values) -> None:  # noqa: A002
        del self.there[id]


@pytest.fixture
def thing() -> Thing:
    return Thing()


@pytest.fixture
def stub(thing: Thing) -> Iterator[Any]:
    settings: list[Values] = []

    def configure(values: Values) -> None:
        if "wrong" in values:
            raise ProviderError("the endpoint is wrong")
        settings.append(values)

    provider = Provider("test", "1.2.3", {TOKEN: thing}, configure=configure, secret_outputs=("token",))
    server, port = start(provider)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield pb_grpc.ResourceProviderStub(channel)
    server.stop(0).wait()


def wire(**values: Any) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def test_check_completes_inputs_keeps_secrets_and_tells_failures_without_them(stub: Any, thing: Thing) -> None:
    answer = stub.Check(pb.CheckRequest(urn=URN, type=TOKEN, news=wire(name="n", key=SECRET, later=UNKNOWN_TEXT, no=2)))
    assert thing.seen == [({"name": "n", "key": "hush-hush", "later": UNKNOWN, "no": 2}, {})]
    assert isinstance(thing.seen[0][0]["no"], int)
    assert dict(answer.inputs) == dict(wire(name="n", key=SECRET, later=UNKNOWN_TEXT, no=2, size=1))
    answer = stub.Check(pb.CheckRequest(urn=URN, type=TOKEN, news=wire(name=SECRET)))
    assert [(f.property, f.reason) for f in answer.failures] == [("name", "not [secret]")]


def test_a_type_that_is_not_there_is_told_with_those_that_are(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as told:
        stub.Check(pb.CheckRequest(urn=URN.replace("Thing", "Other"), news=wire()))
    assert told.value.details() == f"the provider test has no resource type 'test:index:Other'; it has: {TOKEN}"


def diff(stub: Any, old: struct_pb2.Struct, new: struct_pb2.Struct, *ignore: str) -> Any:
    return stub.Diff(
        pb.DiffRequest(id="i", urn=URN, type=TOKEN, olds=old, old_inputs=old, news=new, ignoreChanges=list(ignore))
    )


def test_diff_tells_places_kinds_and_replacement(stub: Any) -> None:
    old = wire(name="n", map={"a": 1, "b c": 2}, list=[1, 2])
    assert diff(stub, old, old).changes == pb.DiffResponse.DIFF_NONE
    found = diff(stub, old, wire(name="m", map={"a": 2, "d": 1}, list=[1]))
    kinds = {place: pb.PropertyDiff.Kind.Name(d.kind) for place, d in found.detailedDiff.items()}
    assert kinds == {
        "name": "UPDATE_REPLACE",
        "map.a": "UPDATE",
        'map["b c"]': "DELETE",
        "map.d": "ADD",
        "list[1]": "DELETE",
    }
    assert list(found.replaces) == ["name"]
    assert found.deleteBeforeReplace
    assert list(found.diffs) == ["list", "map", "name"]
    assert diff(stub, old, wire(name="m", map={"a": 1, "b c": 2}, list=[]), "name", "list").changes == (
        pb.DiffResponse.DIFF_NONE
    )
    assert diff(stub, wire(name="n"), wire(name=UNKNOWN_TEXT)).deleteBeforeReplace
    assert diff(stub, wire(key=SECRET), wire(key=SECRET)).changes == pb.DiffResponse.DIFF_NONE


def test_create_hides_secrets_and_a_preview_makes_nothing(stub: Any, thing: Thing) -> None:
    asked = pb.CreateRequest(urn=URN, type=TOKEN, properties=wire(name="n", key=SECRET), preview=True)
    planned = stub.Create(asked)
    assert planned.id == ""
    assert thing.there == {}
    assert planned.properties["url"] == UNKNOWN_TEXT
    asked.preview = False
    made = stub.Create(asked)
    assert made.id == "n"
    assert made.properties["key"]["value"] == "hush-hush"
    assert made.properties["token"]["value"] == "t0ken"
    assert made.properties["url"] == "u"
    found = stub.Read(pb.ReadRequest(id="n", urn=URN, type=TOKEN, inputs=asked.properties, properties=made.properties))
    assert found.properties["key"] == found.inputs["key"] == made.properties["key"]
    stub.Delete(pb.DeleteRequest(id="n", urn=URN, type=TOKEN, properties=made.properties))
    assert stub.Read(pb.ReadRequest(id="n", urn=URN, type=TOKEN)).id == ""


def test_whatever_goes_wrong_is_one_line_without_a_secret(stub: Any) -> None:
    for name, words in (
        ("refused", "the service refuses [secret]"),
        ("bug", "an error of the provider itself: KeyError: 'oops [secret]' (test_base.py:"),
    ):
        with pytest.raises(grpc.RpcError) as told:
            stub.Create(pb.CreateRequest(urn=URN, type=TOKEN, properties=wire(name=name, key=SECRET)))
        assert told.value.code() == grpc.StatusCode.UNKNOWN
        said = str(told.value.details())
        assert said.startswith(words)
        assert "\n" not in said


def test_a_half_made_resource_is_kept(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as told:
        stub.Create(pb.CreateRequest(urn=URN, type=TOKEN, properties=wire(name="half", key=SECRET)))
    trailing: Any = told.value.trailing_metadata()
    metadata: dict[str, bytes] = dict(trailing)
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    detail = pb.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id == "half-id"
    assert list(detail.reasons) == ["it is there, but not ready"]
    assert detail.properties["ready"] is False
    key: Any = detail.properties["key"]
    assert key["value"] == "hush-hush"


def test_configuration_is_handed_on_or_refused(stub: Any) -> None:
    assert stub.Configure(pb.ConfigureRequest(args=wire(a="1", b='["x"]', version="1"))).supportsPreview
    with pytest.raises(grpc.RpcError) as told:
        stub.Configure(pb.ConfigureRequest(args=wire(wrong="1")))
    assert told.value.details() == "the endpoint is wrong"
    assert stub.GetPluginInfo(struct_pb2_empty()).version == "1.2.3"


def struct_pb2_empty() -> Any:
    from google.protobuf import empty_pb2

    return empty_pb2.Empty()


def test_values_go_over_the_wire_and_back() -> None:
    values = {"a": [1, 2.5, True, None, {"b": UNKNOWN, "c": ""}], "d": {"e": 2**40, "f": -0.25}, "g": "@{x}"}
    back, secrets = from_wire(to_wire(values, [("d",), ("a", 4, "c")]))
    assert back == values
    assert set(secrets) == {("d",), ("a", 4, "c")}
    assert has_unknown(back)
    assert not has_unknown(back["d"])


def test_places_of_differences() -> None:
    found = dict(changed_paths({"a": {"b": 1, "x": True}, "l": [1]}, {"a": {"b": 1.0, "x": 1}, "l": [2, 3]}))
    assert {path_text(path): kind for path, kind in found.items()} == {
        "a.b": "update",
        "a.x": "update",
        "l[0]": "update",
        "l[1]": "add",
    }
    assert path_text(("a.b", 0, 'q"')) == '["a.b"][0]["q\\""]'
