"""The table of AEF's variables is held to the models: each path it names is one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from dataplatform.config.platform import Platform
from dataplatform.local.plan_recorder import record

PAGE = Path(__file__).resolve().parents[2] / "docs/coming_from_aef.md"
_ROW = re.compile(r"^\| `(?P<variable>[a-z_.]+)` \| `(?P<path>[a-z_.<>]+)` \| (?P<note>.*?) ?\|$", re.MULTILINE)
VARIABLES = {
    "project",
    "region",
    "environment",
    "data_transformation_project",
    "deploy_cloud_workflows",
    "deploy_composer_dags",
    "create_composer_environment",
    "composer_bucket_name",
    "enable_peering_to_sample_vpc",
    "sample_vpc_self_link",
    "composer_config",
    "workflows_log_level",
}
"""The variables of the orchestration repository's Terraform."""
ATTRIBUTES = {
    "vpc",
    "subnet",
    "connection_subnetwork",
    "cloud_sql",
    "gke_master",
    "service_encryption_keys",
    "environment_size",
    "software_config.airflow_config_overrides",
    "software_config.pypi_packages",
    "software_config.env_variables",
    "software_config.image_version",
    "software_config.cloud_data_lineage_integration",
    "web_server_access_control",
    "workloads_config.scheduler",
    "workloads_config.web_server",
    "workloads_config.triggerer",
    "workloads_config.worker",
}
"""Those of `composer_config`."""


def rows() -> list[tuple[str, str, str]]:
    return [(m["variable"], m["path"], m["note"]) for m in _ROW.finditer(PAGE.read_text("utf-8"))]


def bare(annotation: Any) -> Any:
    """The model or mapping behind optional and annotated types."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        arguments = [a for a in get_args(annotation) if a is not type(None)]
        annotation = arguments[0]
    return annotation


def exists(path: str) -> bool:
    """Whether the models have a field at a path; `<name>` is any key of a mapping."""
    here: Any = Platform
    for part in path.split("."):
        here = bare(here)
        if part.startswith("<"):
            if get_origin(here) is not dict:
                return False
            here = get_args(here)[1]
        elif isinstance(here, type) and issubclass(here, BaseModel) and part in here.model_fields:
            here = here.model_fields[part].annotation
        else:
            return False
    return True


def test_every_variable_and_attribute_has_an_equivalent() -> None:
    named = {variable for variable, _, _ in rows()}
    assert named >= VARIABLES
    assert named >= ATTRIBUTES


@pytest.mark.parametrize(("variable", "path", "note"), rows())
def test_every_path_is_one_of_the_models(variable: str, path: str, note: str) -> None:
    assert exists(path), f"{variable}: there is no {path}"
    for other in re.findall(r"`([a-z_]+(?:\.[a-z_<>]+)+)`", note):
        assert exists(other), f"{variable}: there is no {other}"


def test_a_path_that_is_none_is_found_out() -> None:
    assert not exists("gcp.composer.colour")
    assert not exists("gcp.<name>.composer")
    assert exists("pipelines.domains.<name>.executors.region")


def example(tmp_path: Path) -> dict[str, list[Mapping[str, Any]]]:
    """What the page's example registers, with one definition for each engine: inputs by type."""
    text = re.split(r"^## The example$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1]
    found = re.search(r"^```yaml stack\n(?P<body>.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    (tmp_path / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", "utf-8")
    (tmp_path / "Pulumi.dev.yaml").write_text(found["body"], "utf-8")
    (tmp_path / "pipelines").mkdir()
    for engine in ("cloud_workflows", "composer"):
        (tmp_path / "pipelines" / f"demo_{engine}.yaml").write_text(DEFINITION.replace("ENGINE", engine), "utf-8")
    made: dict[str, list[Mapping[str, Any]]] = {}
    for resource in record(tmp_path, "dev"):
        made.setdefault(resource.type, []).append(resource.inputs)
    return made


DEFINITION = """\
engine: ENGINE
definition:
  - LEVEL_ID: "1"
    THREADS:
      - THREAD_ID: "1"
        STEPS:
          - {JOB_ID: J1, JOB_NAME: load, TYPE: async, FUNCTION_ID_NAME: dataform-tag-executor,
             COMPOSER_STEP: dataform-tag-executor, WAIT_TIME_SECONDS: "30"}
"""


@pytest.mark.slow
# pulumi_gcp.storage warns of a misspelt function of its own when it is imported.
@pytest.mark.filterwarnings(r"ignore:gcp\.\S+ has been deprecated:DeprecationWarning")
def test_the_example_comes_to_what_the_frameworks_says(tmp_path: Path) -> None:
    """Each value of the README's `prod.tfvars` is found in what the equivalent stack registers."""
    made = example(tmp_path)
    (environment,) = made["gcp:composer/environment:Environment"]
    assert environment["region"] == "us-central1"
    config: Any = environment["config"]
    assert config["environmentSize"] == "ENVIRONMENT_SIZE_SMALL"
    assert config["softwareConfig"]["imageVersion"] == "composer-2-airflow-2"
    assert config["softwareConfig"]["cloudDataLineageIntegration"] == {"enabled": True}
    private = config["privateEnvironmentConfig"]
    assert private["cloudSqlIpv4CidrBlock"] == "10.0.10.0/24"
    assert private["masterIpv4CidrBlock"] == "10.0.11.0/28"
    (network,) = made["gcp:compute/network:Network"]
    assert config["nodeConfig"]["network"].endswith(f"/global/networks/{network['name']}")
    (subnet,) = made["gcp:compute/subnetwork:Subnetwork"]
    assert config["nodeConfig"]["subnetwork"].endswith(f"/regions/us-central1/subnetworks/{subnet['name']}")
    # deploy_cloud_workflows, workflows_log_level, deploy_composer_dags.
    workflows = made["gcp:workflows/workflow:Workflow"]
    assert {workflow["callLogLevel"] for workflow in workflows} == {"LOG_ERRORS_ONLY"}
    assert "demo_cloud_workflows" in {workflow["name"] for workflow in workflows}
    assert any("demo_composer" in str(one.get("contexts")) for one in made["gcp:storage/bucketObject:BucketObject"])
