"""What an Airflow environment gets of us: compiled DAGs with the runtime they import, plugins and data files.

An object is made from `content`, which is updated in place: made from a file it would be replaced, deleted first, and
its DAG would vanish from Airflow for a moment. `content` is hidden in a preview, so what a reviewer needs goes into
the object's contexts, which update in place too (`metadata` and `contentType` would replace the object). Only what is
large or is no text is made from its file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import storage

from components.gcp.generated import Generated
from dataplatform.config.airflow_files import AirflowFile


@dataclass(frozen=True, kw_only=True)
class DagAssetsArgs:
    """The texts and where they go."""

    bucket: pulumi.Input[str]
    prefix: pulumi.Input[str]
    """Of the DAGs, without slashes at its ends."""
    dags: Sequence[Generated]
    runtime: Mapping[str, str]
    """Path under the prefix -> text, of what the DAGs import."""
    depends_on: Sequence[pulumi.Resource]
    files: Sequence[AirflowFile] = ()
    """Plugins and data files, beside the prefix."""


class DagAssets(pulumi.ComponentResource):
    """The files of an Airflow environment that come from us."""

    dag_objects: Mapping[str, pulumi.Output[str]]
    """Name of each DAG's object, by definition."""
    file_objects: Mapping[str, pulumi.Output[str]]
    """Name of the object of each plugin and data file, by its path."""

    def __init__(self, name: str, args: DagAssetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:DagAssets", name, {}, opts)
        runtime: list[pulumi.Resource] = [
            self._text(
                f"{name}-{path}",
                args,
                _below(args, path),
                text,
                {"text-sha256": _sha256(text)},
                args.depends_on,
                python=path.endswith(".py"),
            )
            for path, text in sorted(args.runtime.items())
        ]
        files = {file.path: self._file(name, args, file) for file in sorted(args.files, key=lambda one: one.path)}
        # A DAG that arrives before what it imports is an import error in Airflow, so all else goes first.
        first = [*runtime, *files.values()] or args.depends_on
        self.dag_objects = {
            dag.name: self._text(
                f"{name}-{dag.name}",
                args,
                _below(args, f"{dag.name}.py"),
                dag.text,
                {**dag.provenance(), "text-sha256": _sha256(dag.text)},
                first,
            ).name
            for dag in sorted(args.dags, key=lambda d: d.name)
        }
        self.file_objects = {path: made.name for path, made in files.items()}
        self.register_outputs({"dag_objects": dict(self.dag_objects)})

    def _file(self, name: str, args: DagAssetsArgs, file: AirflowFile) -> storage.BucketObject:
        # Airflow looks for plugins and data beside the folder of the DAGs.
        path = pulumi.Output.from_input(args.prefix).apply(
            lambda prefix: f"{prefix.rpartition('/')[0]}/{file.path}".lstrip("/")
        )
        if file.text is not None:
            contexts = {"text-sha256": file.sha256}
            python = file.path.endswith(".py")
            return self._text(f"{name}-{file.path}", args, path, file.text, contexts, args.depends_on, python=python)
        return storage.BucketObject(
            f"{name}-{file.path}",
            bucket=args.bucket,
            name=path,
            source=pulumi.FileAsset(str(file.file)),
            content_type="application/octet-stream",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )

    def _text(
        self,
        logical: str,
        args: DagAssetsArgs,
        path: pulumi.Output[str],
        text: str,
        contexts: Mapping[str, str],
        depends_on: Sequence[pulumi.Resource],
        *,
        python: bool = True,
    ) -> storage.BucketObject:
        return storage.BucketObject(
            logical,
            bucket=args.bucket,
            name=path,
            content=text,
            content_type="text/x-python" if python else "text/plain",
            contexts=storage.BucketObjectContextsArgs(
                customs=[
                    storage.BucketObjectContextsCustomArgs(key=key, value=value)
                    for key, value in sorted(contexts.items())
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(depends_on)),
        )


def _below(args: DagAssetsArgs, path: str) -> pulumi.Output[str]:
    return pulumi.Output.concat(args.prefix, "/", path)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
