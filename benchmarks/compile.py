"""How fast definitions become the text of both engines, and what each further step of one costs.

1. 1,000 definitions of 10 steps (2 levels, threads of 1 to 3 steps), each compiled to a workflow and to a DAG: seconds
   from checked definitions to text, and definitions a second.
2. One definition of 10 to 1,000 steps: seconds per step for each engine. Flat means that the cost per step at 1,000 is
   at most 1.5 times that at 100. What exceeds a limit of Cloud Workflows is rendered as several workflows.

It prints the figures and exits 0; it fails only where it cannot measure. Run: `python benchmarks/compile.py`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from dataplatform.compile import airflow
from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan, Target
from dataplatform.compile.workflows_parts import render_all
from dataplatform.config.pipeline import Definition, Engine, LevelDef, StepDef, ThreadDef

FLAT_LIMIT = 1.5
TARGET = Target(
    project="acme-data-dev",
    region="europe-west1",
    intermediate_url="https://europe-west1-acme-data-dev.cloudfunctions.net/orch-framework-intermediate",
    jobs_definitions_bucket="acme-data-dev-jobs",
)


def definition(name: str, levels: int, threads: Sequence[int], engines: tuple[Engine, ...]) -> Definition:
    """A definition whose levels have threads of so many steps each."""

    def step(level: int, thread: int, number: int) -> StepDef:
        return StepDef(
            job_id=f"J{level}_{thread}_{number}",
            job_name=f"load_{level}_{thread}_{number}",
            executor="dataform-tag-executor",
            status_executor="dataform-tag-executor",
            wait_time_seconds=30,
            timeout_seconds=300,
            continue_if_fail=number == 2,
            step_properties={"table": f"orders_{number}", "partitions": [1, 2, 3]} if number % 2 else {},
        )

    return Definition(
        name=name,
        engines=engines,
        levels=tuple(
            LevelDef(
                level_id=str(level),
                threads=tuple(
                    ThreadDef(thread_id=str(t), steps=tuple(step(level, t, n) for n in range(length)))
                    for t, length in enumerate(threads, start=1)
                ),
            )
            for level in range(1, levels + 1)
        ),
        file=f"pipelines/{name}.json",
        sha256="ab" * 32,
    )


def render_workflow(plan: Plan) -> int:
    """Length of the workflow's text, with those of its parts where it has any."""
    return sum(len(rendered.text) for rendered in render_all(plan))


def timed(action: Callable[[], object], rounds: int) -> float:
    """Median seconds of an action."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def measure_throughput(count: int, rounds: int) -> None:
    """Compile many small definitions and print how long it took."""
    made = [definition(f"orders_{n}", 2, (3, 1, 1), ("workflows", "airflow")) for n in range(count)]
    size = len(made[0].steps())

    def compile_all() -> int:
        plans = [build_plan(found, TARGET) for found in made]
        return sum(len(airflow.render(plan)) + render_workflow(plan) for plan in plans)

    seconds = timed(compile_all, rounds)
    print(f"{count:,} definitions of {size} steps to both engines, median of {rounds}")
    print(f"  {seconds:.2f} s, {count / seconds:,.0f} definitions a second, {compile_all() / count / 1000:.1f} kB each")


def measure_steps(sizes: Sequence[int], rounds: int) -> None:
    """Print the cost of a step in definitions that grow."""
    engines: dict[str, Callable[[Plan], int]] = {
        "workflows": render_workflow,
        "DAG": lambda plan: len(airflow.render(plan)),
    }
    print(f"cost per step of one definition, microseconds, median of {rounds}")
    for name, render in engines.items():
        costs = {}
        for size in sizes:
            # Built for no engine: building checks limits by rendering, which is measured below.
            plan = build_plan(definition("orders", size // 10, (3, 3, 2, 2), ()), TARGET)
            costs[size] = timed(lambda plan=plan, render=render: render(plan), rounds) / size * 1e6  # type: ignore[misc]
        shown = ", ".join(f"{size:,}: {cost:.0f}" for size, cost in costs.items())
        ratio = costs[sizes[-1]] / costs[100]
        over = "" if ratio <= FLAT_LIMIT else "  OVER"
        print(f"  {name}: {shown}")
        print(f"    {sizes[-1]:,} steps over 100 steps: ratio {ratio:.2f} (limit {FLAT_LIMIT}){over}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    measure_throughput(args.count, max(1, args.rounds - 2))
    measure_steps((10, 100, 200, 500, 1000), args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
