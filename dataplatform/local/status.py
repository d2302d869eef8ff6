"""`dp status`: what is up, what ran, where to look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataplatform.local import outputs, page
from dataplatform.local.engine import project_name
from dataplatform.local.page_data import collect as collect_page


def collect(root: Path, stack: str) -> dict[str, Any]:
    """The stack's outputs (secret ones masked), the newest run of each pipeline and engine, and the places."""
    data = collect_page(root, stack, project_name(root), drawn=False)
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


def _value(text: str) -> Any:
    """An output as it was before it was made text: a mapping or a list, else the text itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, dict | list) else text


def lines(data: dict[str, Any]) -> Iterator[str]:
    """The same for a person."""
    yield f"\nstack {data['stack']}: {data['resources']} resources"
    yield from outputs.lines({name: _value(text) for name, text in data["outputs"].items()})
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
