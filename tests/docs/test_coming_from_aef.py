"""The table of AEF's variables is held to the models: each path it names is one."""

from __future__ import annotations

import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from dataplatform.config.platform import Platform

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
