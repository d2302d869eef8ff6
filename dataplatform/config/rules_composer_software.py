"""Environment variables, Airflow's options and packages of a Composer environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dataplatform.config.composer_facts import BLOCKED, BLOCKED_SECTIONS, RANGES_3, SECRET_BACKEND
from dataplatform.config.document import Path
from dataplatform.config.gcp.composer import Composer
from dataplatform.config.platform import Gcp
from dataplatform.config.text import shown

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_AIRFLOW_VARIABLE = re.compile(r"AIRFLOW__[A-Z0-9_]+__[A-Z0-9_]+")
_AIRFLOW_SECRETS: Final = {"AIRFLOW_CONN_": "airflow_connection", "AIRFLOW_VAR_": "airflow_variable"}
"""Beginnings of variables that hold a connection or a variable of Airflow -> what a secret says instead."""
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


def software_rules(gcp: Gcp, composer: Composer, at: Path, findings: Findings) -> None:
    """Run them all."""
    for name in composer.env_variables:
        _variable(name, (*at, "env_variables", name), findings)
    for name, value in composer.airflow_config_overrides.items():
        _override(gcp, composer, name, value, at, findings)
    for name, version in composer.pypi_packages.items():
        path = (*at, "pypi_packages", name)
        if not _PACKAGE.fullmatch(name):
            lower = name.lower() if _PACKAGE.fullmatch(name.lower()) else "my-package"
            remedy = f"write the bare name in lower case, such as {lower}; version and extras are its value"
            findings.tell("DP213", path, f"{shown(name)} is not a package's name", remedy, key=True)
        if not _REQUIREMENT.fullmatch(version.strip()):
            remedy = 'write a version such as "==1.4.2", or "" for any'
            findings.tell("DP213", path, f"{shown(version)} is not a version of a package", remedy)


def _variable(name: str, path: Path, findings: Findings) -> None:
    held = next((key for beginning, key in _AIRFLOW_SECRETS.items() if name.startswith(beginning)), None)
    if name in RESERVED_VARIABLES:
        findings.tell("DP213", path, f"Composer sets {name} itself", "choose another name", key=True)
    elif _AIRFLOW_VARIABLE.fullmatch(name):
        section, _, option = name.removeprefix("AIRFLOW__").lower().partition("__")
        remedy = f"write it under airflow_config_overrides as {section}-{option}"
        findings.tell("DP213", path, f"{name} is a setting of Airflow", remedy, key=True)
    elif held is not None:
        # Airflow would read it, and so would everybody who may look at the environment.
        remedy = f"declare it under gcp.secrets with {held}, and its value as a secret"
        findings.tell("DP213", path, f"{name} would hold a secret in plain text", remedy, key=True)
    elif not _VARIABLE.fullmatch(name):
        remedy = "use letters, digits and '_', no digit first"
        findings.tell("DP213", path, f"{shown(name)} is not a variable's name", remedy, key=True)


def _override(gcp: Gcp, composer: Composer, name: str, value: str, at: Path, findings: Findings) -> None:
    path: Path = (*at, "airflow_config_overrides", name)
    if not _OVERRIDE.fullmatch(name):
        remedy = "write section-key, such as core-dags_are_paused_at_creation"
        findings.tell("DP213", path, f"{shown(name)} is not a setting of Airflow", remedy, key=True)
        return
    if name in BLOCKED[composer.generation] or name.partition("-")[0] in BLOCKED_SECTIONS:
        message = f"Composer {composer.generation} keeps {name} to itself"
        findings.tell("DP213", path, message, "take it out", needs=((*at, "image_version"),), key=True)
    elif name in SECRET_BACKEND and value != SECRET_BACKEND[name]:
        if any(s.airflow_connection or s.airflow_variable for s in gcp.secrets.values()):
            findings.tell(
                "DP213",
                path,
                "the stack has secrets that Airflow finds through Secret Manager, and this names another backend",
                "take it out, or take airflow_connection and airflow_variable out of gcp.secrets",
                needs=(("gcp", "secrets"),),
            )
    elif composer.generation == 3 and name in RANGES_3:
        low, high = RANGES_3[name]
        bounds = " and ".join(
            word for word, bound in ((f"at least {low}", low), (f"at most {high}", high)) if bound is not None
        )
        try:
            number = float(value)
        except ValueError:
            number = None
        if number is None or (low is not None and number < low) or (high is not None and number > high):
            message = f"{name} is {bounds} in Composer 3, not {shown(value)}"
            findings.tell("DP213", path, message, f"write {bounds}", needs=((*at, "image_version"),))
