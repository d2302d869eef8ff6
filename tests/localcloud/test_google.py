"""What the Google services make and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud import store
from localcloud.world import World
from tests.localcloud.client import Client, Made, RefusedError

SERVICE = "gcp:projects/service:Service"
RING = "gcp:kms/keyRing:KeyRing"
KEY = "gcp:kms/cryptoKey:CryptoKey"
GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
BUCKET = "gcp:storage/bucket:Bucket"
OBJECT = "gcp:storage/bucketObject:BucketObject"
ACCOUNT = "gcp:serviceaccount/account:Account"
MEMBER = "gcp:projects/iAMMember:IAMMember"
SECRET = "gcp:secretmanager/secret:Secret"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"
FUSION = "gcp:datafusion/instance:Instance"
COMPOSER = "gcp:composer/environment:Environment"
WORKFLOW = "gcp:workflows/workflow:Workflow"
ENCRYPTER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
SOURCE = "main:\n  steps:\n    - done:\n        return: 1\n"


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        call(*arguments)
    assert "\n" not in caught.value.words
    return caught.value.words


def make_key(gcp: Client, location: str = "europe-west1") -> Made:
    gcp.enable("cloudkms")
    ring = gcp.create(RING, {"name": "ring", "location": location})
    return gcp.create(KEY, {"name": "key", "keyRing": ring.id})


def grant(gcp: Client, key: Made, email: str) -> Made:
    return gcp.create(
        GRANT, {"cryptoKeyId": key.id, "role": ENCRYPTER, "member": f"serviceAccount:{email}"}, email.partition("@")[0]
    )


def test_ids_are_the_clouds(gcp: Client) -> None:
    gcp.enable("iam", "cloudresourcemanager", "secretmanager", "datafusion", "workflows")
    key = make_key(gcp)
    assert key.id == "projects/acme-dev/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    account = gcp.create(ACCOUNT, {"accountId": "runner"})
    assert account.id == "projects/acme-dev/serviceAccounts/runner@acme-dev.iam.gserviceaccount.com"
    assert account.outputs["member"] == "serviceAccount:runner@acme-dev.iam.gserviceaccount.com"
    bucket = gcp.create(BUCKET, {"name": "acme-data", "location": "eu"})
    assert (bucket.id, bucket.outputs["location"], bucket.outputs["url"]) == ("acme-data", "EU", "gs://acme-data")
    item = gcp.create(OBJECT, {"bucket": "acme-data", "name": "dags/a.py", "content": "x"})
    assert item.id == "acme-data-dags/a.py"
    secret = gcp.create(SECRET, {"secretId": "token", "replication": {"auto": {}}})
    assert secret.id == "projects/acme-dev/secrets/token"
    version = gcp.create(VERSION, {"secret": secret.id, "secretData": "s3cret"})
    assert version.id == f"{secret.outputs['name']}/versions/1"
    assert gcp.create(FUSION, {"name": "core", "type": "BASIC"}).id.endswith("/locations/europe-west1/instances/core")
    workflow = gcp.create(WORKFLOW, {"name": "orders", "sourceContents": SOURCE})
    assert workflow.id == "projects/acme-dev/locations/europe-west1/workflows/orders"
    member = gcp.create(MEMBER, {"project": "acme-dev", "role": "roles/viewer", "member": account.outputs["member"]})
    assert member.id == f"acme-dev/roles/viewer/{account.outputs['member']}"


def test_unknown_project(world: World) -> None:
    stranger = Client("gcp", world, {"project": "elsewhere"})
    words = refused(stranger.create, BUCKET, {"name": "acme-data", "location": "EU"})
    assert "Error 403: Permission denied on resource project elsewhere" in words


@pytest.mark.parametrize(
    ("token", "inputs", "title"),
    [
        (RING, {"name": "r", "location": "europe-west1"}, "Cloud Key Management Service (KMS) API"),
        (SECRET, {"secretId": "s", "replication": {"auto": {}}}, "Secret Manager API"),
        (FUSION, {"name": "core", "type": "BASIC"}, "Cloud Data Fusion API"),
        (WORKFLOW, {"name": "w", "sourceContents": SOURCE}, "Workflows API"),
        (ACCOUNT, {"accountId": "runner"}, "Identity and Access Management (IAM) API"),
        (MEMBER, {"project": "acme-dev", "role": "roles/viewer", "member": "user:a@b.c"}, "Cloud Resource Manager API"),
        ("gcp:pubsub/topic:Topic", {"name": "events"}, "Cloud Pub/Sub API"),
        ("gcp:compute/network:Network", {"name": "net"}, "Compute Engine API"),
    ],
)
def test_an_api_that_is_not_enabled(gcp: Client, token: str, inputs: dict[str, Any], title: str) -> None:
    words = refused(gcp.create, token, inputs)
    assert f"googleapi: Error 403: {title} has not been used in project" in words
    assert words.endswith(", accessNotConfigured")


def test_enabling_makes_the_services_agents(gcp: Client, world: World) -> None:
    gcp.enable("cloudresourcemanager")
    number = store.project_number(world.connect(), "acme-dev")
    agent = f"serviceAccount:service-{number}@gcp-sa-datafusion.iam.gserviceaccount.com"
    inputs = {"project": "acme-dev", "role": "roles/viewer", "member": agent}
    assert f"Service account {agent.partition(':')[2]} does not exist" in refused(gcp.create, MEMBER, inputs)
    gcp.enable("datafusion")
    gcp.create(MEMBER, inputs)


def test_on_demand_agents_exist_once_asked_for(gcp: Client, world: World) -> None:
    gcp.enable("cloudresourcemanager", "secretmanager")
    number = store.project_number(world.connect(), "acme-dev")
    member = f"serviceAccount:service-{number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    inputs = {"project": "acme-dev", "role": "roles/viewer", "member": member}
    refused(gcp.create, MEMBER, inputs)
    made = gcp.create("gcp:projects/serviceIdentity:ServiceIdentity", {"service": "secretmanager.googleapis.com"})
    assert made.outputs["member"] == member
    gcp.create(MEMBER, inputs)
    storage = gcp.invoke("gcp:storage/getProjectServiceAccount:getProjectServiceAccount", {})
    assert storage["emailAddress"] == f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"
    gcp.create(MEMBER, {**inputs, "member": storage["member"]}, "storage")


def test_principals_and_roles_must_exist(gcp: Client) -> None:
    gcp.enable("cloudresourcemanager", "iam")
    base = {"project": "acme-dev", "role": "roles/viewer"}
    ghost = "ghost@acme-dev.iam.gserviceaccount.com"
    assert f"Service account {ghost} does not exist." in refused(
        gcp.create, MEMBER, {**base, "member": f"serviceAccount:{ghost}"}
    )
    # An account of a project outside this world cannot be looked at.
    gcp.create(MEMBER, {**base, "member": "serviceAccount:x@other-project.iam.gserviceaccount.com"})
    for role in ("roles/storage.objectviewer", "roles/datafusion.Runner", "roles/nosuch", "viewer"):
        words = refused(gcp.create, MEMBER, {**base, "role": role, "member": "user:a@b.c"})
        assert f"Role {role} is not supported" in words
    gcp.create(MEMBER, {**base, "role": "roles/brandnew.thing", "member": "user:a@b.c"}, "new")
    custom = gcp.create(
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        {"roleId": "loader", "title": "Loader", "permissions": ["storage.objects.get"]},
    )
    gcp.create(MEMBER, {**base, "role": custom.outputs["name"], "member": "user:a@b.c"}, "custom")
    missing = "projects/acme-dev/roles/nobody"
    assert "404" in refused(gcp.create, MEMBER, {**base, "role": missing, "member": "user:a@b.c"})


def test_members_are_additive(gcp: Client, world: World) -> None:
    gcp.create(BUCKET, {"name": "acme-data", "location": "EU"})
    token = "gcp:storage/bucketIAMMember:BucketIAMMember"
    role = "roles/storage.objectViewer"
    one = gcp.create(token, {"bucket": "acme-data", "role": role, "member": "user:a@b.c"}, "one")
    gcp.create(token, {"bucket": "acme-data", "role": role, "member": "user:d@e.f"}, "two")
    gcp.delete(token, one)
    assert store.members(world.connect(), "acme-data", role) == ["user:d@e.f"]
    assert gcp.read(token, one.id) is None
    # What Google grants on every new bucket is still there.
    assert store.members(world.connect(), "acme-data", "roles/storage.legacyBucketOwner") == ["projectOwner:acme-dev"]


def test_parents_must_exist(gcp: Client) -> None:
    gcp.enable("cloudkms", "secretmanager", "composer", "compute")
    cases = [
        (KEY, {"name": "k", "keyRing": "projects/acme-dev/locations/europe-west1/keyRings/none"}, "keyRings/none"),
        (OBJECT, {"bucket": "acme-none", "name": "a", "content": "x"}, "The specified bucket does not exist."),
        (VERSION, {"secret": "projects/acme-dev/secrets/none", "secretData": "x"}, "secrets/none"),
        (
            "gcp:composer/userWorkloadsConfigMap:UserWorkloadsConfigMap",
            {"name": "c", "environment": "none", "data": {"a": "b"}},
            "environments/none",
        ),
        (
            "gcp:compute/subnetwork:Subnetwork",
            {"name": "s", "network": "projects/acme-dev/global/networks/none", "ipCidrRange": "10.0.0.0/24"},
            "global/networks/none",
        ),
        (
            GRANT,
            {
                "cryptoKeyId": "projects/acme-dev/locations/eu/keyRings/r/cryptoKeys/none",
                "role": ENCRYPTER,
                "member": "user:a@b.c",
            },
            "none",
        ),
    ]
    for token, inputs, part in cases:
        words = refused(gcp.create, token, inputs)
        assert "Error 404" in words, words
        assert part in words


def test_customer_managed_keys_need_the_grant_and_the_place(gcp: Client) -> None:
    key = make_key(gcp)
    inputs = {"name": "acme-data", "location": "EUROPE-WEST1", "encryption": {"defaultKmsKeyName": key.id}}
    assert "Permission denied on Cloud KMS key" in refused(gcp.create, BUCKET, inputs)
    agent = gcp.invoke("gcp:storage/getProjectServiceAccount:getProjectServiceAccount", {})
    grant(gcp, key, agent["emailAddress"])
    assert "must be the same" in refused(gcp.create, BUCKET, {**inputs, "location": "US"})
    assert gcp.create(BUCKET, inputs).outputs["encryption"] == {"defaultKmsKeyName": key.id}
    missing = {**inputs, "name": "acme-two", "encryption": {"defaultKmsKeyName": key.id + "x"}}
    refused(gcp.create, BUCKET, missing)


def test_a_bucket_in_the_eu_takes_a_key_of_europe(gcp: Client) -> None:
    key = make_key(gcp, "europe")
    grant(gcp, key, gcp.invoke("gcp:storage/getProjectServiceAccount:getProjectServiceAccount", {})["emailAddress"])
    inputs = {"name": "acme-data", "location": "EU", "encryption": {"defaultKmsKeyName": key.id}}
    assert "must be the same" in refused(gcp.create, BUCKET, {**inputs, "location": "US"})
    assert gcp.create(BUCKET, inputs).outputs["location"] == "EU"


def test_secret_and_instance_keys(gcp: Client, world: World) -> None:
    key = make_key(gcp)
    gcp.enable("datafusion", "workflows")
    gcp.enable("secretmanager")
    number = store.project_number(world.connect(), "acme-dev")
    replica = {"location": "europe-west1", "customerManagedEncryption": {"kmsKeyName": key.id}}
    inputs = {"secretId": "token", "replication": {"userManaged": {"replicas": [replica]}}}
    assert "gcp-sa-secretmanager" in refused(gcp.create, SECRET, inputs)
    identity = gcp.create("gcp:projects/serviceIdentity:ServiceIdentity", {"service": "secretmanager.googleapis.com"})
    grant(gcp, key, identity.outputs["email"])
    gcp.create(SECRET, inputs)
    fusion = {"name": "core", "type": "BASIC", "cryptoKeyConfig": {"keyReference": key.id}}
    assert "service-" in refused(gcp.create, FUSION, fusion)
    grant(gcp, key, f"service-{number}@gcp-sa-datafusion.iam.gserviceaccount.com")
    gcp.create(FUSION, fusion)
    workflow = {"name": "orders", "sourceContents": SOURCE, "cryptoKeyName": key.id}
    assert "gcp-sa-workflows" in refused(gcp.create, WORKFLOW, workflow)


def test_conflicts(gcp: Client, world: World) -> None:
    gcp.enable("secretmanager", "datafusion", "iam", "workflows")
    for token, inputs in (
        (SECRET, {"secretId": "s", "replication": {"auto": {}}}),
        (FUSION, {"name": "core", "type": "BASIC"}),
        (ACCOUNT, {"accountId": "runner"}),
        (BUCKET, {"name": "acme-data", "location": "EU"}),
        (WORKFLOW, {"name": "orders", "sourceContents": SOURCE}),
    ):
        gcp.create(token, inputs)
        assert "Error 409" in refused(gcp.create, token, inputs)
    with world.transaction() as tx:
        store.create_project(tx, "acme-qa", ("storage.googleapis.com",))
    other = Client("gcp", world, {"project": "acme-qa"})
    assert "Error 409" in refused(other.create, BUCKET, {"name": "acme-data", "location": "EU"})


def test_key_rings_and_keys_never_go(gcp: Client) -> None:
    key = make_key(gcp)
    ring = gcp.read(RING, "projects/acme-dev/locations/europe-west1/keyRings/ring")
    assert ring is not None
    gcp.delete(KEY, key)
    gcp.delete(RING, ring)
    assert "KeyRing projects/acme-dev/locations/europe-west1/keyRings/ring already exists" in refused(
        gcp.create, RING, {"name": "ring", "location": "europe-west1"}
    )
    words = refused(
        gcp.create,
        BUCKET,
        {"name": "acme-data", "location": "EUROPE-WEST1", "encryption": {"defaultKmsKeyName": key.id}},
    )
    assert "Permission denied on Cloud KMS key" in words, "a destroyed key has no version that encrypts"
    assert gcp.read(RING, "europe-west1/ring") is not None, "it can be imported, also by its short id"


@pytest.mark.parametrize(
    "name", ["UPPER", "ab", "a" * 64, "goog-data", "my-google-data", "1.2.3.4", "a..b", "-abc", "a_"]
)
def test_bucket_names(gcp: Client, name: str) -> None:
    assert f"Error 400: Invalid bucket name: '{name}'" in refused(gcp.create, BUCKET, {"name": name, "location": "EU"})


def test_a_bucket_with_objects_is_not_deleted_unless_forced(gcp: Client) -> None:
    bucket = gcp.create(BUCKET, {"name": "acme-data", "location": "EU"})
    item = gcp.create(OBJECT, {"bucket": "acme-data", "name": "a", "content": "x"})
    assert "without `force_destroy` set to true" in refused(gcp.delete, BUCKET, bucket)
    forced = gcp.update(BUCKET, bucket, {"name": "acme-data", "location": "EU", "forceDestroy": True})
    gcp.delete(BUCKET, forced)
    assert gcp.read(BUCKET, "acme-data") is None
    assert gcp.read(OBJECT, item.id) is None
    assert not (gcp.provider.world.buckets / "acme-data").exists()
    gcp.delete(OBJECT, item)


def test_protection_and_policy(gcp: Client) -> None:
    gcp.enable("workflows", "secretmanager")
    workflow = gcp.create(WORKFLOW, {"name": "orders", "sourceContents": SOURCE})
    assert workflow.outputs["deletionProtection"] is True
    assert "deletion_protection=false" in refused(gcp.delete, WORKFLOW, workflow)
    free = gcp.update(WORKFLOW, workflow, {"name": "orders", "sourceContents": SOURCE, "deletionProtection": False})
    gcp.delete(WORKFLOW, free)
    assert gcp.read(WORKFLOW, workflow.id) is None
    inputs = {"secretId": "s", "replication": {"auto": {}}}
    kept = gcp.create(SECRET, {**inputs, "deletionPolicy": "PREVENT"})
    assert "cannot destroy Secret" in refused(gcp.delete, SECRET, kept)
    left = gcp.create(SECRET, {**inputs, "secretId": "t", "deletionPolicy": "ABANDON"}, "t")
    gcp.delete(SECRET, left)
    assert gcp.read(SECRET, left.id) is not None


def test_deleting_twice_succeeds(gcp: Client) -> None:
    gcp.enable("secretmanager")
    secret = gcp.create(SECRET, {"secretId": "s", "replication": {"auto": {}}})
    version = gcp.create(VERSION, {"secret": secret.id, "secretData": "x"})
    gcp.delete(SECRET, secret)
    gcp.delete(SECRET, secret)
    gcp.delete(VERSION, version)


def test_what_is_used_is_not_deleted(gcp: Client) -> None:
    gcp.enable("compute")
    network = gcp.create("gcp:compute/network:Network", {"name": "net", "autoCreateSubnetworks": False})
    inputs = {"name": "sub", "network": network.id, "ipCidrRange": "10.0.0.0/24"}
    subnetwork = gcp.create("gcp:compute/subnetwork:Subnetwork", inputs)
    words = refused(gcp.delete, "gcp:compute/network:Network", network)
    assert "is already being used by 'projects/acme-dev/regions/europe-west1/subnetworks/sub'" in words
    gcp.delete("gcp:compute/subnetwork:Subnetwork", subnetwork)
    gcp.delete("gcp:compute/network:Network", network)


def test_composer_makes_a_bucket_that_stays(gcp: Client, world: World) -> None:
    gcp.enable("composer", "iam", "cloudresourcemanager")
    account = gcp.create(ACCOUNT, {"accountId": "airflow"})
    config = {
        "softwareConfig": {"imageVersion": "composer-3-airflow-2.11.1"},
        "nodeConfig": {"serviceAccount": account.outputs["email"]},
    }
    inputs = {"name": "core", "config": config}
    assert "roles/composer.worker" in refused(gcp.create, COMPOSER, inputs)
    gcp.create(MEMBER, {"project": "acme-dev", "role": "roles/composer.worker", "member": account.outputs["member"]})
    environment = gcp.create(COMPOSER, inputs)
    prefix = environment.outputs["config"]["dagGcsPrefix"]
    bucket = prefix.removeprefix("gs://").removesuffix("/dags")
    gcp.create(OBJECT, {"bucket": bucket, "name": "dags/a.py", "content": "x"})
    assert (world.buckets / bucket / "dags" / "a.py").read_text() == "x"
    gcp.delete(COMPOSER, environment)
    assert gcp.read(COMPOSER, environment.id) is None
    assert (world.buckets / bucket / "dags" / "a.py").exists()
    second = gcp.create(COMPOSER, inputs)
    assert second.outputs["config"]["dagGcsPrefix"] != prefix, "a new environment gets a new bucket"


def test_the_workflow_is_the_rest_services_one(gcp: Client, world: World) -> None:
    from localcloud.workflows.service import WorkflowsService

    gcp.enable("workflows")
    made = gcp.create(WORKFLOW, {"name": "orders", "sourceContents": SOURCE, "deletionProtection": False})
    service = WorkflowsService(world)
    assert service.get(made.id)["sourceContents"] == SOURCE
    changed = SOURCE.replace("return: 1", "return: 2")
    updated = gcp.update(WORKFLOW, made, {"name": "orders", "sourceContents": changed, "deletionProtection": False})
    assert updated.outputs["revisionId"] != made.outputs["revisionId"]
    service.patch(made.id, {"sourceContents": SOURCE}, "sourceContents")
    seen = gcp.read(WORKFLOW, made.id, updated.inputs)
    assert seen is not None
    assert seen.inputs["sourceContents"] == SOURCE, "a change over REST is drift"
    service.delete(made.id)
    assert gcp.read(WORKFLOW, made.id) is None
    words = refused(gcp.create, WORKFLOW, {"name": "broken", "sourceContents": "main:\n  steps: 5\n"})
    assert "Error 400" in words


def test_a_refused_creation_leaves_nothing(gcp: Client, world: World) -> None:
    gcp.enable("workflows")
    before = len(store.everything(world.connect()))
    refused(gcp.create, WORKFLOW, {"name": "broken", "sourceContents": "main:\n  steps: 5\n"})
    refused(gcp.create, BUCKET, {"name": "acme-data", "location": "nowhere at all"})
    assert len(store.everything(world.connect())) == before


def test_service_account_references_must_exist(gcp: Client) -> None:
    gcp.enable("workflows")
    inputs = {
        "name": "orders",
        "sourceContents": SOURCE,
        "serviceAccount": "projects/acme-dev/serviceAccounts/ghost@acme-dev.iam.gserviceaccount.com",
    }
    assert "ghost@acme-dev.iam.gserviceaccount.com does not exist" in refused(gcp.create, WORKFLOW, inputs)


def test_a_refresh_keeps_what_only_the_client_knows(gcp: Client) -> None:
    service = "gcp:projects/service:Service"
    inputs = {"service": "dataflow.googleapis.com", "disableOnDestroy": True}
    made = gcp.create(service, inputs)
    seen = gcp.read(service, made.id, made.inputs)
    assert seen is not None
    assert seen.outputs["disableOnDestroy"] is True
    gcp.delete(service, seen)
    assert gcp.read(service, made.id) is None, "the refreshed state still says that it is to be disabled"
