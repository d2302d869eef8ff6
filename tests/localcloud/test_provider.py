"""The protocol: previews, secrets, statuses, settings per connection, faults."""

from __future__ import annotations

import json

import grpc
import pytest

from localcloud import faults
from localcloud.faults import BadFaultError
from localcloud.protocol import pb
from localcloud.provider import Provider
from localcloud.rules.tables import tokens
from localcloud.rules.wire import SECRET, SIGNATURE, UNKNOWN
from localcloud.services.registry import service_for
from localcloud.values import to_dict
from localcloud.world import World
from tests.localcloud.client import Client, RefusedError

BUCKET = "gcp:storage/bucket:Bucket"
OBJECT = "gcp:storage/bucketObject:BucketObject"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"


def secret(value: str) -> dict[str, str]:
    return {SIGNATURE: SECRET, "value": value}


def test_a_preview_knows_what_the_provider_knows(gcp: Client) -> None:
    planned = gcp.preview(BUCKET, {"name": "acme-data", "location": "eu", "labels": {"a": "b"}})
    assert planned["name"] == "acme-data"
    assert planned["location"] == "EU"
    assert planned["url"] == UNKNOWN
    assert planned["project"] == "acme-dev"
    assert planned["storageClass"] == "STANDARD"
    assert planned["effectiveLabels"]["value"] == {"a": "b", "goog-pulumi-provisioned": "true"}
    account = gcp.preview("gcp:serviceaccount/account:Account", {"accountId": "runner"})
    assert account["email"] == "runner@acme-dev.iam.gserviceaccount.com"
    assert account["uniqueId"] == UNKNOWN
    environment = gcp.preview(
        "gcp:composer/environment:Environment",
        {"name": "core", "config": {"environmentSize": "ENVIRONMENT_SIZE_SMALL"}},
    )
    assert environment["config"]["dagGcsPrefix"] == UNKNOWN
    assert environment["config"]["environmentSize"] == "ENVIRONMENT_SIZE_SMALL"


def test_unknown_inputs_stay_unknown(gcp: Client) -> None:
    planned = gcp.preview(OBJECT, {"bucket": UNKNOWN, "name": "a", "content": UNKNOWN})
    assert planned["bucket"] == UNKNOWN
    assert planned["md5hash"] == UNKNOWN


def test_secrets_stay_wrapped_and_out_of_the_log(gcp: Client, world: World) -> None:
    gcp.enable("secretmanager")
    holder = gcp.create("gcp:secretmanager/secret:Secret", {"secretId": "t", "replication": {"auto": {}}})
    made = gcp.create(VERSION, {"secret": holder.id, "secretData": secret("canary-1")})
    assert made.raw["secretData"] == secret("canary-1")
    plain = gcp.create(VERSION, {"secret": holder.id, "secretData": "canary-2"}, "plain")
    assert plain.raw["secretData"] == secret("canary-2"), "secret by the provider's table, wrapped or not"
    seen = gcp.read(VERSION, made.id, made.inputs)
    assert seen is not None
    assert seen.raw["secretData"] == secret("canary-1")
    assert seen.inputs["secretData"] == secret("canary-1")
    imported = gcp.read(VERSION, made.id)
    assert imported is not None
    assert imported.inputs["secretData"] == secret("canary-1")
    text = world.log.read_text()
    assert "canary" not in text
    assert '"secretData": "[secret]"' in text


def test_no_message_quotes_a_secret(gcp: Client, world: World) -> None:
    with pytest.raises(RefusedError) as caught:
        gcp.create(BUCKET, {"name": secret("goog-canary-name"), "location": "EU"})
    assert "canary" not in caught.value.words
    assert "Invalid bucket name: '[secret]'" in caught.value.words
    assert "canary" not in world.log.read_text()


def test_every_call_is_logged(gcp: Client, world: World) -> None:
    made = gcp.create(BUCKET, {"name": "acme-data", "location": "EU"})
    gcp.read(BUCKET, made.id)
    gcp.delete(BUCKET, made)
    calls = [json.loads(line) for line in world.log.read_text().splitlines()]
    assert [c["method"] for c in calls] == ["check", "create", "read", "delete"]
    assert all(c["outcome"] == "ok" and c["type"] == BUCKET for c in calls)


def test_settings_belong_to_a_connection(world: World) -> None:
    provider = Provider("gcp", world)
    from localcloud import store

    with world.transaction() as tx:
        store.create_project(tx, "acme-qa", ("storage.googleapis.com",))
    one = Client("gcp", world, {"project": "acme-dev"}, provider=provider)
    two = Client("gcp", world, {"project": "acme-qa"}, provider=provider)
    assert one.create(BUCKET, {"name": "acme-one", "location": "EU"}).outputs["project"] == "acme-dev"
    assert two.create(BUCKET, {"name": "acme-two", "location": "EU"}).outputs["project"] == "acme-qa"
    assert one.create(BUCKET, {"name": "acme-three", "location": "EU"}).outputs["project"] == "acme-dev"


def test_a_changed_default_project_replaces(gcp: Client, world: World) -> None:
    made = gcp.create("gcp:projects/service:Service", {"service": "iam.googleapis.com"})
    account = gcp.create("gcp:serviceaccount/account:Account", {"accountId": "runner"})
    assert gcp.diff("gcp:serviceaccount/account:Account", account, {"accountId": "runner"}).changes == 1
    other = Client("gcp", world, {"project": "acme-qa"})
    answer = other.diff("gcp:serviceaccount/account:Account", account, {"accountId": "runner"})
    assert list(answer.replaces) == ["project"]
    assert made.outputs["project"] == "acme-dev"


def test_settings_from_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme-dev")
    client = Client("gcp", world, {})
    assert client.create(BUCKET, {"name": "acme-data", "location": "EU"}).outputs["project"] == "acme-dev"


def test_default_labels(world: World) -> None:
    config = {"project": "acme-dev", "defaultLabels": '{"owner": "data"}', "addPulumiAttributionLabel": "false"}
    made = Client("gcp", world, config).create(BUCKET, {"name": "acme-data", "location": "EU", "labels": {"a": "b"}})
    assert made.outputs["effectiveLabels"] == {"owner": "data", "a": "b"}
    assert made.outputs["labels"] == {"a": "b"}


def test_types_no_table_knows_are_refused(gcp: Client) -> None:
    with pytest.raises(RefusedError, match="does not know the resource type gcp:bogus/thing:Thing"):
        gcp.check("gcp:bogus/thing:Thing", {})
    with pytest.raises(RefusedError, match="does not serve the function gcp:bogus/getThing:getThing"):
        gcp.invoke("gcp:bogus/getThing:getThing", {})


@pytest.mark.parametrize("package", ["gcp", "azure-native", "databricks", "azuread"])
def test_every_type_of_the_tables_is_served(world: World, package: str) -> None:
    client = Client(package, world, {"project": "acme-dev", "region": "europe-west1"})
    served = list(tokens(package))
    assert len(served) >= 17
    for token in served:
        if token.lower().endswith("iampolicy"):
            continue
        request = pb.CreateRequest(urn=client.urn(token, "it"), preview=True, type=token)
        assert to_dict(client.provider.Create(request, client.context).properties) is not None
        assert service_for(token) is not None


def test_reading_what_is_not_there_is_empty_for_every_google_type(gcp: Client) -> None:
    for token in tokens("gcp"):
        assert gcp.read(token, "projects/acme-dev/locations/europe-west1/things/none") is None, token


def test_an_unexpected_error_is_a_status(gcp: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(service_for(BUCKET), "create", broken)
    with pytest.raises(RefusedError) as caught:
        gcp.create(BUCKET, {"name": "acme-data", "location": "EU"})
    assert caught.value.code is grpc.StatusCode.INTERNAL
    assert caught.value.words.startswith("the embedded cloud failed while creating gcp:storage/bucket:Bucket: ZeroDiv")
    assert "\n" not in caught.value.words


def test_handshake_and_information(gcp: Client) -> None:
    answer = gcp.provider.Handshake(pb.ProviderHandshakeRequest(), gcp.context)
    assert answer.accept_secrets
    assert not answer.accept_outputs
    assert gcp.provider.GetPluginInfo(None, gcp.context).version == "10.2.0"
    assert json.loads(gcp.provider.GetSchema(None, gcp.context).schema) == {"name": "gcp", "version": "10.2.0"}


def test_faults(gcp: Client, world: World) -> None:
    faults.add(world, faults.make("create", "gcp:storage/*", 2, "fail=503"))
    gcp.create(BUCKET, {"name": "acme-one", "location": "EU"})
    with pytest.raises(RefusedError, match="Error 503: The service is currently unavailable"):
        gcp.create(BUCKET, {"name": "acme-two", "location": "EU"})
    gcp.create(BUCKET, {"name": "acme-two", "location": "EU"})
    faults.add(world, faults.make("delete", "*::it", 1, "drop"))
    made = gcp.create(BUCKET, {"name": "acme-three", "location": "EU"})
    with pytest.raises(RefusedError, match="the connection was lost"):
        gcp.delete(BUCKET, made)
    assert gcp.read(BUCKET, "acme-three") is None, "it was done all the same"


def test_a_partial_failure_tells_what_was_made(gcp: Client, world: World) -> None:
    from localcloud.protocol import status_pb

    faults.add(world, faults.make("create", "*", 1, "partial"))
    with pytest.raises(RefusedError) as caught:
        gcp.create(BUCKET, {"name": "acme-one", "location": "EU"})
    status = status_pb.Status.FromString(caught.value.trailers["grpc-status-details-bin"])
    detail = pb.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert detail.id == "acme-one"
    assert list(detail.reasons)


def test_slow_and_delay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALCLOUD_DELAY", "2")
    monkeypatch.setenv("LOCALCLOUD_FAULT", "create * 1 slow=7; delete * 1 fail=500")
    waited: list[float] = []
    client = Client("gcp", world, {"project": "acme-dev"})
    client.provider.faults.sleep = waited.append
    client.create(BUCKET, {"name": "acme-one", "location": "EU"})
    assert waited == [1.0, 7.0, 1.0]


@pytest.mark.parametrize(
    "text",
    [
        "create",
        "create * x fail",
        "make * 1 fail",
        "create * 1 explode",
        "create * 1 die=now",
        "create * 1 hold=now",
        "create * 0 fail",
        "create * 1 slow=x",
    ],
)
def test_bad_faults_are_refused(text: str) -> None:
    with pytest.raises(BadFaultError):
        faults.parse(text)
