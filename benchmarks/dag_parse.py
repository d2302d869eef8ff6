"""How long Airflow's DAG processor takes for our compiled DAGs, against the same pipelines written in other ways.

One pass of the real `airflow dag-processor -n 1` with two parsing processes and PostgreSQL, over a folder of 100
pipelines of 10 steps that was just deployed. Measured is the whole command, as the shell sees it. Compared with ours:

a. plain files by hand, the faster of two: with the operator's class that ours use, and with Airflow's own for BigQuery.
   Limit 1.1.
b. dag-factory, a loader and a YAML file for each DAG: with each of those two operators. Limit 0.25.
c. Google's orchestration-pipelines, a stub and a YAML file for each DAG. Limit 0.2. The bucket that it asks for each
   pipeline is a server on this machine, which answers at once.

The peers are in environments of their own, which are made from uv.lock the first time (.venvs/bench-*; 1.5 GB each).
Ways take turns, and each figure is the median of the rounds. A pass counts only where every DAG is in the database with
its steps and no file has an import error. With `--airflow 3` only ours and the plain files are compared, on Airflow 3.

It prints the table and exits 0; it fails only where it cannot measure. Run: `python benchmarks/dag_parse.py`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import dag_folders
from benchmarks.dag_processor import Installation, Pass, stand_in_bucket
from benchmarks.postgres import CannotMeasureError, Postgres
from tools.engine_common import NotHadError
from tools.progress import Progress
from tools.setup import Environment, find_uv, sync, up_to_date

ROOT = Path(__file__).resolve().parent.parent
HAND_LIMIT = 1.1
DAG_FACTORY_LIMIT = 0.25
ORCHESTRATION_LIMIT = 0.2
PEERS = ("dag-factory", "orchestration-pipelines")


@dataclass(frozen=True)
class Way:
    """One way of writing the pipelines: `environment` is a group of pyproject.toml."""

    title: str
    environment: str
    write: Callable[[Path, int], None]
    peer: str = ""
    limit: float | None = None


def ways(version: int, without: Sequence[str]) -> dict[str, Way]:
    """What is compared on this version of Airflow, ours first."""
    own = f"bench-airflow{version}"
    found = {
        "ours": Way("ours, compiled", own, dag_folders.compiled),
        "hand-steps": Way("by hand, our operator's class", own, dag_folders.by_hand("steps", version), "hand"),
    }
    if version == 2:
        factory, google = PEERS
        found |= {
            "hand-queries": Way("by hand, BigQuery operator", own, dag_folders.by_hand("queries", version), "hand"),
            "factory-steps": Way(
                "dag-factory 1.1.0, our operator's class", "bench-dag-factory", dag_folders.dag_factory("steps"),
                factory, DAG_FACTORY_LIMIT,
            ),
            "factory-queries": Way(
                "dag-factory 1.1.0, BigQuery operator", "bench-dag-factory", dag_folders.dag_factory("queries"),
                factory, DAG_FACTORY_LIMIT,
            ),
            "google": Way(
                "orchestration-pipelines 1.2.1, BigQuery", "bench-orchestration-pipelines",
                dag_folders.orchestration_pipelines, google, ORCHESTRATION_LIMIT,
            ),
        }  # fmt: skip
    return {key: way for key, way in found.items() if way.peer not in without}


def environments(names: Sequence[str]) -> dict[str, Path]:
    """The Python of each environment; those that are not as uv.lock says are made."""
    pythons = {}
    uv = ""
    with Progress() as progress:
        for name in names:
            environment = Environment(name, f".venvs/{name}", ("--only-group", name))
            if not up_to_date(ROOT, environment):
                uv = uv or find_uv(ROOT, progress)
                sync(ROOT, uv, environment, progress)
            pythons[name] = ROOT / environment.folder / "bin" / "python"
    return pythons


def measure(chosen: dict[str, Way], pipelines: int, rounds: int) -> dict[str, list[Pass]]:
    """The passes of each way, taken in turns."""
    pythons = environments(sorted({way.environment for way in chosen.values()}))
    parent = ROOT / ".dp" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    parent.chmod(0o755)
    work = Path(tempfile.mkdtemp(prefix="dag_parse-", dir=parent))
    work.chmod(0o755)  # PostgreSQL's user has a folder in it
    expected = {dag_folders.pipeline_name(number) for number in range(pipelines)}
    passes: dict[str, list[Pass]] = {key: [] for key in chosen}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        server = stack.enter_context(Postgres(work / "postgres"))
        installed: dict[str, Installation] = {}
        for key, way in chosen.items():
            folder = work / "ways" / key / "dags"
            folder.mkdir(parents=True)
            way.write(folder, pipelines)
            if way.environment not in installed:
                variables = {}
                if way.environment == "bench-orchestration-pipelines":
                    host = stack.enter_context(stand_in_bucket(dag_folders.BUCKET, folder))
                    variables = {"STORAGE_EMULATOR_HOST": host, "GCS_BUCKET": dag_folders.BUCKET}
                home = work / way.environment
                installed[way.environment] = Installation(pythons[way.environment], home, server, variables)
                if way.environment == "bench-orchestration-pipelines":
                    installed[way.environment].local_settings(dag_folders.MOUNT)
            # The first pass of an environment compiles the modules it imports.
            few = work / "ways" / key / "few"
            few.mkdir()
            way.write(few, 1)
            installed[way.environment].run(few, {dag_folders.pipeline_name(0)}, dag_folders.STEPS)
        for turn in range(rounds):
            # Forwards and backwards in turn: what the machine does beside this grows and ebbs.
            for key, way in list(chosen.items())[:: -1 if turn % 2 else 1]:
                took = installed[way.environment].run(work / "ways" / key / "dags", expected, dag_folders.STEPS)
                passes[key].append(took)
                print(f"round {turn + 1}: {way.title}: {took.wall:.1f} s", file=sys.stderr, flush=True)
    return passes


def table(chosen: dict[str, Way], passes: dict[str, list[Pass]]) -> list[str]:
    """The lines of the result."""
    wall = {key: statistics.median(item.wall for item in taken) for key, taken in passes.items()}
    cpu = {key: statistics.median(item.cpu for item in taken) for key, taken in passes.items()}
    fastest = min((key for key, way in chosen.items() if way.peer == "hand"), key=lambda key: wall[key])
    lines = [f"{'':42}{'wall s':>8}{'cpu s':>8}{'ours ÷ it':>11}{'cpu':>7}{'limit':>7}"]
    for key, way in chosen.items():
        line = f"{way.title:42}{wall[key]:8.1f}{cpu[key]:8.1f}"
        if key != "ours":
            ratio = wall["ours"] / wall[key]
            limit = HAND_LIMIT if key == fastest else way.limit
            line += f"{ratio:11.2f}{cpu['ours'] / cpu[key]:7.2f}"
            if limit is not None:
                line += f"{limit:7.2f}{'' if ratio <= limit else '  OVER'}"
        lines.append(line)
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pipelines", type=int, default=100)
    parser.add_argument("--airflow", type=int, choices=(2, 3), default=2)
    parser.add_argument("--without", action="append", choices=PEERS, default=[], help="a peer to leave out")
    args = parser.parse_args(argv)
    if args.rounds < 1 or not 1 <= args.pipelines <= 1000:
        parser.error("at least one round, and 1 to 1000 pipelines")
    # Ended from outside it still stops the server and removes its folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = ways(args.airflow, args.without)
    try:
        passes = measure(chosen, args.pipelines, args.rounds)
    except (CannotMeasureError, NotHadError) as reason:
        sys.exit(f"cannot measure: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
    version = {2: "2.11.1", 3: "3.2.2"}[args.airflow]
    print(
        f"airflow {version} dag-processor -n 1, 2 parsing processes, PostgreSQL, {os.cpu_count()} cores: "
        f"{args.pipelines} pipelines of {dag_folders.STEPS} steps, median of {args.rounds}"
    )
    print("\n".join(table(chosen, passes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
