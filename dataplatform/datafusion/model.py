"""What an instance holds, as a flat mapping of keys to plain objects: what files, differences and plans share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

SYSTEM = "system"
"""The reserved namespace; what belongs to the instance as a whole is kept under it."""
DEFAULT_SCHEDULE = "dataPipelineSchedule"
"""The schedule that deploying a batch pipeline makes, from its configuration."""
BATCH_PROGRAM = "DataPipelineWorkflow"
STREAMING_PROGRAM = "DataStreamsSparkStreaming"
STREAMING_ARTIFACT = "cdap-data-streams"
STUDIO = ("namespaces", "system", "apps", "pipeline", "services", "studio", "methods", "v1", "contexts")
"""Drafts and connections are methods of the service `studio` of the system application `pipeline`."""
PIPELINE_ARTIFACTS = frozenset({"cdap-data-pipeline", STREAMING_ARTIFACT})
"""System artifacts whose version is CDAP's own."""


class Kind(StrEnum):
    """The kinds of objects, in the order in which they are pushed."""

    NAMESPACE = "namespace"
    ARTIFACT = "artifact"
    PROFILE = "profile"
    PREFERENCES = "preferences"
    SECURE_KEYS = "secure keys"
    CONNECTION = "connection"
    PIPELINE = "pipeline"
    PIPELINE_PREFERENCES = "preferences of pipeline"
    RUNTIME_ARGUMENTS = "runtime arguments of pipeline"
    SCHEDULE = "schedule"
    TRIGGER = "trigger"
    DRAFT = "draft"
    VERSION = "version"


ORDER = {kind: place for place, kind in enumerate(Kind)}
NEVER_PUSHED = frozenset({Kind.SECURE_KEYS, Kind.VERSION})
"""Secure keys have no values here, and history is made by deploying."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """Which object. `part` is the schedule of a pipeline, or the version of an artifact or a pipeline."""

    namespace: str
    kind: Kind
    name: str = ""
    part: str = ""

    def __str__(self) -> str:
        if self.kind == Kind.NAMESPACE:
            return f"namespace {self.namespace}"
        if not self.name:
            return f"{self.kind} of {'the instance' if self.namespace == SYSTEM else self.namespace}"
        part = "" if not self.part else f" {self.part}" if self.kind == Kind.ARTIFACT else f"/{self.part}"
        where = "" if self.namespace == SYSTEM else f"{self.namespace}/"
        return f"{self.kind} {where}{self.name}{part}"

    def __lt__(self, other: Key) -> bool:
        return self.sort_key() < other.sort_key()

    def sort_key(self) -> tuple[int, str, str, str]:
        """By kind in the order of pushing, then by name."""
        return (ORDER[self.kind], self.namespace, self.name, self.part)


Export = Mapping[Key, Json]
"""Objects in the form of `normalise`, by key."""


def pipelines(export: Export) -> dict[Key, Json]:
    """The pipelines alone."""
    return {key: body for key, body in export.items() if key.kind == Kind.PIPELINE}


def namespaces(export: Export) -> list[str]:
    """The namespaces that hold something, the instance's own left out."""
    return sorted({key.namespace for key in export} - {SYSTEM})


def select(export: Export, chosen: Iterable[str]) -> dict[Key, Json]:
    """The objects of the namespaces."""
    wanted = set(chosen)
    return {key: body for key, body in export.items() if key.namespace in wanted}


def pipeline_key(key: Key) -> Key | None:
    """The pipeline an object belongs to, itself included; None for what belongs to none."""
    if key.kind in (
        Kind.PIPELINE,
        Kind.PIPELINE_PREFERENCES,
        Kind.RUNTIME_ARGUMENTS,
        Kind.SCHEDULE,
        Kind.TRIGGER,
        Kind.VERSION,
    ):
        return Key(namespace=key.namespace, kind=Kind.PIPELINE, name=key.name)
    return None


def program_of(body: Json) -> tuple[str, str]:
    """Program type and name of a pipeline, as the REST API spells them in paths."""
    if (body.get("artifact") or {}).get("name") == STREAMING_ARTIFACT:
        return "spark", STREAMING_PROGRAM
    return "workflow", BATCH_PROGRAM
