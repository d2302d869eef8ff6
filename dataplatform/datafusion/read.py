"""What an instance holds, read over its API, in the form of `normalise`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataplatform.datafusion import layout, normalise
from dataplatform.datafusion.errors import ApiError, DataFusionError, NotFoundError, UnknownNameError
from dataplatform.datafusion.model import DEFAULT_SCHEDULE, STUDIO, SYSTEM, Json, Key, Kind, program_of
from dataplatform.datafusion.pool import gather
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.datafusion.client import Client

BATCH = 50
"""Pipelines asked for in one call."""
_LOST = "'{}' of {} can no longer be read: its configuration is not JSON; deploy it again or delete it"


@dataclass(kw_only=True)
class Wanted:
    """What to read. Without `declared`, everything; with it, what these keys speak of, and the lists."""

    namespaces: Iterable[str] | None = None
    versions: int = 0
    """How many old versions of each pipeline; -1 for all."""
    declared: Iterable[Key] | None = None
    names: Callable[[str], bool] = field(default=lambda name: True)
    """Which pipelines."""
    lenient: bool = False
    """Whether a namespace that is asked for may be absent, being yet to be made."""


@dataclass(kw_only=True)
class Snapshot:
    """An instance at one moment."""

    version: str
    export: dict[Key, Json] = field(default_factory=dict)
    app_versions: dict[Key, str] = field(default_factory=dict)
    """The version CDAP gave each pipeline."""
    schedules: dict[Key, Json] = field(default_factory=dict)
    """Schedules whole, as the API has them."""
    artifacts: dict[str, list[Json]] = field(default_factory=dict)
    """What the namespaces can use, where pipelines are spoken of: a push is going to ask."""
    namespaces: list[str] = field(default_factory=list)


class Reader:
    """Reads an instance; `read` is its only method."""

    def __init__(self, client: Client, wanted: Wanted) -> None:
        self.client = client
        self.wanted = wanted
        self.declared = None if wanted.declared is None else set(wanted.declared)

    def read(self) -> Snapshot:
        """Read.

        Raises:
            UnknownNameError: for a namespace that is asked for and is not there.
        """
        c = self.client
        try:
            version, spaces = gather(lambda path: c.get(path), ["version", "namespaces"], c.concurrency)
        except NotFoundError as problem:
            raise DataFusionError(
                f"{c.endpoint} has no CDAP API (404 for {problem.path}); is it the API endpoint of an instance "
                "(its address ends in /api)?"
            ) from problem
        found = Snapshot(version=str(version["version"]), namespaces=sorted(s["name"] for s in spaces))
        asked = None if self.wanted.namespaces is None else list(self.wanted.namespaces)
        if asked is not None and not self.wanted.lenient:
            for name in asked:
                if name not in found.namespaces:
                    raise UnknownNameError(f"the instance has no namespace '{name}'; {nearest(name, found.namespaces)}")
        here = [s for s in spaces if asked is None or s["name"] in asked]
        for space in here:
            found.export[Key(namespace=space["name"], kind=Kind.NAMESPACE)] = normalise.namespace(space)
        jobs: list[Callable[[], dict[Key, Json]]] = [*self._of_instance(found)]
        for space in here:
            jobs += self._of_namespace(space["name"], found)
        for part in gather(lambda job: job(), jobs, c.concurrency):
            found.export.update(part)
        self._pipelines(found)
        return found

    def _speaks_of(self, namespace: str, kind: Kind) -> bool:
        return self.declared is None or any(k.namespace == namespace and k.kind == kind for k in self.declared)

    def _of_instance(self, found: Snapshot) -> list[Callable[[], dict[Key, Json]]]:
        jobs: list[Callable[[], dict[Key, Json]]] = []
        if self._speaks_of(SYSTEM, Kind.PREFERENCES):
            jobs.append(lambda: _texts(self.client.get("preferences"), SYSTEM))
        if self._speaks_of(SYSTEM, Kind.PROFILE):
            jobs.append(lambda: _profiles(self.client.get("profiles"), SYSTEM))
        if self.declared is None:
            jobs.append(self._system_artifacts)
        return jobs

    def _system_artifacts(self) -> dict[Key, Json]:
        listed = self.client.get("namespaces", "default", "artifacts", scope="SYSTEM")
        return self._artifacts("default", SYSTEM, listed)

    def _artifacts(self, namespace: str, kept_as: str, listed: list[Json]) -> dict[Key, Json]:
        def one(record: Json) -> tuple[Key, Json]:
            path = ("namespaces", namespace, "artifacts", record["name"], "versions", record["version"])
            body = normalise.artifact(self.client.get(*path, scope=record["scope"]) | record)
            return layout.key_of(kept_as, Kind.ARTIFACT, body), body

        return dict(gather(one, listed, self.client.concurrency))

    def _of_namespace(self, ns: str, found: Snapshot) -> list[Callable[[], dict[Key, Json]]]:
        c = self.client

        def artifacts() -> dict[Key, Json]:
            return self._artifacts(ns, ns, c.get("namespaces", ns, "artifacts", scope="USER"))

        def keys() -> dict[Key, Json]:
            listed = c.get("namespaces", ns, "securekeys")
            kept = [{k: v for k, v in key.items() if k in ("name", "description") and v} for key in listed]
            body = {"keys": sorted(kept, key=lambda k: str(k["name"]))}
            return {Key(namespace=ns, kind=Kind.SECURE_KEYS): body} if kept else {}

        def connections() -> dict[Key, Json]:
            listed = _studio(c, ns, "connections")
            made = [normalise.connection(body) for body in listed if not body.get("preConfigured")]
            return {layout.key_of(ns, Kind.CONNECTION, body): body for body in made}

        def drafts() -> dict[Key, Json]:
            made = [normalise.draft(body) for body in _studio(c, ns, "drafts", includeConfig="true")]
            return {layout.key_of(ns, Kind.DRAFT, body): body for body in made}

        def usable() -> dict[Key, Json]:
            found.artifacts[ns] = c.get("namespaces", ns, "artifacts")
            return {}

        jobs: dict[Kind, Callable[[], dict[Key, Json]]] = {
            Kind.PREFERENCES: lambda: _texts(c.get("namespaces", ns, "preferences"), ns),
            Kind.PROFILE: lambda: _profiles(c.get("namespaces", ns, "profiles"), ns),
            Kind.ARTIFACT: artifacts,
            Kind.SECURE_KEYS: keys,
            Kind.CONNECTION: connections,
            Kind.DRAFT: drafts,
        }
        return [
            *(job for kind, job in jobs.items() if self._speaks_of(ns, kind)),
            lambda: self._listed_pipelines(ns, found),
            *([usable] if self.declared is not None and self._speaks_of(ns, Kind.PIPELINE) else []),
        ]

    def _listed_pipelines(self, ns: str, found: Snapshot) -> dict[Key, Json]:
        """The latest version of every pipeline, many in one call."""
        listed = [app for app in self.client.get("namespaces", ns, "apps") if self.wanted.names(app["name"])]
        batches = [listed[i : i + BATCH] for i in range(0, len(listed), BATCH)]
        made: dict[Key, Json] = {}
        for details in gather(lambda batch: self._details(ns, batch), batches, self.client.concurrency):
            for detail in details:
                key = Key(namespace=ns, kind=Kind.PIPELINE, name=detail["name"])
                made[key] = _pipeline(detail, ns)
                found.app_versions[key] = detail["appVersion"]
        return made

    def _details(self, ns: str, batch: list[Json]) -> list[Json]:
        asked = [{"appId": app["name"], "version": app["version"]} for app in batch]
        try:
            answers = self.client.json("POST", ("namespaces", ns, "appdetail"), body=asked, retry=True)
            return [answer["detail"] for answer in answers if answer.get("statusCode") == 200]
        except ApiError as problem:
            if problem.code not in (404, 405):
                raise
        # Before 6.5 there is no such call.
        return [self.client.get("namespaces", ns, "apps", app["name"]) for app in batch]

    def _pipelines(self, found: Snapshot) -> None:
        """What hangs on pipelines: preferences, arguments, schedules, old versions."""
        jobs: list[Callable[[], None]] = []
        for key in [k for k in found.export if k.kind == Kind.PIPELINE]:
            for kind, job in (
                (Kind.PIPELINE_PREFERENCES, self._pipeline_preferences),
                (Kind.RUNTIME_ARGUMENTS, self._arguments),
                (Kind.SCHEDULE, self._schedules),
            ):
                kinds = (kind, Kind.TRIGGER) if kind == Kind.SCHEDULE else (kind,)
                if self.declared is None or any(
                    k.namespace == key.namespace and k.name == key.name and k.kind in kinds for k in self.declared
                ):
                    jobs.append(functools.partial(job, key, found))
            if self.wanted.versions:
                jobs.append(functools.partial(self._versions, key, found))
        gather(lambda job: job(), jobs, self.client.concurrency)

    def _pipeline_preferences(self, key: Key, found: Snapshot) -> None:
        read = self.client.get("namespaces", key.namespace, "apps", key.name, "preferences")
        if read:
            made = Key(namespace=key.namespace, kind=Kind.PIPELINE_PREFERENCES, name=key.name)
            found.export[made] = {"pipeline": key.name, "preferences": normalise.texts(read)}

    def _arguments(self, key: Key, found: Snapshot) -> None:
        read = self.client.get(
            "namespaces", key.namespace, "apps", key.name, *program_path(found.export[key]), "runtimeargs"
        )
        if read:
            made = Key(namespace=key.namespace, kind=Kind.RUNTIME_ARGUMENTS, name=key.name)
            found.export[made] = {"pipeline": key.name, "arguments": normalise.texts(read)}

    def _schedules(self, key: Key, found: Snapshot) -> None:
        config = found.export[key]["config"]
        for whole in self.client.get("namespaces", key.namespace, "apps", key.name, "schedules"):
            body = normalise.schedule(whole, config)
            made = schedule_key(key.namespace, whole)
            found.schedules[made] = whole
            bare = set(body) == {"pipeline", "name", "status"} and body["status"] == "SUSPENDED"
            if not (bare and whole["name"] == DEFAULT_SCHEDULE):
                # The one that comes with the pipeline, suspended, says nothing that the pipeline does not.
                found.export[made] = body

    def _versions(self, key: Key, found: Snapshot) -> None:
        path = ("namespaces", key.namespace, "apps", key.name, "versions")
        listed = [v for v in self.client.get(*path) if v != found.app_versions[key]]
        for version in listed if self.wanted.versions < 0 else listed[: self.wanted.versions]:
            body = {**_pipeline(self.client.get(*path, version), key.namespace), "version": version}
            found.export[layout.key_of(key.namespace, Kind.VERSION, body)] = body


def read(client: Client, wanted: Wanted | None = None) -> Snapshot:
    """Read an instance."""
    return Reader(client, wanted or Wanted()).read()


def program_path(body: Json) -> tuple[str, str]:
    """The program of a pipeline as segments of a path."""
    kind, name = program_of(body)
    return f"{kind}s" if kind == "workflow" else kind, name


def schedule_key(namespace: str, whole: Mapping[str, Any]) -> Key:
    """A schedule by time, or a trigger that waits for other pipelines."""
    trigger = whole.get("trigger") or {"type": "TIME"}
    kind = Kind.SCHEDULE if trigger.get("type") == "TIME" else Kind.TRIGGER
    return Key(
        namespace=namespace, kind=kind, name=whole.get("pipeline") or whole["application"], part=str(whole["name"])
    )


def _pipeline(detail: Json, namespace: str) -> Json:
    try:
        return normalise.pipeline(detail)
    except (ValueError, TypeError) as problem:
        raise DataFusionError(_LOST.format(detail.get("name"), namespace)) from problem


def _texts(read_: Json, namespace: str) -> dict[Key, Json]:
    body = {"preferences": normalise.texts(read_)}
    return {Key(namespace=namespace, kind=Kind.PREFERENCES): body} if read_ else {}


def _profiles(listed: list[Json], namespace: str) -> dict[Key, Json]:
    # `native` cannot be changed, and the instance brings it.
    made = [normalise.profile(p) for p in listed if not (namespace == SYSTEM and p["name"] == "native")]
    return {layout.key_of(namespace, Kind.PROFILE, body): body for body in made}


def _studio(client: Client, namespace: str, what: str, **query: str) -> list[Json]:
    """Drafts or connections; none where the instance has no studio, as a plain CDAP."""
    try:
        listed = client.json("GET", (*STUDIO, namespace, what), query=query)
    except NotFoundError:
        return []
    return list(listed)
