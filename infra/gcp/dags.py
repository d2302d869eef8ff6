"""The compiled DAGs of a stack."""

from __future__ import annotations

from components.gcp.dag_assets import DagAssets, DagAssetsArgs
from dataplatform.compile.runtime import runtime_files
from infra.gcp.composition import Composition


def dags(c: Composition) -> None:
    """The DAGs and the runtime they import, in the environment's bucket."""
    compiled = c.args.pipelines
    if c.composer is None or not compiled.dags:
        return
    DagAssets(
        "dags",
        DagAssetsArgs(
            bucket=c.composer.dag_bucket,
            prefix=c.composer.dag_prefix,
            dags=compiled.dags,
            runtime=runtime_files(),
            depends_on=c.needs("storage", also=[*c.composer.access, *c.late_grants]),
        ),
        c.opts,
    )
    c.outputs["dags"] = dict(compiled.dag_ids)
