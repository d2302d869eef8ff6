"""What a stack brings to its Data Fusion instance: the files, with the values of the environment, judged offline.

The files are read and brought to one form by the very functions that a push uses. Left out are drafts and old versions,
which are nobody's wish, and the system artifacts, which come with the instance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dataplatform.config.check import LoadedStack
from dataplatform.config.folder import DATA_FUSION
from dataplatform.config.gcp.data_fusion import DataFusion
from dataplatform.config.gcp.data_fusion_deploy import FusionDeployment
from dataplatform.config.platform import Gcp
from dataplatform.config.references import context_for, resolve
from dataplatform.diagnostics import Diagnostics, InputError, Position, nearest
from infra.stack_file import StackFile

if TYPE_CHECKING:
    from dataplatform.datafusion.files import Loaded
    from dataplatform.datafusion.macros import Environment
    from dataplatform.datafusion.model import Json, Key

_AT = ("gcp", "data_fusion", "deploy")


@dataclass(frozen=True, kw_only=True)
class Jar:
    """The jar of an artifact."""

    path: str
    """Relative to the project."""
    digest: str
    """SHA-256."""


@dataclass(frozen=True, kw_only=True)
class FusionObjects:
    """What the instance is to hold."""

    export: Mapping[Key, Json] = field(default_factory=dict)
    """As the instance is to have it."""
    jars: Mapping[Key, Jar] = field(default_factory=dict)


def read_objects(root: Path, loaded: LoadedStack) -> FusionObjects:
    """All that the stack brings to its instance; raises InputError with every mistake in it.

    Mistakes in the form of the files are told by whoever checks the folder, for every stack.
    """
    gcp = loaded.platform.gcp
    fusion = gcp.data_fusion if gcp is not None else None
    if gcp is None or fusion is None or fusion.deploy is None:
        return FusionObjects()
    reader = _Reader(root, loaded, gcp, fusion, fusion.deploy)
    found = reader.read()
    if reader.problems:
        raise InputError(reader.problems)
    return found


class _Reader:
    def __init__(self, root: Path, loaded: LoadedStack, gcp: Gcp, fusion: DataFusion, deploy: FusionDeployment) -> None:
        self._root, self._loaded, self._gcp, self._fusion, self._deploy = root, loaded, gcp, fusion, deploy
        self._places = StackFile(loaded.file)
        self.problems = Diagnostics()

    def _tell(self, path: tuple[str | int, ...], message: str, remedy: str, code: str = "DP608") -> None:
        self._places.add(self.problems, code, (*_AT, *path), message, remedy)

    def read(self) -> FusionObjects:
        from dataplatform.datafusion import files
        from dataplatform.datafusion.errors import DataFusionError
        from dataplatform.datafusion.macros import lower

        pipelines = self._loaded.platform.pipelines
        if pipelines is None:
            self._tell((), "the stack has no pipelines to bring", "add pipelines: {directory: pipelines}")
            return FusionObjects()
        folder = self._root / pipelines.directory / DATA_FUSION
        environment = self._environment(folder)
        self._secrets()
        try:
            read = files.load(folder)
        except DataFusionError as error:
            self._tell((), str(error), "fill it, or take deploy out")
            return FusionObjects()
        except InputError:
            return FusionObjects()
        mine = {key: body for key, body in self._chosen(read).items() if self._brought(key)}
        if self.problems:
            return FusionObjects()
        export = lower(mine, environment)
        self._judge(read, export, environment)
        return FusionObjects(export=export, jars=self._jars(read, export))

    def _environment(self, folder: Path) -> Environment:
        from dataplatform.datafusion.macros import Environment, load_mapping

        given = Environment()
        name = self._deploy.mapping
        if not folder.is_dir():
            pass  # which is told of the folder itself
        elif name is not None and not (folder / name).is_file():
            others = sorted(path.name for path in folder.glob("mapping*.y*ml"))
            remedy = nearest(name, others) if others else "add it, or take mapping out"
            self._tell(("mapping",), f"the Data Fusion folder has no file {name}", remedy)
        elif name is not None:
            try:
                given = load_mapping(folder / name)
            except InputError as error:
                self.problems.extend(error.diagnostics.items)
        context = context_for(self._loaded.platform)
        values = {}
        for macro, text in self._deploy.values.items():
            if not text:
                self._tell(("values", macro), "the macro has no value", "give it one, or take it out")
            found = resolve(text, context)
            for problem in found.problems:
                self._tell(("values", macro), problem.message, problem.remedy, problem.code)
            values[macro] = str(found.value)
        return Environment(
            values={**given.values, **values},
            inline=given.inline - values.keys(),
            runtime=given.runtime | frozenset(self._deploy.runtime),
        )

    def _secrets(self) -> None:
        for space, keys in self._deploy.secure_keys.items():
            for key, secret in keys.items():
                if secret not in self._gcp.secrets:
                    known = sorted(self._gcp.secrets)
                    remedy = nearest(secret, known) if known else f"add {secret} to gcp.secrets"
                    self._tell(("secure_keys", space, key), f"the stack has no secret '{secret}'", remedy)

    def _chosen(self, read: Loaded) -> dict[Key, Json]:
        """What the stack's namespaces hold."""
        there = {key.namespace for key in read.export}
        wanted = set(self._deploy.namespaces) or there
        for index, name in enumerate(self._deploy.namespaces):
            if name not in there:
                self._tell(("namespaces", index), f"the folder has no namespace '{name}'", nearest(name, sorted(there)))
            elif name in self._deploy.namespaces[:index]:
                self._tell(("namespaces", index), f"the namespace '{name}' stands here twice", "take one of them out")
        for name in sorted(set(self._deploy.secure_keys) - wanted):
            self._tell(
                ("secure_keys", name), f"the stack brings no namespace '{name}'", nearest(name, sorted(wanted & there))
            )
        others = sorted(name for name in wanted & there if name not in ("default", "system"))
        if self._fusion.edition == "basic" and others:
            self._tell(
                ("namespaces",),
                f"the basic edition has the namespace default alone, and the folder has {', '.join(others)} too",
                "write namespaces: [default], or edition: enterprise (another edition is another instance)",
            )
        return {key: body for key, body in read.export.items() if key.namespace in wanted}

    def _brought(self, key: Key) -> bool:
        from dataplatform.datafusion.model import SYSTEM, Kind

        if key.kind in (Kind.DRAFT, Kind.VERSION):
            return False
        return not (key.namespace == SYSTEM and key.kind in (Kind.ARTIFACT, Kind.NAMESPACE))

    def _judge(self, read: Loaded, export: Mapping[Key, Json], environment: Environment) -> None:
        from dataplatform.datafusion.checks import newer
        from dataplatform.datafusion.macros import functions_in, missing_values
        from dataplatform.datafusion.model import PIPELINE_ARTIFACTS, Key, Kind, pipeline_key
        from dataplatform.datafusion.objects import problems

        def tell(code: str, key: Key, message: str, remedy: str) -> None:
            self.problems.add(code, Position(read.place(key)), message, remedy)

        self.problems.extend(missing_values(export, environment, read.places, {}).items)
        version = self._fusion.version
        for key, body in sorted(export.items()):
            listed = export.get(Key(namespace=key.namespace, kind=Kind.SECURE_KEYS), {"keys": []})["keys"]
            known = {str(one["name"]) for one in listed} | set(self._deploy.secure_keys.get(key.namespace, ()))
            for name in sorted(functions_in(body, "secure") - known):
                tell(
                    "DP606",
                    key,
                    f"{key} uses the secure key '{name}', which the stack does not give",
                    f"add it to deploy.secure_keys.{key.namespace} in the stack file; a key that somebody else keeps "
                    "on the instance stands in secure_keys.json",
                )
            for _, what, right in problems(key, body):
                tell("DP608", key, f"{key}: {what}", right)
            pipeline = pipeline_key(key)
            if pipeline is not None and pipeline not in export:
                tell("DP608", key, f"{key} belongs to a pipeline that has no file", f"add the file of {pipeline}")
            if key.kind == Kind.PIPELINE and version is not None and body["artifact"]["name"] in PIPELINE_ARTIFACTS:
                made_for = body["artifact"]["version"]
                if newer(made_for, version):
                    remedy = (
                        "raise version in the stack file, or export the pipeline from an instance as old as this one"
                    )
                    tell("DP607", key, f"{key} is made for CDAP {made_for}, and the instance has {version}", remedy)

    def _jars(self, read: Loaded, export: Mapping[Key, Json]) -> dict[Key, Jar]:
        from dataplatform.datafusion.checks import jar_of
        from dataplatform.datafusion.model import Kind

        found = {}
        for key in export:
            if key.kind != Kind.ARTIFACT:
                continue
            jar = jar_of(read, key)
            if jar is None:
                name = read.places[key].with_suffix(".jar").name
                message = f"the jar of {key} is not beside its file"
                self.problems.add("DP606", Position(read.place(key)), message, f"put {name} there")
                continue
            digest = hashlib.sha256(jar.read_bytes()).hexdigest()
            found[key] = Jar(path=jar.resolve().relative_to(self._root.resolve()).as_posix(), digest=digest)
        return found
