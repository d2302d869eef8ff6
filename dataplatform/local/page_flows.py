"""The page's pictures of pipelines that have not run here: definitions, Data Fusion exports, Data Factory's folder.

Read from the files at hand. A file that is wrong has no picture: `dp check` says what is wrong with it, not the page.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.plan import FusionRuns
from dataplatform.config.check import load_stack
from dataplatform.config.loader import load_document
from dataplatform.config.pipeline import Definition
from dataplatform.config.platform import Platform
from dataplatform.diagnostics import InputError
from dataplatform.local import flow, page_svg
from dataplatform.local.trace import new_trace

FUSION_FOLDER = "data_fusion"
"""Below the folder of pipelines: where the exports are."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One pipeline's picture."""

    name: str
    what: str
    """What runs it, and how much there is of it."""
    source: str
    svg: str


def collect(root: Path, stack: str, ran: Collection[str]) -> list[Picture]:
    """The pictures of a stack; nothing for one whose files have mistakes.

    Args:
        root: The project.
        stack: Whose pipelines.
        ran: Names of the pipelines whose runs the page shows already.
    """
    try:
        loaded = load_stack(root, stack)
    except InputError:
        return []
    platform = loaded.platform
    pictures = [
        made
        for definition in loaded.definitions
        if definition.name not in ran and (made := _definition(platform, definition)) is not None
    ]
    pictures += [_picture(found) for found in flows(root, platform) if 0 < len(found.boxes) <= flow.MAX_BOXES]
    return pictures


def flows(root: Path, platform: Platform) -> Iterator[flow.Flow]:
    """A stack's pipelines of Data Fusion and Data Factory, by file."""
    files: list[Path] = []
    if platform.pipelines is not None and platform.gcp is not None:
        files += sorted((root / platform.pipelines.directory / FUSION_FOLDER).glob("*/pipelines/*.json"))
    if platform.azure is not None and platform.azure.data_factory is not None:
        files += sorted((root / platform.azure.data_factory.directory / "pipeline").glob("*.json"))
    for file in files:
        node, problems = load_document(file)
        found = flow.of_file(node.value(), file.relative_to(root).as_posix()) if node and not problems else None
        if found is not None:
            yield found


def _definition(platform: Platform, definition: Definition) -> Picture | None:
    try:
        plan = build_plan(definition, target_for(platform, definition.file), to_look=True)
    except InputError:
        return None
    engines = " and ".join("Airflow" if one == "airflow" else "Cloud Workflows" for one in plan.engines)
    if plan.fusion is not None:
        drawn = _runs(plan.name, plan.fusion)
        return Picture(name=plan.name, what=f"{engines}, runs Data Fusion", source=plan.source.file, svg=_svg(drawn))
    steps = len(plan.steps())
    if steps > flow.MAX_BOXES:
        return None
    what = f"{engines}, {steps} step{'' if steps == 1 else 's'}"
    trace = new_trace(plan, plan.engines[0], 1.0)
    for step in trace.steps:
        step.state = "not run"
    return Picture(name=plan.name, what=what, source=plan.source.file, svg=page_svg.pipeline(trace))


def _runs(name: str, fusion: FusionRuns) -> flow.Flow:
    """The tasks of a definition of kind datafusion."""
    boxes = []
    if fusion.bq_output_table or fusion.variables:
        boxes.append(flow.Box(name="truncate_table", kind="BigQuery"))
    if not fusion.cdf_pipeline_run_arguments:
        boxes.append(flow.Box(name="get_configuration", kind="BigQuery"))
    boxes.append(flow.Box(name="filter_arguments", kind="the active rows"))
    boxes.append(flow.Box(name=fusion.cdf_pipeline_name, kind=f"each row, {fusion.concurrency} at a time"))
    arrows = tuple(flow.Arrow(before=a.name, after=b.name) for a, b in pairwise(boxes))
    return flow.Flow(name=name, service="Airflow", source="", boxes=tuple(boxes), arrows=arrows)


def _picture(found: flow.Flow) -> Picture:
    unit = "stage" if found.service == "Data Fusion" else "activity"
    many = "stages" if unit == "stage" else "activities"
    what = f"{found.service}, {len(found.boxes)} {unit if len(found.boxes) == 1 else many}"
    return Picture(name=found.name, what=what, source=found.source, svg=_svg(found))


def _svg(found: flow.Flow) -> str:
    drawn = flow.draw(found, "tip")
    return (
        f'<svg viewBox="0 0 {drawn.width} {drawn.height}" width="{drawn.width}" height="{drawn.height}" role="img" '
        f'aria-label="{escape(found.described, quote=True)}">{drawn.parts}</svg>'
    )
