"""What a Composer environment may be set to, by generation.

Source: the checks of the google provider (google_composer_environment, terraform-provider-google-beta 93c65b2d60) and
Google's documentation of Composer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.gcp.composer import Composer, Workload
from dataplatform.config.platform import Gcp
from dataplatform.config.rules_composer_settings import settings_rules
from dataplatform.config.text import shown

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_AT: Final[Path] = ("gcp", "composer")

_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_AIRFLOW_VARIABLE = re.compile(r"AIRFLOW__[A-Z0-9_]+__[A-Z0-9_]+")
RESERVED_VARIABLES: Final[frozenset[str]] = frozenset(
    {
        "AIRFLOW_HOME",
        "C_FORCE_ROOT",
        "CONTAINER_NAME",
        "DAGS_FOLDER",
        "GCP_PROJECT",
        "GCS_BUCKET",
        "GKE_CLUSTER_NAME",
        "SQL_DATABASE",
        "SQL_INSTANCE",
        "SQL_PASSWORD",
        "SQL_PROJECT",
        "SQL_REGION",
        "SQL_USER",
    }
)
"""Environment variables that Composer sets itself."""

_OVERRIDE = re.compile(r"[a-z][a-z0-9_]*-[a-z0-9_]+")
_PACKAGE = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_VERSION = r"(?:===?|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9][A-Za-z0-9.*+!_-]*"
_REQUIREMENT = re.compile(rf"(?:\[[A-Za-z0-9._,\s-]+\])?\s*(?:{_VERSION}(?:\s*,\s*{_VERSION})*)?")

_FIELDS: Final = {
    "scheduler": ("cpu", "memory_gb", "storage_gb", "count"),
    "web_server": ("cpu", "memory_gb", "storage_gb"),
    "worker": ("cpu", "memory_gb", "storage_gb", "min_count", "max_count"),
    "triggerer": ("cpu", "memory_gb", "count"),
    "dag_processor": ("cpu", "memory_gb", "storage_gb", "count"),
}
_ALL_FIELDS: Final = ("cpu", "memory_gb", "storage_gb", "count", "min_count", "max_count")


def composer_rules(gcp: Gcp, findings: Findings) -> None:
    """The rules of Composer."""
    composer = gcp.composer
    if composer is None:
        return
    _generation(composer, findings)
    _workloads(composer, findings)
    _software(composer, findings)
    settings_rules(gcp, composer, findings)


def _generation(composer: Composer, findings: Findings) -> None:
    image: Path = (*_AT, "image_version")
    if composer.generation == 2 and "-airflow-3" in composer.image_version:
        findings.tell("DP212", image, "Composer 2 has no Airflow 3", "write composer-3-airflow-3, or airflow-2 here")
    if composer.generation == 2 and composer.private and composer.network is None:
        findings.tell(
            "DP212",
            (*_AT, "private"),
            "a private environment of Composer 2 needs a network",
            "add network: {network: …, subnetwork: …}, or use Composer 3",
            needs=((*_AT, "network"), image),
        )


def _workloads(composer: Composer, findings: Findings) -> None:
    workloads = composer.workloads
    if workloads is None:
        return
    at: Path = (*_AT, "workloads")
    given = {name: getattr(workloads, name) for name in _FIELDS if getattr(workloads, name) is not None}
    if not given:
        findings.tell(
            "DP212",
            at,
            "workloads sizes nothing",
            "size one of " + ", ".join(_FIELDS) + ", or leave it out",
            needs=tuple((*at, name) for name in _FIELDS),
        )
    if composer.generation == 2 and "dag_processor" in given:
        findings.tell(
            "DP212",
            (*at, "dag_processor"),
            "Composer 2 has no DAG processor of its own",
            "take it out (the scheduler parses DAGs), or use Composer 3",
            needs=((*_AT, "image_version"),),
            key=True,
        )
    for name, workload in given.items():
        _workload(name, workload, (*at, name), findings)


def _workload(name: str, workload: Workload, at: Path, findings: Findings) -> None:
    allowed = _FIELDS[name]
    given = [field for field in _ALL_FIELDS if getattr(workload, field) is not None]
    if not given:
        remedy = "give " + ", ".join(allowed) + ", or leave it out"
        findings.tell("DP212", at, f"{name} sizes nothing", remedy, needs=tuple((*at, f) for f in allowed), key=True)
    for field in given:
        if field not in allowed:
            remedy = f"take it out: it has {', '.join(allowed)}"
            findings.tell("DP212", (*at, field), f"a {name} has no {field}", remedy, key=True)
    low, high = workload.min_count, workload.max_count
    if name == "worker" and low is not None and high is not None and low > high:
        findings.tell(
            "DP125",
            (*at, "min_count"),
            f"min_count {low} is more than max_count {high}",
            "lower min_count or raise max_count",
            needs=((*at, "max_count"),),
        )


def _software(composer: Composer, findings: Findings) -> None:
    for name in composer.env_variables:
        path: Path = (*_AT, "env_variables", name)
        if name in RESERVED_VARIABLES:
            findings.tell("DP213", path, f"Composer sets {name} itself", "choose another name", key=True)
        elif _AIRFLOW_VARIABLE.fullmatch(name):
            section, _, option = name.removeprefix("AIRFLOW__").lower().partition("__")
            remedy = f"write it under airflow_config_overrides as {section}-{option}"
            findings.tell("DP213", path, f"{name} is a setting of Airflow", remedy, key=True)
        elif not _VARIABLE.fullmatch(name):
            remedy = "use letters, digits and '_', no digit first"
            findings.tell("DP213", path, f"{shown(name)} is not a variable's name", remedy, key=True)
    for name in composer.airflow_config_overrides:
        if not _OVERRIDE.fullmatch(name):
            path = (*_AT, "airflow_config_overrides", name)
            remedy = "write section-key, such as core-dags_are_paused_at_creation"
            findings.tell("DP213", path, f"{shown(name)} is not a setting of Airflow", remedy, key=True)
    for name, version in composer.pypi_packages.items():
        path = (*_AT, "pypi_packages", name)
        if not _PACKAGE.fullmatch(name):
            lower = name.lower() if _PACKAGE.fullmatch(name.lower()) else "my-package"
            remedy = f"write the bare name in lower case, such as {lower}; version and extras are its value"
            findings.tell("DP213", path, f"{shown(name)} is not a package's name", remedy, key=True)
        if not _REQUIREMENT.fullmatch(version.strip()):
            remedy = 'write a version such as "==1.4.2", or "" for any'
            findings.tell("DP213", path, f"{shown(version)} is not a version of a package", remedy)
