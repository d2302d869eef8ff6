"""Composer with all it may be told, two environments of one stack, buckets of others, plugins, data files, domains."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.check import check_stacks
from dataplatform.config.composer_facts import LIMITS, SECRET_BACKEND
from dataplatform.config.gcp.composer import Composer
from dataplatform.local.beside import refuse_in_place
from dataplatform.local.errors import RefusedError
from dataplatform.local.plan_recorder import RecordedResource
from dataplatform.show.access import report
from localcloud.rules import check
from localcloud.rules.wire import UNKNOWN, secret
from localcloud.services import composer_limits
from tests.infra.inventory import ROOT, UNKNOWN_MARKER, ancestors, by_name, of_type
from tests.infra.orchestration_stack import COMPOSER_2, COMPOSER_3, NAME, recorded_stack, stack

ENVIRONMENT = "gcp:composer/environment:Environment"
OBJECT = "gcp:storage/bucketObject:BucketObject"
ANY = "      composer: {}\n"
PREVIOUS = """\
      composer:
        name: airflow3
        image_version: composer-3-airflow-3
        dags: false
      previous_composer:
        image_version: composer-2-airflow-2.11.1
"""


def config_of(resources: list[RecordedResource]) -> Any:
    (environment,) = of_type(resources, ENVIRONMENT)
    return environment.inputs["config"]


def objects(resources: list[RecordedResource]) -> dict[str, RecordedResource]:
    return {r.name: r for r in of_type(resources, OBJECT)}


def wire(value: Any) -> Any:
    """Recorded inputs as the provider gets them."""
    if isinstance(value, dict):
        return {key: wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [wire(item) for item in value]
    return UNKNOWN if value == UNKNOWN_MARKER else value


@pytest.mark.parametrize("composer", [COMPOSER_3, COMPOSER_2], ids=["composer-3", "composer-2"])
def test_the_provider_takes_everything(composer: str, tmp_path: Path) -> None:
    resources = recorded_stack(tmp_path / "p", composer)
    for resource in of_type(resources, ENVIRONMENT):
        given = {**wire(dict(resource.inputs)), **{path: secret("value") for path in resource.secrets}}
        found = check(resource.type, given, provider_config={"project": "acme-data-dev", "region": "europe-west1"})
        assert [(f.property, f.reason) for f in found.failures] == []


def test_generation_3(tmp_path: Path) -> None:
    config = config_of(recorded_stack(tmp_path / "p", COMPOSER_3))
    node = config["nodeConfig"]
    assert node["composerNetworkAttachment"].endswith("/networkAttachments/orc-core-composer")
    assert node["trafficRoutingConfig"] == {"cloudRunFunctionsRouting": "VIA_NETWORK_ATTACHMENT"}
    assert config["workloadsConfig"]["dagProcessor"] == {"count": 2, "cpu": 2, "memoryGb": 8, "storageGb": 2}
    assert config["enablePrivateEnvironment"] is True


def test_generation_2(tmp_path: Path) -> None:
    config = config_of(recorded_stack(tmp_path / "p", COMPOSER_2))
    private = config["privateEnvironmentConfig"]
    assert private["connectionType"] == "PRIVATE_SERVICE_CONNECT"
    assert private["cloudComposerConnectionSubnetwork"].endswith("/subnetworks/orc-core-data")
    assert private["enablePrivateEndpoint"] is False
    assert private["enablePrivatelyUsedPublicIps"] is True
    assert config["nodeConfig"]["enableIpMasqAgent"] is True
    assert config["nodeConfig"]["ipAllocationPolicy"] == {
        "clusterSecondaryRangeName": "pods",
        "servicesSecondaryRangeName": "services",
    }
    assert config["masterAuthorizedNetworksConfig"] == {
        "enabled": True,
        "cidrBlocks": [{"cidrBlock": "203.0.113.0/24", "displayName": "office"}],
    }
    assert config["dataRetentionConfig"]["taskLogsRetentionConfigs"] == [{"storageMode": "CLOUD_LOGGING_ONLY"}]


def test_peering_has_ranges_of_its_own(tmp_path: Path) -> None:
    changes = (
        ("          public_ranges: true\n", "          connection: vpc_peering\n          cloud_sql: 10.67.0.0/24\n"),
        ("          public_endpoint: true\n", "          tenant: 10.68.0.0/24\n"),
    )
    private = config_of(recorded_stack(tmp_path / "p", COMPOSER_2, changes=changes))["privateEnvironmentConfig"]
    assert private["connectionType"] == "VPC_PEERING"
    assert private["cloudSqlIpv4CidrBlock"] == "10.67.0.0/24"
    assert private["cloudComposerNetworkIpv4CidrBlock"] == "10.68.0.0/24"
    assert private["enablePrivateEndpoint"] is True
    assert "cloudComposerConnectionSubnetwork" not in private


def test_airflow_looks_into_secret_manager_where_the_stack_has_its_secrets(tmp_path: Path) -> None:
    overrides = config_of(recorded_stack(tmp_path / "a", COMPOSER_3))["softwareConfig"]["airflowConfigOverrides"]
    assert overrides.items() >= SECRET_BACKEND.items()
    changes = (("airflow_connection: orders_db, ", ""),)
    without = config_of(recorded_stack(tmp_path / "b", COMPOSER_3, changes=changes))["softwareConfig"]
    assert not SECRET_BACKEND.keys() & without["airflowConfigOverrides"].keys()


def test_the_new_environment_stands_beside_the_old_one(tmp_path: Path) -> None:
    alone = by_name(recorded_stack(tmp_path / "p", ANY))
    both = recorded_stack(tmp_path / "p", PREVIOUS)
    found = {r.name: r for r in of_type(both, ENVIRONMENT)}
    assert set(found) == {"composer", "composer-airflow3"}
    # The old one is the resource it was: nothing of it is replaced, and both run as one identity.
    before = alone[f"{ENVIRONMENT}::composer"]
    assert found["composer"].urn == before.urn
    assert found["composer"].inputs["name"] == before.inputs["name"] == "orc-core"
    accounts = [r for r in of_type(both, "gcp:serviceaccount/account:Account") if r.name.startswith("composer")]
    assert len(accounts) == 1
    # The old one runs the DAGs until `dags` is changed over.
    dag = next(r for name, r in objects(both).items() if name.startswith("dags-demo"))
    assert found["composer"].urn in ancestors(dag, both)


def test_the_dags_change_over_to_the_new_environment(tmp_path: Path) -> None:
    changes = (
        ("        dags: false\n", ""),
        ("      previous_composer:\n", "      previous_composer:\n        dags: false\n"),
    )
    both = recorded_stack(tmp_path / "p", PREVIOUS, changes=changes)
    (new,) = (r for r in of_type(both, ENVIRONMENT) if r.name == "composer-airflow3")
    dag = next(r for name, r in objects(both).items() if name.startswith("dags-demo"))
    assert new.urn in ancestors(dag, both)


def test_an_environment_of_another_name_was_called_otherwise_before(tmp_path: Path) -> None:
    resources = recorded_stack(tmp_path / "p", "      composer: {name: main}\n")
    (environment,) = of_type(resources, ENVIRONMENT)
    assert environment.name == "composer-main"
    assert any("composer" in str(alias) for alias in environment.aliases)


def test_a_bucket_of_others_takes_the_dags(tmp_path: Path) -> None:
    changes = (("accessors: [$composer]", "accessors: []"),)
    resources = recorded_stack(tmp_path / "p", "      airflow_bucket: acme-airflow\n", changes=changes)
    assert not of_type(resources, ENVIRONMENT)
    found = objects(resources)
    assert {r.inputs["bucket"] for r in found.values()} == {"acme-airflow"}
    assert found["dags-demo_pipeline_composer"].inputs["name"] == "dags/demo_pipeline_composer.py"


def with_files(root: Path) -> Path:
    (root / "pipelines/plugins/more").mkdir(parents=True)
    (root / "pipelines/plugins/more/macros.py").write_text("def today() -> str:\n    return 'now'\n")
    (root / "pipelines/data/sql").mkdir(parents=True)
    (root / "pipelines/data/sql/orders.sql").write_text("SELECT 1\n")
    (root / "pipelines/data/logo.bin").write_bytes(b"\0\1\2")
    (root / "pipelines/data/.hidden").write_text("x")
    return root


def test_plugins_and_data_stand_beside_the_dags_and_before_them(tmp_path: Path) -> None:
    changes = (("accessors: [$composer]", "accessors: []"),)
    parts = ("      airflow_bucket: acme-airflow\n",)
    with_files(stack(tmp_path / "p", *parts, changes=changes))
    resources = recorded_stack(tmp_path / "p", *parts, changes=changes)
    found = objects(resources)
    names = {name: r.inputs["name"] for name, r in found.items() if "/" in name and "dataplatform_runtime" not in name}
    assert names == {
        "dags-plugins/more/macros.py": "plugins/more/macros.py",
        "dags-data/sql/orders.sql": "data/sql/orders.sql",
        "dags-data/logo.bin": "data/logo.bin",
    }
    assert found["dags-plugins/more/macros.py"].inputs["contentType"] == "text/x-python"
    assert "source" in found["dags-data/logo.bin"].inputs
    dag = found["dags-demo_pipeline_composer"]
    assert {found[name].urn for name in names} <= ancestors(dag, resources)


def test_a_definition_that_goes_takes_its_dag_with_it(tmp_path: Path) -> None:
    before = set(objects(recorded_stack(tmp_path / "p", ANY)))
    (tmp_path / "p/pipelines/demo_pipeline_composer.json").unlink()
    after = set(objects(recorded_stack(tmp_path / "p", ANY)))
    assert before - after == {"dags-demo_pipeline_composer"}
    assert after < before


DOMAINS = """\
    pipelines:
      directory: pipelines
      domains:
        sales: {project: acme-sales-dev}
        web: {project: acme-web-dev, airflow_bucket: acme-web-airflow, executors: {}}
"""


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> list[RecordedResource]:
    root = tmp_path_factory.mktemp("domains") / "p"
    changes = (("    pipelines: {directory: pipelines}\n", DOMAINS),)
    stack(root, ANY, changes=changes)
    for domain in ("sales", "web"):
        (root / "pipelines" / domain).mkdir()
        shutil.copy(
            ROOT / "pipelines/demo_pipeline_cloud_workflows.json", root / f"pipelines/{domain}/{domain}_orders.json"
        )
    return recorded_stack(root, ANY, changes=changes)


def test_the_workflows_of_a_domain_run_in_its_project_as_its_account(domains: list[RecordedResource]) -> None:
    found = {r.inputs["name"]: r for r in of_type(domains, "gcp:workflows/workflow:Workflow")}
    places = {name: r.inputs["project"] for name, r in found.items()}
    assert places["sales_orders"] == "acme-sales-dev"
    assert places["web_orders"] == "acme-web-dev"
    assert places["demo_pipeline_cloud_workflows"] == "acme-data-dev"
    accounts = by_name(of_type(domains, "gcp:serviceaccount/account:Account"))
    own = accounts["gcp:serviceaccount/account:Account::workflows-sales-runner"]
    assert own.inputs["project"] == "acme-sales-dev"
    waits = ancestors(found["sales_orders"], domains)
    assert own.urn in waits
    services = by_name(domains)["gcp:projects/service:Service::services-sales-workflows"]
    assert services.inputs["project"] == "acme-sales-dev"
    assert services.urn in waits
    # The key is the stack's, and the agent of the domain's project may use it before its workflow is there.
    (grant,) = (r for r in domains if r.name == "key-access-sales-workflows-encrypt-decrypt-sales")
    assert grant.urn in waits


def test_the_executors_of_a_domain_are_called_and_granted_there(domains: list[RecordedResource]) -> None:
    grants = {
        r.name: r.inputs["project"]
        for r in of_type(domains, "gcp:projects/iAMMember:IAMMember")
        if r.inputs["role"] == "roles/run.invoker"
    }
    assert grants["workflows-sales-executors-run-invoker"] == "acme-data-dev"
    assert grants["workflows-web-executors-run-invoker"] == "acme-web-dev"
    assert grants["composer-executors-run-invoker"] == "acme-data-dev"


def test_the_accounts_of_domains_are_in_the_table_of_rights(tmp_path: Path) -> None:
    changes = (("    pipelines: {directory: pipelines}\n", DOMAINS.replace("        web:", "        # web:")),)
    root = stack(tmp_path / "p", ANY, changes=changes)
    (root / "pipelines/sales").mkdir()
    shutil.copy(ROOT / "pipelines/demo_pipeline_cloud_workflows.json", root / "pipelines/sales/sales_orders.json")
    found = report(root, NAME)
    assert found.accounts["workflows:sales"] == "orc-workflows@acme-sales-dev.iam.gserviceaccount.com"
    assert found.exact
    assert ("workflows:sales", "roles/run.invoker", "derived") in {(r.identity, r.role, r.state) for r in found.rows}


def test_the_dags_of_a_domain_go_to_its_environment_or_the_central_one(domains: list[RecordedResource]) -> None:
    found = objects(domains)
    assert found["dags-web-web_orders"].inputs["bucket"] == "acme-web-airflow"
    assert "dags-sales_orders" in found
    assert "dags-web_orders" not in found


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (("memory_gb: 4, storage_gb: 5, count: 2}", "memory_gb: 12, storage_gb: 5, count: 2}"), "DP240 a scheduler of"),
        (("worker: {cpu: 2,", "worker: {cpu: 3,"), "DP240 a worker of Composer 3 has 0.5, 1 or an even number"),
        (("worker: {cpu: 2, memory_gb: 8,", "worker: {cpu: 2, memory_gb: 20,"), "DP240 a worker of Composer 3 with 2"),
        (("composer-3-airflow-2.11.1", "composer-3-airflow-2.9.3"), "DP241 Composer 3 offers no Airflow 2.9.3"),
        (("composer-3-airflow-2.11.1", "composer-3-airflow-3.1.7-build.12"), "DP241 the build"),
        (('celery-worker_concurrency: "12"', 'celery-worker_concurrency: "64"'), "DP213 celery-worker_concurrency is"),
        (("celery-worker_concurrency", "core-fernet_key"), "DP213 Composer 3 keeps core-fernet_key"),
        (("DATAHUB_BASE_URL", "AIRFLOW_CONN_DATASETS_DB"), "DP213 AIRFLOW_CONN_DATASETS_DB would hold a secret"),
        (("          network_attachment: $attachment:composer\n", ""), "DP212 the network has no network"),
        (("0 4 * * *", "0 25 * * *"), "DP124 "),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, edit: tuple[str, str], wanted: str) -> None:
    root = stack(tmp_path / "p", COMPOSER_3, changes=(edit,))
    told = [f"{item.code} {item.message}" for item in check_stacks(root).items]
    assert any(one.startswith(wanted) for one in told), told


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        (("        dags: false\n", ""), "DP242 both environments would run every DAG"),
        (("        name: airflow3\n", ""), "DP242 both environments are called 'core'"),
        (
            ("      composer:\n", "      airflow_bucket: acme-airflow\n      composer:\n"),
            "DP242 the stack has an environment",
        ),
    ],
)
def test_what_two_environments_cannot_be(tmp_path: Path, edit: tuple[str, str], wanted: str) -> None:
    root = stack(tmp_path / "p", PREVIOUS, changes=(edit,))
    told = [f"{item.code} {item.message}" for item in check_stacks(root).items]
    assert any(one.startswith(wanted) for one in told), told


def test_an_environment_that_is_there_stays_on_its_version(tmp_path: Path) -> None:
    changes = (("composer-3-airflow-2.11.1", "composer-3-airflow-2.9.3\n        keep_version: true"),)
    assert not check_stacks(stack(tmp_path / "p", COMPOSER_3, changes=changes)).items


def test_files_that_cannot_be_plugins_are_told(tmp_path: Path) -> None:
    root = with_files(stack(tmp_path / "p", ANY))
    (root / "pipelines/plugins/broken.py").write_text("def f(:\n")
    (root / "pipelines/plugins/latin.py").write_bytes(b"# caf\xe9\n")
    (root / "pipelines/data/out").symlink_to(tmp_path)
    (root / "pipelines/data/secret.txt").symlink_to("/etc/hostname")
    told = {f"{Path(item.position.file).name} {item.code}" for item in check_stacks(root).items}
    assert told == {"broken.py DP244", "latin.py DP244", "out DP303", "secret.txt DP303"}


def deployed(image: str) -> dict[str, Any]:
    inputs = {"name": "orc-core", "config": {"softwareConfig": {"imageVersion": image}}}
    return {"resources": [{"type": ENVIRONMENT, "inputs": inputs}]}


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("composer-2-airflow-2.11.1", "Composer 2 does not become Composer 3"),
        ("composer-3-airflow-3.1.8", "Airflow 3 does not become Airflow 2 in place"),
        ("composer-3-airflow-2.11.9", "no environment goes back to an older Airflow"),
    ],
)
def test_another_environment_is_not_made_of_one_that_is_there(tmp_path: Path, image: str, wanted: str) -> None:
    root = stack(tmp_path / "p", COMPOSER_3)
    with pytest.raises(RefusedError, match=wanted) as refused:
        refuse_in_place(root, NAME, deployed(image))
    assert "gcp.previous_composer" in str(refused.value)
    refuse_in_place(root, NAME, deployed("composer-3-airflow-2.10.5-build.47"))
    refuse_in_place(root, NAME, {})


def test_the_embedded_cloud_has_the_same_limits() -> None:
    names = {"web_server": "webServer", "dag_processor": "dagProcessor"}
    for generation, workloads in LIMITS.items():
        for name, limits in workloads.items():
            held = composer_limits._WORKLOAD[generation][names.get(name, name)]
            assert held == (limits.cpu, limits.memory_gb, limits.memory_per_cpu, limits.storage_gb, limits.count)


def test_the_airflow_version_is_read_as_far_as_it_is_written() -> None:
    assert Composer(image_version="composer-3-airflow-2.11.1-build.14").airflow == (2, 11, 1)
    assert Composer(image_version="composer-2.17.9-airflow-2").airflow == (2,)
