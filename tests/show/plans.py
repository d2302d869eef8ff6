"""Plans and definition files for the tests of what is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Level, Plan, Source, Step, Target, Thread
from dataplatform.config.definitions import load_definition
from dataplatform.config.pipeline import Definition

CORPUS = Path(__file__).parent.parent / "config" / "corpus"
AEF = sorted(path for path in CORPUS.glob("*.json") if not path.name.startswith("job_"))
TARGET = Target(
    project="acme-data-dev",
    region="europe-west1",
    intermediate_url="https://europe-west1-acme-data-dev.cloudfunctions.net/orch-framework-intermediate",
    jobs_definitions_bucket="acme-data-dev-jobs",
)
ODD_NAMES = (
    "x" * 100,
    "Überführung_der_Bestellungen_" + "ä" * 71,
    "数据" * 50,
    '<script>alert("1")</script>&amp;%%{init: {}}%%',
    "😀" * 50,
    "مرحبا بالعالم " * 7,
    "e\u0301" * 50,
    "end",
    "a`b#tip;${x}]]>\\",
    "\u202eevil\x00\ud800",
)


def step(name: str, **values: Any) -> Step:
    """A step with the values that matter to a test."""
    some: dict[str, Any] = {
        "id": name,
        "job_id": f"J-{name}",
        "job_name": name,
        "executor": "dataform-tag-executor",
        "status_executor": "dataform-tag-executor",
        "poll_interval": 30,
        "timeout": 720,
    }
    return Step(**{**some, **values})


def plan(*levels: Sequence[Sequence[Step | str]], **values: Any) -> Plan:
    """A plan of levels of threads of steps, each a step or only its name."""
    some: dict[str, Any] = {
        "name": "orders",
        "engines": ("workflows",),
        "target": TARGET,
        "source": Source(file="pipelines/orders.json", sha256="0" * 64),
        "levels": tuple(
            Level(
                id=str(i),
                threads=tuple(
                    Thread(id=str(j), steps=tuple(step(s) if isinstance(s, str) else s for s in thread))
                    for j, thread in enumerate(level, 1)
                ),
            )
            for i, level in enumerate(levels, 1)
        ),
    }
    return Plan(**{**some, **values})


def wide() -> Plan:
    """Twelve levels of up to fifteen threads of up to three steps."""
    return plan(
        *([[f"step_{i}_{j}_{k}" for k in range(1 + i * j % 3)] for j in range((1, 15, 2, 4)[i % 4])] for i in range(12))
    )


def odd() -> Plan:
    """Steps of every odd name there is."""
    return plan([[step(name, job_id=str(n))] for n, name in enumerate(ODD_NAMES)], [["last"]])


def aef_step(name: str, **keys: Any) -> dict[str, Any]:
    """A step as a file has it; a key that is given None is left out."""
    some = {"JOB_ID": f"J-{name}"[:60], "JOB_NAME": name, "TYPE": "async", "FUNCTION_ID_NAME": "dataform-tag-executor"}
    return {key: value for key, value in {**some, **keys}.items() if value is not None}


def aef(*levels: list[list[dict[str, Any]]], engine: str = "cloud_workflows") -> dict[str, Any]:
    """A definition as a file has it."""
    return {
        "engine": engine,
        "definition": [
            {
                "LEVEL_ID": str(i),
                "THREADS": [{"THREAD_ID": str(j), "STEPS": thread} for j, thread in enumerate(level, 1)],
            }
            for i, level in enumerate(levels, 1)
        ],
    }


def load(path: Path) -> Definition:
    """A definition that must be right."""
    definition, problems = load_definition(path)
    assert definition is not None, problems.render()
    return definition


def load_text(folder: Path, text: str, name: str = "orders.json") -> Definition:
    """The definition of a text."""
    path = folder / name
    path.write_text(text, "utf-8")
    return load(path)


def load_plan(folder: Path, text: str, name: str = "orders.json") -> Plan:
    """The plan of a text."""
    return build_plan(load_text(folder, text, name), TARGET)


def dumped(data: dict[str, Any]) -> str:
    """JSON text as AEF's files are indented."""
    return json.dumps(data, indent=2, ensure_ascii=False)
