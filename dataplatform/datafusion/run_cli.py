"""The commands that run pipelines: start, stop, status, logs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dataplatform.datafusion.options import JSON, Target, run, target_options
from dataplatform.local.errors import Exit, PartialError, UsageError
from dataplatform.local.output import Output

_NAMESPACE = click.option("--namespace", default="default", show_default=True, help="The pipeline's namespace.")
_RUN = click.option("--run", "run_id", metavar="ID", help="Which run.")


@click.command()
@click.argument("pipeline")
@target_options
@_NAMESPACE
@click.option("--arg", "given", metavar="NAME=VALUE", multiple=True, help="A runtime argument.")
@click.option(
    "--args-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Runtime arguments, a JSON object.",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the run has ended.")
@click.option("--timeout", type=click.FloatRange(min=0), default=3600.0, show_default=True, help="Seconds to wait.")
@click.option("--poll", type=click.FloatRange(min=0.05), default=5.0, show_default=True, help="Seconds between looks.")
@JSON
def start(
    pipeline: str,
    target: Target,
    namespace: str,
    given: tuple[str, ...],
    args_file: Path | None,
    wait: bool,
    timeout: float,
    poll: float,
    as_json: bool,
) -> int:
    """Start a run of PIPELINE and wait for it. Any end but COMPLETED is a failure (exit 3)."""

    def body(output: Output) -> int:
        from dataplatform.datafusion import runs

        arguments = _arguments(given, args_file)
        client, _ = target.connect()
        found = runs.program(client, namespace, pipeline)
        run_id = runs.start(found, arguments)
        output.data = {"namespace": namespace, "pipeline": pipeline, "run": run_id, "status": "PENDING"}
        output.say(f"{namespace}/{pipeline} started: run {run_id}")
        if not wait:
            return Exit.OK
        output.again = f"dp datafusion status {pipeline} --namespace {namespace} (run {run_id} goes on)"
        try:
            record = runs.wait(found, run_id, timeout=timeout, say=output.say, poll=poll)
        except KeyboardInterrupt as stopped:
            raise PartialError(f"stopped waiting; run {run_id} goes on: see {output.again}") from stopped
        output.data["status"] = record["status"]
        if record["status"] == "COMPLETED":
            return Exit.OK
        output.say(f"see why: dp datafusion logs {pipeline} --namespace {namespace} --run {run_id}")
        return Exit.CLOUD

    return run(Output("datafusion start", as_json), body)


def _arguments(given: tuple[str, ...], file: Path | None) -> dict[str, str]:
    arguments: dict[str, str] = {}
    if file is not None:
        try:
            read = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as problem:
            raise UsageError(f"{file} is not JSON ({problem})") from problem
        if not isinstance(read, dict) or not all(isinstance(v, str | int | float | bool) for v in read.values()):
            raise UsageError(f"{file} is not an object of names with single values")
        arguments |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in read.items()}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"--arg has the form NAME=VALUE, not '{one}'")
        arguments[name] = value
    return arguments


@click.command()
@click.argument("pipeline")
@target_options
@_NAMESPACE
@_RUN
@JSON
def stop(pipeline: str, target: Target, namespace: str, run_id: str | None, as_json: bool) -> int:
    """Stop a run of PIPELINE, or all of its runs that have not ended."""

    def body(output: Output) -> None:
        from dataplatform.datafusion import runs

        client, _ = target.connect()
        stopped = runs.stop(runs.program(client, namespace, pipeline), run_id)
        output.data = {"namespace": namespace, "pipeline": pipeline, "stopped": stopped}
        for one in stopped:
            output.say(f"{namespace}/{pipeline}: run {one} was told to stop")

    return run(Output("datafusion stop", as_json), body)


@click.command()
@click.argument("pipelines", nargs=-1)
@target_options
@_NAMESPACE
@click.option("--limit", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs of each pipeline.")
@JSON
def status(pipelines: tuple[str, ...], target: Target, namespace: str, limit: int, as_json: bool) -> int:
    """Show the last runs of the PIPELINES, of all of the namespace where none is named."""

    def body(output: Output) -> None:
        from dataplatform.datafusion import runs

        client, _ = target.connect()
        found = runs.status(client, namespace, list(pipelines), limit)
        output.data = {"pipelines": found}
        for one in found:
            for last in one["runs"] or [{"status": "never ran", "id": ""}]:
                when = last.get("ended") or last.get("running") or last.get("started") or ""
                output.say(f"{one['pipeline']:40} {last['status']:10} {when:20} {last['id']}".rstrip())

    return run(Output("datafusion status", as_json), body)


@click.command()
@click.argument("pipeline")
@target_options
@_NAMESPACE
@_RUN
@JSON
def logs(pipeline: str, target: Target, namespace: str, run_id: str | None, as_json: bool) -> int:
    """Print the log of a run of PIPELINE, the last one unless told."""

    def body(output: Output) -> None:
        from dataplatform.datafusion import runs

        client, _ = target.connect()
        shown, text = runs.logs(runs.program(client, namespace, pipeline), run_id)
        output.data = {"namespace": namespace, "pipeline": pipeline, "run": shown, "log": text}
        output.say(text.rstrip("\n"))

    return run(Output("datafusion logs", as_json), body)


RUN_COMMANDS: tuple[click.Command, ...] = (start, stop, status, logs)
"""All of them."""
