"""How long a push to Data Fusion takes, against replacing everything and against what the network alone costs.

A CDAP (the embedded one, in a process of its own) answers every call 50 ms late.

1. `push` of 5 changed of 200 pipelines ÷ replacing all of them one after the other, as the download and deploy scripts
   of the golden demo do: a call for the instance, a PUT for every namespace and every pipeline, each on a connection of
   its own. Limit 0.05.
2. `push` of 200 pipelines to an empty instance ÷ (calls made times latency ÷ calls at once). Limit 1.2.

It prints both with their limits and exits 0; it fails only where it cannot measure. Run: `make benchmark`.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dataplatform.datafusion import files, normalise, service
from dataplatform.datafusion.client import Answer, Client
from dataplatform.datafusion.layout import normalised
from dataplatform.datafusion.macros import Environment
from dataplatform.datafusion.model import Json, Key, Kind
from dataplatform.datafusion.service import Selection

REPLACE_LIMIT = 0.05
FULL_LIMIT = 1.2
NAMESPACE = "sales"

SERVER = """
import sys, time
from pathlib import Path
from localcloud.cdap.instance import Settings
from localcloud.cdap.server import serve
from localcloud.world import World
server = serve(World(Path(sys.argv[1])), "core", settings=Settings(latency=float(sys.argv[2])))
print(server.url, flush=True)
sys.stdin.read()
"""


class Counting(Client):
    """Counts its calls."""

    def __init__(self, endpoint: str, concurrency: int) -> None:
        super().__init__(endpoint, concurrency=concurrency)
        self.calls = 0

    def send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Count, and send."""
        self.calls += 1
        return super().send(method, url, body, headers)


def pipeline(name: str, table: str) -> Json:
    """A pipeline of five stages, the size of a small real one."""
    plugins = {"name": "core-plugins", "version": "2.13.0", "scope": "SYSTEM"}

    def stage(stage_name: str, plugin: str, kind: str, properties: Json) -> Json:
        return {
            "name": stage_name,
            "plugin": {"name": plugin, "type": kind, "artifact": plugins, "properties": properties},
        }

    script = "function transform(input, emitter, context) {\n" + "  // as it is in the contract\n" * 8 + "}"
    names = ["Read", "Clean", "Convert", "Enrich", "Write"]
    middle = [stage(n, "JavaScript", "transform", {"script": script}) for n in names[1:-1]]
    ends = [
        stage("Read", "KVTable", "batchsource", {"name": table}),
        stage("Write", "KVTable", "batchsink", {"name": f"{table}_out"}),
    ]
    config = {
        "stages": [ends[0], *middle, ends[1]],
        "connections": [{"from": a, "to": b} for a, b in itertools.pairwise(names)],
        "resources": {"memoryMB": 2048, "virtualCores": 1},
        "schedule": "0 1 * * *",
        "engine": "spark",
        "maxConcurrentRuns": 1,
    }
    artifact = {"name": "cdap-data-pipeline", "version": "6.11.0", "scope": "SYSTEM"}
    return normalised(Kind.PIPELINE, {"name": name, "artifact": artifact, "config": config})


def export(count: int, changed: int, turn: int) -> dict[Key, Json]:
    """Pipelines, some of which say something else at every turn."""
    made = {Key(namespace=NAMESPACE, kind=Kind.NAMESPACE): normalise.namespace({"name": NAMESPACE})}
    for i in range(count):
        table = f"table{turn}" if i < changed else "table"
        made[Key(namespace=NAMESPACE, kind=Kind.PIPELINE, name=f"p{i:03}")] = pipeline(f"p{i:03}", table)
    return made


def replace_all(url: str, bodies: Mapping[Key, Json]) -> float:
    """Seconds for a PUT of everything, one call after the other, each on a connection of its own."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    started = time.perf_counter()
    calls: list[tuple[str, str, Json | None]] = [
        ("GET", "/v3/version", None),
        ("PUT", f"/v3/namespaces/{NAMESPACE}", {}),
    ]
    calls += [
        ("PUT", f"/v3/namespaces/{NAMESPACE}/apps/{key.name}", body)
        for key, body in bodies.items()
        if key.kind == Kind.PIPELINE
    ]
    for method, path, body in calls:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            sys.exit(f"cannot measure: {method} {path} was answered with {answer.status}")
    return time.perf_counter() - started


def push(url: str, folder: Path, concurrency: int) -> tuple[float, int, int]:
    """Seconds of a push, how many calls it made, and how many objects it changed."""
    client = Counting(url, concurrency)
    started = time.perf_counter()
    result = service.prepare(client, folder, Environment(), Selection()).apply()
    took = time.perf_counter() - started
    error = result.error()
    if error is not None:
        sys.exit(f"cannot measure: {error}")
    return took, client.calls, len(result.done)


def write(folder: Path, bodies: Mapping[Key, Json]) -> None:
    """The files."""
    files.write(folder, bodies, lambda key: True)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--changed", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--concurrency", type=int, default=4, help="of the full push")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    incremental, full, floors = [], [], []
    with tempfile.TemporaryDirectory(prefix="dp-benchmark-") as temporary:
        work = Path(temporary)
        write(work / "files", export(args.pipelines, args.changed, 0))
        for turn in range(args.rounds):
            with server(work / f"world{turn}", args.latency) as url:
                took, calls, _ = push(url, work / "files", args.concurrency)
                full.append(took)
                floors.append(calls * args.latency / args.concurrency)
                if turn == 0:
                    replaced = replace_all(url, export(args.pipelines, args.changed, 0))
                write(work / "files", export(args.pipelines, args.changed, turn + 1))
                took, calls_5, changed = push(url, work / "files", 16)
                incremental.append(took)
                if changed != args.changed:
                    sys.exit(f"cannot measure: {changed} objects were changed instead of {args.changed}")
                write(work / "files", export(args.pipelines, args.changed, 0))
    ratio = statistics.median(incremental) / replaced
    print(f"push of {args.changed} changed of {args.pipelines} pipelines, {args.latency * 1000:.0f} ms latency")
    print(f"  push {statistics.median(incremental):.2f} s ({calls_5} calls), full replace {replaced:.2f} s")
    print(f"  ratio {ratio:.3f} (limit {REPLACE_LIMIT}){'' if ratio <= REPLACE_LIMIT else '  OVER'}")
    ratio = statistics.median(full) / statistics.median(floors)
    print(f"push of {args.pipelines} pipelines to an empty instance, {args.concurrency} calls at once")
    print(f"  push {statistics.median(full):.2f} s, {calls} calls take at least {statistics.median(floors):.2f} s")
    print(f"  ratio {ratio:.2f} (limit {FULL_LIMIT}){'' if ratio <= FULL_LIMIT else '  OVER'}")
    return 0


class server:  # noqa: N801 - used as a function
    """A CDAP in a process of its own."""

    def __init__(self, home: Path, latency: float) -> None:
        command = [sys.executable, "-c", SERVER, str(home), str(latency)]
        root = Path(__file__).resolve().parents[1]
        self.process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> str:
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        if not url:
            sys.exit("cannot measure: the server did not start")
        return url

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)


if __name__ == "__main__":
    sys.exit(main())
