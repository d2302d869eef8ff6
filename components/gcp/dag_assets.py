"""DAGs: the compiled texts, and the runtime package they import, as objects under the environment's DAG prefix.

An object is made from `content`, which is updated in place: made from a file it would be replaced, deleted first, and
its DAG would vanish from Airflow for a moment. `content` is hidden in a preview, so what a reviewer needs goes into
the object's contexts, which update in place too (`metadata` and `contentType` would replace the object).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import storage

from components.gcp.generated import Generated


@dataclass(frozen=True, kw_only=True)
class DagAssetsArgs:
    """The texts and where they go."""

    bucket: pulumi.Input[str]
    prefix: pulumi.Input[str]
    """Without slashes at its ends."""
    dags: Sequence[Generated]
    runtime: Mapping[str, str]
    """Path under the prefix -> text, of what the DAGs import."""
    depends_on: Sequence[pulumi.Resource]


class DagAssets(pulumi.ComponentResource):
    """The files of an Airflow environment that come from us."""

    dag_objects: Mapping[str, pulumi.Output[str]]
    """Name of each DAG's object, by definition."""

    def __init__(self, name: str, args: DagAssetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:DagAssets", name, {}, opts)
        runtime: list[pulumi.Resource] = [
            self._object(f"{name}-{path}", args, path, text, {"text-sha256": _sha256(text)}, args.depends_on)
            for path, text in sorted(args.runtime.items())
        ]
        # A DAG that arrives before what it imports is an import error in Airflow, so the runtime goes first.
        first = runtime or args.depends_on
        self.dag_objects = {
            dag.name: self._object(
                f"{name}-{dag.name}",
                args,
                f"{dag.name}.py",
                dag.text,
                {**dag.provenance(), "text-sha256": _sha256(dag.text)},
                first,
            ).name
            for dag in sorted(args.dags, key=lambda d: d.name)
        }
        self.register_outputs({"dag_objects": dict(self.dag_objects)})

    def _object(
        self,
        logical: str,
        args: DagAssetsArgs,
        path: str,
        text: str,
        contexts: Mapping[str, str],
        depends_on: Sequence[pulumi.Resource],
    ) -> storage.BucketObject:
        return storage.BucketObject(
            logical,
            bucket=args.bucket,
            name=pulumi.Output.concat(args.prefix, "/", path),
            content=text,
            content_type="text/x-python" if path.endswith(".py") else "text/plain",
            contexts=storage.BucketObjectContextsArgs(
                customs=[
                    storage.BucketObjectContextsCustomArgs(key=key, value=value)
                    for key, value in sorted(contexts.items())
                ]
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(depends_on)),
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
