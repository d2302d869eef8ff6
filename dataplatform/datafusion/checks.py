"""What must hold before a push changes anything. All that is wrong is told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataplatform.config.loader import load_document
from dataplatform.datafusion.errors import NotFoundError, RefusedError
from dataplatform.datafusion.files import Loaded
from dataplatform.datafusion.macros import Environment, functions_in, missing_values, position
from dataplatform.datafusion.model import PIPELINE_ARTIFACTS, Export, Json, Key, Kind, namespaces, pipeline_key
from dataplatform.datafusion.objects import problems
from dataplatform.datafusion.plan import Step
from dataplatform.datafusion.pool import gather
from dataplatform.datafusion.read import Snapshot
from dataplatform.diagnostics import Diagnostics, InputError, Position, nearest

if TYPE_CHECKING:
    from dataplatform.datafusion.client import Client

_RANGE = re.compile(r"^([\[(])([^,]*),([^\])]*)([\])])$")
Have = dict[tuple[str, str], list[str]]
"""Versions by scope and name."""


class Checks:
    """Checks of one push."""

    def __init__(
        self, client: Client, snapshot: Snapshot, loaded: Loaded, desired: Export, environment: Environment
    ) -> None:
        self.client = client
        self.snapshot = snapshot
        self.loaded = loaded
        self.desired = desired
        self.environment = environment
        self.found = Diagnostics()
        self._artifacts: dict[str, Have] = {}
        self._plugins: dict[tuple[str, str, str, str], set[tuple[str, str]]] = {}

    def run(self, steps: list[Step], edition: str = "") -> None:
        """Check.

        Raises:
            RefusedError: when the instance cannot have what the files say.
            InputError: with everything that is missing.
        """
        edition_allows(edition, self.desired)
        changed = [step for step in steps if step.key.kind == Kind.PIPELINE and step.action != "delete"]
        self._load_artifacts({step.key.namespace for step in changed})
        usable = [step for step in changed if self._artifact_is_there(step)]
        self._load_plugins(usable)
        for step in usable:
            self._plugins_are_there(step)
        touched = {s.key: s.body for s in steps if s.action != "delete"}
        self._forms(touched)
        self._macros(touched)
        self._secure_keys(touched)
        self._jars(steps)
        if self.found:
            raise InputError(self.found)

    def _tell(
        self, code: str, key: Key, message: str, remedy: str, *, stage: str | None = None, text: str | None = None
    ) -> None:
        """`stage` and `text` say where in the file it is."""
        place = Position(self.loaded.place(key))
        if key in self.loaded.places:
            path = self.loaded.places[key]
            if stage is not None:
                place = _stage_position(path, stage) or place
            elif text is not None:
                place = position(path, text)
        self.found.add(code, place, message, remedy)

    def _forms(self, touched: Export) -> None:
        """What CDAP would refuse, often with an internal error."""
        for key, body in sorted(touched.items()):
            for field, what, right in problems(key, body):
                self._tell("DP602", key, f"{key}: {what}", right, text=f'"{field}"')
            owner = pipeline_key(key)
            if owner is not None and owner not in self.desired and owner not in self.snapshot.export:
                what = f"{key} belongs to a pipeline that neither the files nor the instance have"
                self._tell("DP608", key, what, f"add the file of {owner}, or delete this one")

    # Artifacts and plugins

    def _load_artifacts(self, spaces: Iterable[str]) -> None:
        todo = sorted(set(spaces) - set(self._artifacts))
        for space, have in zip(todo, gather(self._listed, todo, self.client.concurrency), strict=True):
            self._artifacts[space] = have

    def _listed(self, space: str) -> Have:
        # A namespace that is yet to be made has the instance's artifacts.
        asked = space if space in self.snapshot.namespaces else "default"
        have: Have = {}
        listed = self.snapshot.artifacts.get(asked)
        for one in listed if listed is not None else self.client.get("namespaces", asked, "artifacts"):
            if one["scope"] == "SYSTEM" or asked == space:
                have.setdefault((one["scope"], one["name"]), []).append(one["version"])
        for key in self.desired:
            if key.kind == Kind.ARTIFACT and key.namespace == space:
                have.setdefault(("USER", key.name), []).append(key.part)
        return have

    def artifacts(self, space: str) -> Have:
        """The artifacts a namespace can use, those that are about to be pushed included."""
        self._load_artifacts([space])
        return self._artifacts[space]

    def _artifact_is_there(self, step: Step) -> bool:
        artifact = step.body["artifact"]
        name, version = artifact["name"], artifact["version"]
        if name in PIPELINE_ARTIFACTS and newer(version, self.snapshot.version):
            self._tell(
                "DP607",
                step.key,
                f"{step.key} is made for CDAP {version}, and the instance has {self.snapshot.version}",
                "upgrade the instance first; pipelines go from older to newer instances only",
                text=f'"version": "{version}"',
            )
            return False
        have = self._artifacts[step.key.namespace].get((artifact.get("scope", "USER"), name), [])
        if matching(version, have):
            return True
        self._tell(
            "DP606",
            step.key,
            f"{step.key} needs the artifact {name} {version}, which the instance does not have",
            _instead(artifact, have),
            text=f'"version": "{version}"',
        )
        return False

    def _load_plugins(self, steps: list[Step]) -> None:
        todo = sorted({ref for step in steps for ref, _ in self._references(step)} - set(self._plugins))

        def classes(ref: tuple[str, str, str, str]) -> set[tuple[str, str]]:
            space, scope, name, version = ref
            own = self.desired.get(Key(namespace=space, kind=Kind.ARTIFACT, name=name, part=version))
            if scope == "USER" and own is not None:
                return {(p["type"], p["name"]) for p in own["plugins"]}
            asked = space if space in self.snapshot.namespaces else "default"
            body = self.client.get("namespaces", asked, "artifacts", name, "versions", version, scope=scope)
            return {(p["type"], p["name"]) for p in body["classes"]["plugins"]}

        for ref, found in zip(todo, gather(classes, todo, self.client.concurrency), strict=True):
            self._plugins[ref] = found

    def _references(self, step: Step) -> list[tuple[tuple[str, str, str, str], Json]]:
        """The plugin artifacts of a pipeline's stages that are there, each with its stage."""
        have = self._artifacts[step.key.namespace]
        found = []
        for stage in _stages(step.body):
            artifact = stage["plugin"].get("artifact") or {}
            scope, name = str(artifact.get("scope", "USER")).upper(), str(artifact.get("name", ""))
            versions = matching(str(artifact.get("version", "")), have.get((scope, name), []))
            if versions:
                # System artifacts are the same in every namespace: asked for once.
                space = step.key.namespace if scope == "USER" else "default"
                found.append(((space, scope, name, versions[-1]), stage))
        return found

    def _plugins_are_there(self, step: Step) -> None:
        have = self._artifacts[step.key.namespace]
        known = {stage["name"]: ref for ref, stage in self._references(step)}
        for stage in _stages(step.body):
            plugin = stage["plugin"]
            artifact = plugin.get("artifact") or {}
            if not artifact.get("name"):
                continue  # CDAP takes the newest artifact that has it
            kind, name = plugin.get("type"), plugin.get("name")
            ref = known.get(stage["name"])
            if ref is not None and (kind, name) in self._plugins[ref]:
                continue
            scope = str(artifact.get("scope", "USER")).upper()
            source = f"{artifact['name']} {artifact.get('version', '')}".strip()
            if ref is None:
                remedy = _instead(artifact, have.get((scope, artifact["name"]), []))
            else:
                remedy = nearest(str(name), {n for t, n in self._plugins[ref] if t == kind})
            self._tell(
                "DP606",
                step.key,
                f"stage '{stage['name']}' of {step.key} needs the plugin {name} ({kind}) of {source}, "
                "which the instance does not have",
                remedy,
                stage=stage["name"],
            )

    # Values

    def _macros(self, touched: Export) -> None:
        whole = {**{k: v for k, v in self.desired.items() if k.kind != Kind.PIPELINE}, **touched}
        places = self.loaded.places
        missing = missing_values(whole, self.environment, places, {})
        if missing:
            spaces = sorted({k.namespace for k in touched if k.kind == Kind.PIPELINE} & set(self.snapshot.namespaces))

            def preferences(space: str) -> set[str]:
                return set(self.client.get("namespaces", space, "preferences", resolved="true"))

            known = dict(zip(spaces, gather(preferences, spaces, self.client.concurrency), strict=True))
            missing = missing_values(whole, self.environment, places, known)
        self.found.extend(missing.items)

    def _secure_keys(self, touched: Export) -> None:
        needed = {key: functions_in(body, "secure") for key, body in touched.items()}
        spaces = sorted({key.namespace for key, names in needed.items() if names})
        known = dict(zip(spaces, gather(self._keys_of, spaces, self.client.concurrency), strict=True))
        for key, names in sorted(needed.items()):
            for name in sorted(names - known.get(key.namespace, set())):
                self._tell(
                    "DP606",
                    key,
                    f"{key} uses the secure key '{name}', which the namespace {key.namespace} does not have",
                    "create the key on the instance first; its value is in no file",
                    text=f"${{secure({name})}}",
                )

    def _keys_of(self, space: str) -> set[str]:
        try:
            return {key["name"] for key in self.client.get("namespaces", space, "securekeys")}
        except NotFoundError:
            return set()

    def _jars(self, steps: list[Step]) -> None:
        for step in steps:
            if step.key.kind == Kind.ARTIFACT and step.action == "create" and jar_of(self.loaded, step.key) is None:
                self._tell(
                    "DP606",
                    step.key,
                    f"{step.key} is not on the instance, and its jar is not beside its file",
                    f"put {self.loaded.places[step.key].with_suffix('.jar').name} there",
                )


def edition_allows(edition: str, desired: Export) -> None:
    """BASIC instances have one namespace.

    Raises:
        RefusedError: when the files have another one.
    """
    others = [name for name in namespaces(desired) if name != "default"]
    if edition == "BASIC" and others:
        raise RefusedError(
            f"the instance is of the BASIC edition, which has the namespace default alone, and the files have "
            f"{', '.join(others)} as well; push to an ENTERPRISE instance, or one namespace with --namespace default"
        )


def jar_of(loaded: Loaded, key: Key) -> Path | None:
    """The jar beside an artifact's file."""
    place = loaded.places.get(key)
    jar = place.with_suffix(".jar") if place is not None else None
    return jar if jar is not None and jar.is_file() else None


def upgraded(desired: Export, checks: Checks) -> dict[Key, Json]:
    """Pipelines with the instance's versions of system artifacts where it does not have theirs.

    Newer ones, or another patch of the same release: the plugins of two patches differ in mistakes only, and a pipeline
    of 6.11.1 is to be tried on a sandbox of 6.11.0. Never an older release.
    """
    made: dict[Key, Json] = {}
    for key, body in desired.items():
        if key.kind != Kind.PIPELINE:
            made[key] = body
            continue
        have = checks.artifacts(key.namespace)
        config = dict(body["config"])
        if isinstance(config.get("stages"), list):
            config["stages"] = [
                {**s, "plugin": {**s["plugin"], "artifact": _newest(s["plugin"].get("artifact"), have)}}
                if s["plugin"].get("artifact")
                else s
                for s in config["stages"]
            ]
        made[key] = {**body, "artifact": _newest(body["artifact"], have), "config": config}
    return made


def _newest(artifact: Any, have: Have) -> Any:
    if artifact.get("scope") != "SYSTEM":
        return artifact
    versions = have.get(("SYSTEM", artifact.get("name", "")), [])
    instead = _upgrade(str(artifact.get("version", "")), versions)
    return artifact if instead is None else {**artifact, "version": instead}


def _upgrade(version: str, have: list[str]) -> str | None:
    """The version that stands in for one that is not there; None where there is none, or it need not."""
    if not have or not version or matching(version, have) or _RANGE.match(version):
        return None
    newest = max(have, key=version_key)
    return None if newer(version, newest) else newest


def _stages(body: Json) -> list[Json]:
    stages = body["config"].get("stages")
    return stages if isinstance(stages, list) else []


def _instead(artifact: Json, have: list[str]) -> str:
    if not have:
        return "add it to the instance first, from the Hub or as an artifact beside the pipelines"
    there = f"it has {', '.join(sorted(have, key=version_key))}"
    version = str(artifact.get("version", ""))
    instead = _upgrade(version, have) if str(artifact.get("scope", "USER")).upper() == "SYSTEM" else None
    if instead is not None:
        return f"{there}: push with --upgrade to use {instead}"
    return f"{there}: write one of them in the pipeline, or add {version or 'the other'} to the instance"


def version_key(version: str) -> tuple[Any, ...]:
    """For sorting; a SNAPSHOT comes before its release."""
    numbers, _, rest = version.partition("-")
    parts = [int(p) if p.isdigit() else -1 for p in numbers.split(".")]
    return (*(parts + [0] * 4)[:4], 0 if rest.upper().startswith("SNAPSHOT") else 1, rest)


def newer(a: str, b: str) -> bool:
    """Whether version a is of a later release than b; patch releases count as one, SNAPSHOT as its release."""
    return not _RANGE.match(a) and version_key(a)[:2] > version_key(b)[:2]


def matching(wanted: str, have: list[str]) -> list[str]:
    """The versions that a version or a range of versions means, the newest last."""
    found = _RANGE.match(wanted)
    if found is None:
        return [v for v in have if v == wanted]
    opening, low, high, closing = found.groups()
    lower, upper = version_key(low.strip()), version_key(high.strip())
    return sorted(
        (
            v
            for v in have
            if (version_key(v) > lower or (opening == "[" and version_key(v) == lower))
            and (version_key(v) < upper or (closing == "]" and version_key(v) == upper))
        ),
        key=version_key,
    )


def _stage_position(path: Path, stage: str) -> Position | None:
    node, _ = load_document(path)
    stages = node.at(("config", "stages")) if node is not None else None
    if node is None or stages is None:
        return None
    for i, item in enumerate(stages.items):
        name = item.child("name")
        if name is not None and name.scalar == stage:
            return node.position_of(("config", "stages", i))
    return None
