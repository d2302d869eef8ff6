"""Connectors: which methods there are, and which arguments they take.

A connector call is an HTTP request that Workflows puts together by the API's discovery document, with built-in
retries and polling of long-running operations (`calls`). The methods are data in `methods.json`, made by `generate`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

PREFIX = "googleapis."
_PLACE = re.compile(r"\{\+?([^}]+)\}")
_COMMON = frozenset({"body", "query", "connector_params"})
_SYSTEM = frozenset({"alt", "fields", "prettyPrint", "quotaUser", "uploadType"})
"""Parameters of every method of Google's APIs, those that carry credentials left out."""
_FLAT = MappingProxyType({"translate.v2": frozenset({"q", "target", "format", "source", "model"})})
"""Services whose methods also take the fields of their body as arguments."""
_REGIONAL = MappingProxyType(
    {"run.v1": "location", "documentai.v1": "location", "integrations.v1": "location", "aiplatform.v1": "region"}
)
"""Services with an endpoint for each region, and the argument that names it."""


@dataclass(frozen=True)
class Method:
    """One method. `path` holds `{name}` and `{+name}` in place of the arguments named in `places`."""

    name: str
    service: str
    root: str
    verb: str
    path: str
    places: tuple[str, ...]
    query: frozenset[str]
    long_running: bool

    @property
    def regional(self) -> str | None:
        """The argument that names the region of the endpoint."""
        return _REGIONAL.get(self.service)

    @property
    def arguments(self) -> frozenset[str]:
        """Everything that may be given."""
        extra = {self.regional} if self.regional else set()
        # `updateMask: {fieldPaths: […]}` is another way to write `updateMask.fieldPaths`.
        heads = {name.split(".", 1)[0] for name in self.query if "." in name}
        return frozenset({*self.places, *self.query, *_COMMON, *extra, *heads})


@dataclass(frozen=True)
class Helper:
    """A method that Workflows adds to an API, with the order of its arguments."""

    name: str
    parameters: tuple[str, ...]
    required: int
    in_expressions: bool = False


_RUN = ("workflow_id", "location", "project_id", "argument", "connector_params")
HELPERS: Mapping[str, Helper] = MappingProxyType(
    {
        h.name: h
        for h in (
            *(
                Helper(f"googleapis.workflowexecutions.{v}.projects.locations.workflows.executions.run", _RUN, 1)
                for v in ("v1", "v1beta")
            ),
            Helper(
                "googleapis.secretmanager.v1.projects.secrets.versions.accessString",
                ("secret_id", "version", "project_id", "connector_params"),
                1,
                in_expressions=True,
            ),
            Helper(
                "googleapis.secretmanager.v1.projects.secrets.addVersionString",
                ("secret_id", "data", "project_id", "connector_params"),
                2,
            ),
        )
    }
)
"""By …/docs/reference/googleapis/workflowexecutions/Overview and …/secretmanager/Overview of the reference."""


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(resources.files(__package__).joinpath("methods.json").read_text())
    return found


@lru_cache(maxsize=512)
def find(path: str) -> Method | None:
    """The method of a `googleapis.…` path, or None."""
    parts = path.split(".")
    service = ".".join(parts[1:3])
    entry = _table().get(service)
    line = entry["methods"].get(".".join(parts[3:])) if entry is not None else None
    if entry is None or line is None:
        return None
    verb, template, *rest = line.removeprefix("!").split(" ")
    query = frozenset(name for part in rest if part.startswith("?") for name in part[1:].split(","))
    query |= _FLAT.get(service, frozenset()) | _SYSTEM
    return Method(
        path, service, entry["root"], verb, template, tuple(_PLACE.findall(template)), query, line.startswith("!")
    )


def problem(path: str, given: Collection[str] | int) -> str | None:
    """Why a call would not be deployed: an unknown method, or wrong arguments, by name or as their number."""
    helper = HELPERS.get(path)
    if helper is not None:
        if isinstance(given, int):
            right = helper.required <= given <= len(helper.parameters)
            return None if right else f"'{path}': wrong number of arguments"
        return _argument_problem(path, given, helper.parameters, helper.parameters[: helper.required])
    method = find(path)
    if method is None:
        return _unknown(path)
    if isinstance(given, int):
        return f"'{path}': the arguments of a connector are given by name"
    # A missing argument is not refused: samples of Google's that are deployed leave out parts of the path.
    return _argument_problem(path, given, sorted(method.arguments), ())


def _argument_problem(
    path: str, given: Collection[str], known: Collection[str], required: Collection[str]
) -> str | None:
    unknown = [n for n in given if n not in known]
    if unknown:
        return f"connector '{path}' has no parameter '{unknown[0]}'; its parameters: {', '.join(known)}"
    missing = [n for n in required if n not in given]
    return f"connector '{path}': argument '{missing[0]}' is missing" if missing else None


def _unknown(path: str) -> str:
    service = ".".join(path.split(".")[1:3])
    entry = _table().get(service)
    if entry is None:
        near = get_close_matches(service, _table(), 1)
        hint = f"; did you mean '{PREFIX}{near[0]}'?" if near else ""
        return f"'{path}': there is no connector for '{service}'{hint}"
    near = get_close_matches(".".join(path.split(".")[3:]), entry["methods"], 1)
    hint = f"; did you mean '{PREFIX}{service}.{near[0]}'?" if near else ""
    return f"symbol '{path}' is not a method of the connector '{PREFIX}{service}'{hint}"
