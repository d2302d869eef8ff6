"""The real engine over the embedded cloud: previews, changes, drift, refusals, kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from localcloud import inventory, store
from tests.engine_support import ROOT, EngineFailedError, Sandbox

pytestmark = [
    pytest.mark.engine,
    # pulumi_gcp.storage warns of a misspelt function of its own when it is imported.
    pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProjectServieAccount:DeprecationWarning"),
]

CONFIG = {"gcp:project": "acme-dev", "gcp:region": "europe-west1"}
WORKFLOW = "main:\n  steps:\n    - done:\n        return: 1\n"


def lake(
    *, content: str = "print(1)\n", bucket: str = "acme-dev-landing", instance: str = "core", labels: str = "a"
) -> Callable[[], None]:
    """A small platform: key, bucket with its grant, object, secret, Data Fusion."""

    def program() -> None:
        import pulumi_gcp as gcp

        apis = [
            gcp.projects.Service(name, service=f"{name}.googleapis.com")
            for name in ("cloudkms", "secretmanager", "datafusion")
        ]
        after = pulumi.ResourceOptions(depends_on=apis)
        ring = gcp.kms.KeyRing("ring", name="platform", location="europe-west1", opts=after)
        key = gcp.kms.CryptoKey("key", name="lake", key_ring=ring.id)
        agent = gcp.storage.get_project_service_account_output()
        grant = gcp.kms.CryptoKeyIAMMember(
            "grant",
            crypto_key_id=key.id,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=pulumi.Output.concat("serviceAccount:", agent.email_address),
        )
        zone = gcp.storage.Bucket(
            "landing",
            name=bucket,
            location="europe-west1",
            labels={"zone": labels},
            encryption=gcp.storage.BucketEncryptionArgs(default_kms_key_name=key.id),
            opts=pulumi.ResourceOptions(depends_on=[grant]),
        )
        gcp.storage.BucketObject("dag", bucket=zone.name, name="dags/orders.py", content=content)
        secret = gcp.secretmanager.Secret("token", secret_id="token", replication={"auto": {}}, opts=after)
        gcp.secretmanager.SecretVersion("token", secret=secret.id, secret_data=pulumi.Output.secret("canary-7c1e"))
        gcp.datafusion.Instance("fusion", name=instance, type="DEVELOPER", opts=after)
        pulumi.export("url", zone.url)

    return program


def live(sandbox: Sandbox) -> set[str]:
    """Ids of what programs have in the cloud."""
    return {entry.id for entry in inventory.entries(sandbox.world()) if entry.origin == "user"}


def test_preview_up_change_replace_drift_and_destroy(sandbox: Sandbox) -> None:
    stack = sandbox.stack(lake(), CONFIG)
    assert stack.preview() == {"create": 12}
    assert live(sandbox) == set(), "a preview makes nothing"
    assert stack.up() == {"create": 12}
    assert stack.outputs() == {"url": "gs://acme-dev-landing"}
    assert stack.preview() == {"same": 12}
    dag = sandbox.cloud / "buckets" / "acme-dev-landing" / "dags" / "orders.py"
    assert dag.read_text() == "print(1)\n"

    stack = sandbox.stack(lake(content="print(2)\n", labels="b"))
    assert stack.preview() == {"update": 2, "same": 10}
    assert stack.up() == {"update": 2, "same": 10}
    assert dag.read_text() == "print(2)\n"

    stack = sandbox.stack(lake(content="print(2)\n", labels="b", instance="core2"))
    assert stack.preview() == {"replace": 1, "same": 11}
    assert stack.up() == {"replace": 1, "same": 11}
    assert "projects/acme-dev/locations/europe-west1/instances/core2" in live(sandbox)
    assert "projects/acme-dev/locations/europe-west1/instances/core" not in live(sandbox)
    assert stack.refresh() == {"same": 12}

    dag.unlink()
    assert inventory.remove(sandbox.world(), "projects/acme-dev/secrets/token")
    assert stack.refresh() == {"delete": 3, "same": 9}, "the object, the secret and its version are gone"
    assert stack.up() == {"create": 3, "same": 9}
    assert dag.read_text() == "print(2)\n"
    assert stack.preview() == {"same": 12}

    dag.write_text("print('edited by hand')\n")
    assert stack.refresh() == {"update": 1, "same": 11}
    assert stack.up() == {"update": 1, "same": 11}
    assert dag.read_text() == "print(2)\n"

    # The bucket is not empty of what others put there: refused, as in the cloud, until that is gone.
    stray = sandbox.cloud / "buckets" / "acme-dev-landing" / "stray.csv"
    stray.write_text("1,2\n")
    with pytest.raises(EngineFailedError, match="without `force_destroy` set to true"):
        stack.destroy()
    stray.unlink()
    stack.destroy()
    assert live(sandbox) == set()
    kept = {e.id.rpartition("/")[2] for e in inventory.entries(sandbox.world()) if e.origin == "kept"}
    assert {"platform", "lake"} <= kept


def test_the_secret_is_nowhere_but_in_the_world(sandbox: Sandbox) -> None:
    sandbox.stack(lake(), CONFIG).up()
    assert "canary-7c1e" not in (sandbox.cloud / "calls.jsonl").read_text()
    for file in (sandbox.home / "state").rglob("*"):
        assert not file.is_file() or b"canary-7c1e" not in file.read_bytes(), file
    world = sandbox.world()
    with world.transaction() as tx:
        versions = [r for r in store.everything(tx) if r.token.endswith(":SecretVersion")]
    assert [v.outputs["secretData"] for v in versions] == ["canary-7c1e"]


def _refused(sandbox: Sandbox, program: Callable[[], None]) -> str:
    with pytest.raises(EngineFailedError) as caught:
        sandbox.stack(program, CONFIG).up()
    text = str(caught.value)
    assert "Traceback" not in text
    return text


def test_refusals_come_in_the_clouds_words(sandbox: Sandbox) -> None:
    def without_api() -> None:
        import pulumi_gcp as gcp

        gcp.kms.KeyRing("ring", location="europe-west1")

    text = _refused(sandbox, without_api)
    assert (
        "Error creating KeyRing: googleapi: Error 403: Cloud Key Management Service (KMS) API has not been used" in text
    )
    assert "accessNotConfigured" in text

    def orphan() -> None:
        import pulumi_gcp as gcp

        gcp.storage.BucketObject("o", bucket="acme-nowhere", name="a", content="x")

    assert "Error 404: The specified bucket does not exist." in _refused(sandbox, orphan)

    def ungranted() -> None:
        import pulumi_gcp as gcp

        api = gcp.projects.Service("kms", service="cloudkms.googleapis.com")
        ring = gcp.kms.KeyRing("ring", location="europe-west1", opts=pulumi.ResourceOptions(depends_on=[api]))
        key = gcp.kms.CryptoKey("key", key_ring=ring.id)
        encryption = gcp.storage.BucketEncryptionArgs(default_kms_key_name=key.id)
        gcp.storage.Bucket("b", location="europe-west1", encryption=encryption)

    assert "Error 403: Permission denied on Cloud KMS key." in _refused(sandbox, ungranted)


def test_a_taken_name_is_a_conflict(sandbox: Sandbox) -> None:
    def program() -> None:
        import pulumi_gcp as gcp

        gcp.storage.Bucket("b", name="acme-shared", location="EU")

    sandbox.stack(program, CONFIG, name="dev").up()
    with pytest.raises(EngineFailedError, match="Error 409: The requested bucket name is not available"):
        sandbox.stack(program, CONFIG, name="qa").up()


def test_check_failures_stop_the_preview(sandbox: Sandbox) -> None:
    def program() -> None:
        import pulumi_gcp as gcp

        gcp.datafusion.Instance("fusion", type="GIGANTIC")

    with pytest.raises(EngineFailedError) as caught:
        sandbox.stack(program, CONFIG).preview()
    assert "GIGANTIC" in str(caught.value)
    assert "DEVELOPER" in str(caught.value)


def test_two_providers_two_projects(sandbox: Sandbox) -> None:
    sandbox.project("acme-qa")

    def program() -> None:
        import pulumi_gcp as gcp

        for name in ("acme-dev", "acme-qa"):
            provider = gcp.Provider(name, project=name, region="europe-west3")
            options = pulumi.ResourceOptions(provider=provider)
            gcp.pubsub.Topic(name, name="events", opts=options)

    def enable() -> None:
        import pulumi_gcp as gcp

        for name in ("acme-dev", "acme-qa"):
            gcp.projects.Service(name, project=name, service="pubsub.googleapis.com")
        program()

    stack = sandbox.stack(enable, {})
    # The topics may be asked for before their APIs are enabled: nothing orders them. The second run finds them.
    try:
        stack.up()
    except EngineFailedError:
        stack.up()
    assert {"projects/acme-dev/topics/events", "projects/acme-qa/topics/events"} <= live(sandbox)


def test_import_of_a_kept_key_ring(sandbox: Sandbox) -> None:
    sandbox.stack(lake(), CONFIG).up()
    sandbox.stack(lake(), CONFIG).destroy()
    with pytest.raises(EngineFailedError, match=r"KeyRing .* already exists"):
        sandbox.stack(lake(), CONFIG).up()

    def adopt() -> None:
        import pulumi_gcp as gcp

        ring = "projects/acme-dev/locations/europe-west1/keyRings/platform"
        options = pulumi.ResourceOptions(import_=ring)
        gcp.kms.KeyRing("adopted", name="platform", location="europe-west1", opts=options)

    assert sandbox.stack(adopt, CONFIG, name="other").up() == {"create": 1, "import": 1}
    assert "projects/acme-dev/locations/europe-west1/keyRings/platform" in live(sandbox)


PROGRAM = """
import pulumi, pulumi_gcp as gcp
first = gcp.storage.Bucket("a", name="acme-a", location="EU")
second = gcp.storage.Bucket("b", name="acme-b", location="EU", opts=pulumi.ResourceOptions(depends_on=[first]))
"""


def test_plugin_dies_in_an_operation_and_the_next_up_goes_on(sandbox: Sandbox) -> None:
    def program() -> None:
        exec(PROGRAM, {})

    sandbox.extra = {"LOCALCLOUD_FAULT": "create gcp:storage/bucket:Bucket 2 die=before"}
    with pytest.raises(EngineFailedError):
        sandbox.stack(program, CONFIG).up()
    assert live(sandbox) == {"acme-a"}
    sandbox.extra = {}
    assert sandbox.stack(program, CONFIG).up() == {"create": 1, "same": 2}
    assert live(sandbox) == {"acme-a", "acme-b"}


def test_a_lost_reply_leaves_the_resource_in_the_cloud(sandbox: Sandbox) -> None:
    def program() -> None:
        exec(PROGRAM, {})

    sandbox.extra = {"LOCALCLOUD_FAULT": "create gcp:storage/bucket:Bucket 2 drop"}
    with pytest.raises(EngineFailedError, match="the connection was lost"):
        sandbox.stack(program, CONFIG).up()
    assert live(sandbox) == {"acme-a", "acme-b"}
    sandbox.extra = {}
    with pytest.raises(EngineFailedError, match="Error 409"):
        sandbox.stack(program, CONFIG).up()


def test_a_half_made_resource_stays_in_the_state(sandbox: Sandbox) -> None:
    def program() -> None:
        exec(PROGRAM, {})

    sandbox.extra = {"LOCALCLOUD_FAULT": "create gcp:storage/bucket:Bucket 1 partial"}
    stack = sandbox.stack(program, CONFIG)
    with pytest.raises(EngineFailedError, match="long-running operation ended in an error"):
        stack.up()
    known = {resource.get("id") for resource in stack.state()["resources"]}
    assert "acme-a" in known
    sandbox.extra = {}
    sandbox.stack(program, CONFIG).up()
    assert live(sandbox) == {"acme-a", "acme-b"}


def test_plugins_end_when_the_engine_is_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The engine is a process of ours that starts the plugin and is killed: the plugin must not outlive it."""
    starter = "import subprocess, sys, time\np = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
    starter += "p.stdout.readline()\nprint(p.pid, flush=True)\ntime.sleep(60)\n"
    plugin = ROOT / "localcloud" / "plugins" / "bin" / "pulumi-resource-gcp"
    engine = subprocess.Popen(
        [sys.executable, "-c", starter, str(plugin)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **sandbox.environment},
    )
    assert engine.stdout is not None
    pid = int(engine.stdout.readline())
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    engine.stdout.close()
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
