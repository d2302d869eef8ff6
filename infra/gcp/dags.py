"""The compiled DAGs of a stack, and what they are used with."""

from __future__ import annotations

import pulumi

from components.gcp.composer import DagPlace
from components.gcp.dag_assets import DagAssets, DagAssetsArgs
from dataplatform.compile.runtime import runtime_files
from infra.gcp.composition import Composition
from infra.gcp.on_demand import on_demand, wants_on_demand

PREFIX = "dags"
"""Where every environment looks for DAGs in its bucket."""


def dags(c: Composition) -> None:
    """The DAGs and the runtime they import, plugins and data files, in the environment's bucket."""
    compiled = c.args.pipelines
    place = _place(c)
    if place is None or not (compiled.dags or c.args.airflow_files or wants_on_demand(c)):
        return
    made = DagAssets(
        "dags",
        DagAssetsArgs(
            bucket=place.bucket,
            prefix=place.prefix,
            dags=compiled.dags,
            runtime=runtime_files(),
            files=c.args.airflow_files,
            depends_on=c.needs("storage", also=[*(c.composer.access if c.composer else ()), *c.late_grants]),
        ),
        c.opts,
    )
    c.outputs["dags"] = dict(compiled.dag_ids)
    if made.file_objects:
        c.outputs["airflow_files"] = sorted(made.file_objects)
    on_demand(c, place, made)


def bucket_of_others(bucket: str) -> DagPlace:
    """Where an environment that others keep looks for its DAGs."""
    return DagPlace(bucket=pulumi.Output.from_input(bucket), prefix=pulumi.Output.from_input(PREFIX))


def _place(c: Composition) -> DagPlace | None:
    """The environment that holds the DAGs: the stack's own, the one it takes over from, or that of others."""
    if c.composer is None:
        return bucket_of_others(c.gcp.airflow_bucket) if c.gcp.airflow_bucket is not None else None
    config, previous = c.gcp.composer, c.gcp.previous_composer
    if config is not None and config.dags:
        return c.composer.dags
    return c.composer.previous_dags if previous is not None and previous.dags else None
