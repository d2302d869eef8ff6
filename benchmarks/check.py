"""How long `dp check` takes beyond Python's start, for 1, 200 and 1,000 definitions.

The program promises 0.5 s for one definition, 2 s for 200 rich ones and 10 s for 1,000. The figures they stand against
are of definitions of 3 tasks and 87 lines; here each has 6 steps in 2 levels, with properties, timeouts and flags, and
more lines than that. `--steps 2` makes threads of two steps, so definitions of 12. Measured is the whole command, from
the shell's point of view, less the start of the same Python with nothing to do.

It prints each with its ratio to the limit and exits 0; it fails only where it cannot measure. Run:
`python benchmarks/check.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

LIMITS = {1: 0.5, 200: 2.0, 1000: 10.0}
"""Definitions → seconds beyond Python's start."""

PROJECT = "name: data-platform\nruntime: python\n"
STACK = """\
config:
  data-platform:platform:
    environment: dev
    protect: false
    gcp:
      project: acme-data-dev
      region: europe-west1
      workflows: {}
    pipelines: {}
"""


def step(name: str, number: int) -> dict[str, object]:
    """A step that uses most of what the format has."""
    properties = {"table": f"orders_{number}", "columns": ["id", "day"], "options": {"mode": "append"}}
    return {
        "JOB_ID": f"J_{name}",
        "JOB_NAME": f"load_{name}",
        "TYPE": "async",
        "FUNCTION_ID_NAME": "dataform-tag-executor",
        "FUNCTION_STATUS_NAME": "dataform-tag-executor",
        "WAIT_TIME_SECONDS": "30",
        "TIMEOUT_SECONDS": "720",
        "ASYNC_TIMEOUT_LOOP_IN_MINUTES": "12",
        "CONTINUE_IF_FAIL": "False",
        "STEP_PROPERTIES": json.dumps(properties) if number else properties,
    }


def write_project(root: Path, count: int, steps: int) -> int:
    """A stack with so many rich definitions whose threads have so many steps; the lines of one."""
    (root / "pipelines").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text(PROJECT, "utf-8")
    (root / "Pulumi.dev.yaml").write_text(STACK, "utf-8")
    levels = [
        {
            "LEVEL_ID": str(level),
            "THREADS": [
                {"THREAD_ID": str(thread), "STEPS": [step(f"{level}_{thread}_{n}", n) for n in range(steps)]}
                for thread in (1, 2, 3)
            ],
        }
        for level in (1, 2)
    ]
    text = json.dumps({"engine": "cloud_workflows", "definition": levels}, indent=2)
    for number in range(count):
        (root / "pipelines" / f"orders_{number}.json").write_text(text, "utf-8")
    return text.count("\n") + 1


def timed(command: Sequence[str], folder: Path) -> float:
    """Seconds a command takes.

    Raises:
        SystemExit: when it fails: then there is nothing to measure.
    """
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(
            f"cannot measure: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"[-3000:]
        )
    return took


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1, help="in each of the six threads of a definition")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="dp-benchmark-") as temporary:
        bare = [sys.executable, "-c", "pass"]
        for count, limit in LIMITS.items():
            root = Path(temporary) / str(count)
            lines = write_project(root, count, args.steps)
            check = [sys.executable, "-m", "dataplatform.cli", "--root", str(root), "check"]
            rounds = args.rounds if count < 1000 else min(args.rounds, 3)
            taken, started = [], []
            for turn in range(rounds + 1):
                start, whole = timed(bare, root), timed(check, root)
                if turn:  # the first of each compiles Python files
                    taken.append(whole)
                    started.append(start)
            seconds = statistics.median(taken) - statistics.median(started)
            over = "" if seconds <= limit else "  OVER"
            print(f"dp check of {count:,} definition{'s' * (count > 1)} of {lines} lines, median of {rounds}")
            print(f"  {seconds:.2f} s beyond Python's start; ratio {seconds / limit:.2f} (limit {limit} s){over}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
