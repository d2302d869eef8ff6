"""A lost state without the engine: what is recognised, what is left alone, and a project that is forgotten."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dataplatform.local import adoption, cloud
from dataplatform.local.recovery import Found
from localcloud.cli import main
from localcloud.rules.wire import UNKNOWN
from localcloud.world import World
from tests.localcloud.client import Client

BUCKET, RING, KEY = "gcp:storage/bucket:Bucket", "gcp:kms/keyRing:KeyRing", "gcp:kms/cryptoKey:CryptoKey"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"
PREFIX = "urn:pulumi:dev::data-platform::"
STACK = f"{PREFIX}pulumi:pulumi:Stack::data-platform-dev"
PROVIDER = f"{PREFIX}pulumi:providers:gcp::gcp"
RING_ID = "projects/acme-data-dev/locations/europe-west1/keyRings/data"


def state(kind: str, name: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    reference = f"{PROVIDER}::{UNKNOWN}"
    return {"urn": f"{PREFIX}{kind}::{name}", "type": kind, "custom": True, "inputs": inputs, "parent": STACK} | {
        "provider": reference,
        **more,
    }


def shells() -> list[dict[str, Any]]:
    return [
        {"urn": STACK, "type": "pulumi:pulumi:Stack", "custom": False},
        state("pulumi:providers:gcp", "gcp", {"project": "acme-data-dev"}, provider=""),
    ]


def bucket(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "location": "EU", "project": "acme-data-dev", **more}


def key(ring: str) -> dict[str, Any]:
    return {"name": "storage", "keyRing": ring, "purpose": "ENCRYPT_DECRYPT"}


def test_an_edit_made_meanwhile_does_not_hide_the_object() -> None:
    """What can change in place says nothing about whose an object is; that the engine then updates."""
    found = Found("lake", BUCKET, bucket("lake", storageClass="NEARLINE", labels={"stack": "dev", "owner": "a"}))
    declared = bucket("lake", storageClass="STANDARD", labels={"stack": "dev", "owner": "b"})
    assert adoption.identify(BUCKET, declared, [found], "dev") == found


@pytest.mark.parametrize(
    "recorded",
    [
        bucket("other"),
        bucket("lake", location="US"),
        bucket("lake", labels={"stack": "qa", "environment": "dev"}),
        bucket("lake", labels={"stack": "dev", "environment": "qa"}),
    ],
    ids=["name", "replaced", "stack", "environment"],
)
def test_what_is_not_the_stacks_own_is_left_alone(recorded: dict[str, Any]) -> None:
    declared = bucket("lake", labels={"stack": "dev", "environment": "dev"})
    assert adoption.identify(BUCKET, declared, [Found("x", BUCKET, recorded)], "dev") is None


def test_an_object_that_names_another_stack_is_left_alone_where_the_program_has_no_labels() -> None:
    found = Found("lake", BUCKET, bucket("lake", labels={"stack": "qa"}))
    assert adoption.identify(BUCKET, bucket("lake"), [found], "dev") is None


def test_a_reference_must_be_known_before_its_holder_is_recognised() -> None:
    """Another stack's ring has a key of that name too: which one is meant is known with the ring only."""
    other = Found("other", KEY, key("projects/acme-data-qa/locations/europe-west1/keyRings/data"))
    own = Found("own", KEY, key(RING_ID))
    assert adoption.identify(KEY, key(UNKNOWN), [other], "dev") is None
    assert adoption.identify(KEY, key(RING_ID), [other, own], "dev") == own


def test_what_is_ambiguous_is_left_alone() -> None:
    secret = "projects/acme-data-dev/secrets/hawk"
    versions = [Found(f"{secret}/versions/{n}", VERSION, {"secret": secret, "secretData": f"v{n}"}) for n in (1, 2)]
    declared = {"secret": secret, "secretData": "[secret]"}
    assert adoption.identify(VERSION, declared, versions[:1], "dev") == versions[0]
    assert adoption.identify(VERSION, declared, versions, "dev") is None
    twice = [*shells(), *(state(BUCKET, name, bucket("lake")) for name in ("a", "b"))]
    assert not adoption.adopt({"deployment": {}}, twice, [Found("lake", BUCKET, bucket("lake"))], "dev").adopted


def test_an_adopted_resource_is_whole_and_its_secrets_are_sealed() -> None:
    secret = "projects/acme-data-dev/secrets/hawk"
    declared = {"secret": secret, "secretData": "[secret]"}
    absent = f"{PREFIX}{RING}::ring"
    planned = [*shells(), state(VERSION, "hawk", declared, dependencies=[absent], propertyDependencies={"x": [absent]})]
    recorded = {"secret": secret, "secretData": "CANARY"}
    found = Found(f"{secret}/versions/1", VERSION, recorded, (("secretData",),), outputs={**recorded, "version": "1"})
    before: dict[str, Any] = {"deployment": {"manifest": {}}}
    done = adoption.adopt(before, planned, [found], "dev")
    assert before == {"deployment": {"manifest": {}}}
    stack, provider, version = done.deployment["deployment"]["resources"]
    assert (stack["urn"], provider["urn"]) == (STACK, PROVIDER)
    assert version["provider"] == f"{PROVIDER}::{provider['id']}"
    assert (version["id"], version["dependencies"], version["propertyDependencies"]) == (found.id, [], {"x": []})
    for values in (version["inputs"], version["outputs"]):
        assert values["secretData"]["plaintext"] == '"CANARY"'
        assert values["secretData"]["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
    assert version["outputs"]["version"] == "1"


def test_what_a_provider_with_a_masked_setting_manages_waits() -> None:
    planned = [shells()[0], state("pulumi:providers:gcp", "gcp", {"accessToken": "[secret]"}, provider="")]
    planned.append(state(BUCKET, "lake", bucket("lake")))
    assert not adoption.adopt({"deployment": {}}, planned, [Found("lake", BUCKET, bucket("lake"))], "dev").adopted


def test_the_preview_is_found_behind_what_the_engine_says_first() -> None:
    document = {"steps": [{"op": "create", "newState": {"urn": "a"}}, {"op": "same", "newState": {"urn": "b"}}]}
    text = json.dumps(document, indent=4)
    assert adoption.planned(text) == [{"urn": "a"}]
    assert adoption.planned(f"warning: using {{x}} from $PATH\n{text}\nbye\n") == [{"urn": "a"}]
    with pytest.raises(ValueError, match="substring"):
        adoption.planned("error: no")


def test_few_are_named_and_many_are_counted() -> None:
    urns = [f"{PREFIX}{BUCKET}::b{n}" for n in range(7)]
    assert len(adoption.describe(urns[:5])) == 5
    lines = adoption.describe(urns)
    assert len(lines) == 6
    assert lines[0].startswith(f"adopted b0 ({BUCKET})")
    assert "2 more" in lines[-1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "cloud"


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *arguments])


def two_projects(home: Path) -> World:
    assert run(home, "init", "--project", "acme-data-dev", "acme-data-qa").exit_code == 0
    world = World(home)
    for project in ("acme-data-dev", "acme-data-qa"):
        client = Client("gcp", world, {"project": project})
        client.create("gcp:projects/service:Service", {"project": project, "service": "cloudkms.googleapis.com"})
        ring = client.create(RING, {"name": "data", "location": "europe-west1", "project": project})
        client.create(BUCKET, {"name": f"{project}-lake", "location": "EU", "project": project})
        client.create(
            "gcp:storage/bucketObject:BucketObject", {"bucket": f"{project}-lake", "name": "a/b", "content": "x"}
        )
        client.delete(RING, ring)
    return world


def test_a_cloud_says_what_no_state_knows(home: Path) -> None:
    assert cloud.known_objects(home) == []
    assert not home.exists()
    two_projects(home).close()
    resources = [{"type": BUCKET, "id": "acme-data-qa-lake"}]
    left = [found for found in cloud.unknown_to(home, [{"resources": resources}, {}]) if not found.ambient]
    assert {(found.token, found.id, found.project) for found in left} == {
        (BUCKET, "acme-data-dev-lake", "acme-data-dev"),
        ("gcp:storage/bucketObject:BucketObject", "acme-data-dev-lake-a/b", "acme-data-dev"),
        ("gcp:storage/bucketObject:BucketObject", "acme-data-qa-lake-a/b", "acme-data-qa"),
    }
    assert all(found.secrets for found in left if found.token.endswith("BucketObject"))


def rows(world: World) -> dict[str, set[str]]:
    """What each table holds of anything, as text."""
    found = {}
    with world.transaction() as tx:
        tables = [r["name"] for r in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        for table in tables:
            found[table] = {json.dumps(tuple(row)) for row in tx.execute(f"SELECT * FROM {table}").fetchall()}
    return found


def test_a_project_is_forgotten_with_all_in_it_and_the_others_stay(home: Path) -> None:
    from localcloud.workflows.service import WorkflowsService

    world = two_projects(home)
    for project in ("acme-data-dev", "acme-data-qa"):
        client = Client("gcp", world, {"project": project})
        client.create("gcp:projects/service:Service", {"project": project, "service": "workflows.googleapis.com"})
        body = {"sourceContents": "main:\n  steps:\n    - done:\n        return: 1\n"}
        WorkflowsService(world).create(f"projects/{project}/locations/europe-west1", "flow", body)
    before = rows(world)
    assert any("acme-data-dev" in text for text in before["workflow_definitions"])
    world.close()
    assert run(home, "reset", "--project", "acme-data-dev").exit_code == 1, "asks, and nobody answers"
    assert "no project 'acme-data-xx'" in run(home, "reset", "--project", "acme-data-xx", "--yes").output
    result = run(home, "reset", "--project", "acme-data-dev", "--yes")
    assert result.exit_code == 0, result.output
    assert "deleted acme-data-dev and 2 resources in it" in result.output
    world = World(home)
    after = rows(world)
    assert after.pop("sequences") == before.pop("sequences")
    del after["sqlite_sequence"]
    for table, content in after.items():
        assert not any("acme-data-dev" in text for text in content), table
        assert {text for text in before[table] if "acme-data-qa" in text} <= content, table
    assert not (home / "buckets" / "acme-data-dev-lake").exists()
    assert (home / "buckets" / "acme-data-qa-lake" / "a" / "b").read_text() == "x"
    world.close()
    # The ring's name is free again in that project, and in that project only.
    run(home, "init", "--project", "acme-data-dev")
    world = World(home)
    for project, taken in (("acme-data-dev", False), ("acme-data-qa", True)):
        client = Client("gcp", world, {"project": project})
        client.create("gcp:projects/service:Service", {"project": project, "service": "cloudkms.googleapis.com"})
        ring = {"name": "data", "location": "europe-west1", "project": project}
        if taken:
            with pytest.raises(Exception, match="already exists"):
                client.create(RING, ring)
        else:
            assert client.create(RING, ring).id
    world.close()
    assert run(home, "reset", "--yes").exit_code == 0
    run(home, "init", "--project", "acme-data-dev")
    world = World(home)
    assert not any(rows(world).get("workflow_definitions", ()))
    world.close()


def test_no_cloud_is_an_empty_list_to_a_program_and_the_module_runs(home: Path) -> None:
    command = [sys.executable, "-m", "localcloud.cli", "--home", str(home), "ls", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    assert not home.exists()
    assert run(home, "ls").exit_code == 1
