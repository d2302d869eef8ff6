"""How much our program costs over registering the same resources bare, and what `dp plan` costs over its imports.

1. `pulumi preview` of the dev stack ÷ `pulumi preview` of a program that only registers the same resources (types,
   names, parents, inputs and dependencies as `dp plan` recorded them). Same engine, same plugins, no state,
   taken in turns. Limit 1.3.
2. `dp plan dev` ÷ importing the provider modules it uses. Limit 2.

It prints both with their limits and exits 0; it fails only where it cannot measure. Run: `make benchmark`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dataplatform.local.engine_env import engine_env

ROOT = Path(__file__).resolve().parent.parent
PREVIEW_LIMIT = 1.3
PLAN_LIMIT = 2.0

BARE = '''
"""Registers what a file lists, with nothing in between: the floor that the program is measured against."""
import importlib
import inspect
import json
import re
from pathlib import Path

import pulumi

BLANK = "[unknown]"
VERSIONS = json.loads(Path("versions.json").read_text())
made = {}


class Component(pulumi.ComponentResource):
    def __init__(self, token, name, opts):
        super().__init__(token, name, {}, opts)


def class_of(token):
    """The SDK's class of a type, as a person would write it: gcp:storage/bucket:Bucket is pulumi_gcp.storage.Bucket."""
    package, module, name = token.split(":")
    sdk = importlib.import_module("pulumi_" + package.replace("-", "_"))
    return getattr(getattr(sdk, module.split("/")[0]), name)


def arguments(cls, inputs):
    """Wire names as the class's keyword arguments."""
    known = {re.sub("_", "", name).lower(): name for name in inspect.signature(cls._internal_init).parameters}
    return {known[name.lower()]: value for name, value in inputs.items()}


def wired(value, source):
    """The value, with an output of another resource where only the cloud will know it."""
    if value == BLANK:
        return source.id
    if isinstance(value, dict):
        return {k: wired(v, source) for k, v in value.items()}
    if isinstance(value, list):
        return [wired(v, source) for v in value]
    return value


source = None
providers = {}
for r in json.loads(Path("resources.json").read_text()):
    if r["type"] == "pulumi:pulumi:Stack":
        continue
    if r["type"].startswith("pulumi:providers:"):
        package = r["type"].rpartition(":")[2]
        providers[package] = pulumi.ProviderResource(
            package, r["name"], r["inputs"], pulumi.ResourceOptions(version=VERSIONS[package])
        )
        continue
    opts = pulumi.ResourceOptions(
        parent=made.get(r["parent"]),
        depends_on=[made[u] for u in r["dependencies"] if u in made],
        protect=r["protect"],
        provider=providers.get(r["type"].partition(":")[0]),
    )
    if r["custom"]:
        needed = [made[u] for u in r["dependencies"] if isinstance(made.get(u), pulumi.CustomResource)]
        cls = class_of(r["type"])
        props = wired(r["inputs"], needed[0] if needed else source)
        props.update({path: pulumi.Output.secret("x") for path in r["secrets"] if path.isidentifier()})
        source = made[r["urn"]] = cls(r["name"], opts=opts, **arguments(cls, props))
    else:
        made[r["urn"]] = Component(r["type"], r["name"], opts)
'''


def timed(command: Sequence[str], cwd: Path, env: dict[str, str], accepted: Sequence[int] = (0,)) -> float:
    """Seconds a command takes.

    Raises:
        SystemExit: when it fails: then there is nothing to measure.
    """
    started = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    took = time.perf_counter() - started
    if done.returncode not in accepted:
        sys.exit(
            f"cannot measure: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"[-3000:]
        )
    return took


def bare_project(folder: Path, stack: str) -> int:
    """Write the bare program for what the stack registers; returns how many resources that is."""
    from dataplatform.local.plan_recorder import record

    recorded = [{**resource.to_json(), "custom": resource.custom} for resource in record(ROOT, stack)]
    (folder / "resources.json").write_text(json.dumps(recorded), "utf-8")
    (folder / "__main__.py").write_text(BARE, "utf-8")
    packages = {"gcp": "pulumi-gcp", "azure-native": "pulumi-azure-native", "databricks": "pulumi-databricks"}
    versions = {name: importlib.metadata.version(package) for name, package in packages.items()}
    (folder / "versions.json").write_text(json.dumps(versions), "utf-8")
    settings = {
        "name": "bare",
        "runtime": {"name": "python", "options": {"virtualenv": str(ROOT / ".venv")}},
    }
    (folder / "Pulumi.yaml").write_text(json.dumps(settings), "utf-8")
    return sum(bool(resource["custom"]) for resource in recorded)


def measure_preview(stack: str, rounds: int) -> tuple[float, float, int]:
    """Median seconds of our preview and of the bare one, for a stack that does not exist yet, and its size."""
    with tempfile.TemporaryDirectory(prefix="dp-benchmark-") as temporary:
        work = Path(temporary)
        base = {**os.environ, **engine_env(ROOT, local=True)}
        env = base | {
            "PULUMI_BACKEND_URL": (work / "state").as_uri(),
            "PULUMI_HOME": str(work / "home"),
            "LOCALCLOUD_HOME": str(work / "cloud"),
        }
        for name in ("state", "home", "bare"):
            (work / name).mkdir()
        size = bare_project(work / "bare", stack)
        pulumi = str(ROOT / ".dp" / "engine" / "pulumi")
        local = str(ROOT / ".venv" / "bin" / "localcloud")
        project = _gcp_project(stack)
        timed([local, "init", "--project", project], work, env)
        quiet = ["--non-interactive", "--color", "never"]
        folders = {"ours": ROOT, "bare": work / "bare"}
        for folder in folders.values():
            timed([pulumi, "stack", "init", stack, "--no-select", *quiet], folder, env)
        times: dict[str, list[float]] = {name: [] for name in folders}
        for turn in range(rounds + 1):
            for name, folder in folders.items():
                took = timed([pulumi, "preview", "--stack", stack, *quiet], folder, env)
                if turn:  # the first of each compiles Python files
                    times[name].append(took)
        return statistics.median(times["ours"]), statistics.median(times["bare"]), size


def _gcp_project(stack: str) -> str:
    from dataplatform.config.check import load_stack_config

    gcp = load_stack_config(ROOT, stack).platform.gcp
    if gcp is None:
        sys.exit(f"cannot measure: stack {stack} has nothing on Google Cloud")
    return gcp.project


def measure_plan(stack: str, rounds: int) -> tuple[float, float]:
    """Median seconds of `dp plan` and of a Python that imports and touches the provider modules it uses."""
    from dataplatform.local.plan_recorder import record

    types = sorted({r.type for r in record(ROOT, stack) if r.custom and not r.type.startswith("pulumi:")})
    # The SDKs load a module when an attribute of it is first touched: the class that the stack uses.
    lines = []
    for token in types:
        package, module, name = token.split(":")
        sdk, part = f"pulumi_{package.replace('-', '_')}", module.split("/")[0]
        lines += [f"import {sdk}", f"{sdk}.{part}.{name}"]
    python = str(ROOT / ".venv" / "bin" / "python")
    env = dict(os.environ)
    plans, imports = [], []
    for turn in range(rounds + 1):
        plan = timed([str(ROOT / ".venv" / "bin" / "dp"), "plan", stack], ROOT, env)
        bare = timed([python, "-c", "\n".join(lines)], ROOT, env)
        if turn:
            plans.append(plan)
            imports.append(bare)
    return statistics.median(plans), statistics.median(imports)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    if not (ROOT / ".dp" / "engine" / "pulumi").exists():
        sys.exit("cannot measure: the engine has not been obtained; run: make setup")
    ours, bare, size = measure_preview(args.stack, args.rounds)
    print(f"preview of {args.stack}, {size} resources, median of {args.rounds}")
    print(f"  this program {ours:.2f} s, bare program {bare:.2f} s")
    print(f"  ratio {ours / bare:.2f} (limit {PREVIEW_LIMIT}){'' if ours / bare <= PREVIEW_LIMIT else '  OVER'}")
    plan, imports = measure_plan(args.stack, args.rounds)
    print(f"dp plan {args.stack}, median of {args.rounds}")
    print(f"  dp plan {plan:.2f} s, import of its provider modules {imports:.2f} s")
    print(f"  ratio {plan / imports:.2f} (limit {PLAN_LIMIT}){'' if plan / imports <= PLAN_LIMIT else '  OVER'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
