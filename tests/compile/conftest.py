"""Plans to compile, made in one line each, and goldens."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Level, Plan, Source, Step, Target, Thread
from dataplatform.config.check import load_definition
from dataplatform.local.executors import Call, JobScript

ROOT = Path(__file__).parents[2]
TARGET = Target(
    project="acme-data-dev",
    region="europe-west1",
    intermediate_url="https://europe-west1-acme-data-dev.cloudfunctions.net/orch-framework-intermediate",
    jobs_definitions_bucket="acme-data-dev-jobs",
)
SAMPLES = {
    "demo_pipeline_cloud_workflows": ROOT / "pipelines",
    "demo_pipeline_composer": ROOT / "pipelines",
    "etl_example_0": Path(__file__).parent / "definitions",
    "workflow_single_thread_1_level": Path(__file__).parent / "definitions",
}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A pipeline, how its jobs behave, and what must come of it on any engine."""

    levels: list[list[list[str]]]
    """Job names; a `?` at the end of one stands for CONTINUE_IF_FAIL."""
    outcomes: dict[str, str]
    """Job name → outcome, where it is not success."""
    state: str
    steps: dict[str, str]
    """Job name → `success`, `failed` or `not run`."""
    polls: dict[str, int] = dataclasses.field(default_factory=dict)
    """Job name → status calls that were answered with 200 or 500; 2 where a job that was started is not here."""


SCENARIOS = {
    "ok": Scenario([[["a", "b"], ["c"]], [["d"]]], {}, "success", dict.fromkeys("abcd", "success")),
    "fail": Scenario(
        [[["a", "b"], ["c", "d"]], [["e"]]],
        {"a": "failed"},
        "failed",
        {"a": "failed", "b": "not run", "c": "success", "d": "success", "e": "not run"},
    ),
    "both_fail": Scenario(
        [[["a"], ["b"]], [["c"], ["d"]]],
        {"a": "failed", "b": "odd_status"},
        "failed",
        {"a": "failed", "b": "failed", "c": "not run", "d": "not run"},
    ),
    "last_fails": Scenario(
        [[["a"]], [["b"], ["c"]]], {"c": "failed"}, "failed", {"a": "success", "b": "success", "c": "failed"}
    ),
    "startfail": Scenario([[["a", "b"]]], {"a": "start_fails"}, "failed", {"a": "failed", "b": "not run"}, {"a": 0}),
    "bad_id": Scenario([[["a"]]], {"a": "bad_id"}, "failed", {"a": "failed"}, {"a": 0}),
    "lost_start": Scenario([[["a"]]], {"a": "lost_start"}, "failed", {"a": "failed"}, {"a": 0}),
    "never": Scenario(
        [[["a", "b"], ["c"]]], {"a": "never"}, "failed", {"a": "failed", "b": "not run", "c": "success"}, {"a": 5}
    ),
    "transient": Scenario([[["a", "b"]]], {"a": "transient_503"}, "success", {"a": "success", "b": "success"}),
    "continue": Scenario(
        [[["a?", "b"], ["c"]], [["d"]]],
        {"a": "failed"},
        "success",
        {"a": "failed", "b": "success", "c": "success", "d": "success"},
    ),
    "continue_twice_and_last": Scenario(
        [[["a?", "b?"]], [["c"], ["d?"]]],
        {"a": "failed", "b": "never", "d": "start_fails"},
        "success",
        {"a": "failed", "b": "failed", "c": "success", "d": "failed"},
        {"b": 5, "d": 0},
    ),
    "continue_after_failure": Scenario(
        [[["a", "b?", "c"], ["d?"]], [["e?"]]],
        {"a": "failed", "d": "failed"},
        "failed",
        {"a": "failed", "b": "not run", "c": "not run", "d": "failed", "e": "not run"},
    ),
    "wide": Scenario(
        [[[f"a{n}", f"b{n}"] for n in range(12)], [["z"]]],
        {"a3": "failed"},
        "failed",
        {f"a{n}": "failed" if n == 3 else "success" for n in range(12)}
        | {f"b{n}": "not run" if n == 3 else "success" for n in range(12)}
        | {"z": "not run"},
    ),
}


class Make:
    """Steps, and plans from lists of levels of threads of steps."""

    target = TARGET
    scenarios = SCENARIOS

    def step(self, name: str, **changes: Any) -> Step:
        base = Step(
            id=name,
            job_id="J01",
            job_name=name,
            executor="dataform-tag-executor",
            status_executor="dataform-tag-executor",
            poll_interval=20,
            timeout=100,
        )
        return dataclasses.replace(base, **changes)

    def plan(self, levels: list[list[list[Step | str]]], name: str = "orders_daily") -> Plan:
        return Plan(
            name=name,
            engines=("workflows", "airflow"),
            levels=tuple(
                Level(
                    id=str(number),
                    threads=tuple(
                        Thread(
                            id=str(index),
                            steps=tuple(self.step(step) if isinstance(step, str) else step for step in thread),
                        )
                        for index, thread in enumerate(level, start=1)
                    ),
                )
                for number, level in enumerate(levels, start=1)
            ),
            target=TARGET,
            source=Source(file=f"pipelines/{name}.json", sha256="0123456789abcdef" * 4),
        )

    def scenario(self, name: str) -> Plan:
        """The plan of a scenario. Job names get the scenario's in front, so that many can share one server."""
        levels = [
            [
                [self.step(f"{name}_{job.rstrip('?')}", continue_if_fail=job.endswith("?")) for job in thread]
                for thread in level
            ]
            for level in SCENARIOS[name].levels
        ]
        return self.plan(levels, name=name)  # type: ignore[arg-type]

    def script(self, names: Iterable[str]) -> dict[str, JobScript]:
        """How the jobs of these scenarios behave."""
        return {
            f"{name}_{job}": JobScript(outcome=outcome)  # type: ignore[arg-type]
            for name in names
            for job, outcome in SCENARIOS[name].outcomes.items()
        }

    def check_calls(self, name: str, calls: Sequence[Call]) -> None:
        """The calls of a scenario's run are those it must make, in an order that its levels and threads allow."""
        scenario = SCENARIOS[name]
        mine = [call for call in calls if call.job_name.startswith(f"{name}_")]
        for job, state in scenario.steps.items():
            of_job = [call for call in mine if call.job_name == f"{name}_{job}"]
            starts = [call for call in of_job if call.call_type == "get_id" and call.status != 503]
            polls = [call for call in of_job if call.call_type == "get_status" and call.status != 503]
            assert len(starts) == (0 if state == "not run" else 1), (job, of_job)
            assert len(polls) == (scenario.polls.get(job, 2) if starts else 0), (job, of_job)
        ends = 0.0
        for level in scenario.levels:
            times = [[_times(name, job.rstrip("?"), mine) for job in thread] for thread in level]
            for thread in times:
                ran = [span for span in thread if span]
                assert all(first[1] <= second[0] for first, second in itertools.pairwise(ran))
                assert all(span[0] >= ends for span in ran)
            ends = max([ends, *(span[1] for thread in times for span in thread if span)])

    def sample(self, name: str) -> Plan:
        definition, problems = load_definition(SAMPLES[name] / f"{name}.json", root=ROOT)
        assert definition is not None, problems.render()
        return build_plan(definition, TARGET)


def _times(name: str, job: str, calls: Sequence[Call]) -> tuple[float, float] | None:
    found = [call.time for call in calls if call.job_name == f"{name}_{job}"]
    return (found[0], found[-1]) if found else None


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(params=sorted(SAMPLES))
def sample(request: pytest.FixtureRequest) -> Plan:
    return Make().sample(request.param)


@pytest.fixture
def golden(accept: bool) -> Callable[[str, str], None]:
    """Compare a text with tests/compile/golden/NAME, or rewrite that with --accept."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if accept:
            path.write_text(text)
        expected = path.read_text() if path.exists() else ""
        difference = "\n".join(difflib.unified_diff(expected.splitlines(), text.splitlines(), name, "now", lineterm=""))
        assert text == expected, f"{difference}\nif this is right: pytest --accept tests/compile"

    return compare
