"""Each component of a page comes up by itself: the page's example with the real engine, on what it says is there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from tests.engine_support import ROOT, Sandbox

pytestmark = [
    pytest.mark.engine,
    # pulumi_gcp.storage warns of a misspelt function of its own when it is imported.
    pytest.mark.filterwarnings("ignore:gcp.storage.getTransferProjectServieAccount:DeprecationWarning"),
]

PROJECT, KEYS, REGION = "acme-data-dev", "acme-keys", "europe-west1"
_PYTHON = re.compile(r"^```python\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_PAGES = {
    page.stem: found[0]
    for page in sorted((ROOT / "docs/components").glob("*.md"))
    if len(found := _PYTHON.findall(page.read_text(encoding="utf-8"))) == 1
    # Azure's, and what our own providers serve, come up in tests/azure and tests/providers.
    and page.stem not in ("data_factory", "data_fusion_objects")
}
_CONFIG = {"gcp:project": PROJECT, "gcp:region": REGION}
_APIS = (
    "artifactregistry bigquery cloudbuild cloudfunctions cloudkms cloudresourcemanager cloudscheduler composer compute"
    " dataproc datafusion eventarc iam logging monitoring pubsub run secretmanager servicenetworking sqladmin storage"
    " workflowexecutions workflows"
)
_SECRETS = {f"data-platform:{name}": f"sample-{name}" for name in ("hawk_key", "orders_db_password")}
_RINGS = {
    KEYS: ("data", ("bq", "functions", "lake", "secrets", "sql", "workflows")),
    PROJECT: ("ring", ("composer", "datafusion")),
}
_AGENTS = {
    "bq": ("bigquery",),
    "sql": ("sqladmin", "secretmanager"),
    "lake": ("storage", "pubsub"),
    "secrets": ("secretmanager", "pubsub"),
    "functions": ("artifactregistry", "cloudfunctions", "run", "storage"),
    "workflows": ("workflows", "pubsub"),
    "composer": ("composer", "storage"),
    "datafusion": ("datafusion", "dataproc", "compute", "storage"),
}


def services(*, network: bool) -> Callable[[], None]:
    """What examples refer to: services, keys that their agents may use, buckets, and a network for some."""

    def program() -> None:
        import pulumi_gcp as gcp

        from components.gcp.services import ProjectServices, ProjectServicesArgs

        made = ProjectServices(
            "services",
            ProjectServicesArgs(
                project=PROJECT,
                apis=frozenset(_APIS.split()),
                agents=frozenset(agent for agents in _AGENTS.values() for agent in agents),
            ),
        )
        kms = gcp.projects.Service("kms", project=KEYS, service="cloudkms.googleapis.com")
        after = pulumi.ResourceOptions(depends_on=[made, kms])
        for project, (ring_name, keys) in _RINGS.items():
            ring = gcp.kms.KeyRing(f"{project}-ring", project=project, name=ring_name, location=REGION, opts=after)
            for key_name in keys:
                key = gcp.kms.CryptoKey(key_name, name=key_name, key_ring=ring.id)
                for agent in _AGENTS[key_name]:
                    gcp.kms.CryptoKeyIAMMember(
                        f"{key_name}-{agent}",
                        crypto_key_id=key.id,
                        role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                        member=made.agents[agent],
                    )
        for bucket in ("europe-west1-dev-core-1234-bucket", "acme-data-dev-dev-landing"):
            gcp.storage.Bucket(bucket, project=PROJECT, name=bucket, location="EUROPE-WEST1", opts=after)
        if network:
            core = gcp.compute.Network(
                "network", project=PROJECT, name="dev-core", auto_create_subnetworks=False, opts=after
            )
            gcp.compute.Subnetwork(
                "data",
                project=PROJECT,
                region=REGION,
                name="dev-core-data",
                network=core.id,
                ip_cidr_range="10.10.0.0/22",
            )

    return program


def example(name: str) -> Callable[[], None]:
    """The program on a page."""

    def program() -> None:
        exec(compile(_PAGES[name], f"docs/components/{name}.md", "exec"), {})

    return program


def prepared(home: Path, *, network: bool) -> Sandbox:
    """A cloud with what examples refer to."""
    sandbox = Sandbox(home)
    for project in (PROJECT, KEYS):
        sandbox.project(project)
    sandbox.stack(services(network=network), _CONFIG, name="around").up()
    return sandbox


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return prepared(tmp_path_factory.mktemp("around"), network=False)


@pytest.mark.parametrize("name", _PAGES)
def test_the_example_comes_up_stays_and_goes(name: str, usual: Sandbox, tmp_path: Path) -> None:
    if name != "network" and "dev-core-data" in _PAGES[name]:
        sandbox = prepared(tmp_path / "home", network=True)
    else:
        shutil.copytree(usual.home, tmp_path / "home", symlinks=True)
        sandbox = Sandbox(tmp_path / "home")
    stack = sandbox.stack(example(name), _CONFIG | _SECRETS, name="alone")
    made = stack.up()
    assert made.keys() == {"create"}
    assert stack.preview() == {"same": made["create"]}
    assert stack.destroy() == {"delete": made["create"]}
    assert stack.destroy() == {}
