"""`dp status`: what is up, what ran, where to look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataplatform.local import page
from dataplatform.local.engine import project_name
from dataplatform.local.page_data import collect as collect_page


def collect(root: Path, stack: str) -> dict[str, Any]:
    """The stack's outputs (secret ones masked), the newest run of each pipeline and engine, and the places."""
    data = collect_page(root, stack, project_name(root))
    return {
        "stack": stack,
        "resources": sum(len(node.leaves()) for node in data.roots),
        "outputs": {name: text for name, text, _ in data.outputs},
        "runs": [
            {
                "pipeline": run.pipeline,
                "engine": run.engine,
                "state": run.state,
                "steps": len(run.steps),
                "succeeded": sum(step.state == "succeeded" for step in run.steps),
                "seconds": round(run.seconds, 2),
            }
            for run in data.runs
        ],
        "places": dict(data.places),
        "page": str(page.write(root, stack)),
    }


def lines(data: dict[str, Any]) -> Iterator[str]:
    """The same for a person."""
    yield f"\nstack {data['stack']}: {data['resources']} resources"
    for name, text in data["outputs"].items():
        yield f"  {name} = {' '.join(text.split())}"
    yield "pipeline runs:" if data["runs"] else "no pipeline has run here"
    for run in data["runs"]:
        named = "Airflow" if run["engine"] == "airflow" else "Cloud Workflows"
        yield (
            f"  {run['pipeline']} on {named}: {run['state']}, "
            f"{run['succeeded']} of {run['steps']} steps, {run['seconds']} s"
        )
    yield "where to look:"
    for what, place in data["places"].items():
        yield f"  {place}  {what}"
    yield f"  {data['page']}  the page: open it in a browser"
