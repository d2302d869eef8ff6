"""What the inputs of each type of resource are, and how they and CDAP's objects are made of each other.

A resource has the endpoint, the names that say which object it is, and the object's own fields under CDAP's names. A
pipeline's stages and connections are mappings by name, so that a difference says which of them differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

from dataplatform.datafusion import normalise
from dataplatform.datafusion.model import (
    BATCH_PROGRAM,
    STREAMING_ARTIFACT,
    STREAMING_PROGRAM,
    SYSTEM,
    Json,
    Key,
    Kind,
)
from dataplatform.datafusion.objects import by_name, in_lists, place
from providers.base import Values, has_unknown

PACKAGE: Final = "dp-cdap:datafusion"
_TYPES: Final = {str: "text", dict: "a mapping", list: "a list", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class Form:
    """One type of resource."""

    kind: Kind
    names: tuple[str, ...]
    """Inputs that say which object it is, besides the endpoint; a change of one replaces it."""
    fields: Mapping[str, type]
    """The object's own inputs, and of which type each is."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Names and fields that may be left out."""
    ids: tuple[str, ...]
    """The id below the endpoint: segments of CDAP's path, names in braces. The first that has all names is taken."""

    @property
    def token(self) -> str:
        """The type token."""
        return f"{PACKAGE}:{_TITLES[self.kind]}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every input."""
        return ("endpoint", *self.names, *self.fields)

    def key(self, inputs: Values) -> Key:
        """Which object it is."""
        pipeline = str(inputs.get("pipeline") or "")
        space = str(inputs["namespace"])
        match self.kind:
            case Kind.NAMESPACE:
                return Key(namespace=space, kind=self.kind)
            case Kind.PREFERENCES:
                kind = Kind.PIPELINE_PREFERENCES if pipeline else Kind.PREFERENCES
                return Key(namespace=space, kind=kind, name=pipeline)
            case Kind.RUNTIME_ARGUMENTS:
                return Key(namespace=space, kind=self.kind, name=pipeline)
            case Kind.SCHEDULE:
                return Key(namespace=space, kind=self.kind, name=pipeline, part=str(inputs["name"]))
            case Kind.ARTIFACT:
                return Key(namespace=space, kind=self.kind, name=str(inputs["name"]), part=str(inputs["version"]))
            case _:
                return Key(namespace=space, kind=self.kind, name=str(inputs["name"]))

    def path(self, inputs: Values) -> tuple[str, ...]:
        """Its path below `/v3`, as segments."""
        return place(self.key(inputs), owner(inputs))

    def id_of(self, inputs: Values) -> str:
        """Its id: the endpoint and CDAP's own path, so that an import needs nothing else."""
        return f"{inputs['endpoint']}/v3/" + "/".join(quote(part, safe="") for part in self.path(inputs))

    def of_id(self, id_: str) -> Values | None:
        """The endpoint and names in an id; None where it is the id of something else."""
        endpoint, found, path = id_.partition("/v3/")
        segments = [unquote(part) for part in path.split("/")]
        if not found or not endpoint.startswith(("http://", "https://")):
            return None
        for pattern in self.ids:
            names = _matched(pattern.split("/"), segments)
            if names is not None:
                made: Values = {"endpoint": endpoint, "namespace": SYSTEM, **names}
                if names.pop("program", "") == STREAMING_PROGRAM:
                    made["streaming"] = True
                made.pop("program", None)
                return {**{k: v for k, v in self.defaults.items() if k in self.names}, **made}
        return None

    def body(self, inputs: Values) -> Json:
        """The object as a push would have it."""
        match self.kind:
            case Kind.PIPELINE:
                return {"name": inputs["name"], "artifact": inputs["artifact"], "config": in_lists(inputs["config"])}
            case Kind.SCHEDULE:
                names = {"pipeline": inputs["pipeline"], "name": inputs["name"]}
                return {**names, **inputs["schedule"], "status": inputs["status"]}
            case Kind.PREFERENCES | Kind.RUNTIME_ARGUMENTS:
                of = {"pipeline": inputs["pipeline"]} if inputs.get("pipeline") else {}
                return {**of, **{name: inputs[name] for name in self.fields}}
            case Kind.ARTIFACT:
                kept = {name: inputs[name] for name in ("name", "version", "parents", "properties", "plugins")}
                return normalise.artifact({**kept, "scope": "USER"})
            case Kind.NAMESPACE:
                return {"name": inputs["namespace"], **{name: inputs[name] for name in self.fields}}
            case _:
                return {"name": inputs["name"], **{name: inputs[name] for name in self.fields}}

    def live(self, told: Values, body: Json) -> Values:
        """The fields as the instance has them; of a schedule only what the program speaks of, if it is there."""
        match self.kind:
            case Kind.PIPELINE:
                return {"artifact": body["artifact"], "config": by_name(body["config"])}
            case Kind.SCHEDULE:
                spoken = told.get("schedule")
                rest = {k: v for k, v in body.items() if k not in ("pipeline", "name", "status")}
                kept = {k: v for k, v in rest.items() if not isinstance(spoken, dict) or k in spoken}
                return {"schedule": kept, "status": body["status"]}
            case Kind.ARTIFACT:
                # A version's jar never changes, and cannot be had from the instance.
                same = {name: told.get(name, default) for name, default in (("jar", ""), ("digest", ""))}
                read = {name: told.get(name, body[name]) for name in ("parents", "plugins")}
                return {**read, **same, "properties": body["properties"]}
            case _:
                return {name: body[name] for name in self.fields}

    def normal(self, inputs: Values) -> Values:
        """Inputs in the form in which they are compared."""
        if has_unknown({name: inputs[name] for name in self.fields}):
            return inputs
        made = dict(inputs)
        for name in self.fields:
            # Nulls are dropped by CDAP, and whole numbers come back as doubles.
            made[name] = normalise.values(made[name])
        if self.kind == Kind.PIPELINE:
            made["config"] = by_name(in_lists(made["config"]))
        elif self.kind in (Kind.PREFERENCES, Kind.RUNTIME_ARGUMENTS):
            (texts,) = self.fields
            made[texts] = normalise.texts(made[texts])
        elif self.kind == Kind.PROFILE:
            profile = normalise.profile({"name": made["name"], **{name: made[name] for name in self.fields}})
            made |= {name: profile[name] for name in self.fields}
        elif self.kind == Kind.CONNECTION:
            connection = normalise.connection({"name": made["name"], **{name: made[name] for name in self.fields}})
            made |= {name: connection[name] for name in self.fields}
        return made


def owner(inputs: Values) -> Json:
    """As much of the pipeline as says which program it has."""
    return {"artifact": {"name": STREAMING_ARTIFACT}} if inputs.get("streaming") is True else {}


def _matched(pattern: list[str], segments: list[str]) -> Values | None:
    if len(pattern) != len(segments):
        return None
    found: Values = {}
    for wanted, given in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            if not given:
                return None
            found[wanted[1:-1]] = given
        elif wanted != given:
            return None
    return found


def type_words(type_: type) -> str:
    """A type in words."""
    return _TYPES[type_]


_TITLES: Final = {
    Kind.NAMESPACE: "Namespace",
    Kind.PREFERENCES: "Preferences",
    Kind.PROFILE: "Profile",
    Kind.CONNECTION: "Connection",
    Kind.ARTIFACT: "Artifact",
    Kind.PIPELINE: "Pipeline",
    Kind.RUNTIME_ARGUMENTS: "RuntimeArguments",
    Kind.SCHEDULE: "Schedule",
}
_NS: Final = "namespaces/{namespace}"
_APP: Final = f"{_NS}/apps/{{pipeline}}"

FORMS: Final = (
    Form(
        kind=Kind.NAMESPACE,
        names=("namespace",),
        fields={"description": str, "config": dict},
        defaults={"description": "", "config": {}},
        ids=(_NS,),
    ),
    Form(
        kind=Kind.PREFERENCES,
        names=("namespace", "pipeline"),
        fields={"preferences": dict},
        defaults={"pipeline": ""},
        ids=("preferences", f"{_NS}/preferences", f"{_APP}/preferences"),
    ),
    Form(
        kind=Kind.PROFILE,
        names=("namespace", "name"),
        fields={"label": str, "description": str, "provisioner": dict, "status": str},
        defaults={"label": "", "description": "", "status": "ENABLED"},
        ids=("profiles/{name}", f"{_NS}/profiles/{{name}}"),
    ),
    Form(
        kind=Kind.CONNECTION,
        names=("namespace", "name"),
        fields={"description": str, "plugin": dict},
        defaults={"description": ""},
        ids=("namespaces/system/apps/pipeline/services/studio/methods/v1/contexts/{namespace}/connections/{name}",),
    ),
    Form(
        kind=Kind.ARTIFACT,
        names=("namespace", "name", "version"),
        fields={"parents": list, "plugins": list, "properties": dict, "jar": str, "digest": str},
        defaults={"parents": [], "plugins": [], "properties": {}},
        ids=(f"{_NS}/artifacts/{{name}}/versions/{{version}}",),
    ),
    Form(
        kind=Kind.PIPELINE,
        names=("namespace", "name"),
        fields={"artifact": dict, "config": dict},
        ids=(f"{_NS}/apps/{{name}}",),
    ),
    Form(
        kind=Kind.RUNTIME_ARGUMENTS,
        names=("namespace", "pipeline", "streaming"),
        fields={"arguments": dict},
        defaults={"streaming": False},
        ids=(
            f"{_APP}/workflows/{BATCH_PROGRAM}/runtimeargs",
            f"{_APP}/spark/{{program}}/runtimeargs",
        ),
    ),
    Form(
        kind=Kind.SCHEDULE,
        names=("namespace", "pipeline", "name"),
        fields={"schedule": dict, "status": str},
        defaults={"status": "SUSPENDED"},
        ids=(f"{_APP}/schedules/{{name}}",),
    ),
)
