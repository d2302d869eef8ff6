"""What a Data Fusion instance holds: resources of our own provider `dp-cdap`, which Pulumi.yaml names.

Deliberately absent: drafts and old versions, which are nobody's wish, and what comes with the instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from dataplatform.datafusion import normalise
from dataplatform.datafusion.model import STREAMING_ARTIFACT, SYSTEM, Export, Json, Key, Kind
from dataplatform.datafusion.objects import by_name

_PACKAGE = "dp-cdap:datafusion"


class _Object(pulumi.CustomResource):
    """A resource of the provider. Inputs have its own names: a translation would reach into what is the user's."""

    def __init__(
        self, name: str, kind: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"{_PACKAGE}:{kind}", name, dict(inputs), opts)

    def output(self, name: str) -> pulumi.Output[Any]:
        """An input or output under the provider's name."""
        found: pulumi.Output[Any] = pulumi.get(self, name)
        return found


class Namespace(_Object):
    """A namespace. Where it goes, it must be empty of what is not the stack's."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        description: pulumi.Input[str] = "",
        config: pulumi.Input[Mapping[str, Any]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"endpoint": endpoint, "namespace": namespace, "description": description, "config": config or {}}
        super().__init__(name, "Namespace", inputs, opts)


class Preferences(_Object):
    """All preferences of the instance (`system`), of a namespace, or of a pipeline in it."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        preferences: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        pipeline: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"endpoint": endpoint, "namespace": namespace, "pipeline": pipeline, "preferences": preferences}
        super().__init__(name, "Preferences", inputs, opts)


class Profile(_Object):
    """A compute profile of a namespace or of the instance (`system`)."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        profile: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, "Profile", {"endpoint": endpoint, "namespace": namespace, **profile}, opts)


class SecureKey(_Object):
    """A secure key. Its value is a secret of the stack; in plain state stands a digest only."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        key: pulumi.Input[str],
        value: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {"endpoint": endpoint, "namespace": namespace, "name": key, "value": pulumi.Output.secret(value)}
        super().__init__(name, "SecureKey", inputs, opts)


class Artifact(_Object):
    """A version of an artifact with its jar, which lies at a path relative to the project and has a SHA-256."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        artifact: Mapping[str, Any],
        jar: str,
        digest: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        kept = {k: artifact[k] for k in ("name", "version", "parents", "plugins", "properties")}
        inputs = {"endpoint": endpoint, "namespace": namespace, **kept, "jar": jar, "digest": digest}
        super().__init__(name, "Artifact", inputs, opts)


class Connection(_Object):
    """A connection of a namespace."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        connection: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, "Connection", {"endpoint": endpoint, "namespace": namespace, **connection}, opts)


class Pipeline(_Object):
    """A pipeline: `config` as Data Fusion exports it."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        pipeline: pulumi.Input[str],
        artifact: Mapping[str, str],
        config: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # By name, so that a difference says which stage differs.
        shown = by_name(normalise.configuration(dict(config)))
        inputs = {
            "endpoint": endpoint,
            "namespace": namespace,
            "name": pipeline,
            "artifact": dict(artifact),
            "config": shown,
            "appVersion": None,
        }
        super().__init__(name, "Pipeline", inputs, opts)

    @property
    def app_version(self) -> pulumi.Output[str]:
        """The version CDAP gave it."""
        return self.output("appVersion")


class RuntimeArguments(_Object):
    """The arguments that every run of a pipeline gets."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        pipeline: pulumi.Input[str],
        arguments: pulumi.Input[Mapping[str, pulumi.Input[str]]],
        streaming: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "endpoint": endpoint,
            "namespace": namespace,
            "pipeline": pipeline,
            "streaming": streaming,
            "arguments": arguments,
        }
        super().__init__(name, "RuntimeArguments", inputs, opts)


class Schedule(_Object):
    """A schedule or a trigger of a pipeline, and whether it runs (`status`: SCHEDULED or SUSPENDED)."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        namespace: pulumi.Input[str],
        pipeline: pulumi.Input[str],
        schedule_name: pulumi.Input[str],
        schedule: Mapping[str, Any],
        status: pulumi.Input[str] = "SUSPENDED",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "endpoint": endpoint,
            "namespace": namespace,
            "pipeline": pipeline,
            "name": schedule_name,
            "schedule": dict(schedule),
            "status": status,
        }
        super().__init__(name, "Schedule", inputs, opts)


@dataclass(frozen=True, kw_only=True)
class DataFusionObjectsArgs:
    """What an instance is to hold."""

    endpoint: pulumi.Input[str]
    """The instance's API endpoint."""
    export: Export
    """As the instance is to have it: `dataplatform.datafusion.macros.lower`."""
    jars: Mapping[Key, tuple[str, str]]
    """The jar of each artifact, relative to the project, and its SHA-256."""
    secure_keys: Mapping[tuple[str, str], pulumi.Input[str]]
    """Values of secure keys by namespace and name."""
    protect: bool
    """Whether namespaces and pipelines are protected: with them goes the history of their runs."""
    instance: pulumi.Resource | None = None
    """What goes with everything in it: where it is deleted, nothing in it is deleted by itself."""


class DataFusionObjects(pulumi.ComponentResource):
    """The namespaces of an instance with what is in them, in the order in which they need each other."""

    pipelines: Mapping[str, Pipeline]
    """By namespace and name, with a slash between them."""

    def __init__(self, name: str, args: DataFusionObjectsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:DataFusionObjects", name, {}, opts)
        self._args = args
        self._made: dict[Key, pulumi.Resource] = {}
        self._pipelines: dict[str, Pipeline] = {}
        for space in sorted({key.namespace for key in args.export} | {space for space, _ in args.secure_keys}):
            self._namespace(space)
        for space, secure in sorted(args.secure_keys):
            self._secure_key(space, secure, args.secure_keys[space, secure])
        for key in sorted(args.export):
            self._object(key, args.export[key])
        self.pipelines = self._pipelines
        self.register_outputs({})

    def _namespace(self, space: str) -> None:
        key = Key(namespace=space, kind=Kind.NAMESPACE)
        body = self._args.export.get(key)
        if space == SYSTEM or (space == "default" and body is None):
            return
        body = body or normalise.namespace({"name": space})
        self._made[key] = Namespace(
            space,
            endpoint=self._args.endpoint,
            namespace=space,
            description=body["description"],
            config=body["config"],
            opts=self._opts(protect=self._args.protect),
        )

    def _secure_key(self, space: str, name: str, value: pulumi.Input[str]) -> None:
        key = Key(namespace=space, kind=Kind.SECURE_KEYS, name=name)
        self._made[key] = SecureKey(
            f"{space}/{name}",
            endpoint=self._args.endpoint,
            namespace=space,
            key=name,
            value=value,
            opts=self._opts(self._before(space)),
        )

    def _object(self, key: Key, body: Json) -> None:
        of: dict[str, Any] = {"endpoint": self._args.endpoint, "namespace": key.namespace}
        name = "/".join(part for part in (key.namespace, key.name, key.part) if part)
        pipeline = Key(namespace=key.namespace, kind=Kind.PIPELINE, name=key.name)
        own = [self._made[pipeline]] if pipeline in self._made else []
        # A connection may run on an artifact's driver, a preference name a profile; a pipeline uses all of them.
        ready = self._opts(self._before(key.namespace, key.kind))
        hanging = self._opts(own)
        match key.kind:
            case Kind.ARTIFACT:
                jar, digest = self._args.jars[key]
                self._made[key] = Artifact(name, **of, artifact=body, jar=jar, digest=digest, opts=ready)
            case Kind.PROFILE:
                self._made[key] = Profile(name, **of, profile=body, opts=ready)
            case Kind.PREFERENCES:
                self._made[key] = Preferences(name, **of, preferences=body["preferences"], opts=ready)
            case Kind.CONNECTION:
                self._made[key] = Connection(name, **of, connection=body, opts=ready)
            case Kind.PIPELINE:
                opts = self._opts(self._before(key.namespace, key.kind), protect=self._args.protect)
                parts = {"pipeline": key.name, "artifact": body["artifact"], "config": body["config"]}
                self._made[key] = self._pipelines[name] = Pipeline(name, **of, **parts, opts=opts)
            case Kind.PIPELINE_PREFERENCES:
                Preferences(name, **of, pipeline=key.name, preferences=body["preferences"], opts=hanging)
            case Kind.RUNTIME_ARGUMENTS:
                artifact = self._args.export[pipeline]["artifact"]["name"]
                RuntimeArguments(
                    name,
                    **of,
                    pipeline=key.name,
                    arguments=body["arguments"],
                    streaming=artifact == STREAMING_ARTIFACT,
                    opts=hanging,
                )
            case Kind.SCHEDULE | Kind.TRIGGER:
                self._schedule(name, key, body, of)
            case _:
                return  # namespaces are made first, and secure keys have no values in files

    def _schedule(self, name: str, key: Key, body: Json, of: Mapping[str, Any]) -> None:
        pipeline = Key(namespace=key.namespace, kind=Kind.PIPELINE, name=key.name)
        whole = normalise.whole_schedule(body, self._args.export[pipeline]["config"])
        awaited = {Key(namespace=space, kind=Kind.PIPELINE, name=app) for space, app in _awaited(whole.get("trigger"))}
        needed = [self._made[one] for one in sorted({pipeline, *awaited}) if one in self._made]
        Schedule(
            name,
            **of,
            pipeline=key.name,
            schedule_name=key.part,
            schedule={k: v for k, v in whole.items() if k != "name"},
            status=body["status"],
            opts=self._opts(needed),
        )

    def _before(self, space: str, kind: Kind | None = None) -> Sequence[pulumi.Resource]:
        """What there must be in a namespace before something of a kind, and what of the instance it may use."""
        wanted = {
            Kind.PREFERENCES: {Kind.PROFILE},
            Kind.CONNECTION: {Kind.ARTIFACT, Kind.SECURE_KEYS},
            Kind.PIPELINE: {Kind.ARTIFACT, Kind.PROFILE, Kind.PREFERENCES, Kind.CONNECTION, Kind.SECURE_KEYS},
        }.get(kind or Kind.NAMESPACE, set[Kind]())
        return [
            made
            for key, made in self._made.items()
            if (key.namespace == space and key.kind in {Kind.NAMESPACE, *wanted})
            or (key.namespace == SYSTEM and key.kind in wanted)
        ]

    def _opts(self, needed: Sequence[pulumi.Resource] = (), *, protect: bool | None = None) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self, depends_on=list(needed) or None, protect=protect, deleted_with=self._args.instance
        )


def _awaited(trigger: Any) -> list[tuple[str, str]]:
    """Namespace and name of the pipelines that a trigger waits for."""
    if isinstance(trigger, list):
        return [found for one in trigger for found in _awaited(one)]
    if not isinstance(trigger, dict):
        return []
    program = trigger.get("programId")
    own = [(str(program.get("namespace")), str(program.get("application")))] if isinstance(program, dict) else []
    return own + _awaited(trigger.get("triggers"))
