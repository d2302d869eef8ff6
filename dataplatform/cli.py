"""The command line, `dp`: what a person types, checked and handed on. Each command's work is elsewhere.

Heavy modules are imported inside the commands: `dp check` must not wait for the Pulumi SDK.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataplatform.datafusion.cli import COMMANDS as DATA_FUSION_COMMANDS
from dataplatform.diagnostics import nearest
from dataplatform.local.engine_env import as_shell, engine_env, project_root
from dataplatform.local.errors import Exit, UsageError
from dataplatform.local.output import Output, execute
from dataplatform.show.cli import COMMANDS

if TYPE_CHECKING:
    from dataplatform.compile.plan import Engine
    from dataplatform.config.check import LoadedStack
    from infra.decide import Decided

ENGINES = click.Choice(["airflow", "workflows"])
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, diagnostics included.")
_NO_REPLACE = click.option("--no-replace", is_flag=True, help="Any replacement is an error.")
_LOCAL = click.option("--local", is_flag=True, help="Against the embedded cloud on this machine.")


class Group(click.Group):
    """Commands with the nearest name where one is misspelt."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which was probably meant."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(f"no command '{args[0]}'; {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="The project, instead of the nearest.")
@click.version_option(package_name="data-platform", prog_name="dp")
@click.pass_context
def dp(ctx: click.Context, root: Path | None) -> None:
    """Check, compile, plan, run and bring up a data platform.

    Exit status: 0 ok, 1 input, 2 changes (where asked), 3 cloud, 4 lock or state, 5 partial, 64 usage.
    """
    ctx.obj = root


def _root(ctx: click.Context) -> Path:
    given: Path | None = ctx.obj
    if given is not None and not (given / "Pulumi.yaml").is_file():
        raise UsageError(f"{given} has no Pulumi.yaml; name the project's folder with --root")
    root = given.resolve() if given is not None else project_root()
    if root is None:
        raise UsageError("no Pulumi.yaml here or above; go to the project, or name it with dp --root DIR")
    return root


def _stacks(root: Path) -> list[str]:
    return sorted(file.name[len("Pulumi.") : -len(".yaml")] for file in root.glob("Pulumi.*.yaml"))


def _known_stack(root: Path, stack: str) -> str:
    known = _stacks(root)
    if stack not in known:
        raise UsageError(f"no stack '{stack}'; {nearest(stack, known)}")
    return stack


@dp.command(short_help="Check stacks and definitions: every mistake at once.")
@click.argument("stacks", nargs=-1)
@_JSON
@click.pass_context
def check(ctx: click.Context, stacks: tuple[str, ...], as_json: bool) -> int:
    """Check the STACKS' configuration and definitions (all stacks where none is named)."""

    def body(output: Output) -> None:
        from infra.decide import check_stacks

        output.root = root = _root(ctx)
        names = [_known_stack(root, stack) for stack in stacks] or _stacks(root)
        output.data = {"stacks": names}
        output.diagnostics.extend(check_stacks(root, names).items)
        if not output.diagnostics:
            output.say(f"ok: {', '.join(names)}")

    return execute(Output("check", as_json), body)


@dp.command("compile", short_help="Compile definitions to DAGs and workflows.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write into.")
@click.option("--engine", type=ENGINES, help="Compile for this engine instead of the one each definition names.")
@click.option("--stack", default="dev", show_default=True, help="The stack whose values the texts get.")
@_JSON
@click.pass_context
def compile_(
    ctx: click.Context, files: tuple[Path, ...], out: Path, engine: Engine | None, stack: str, as_json: bool
) -> int:
    """Compile pipeline definition FILES to DAGs and workflow definitions."""

    def body(output: Output) -> None:
        from dataplatform.local import compile_files

        output.root = root = _root(ctx)
        written = compile_files.compile_files(root, files, out, engine, _known_stack(root, stack))
        output.data = {"files": [str(file) for file in written]}
        for file in written:
            output.say(str(file))

    return execute(Output("compile", as_json), body)


@dp.command(short_help="Show what a STACK would register or change, offline.")
@click.argument("stack")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An exported state (pulumi stack export): show what an up would change of it.",
)
@_LOCAL
@click.option("--exit-code", is_flag=True, help="With a state: exit with 2 where there are changes.")
@_NO_REPLACE
@_JSON
@click.pass_context
def plan(
    ctx: click.Context,
    stack: str,
    against: Path | None,
    local: bool,
    exit_code: bool,
    no_replace: bool,
    as_json: bool,
) -> int:
    """Show what a STACK would register: no engine, no credentials, no network.

    With --against FILE, or --local for the state of the embedded cloud, show what would change of that state, field by
    field. Secret values, and what the cloud has otherwise than the state, are not seen.
    """

    def body(output: Output) -> int:
        from dataplatform.local import plan_against, plan_tree

        output.root = root = _root(ctx)
        _known_stack(root, stack)
        file = against or (plan_against.local_state(root, stack) if local else None)
        if file is not None:
            changes = plan_against.show(output, stack, file, no_replace=no_replace)
            return Exit.CHANGES if exit_code and changes else Exit.OK
        if exit_code or no_replace:
            raise UsageError("against what: name an exported state with --against FILE, or --local")
        output.data = {"stack": stack, "resources": []}
        from dataplatform.local.plan_recorder import record

        resources = record(root, stack)
        output.data["resources"] = [resource.to_json() for resource in resources]
        for line in plan_tree.render(resources):
            output.say(line)
        return Exit.OK

    return execute(Output("plan", as_json), body)


@dp.command(short_help="Run a PIPELINE on this machine.")
@click.argument("pipeline")
@_LOCAL
@click.option("--engine", type=ENGINES, help="Run on this engine instead of the ones the definition names.")
@click.option("--stack", default="dev", show_default=True, help="The stack whose values the text gets.")
@click.option(
    "--rows",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Rows of the configuration of a datafusion definition (JSON or CSV), in place of the stack's table.",
)
@_JSON
@click.pass_context
def run(
    ctx: click.Context,
    pipeline: str,
    local: bool,
    engine: Engine | None,
    stack: str,
    rows: Path | None,
    as_json: bool,
) -> int:
    """Run a PIPELINE (a name, or a definition file) on this machine, against stand-in step executors.

    One of kind datafusion runs against the embedded BigQuery and CDAP: those of the stack that is up, or with --rows
    ones of its own.
    """

    def body(output: Output) -> int:
        from dataplatform.local import page, pipelines
        from dataplatform.local.run import run as run_plan

        if not local:
            raise UsageError("say where: dp run runs pipelines on this machine only, with --local")
        output.root = root = _root(ctx)
        plans = pipelines.plans(root, _known_stack(root, stack), pipeline, engine)
        traces = []
        if rows is not None and any(one.fusion is None for one in plans):
            raise UsageError(f"--rows is for definitions of kind datafusion, and '{pipeline}' is none")
        for one in plans:
            if one.fusion is not None:
                from dataplatform.local.fusion_run import run_fusion

                folder = pipelines.exports(root, stack)
                traces.append(run_fusion(root, one, output.say, exports=folder, rows=rows))
                continue
            for target in one.engines:
                others = pipelines.related(root, stack, one)
                trace, file = run_plan(root, one, target, output.say, others=others)
                traces.append((trace, file))
        written = page.write(root, stack)
        output.data = {"runs": [pipelines.as_dict(trace, file) for trace, file in traces], "page": str(written)}
        return Exit.OK if all(trace.state == "succeeded" for trace, _ in traces) else Exit.CLOUD

    return execute(Output("run", as_json, again=f"dp run {pipeline} --local"), body)


@dp.command()
@click.argument("stack")
@_LOCAL
@click.option("--allow-deletes", type=click.IntRange(min=0), help="How many resources may be deleted or replaced.")
@_NO_REPLACE
@_JSON
@click.pass_context
def up(ctx: click.Context, stack: str, local: bool, allow_deletes: int | None, no_replace: bool, as_json: bool) -> int:
    """Bring a STACK up: check, preview, apply.

    What somebody changed in the cloud by hand (drift) is named before it is overwritten.
    """

    def body(output: Output) -> None:
        from dataplatform.local.stack import Session

        loaded = _decided(ctx, output, "up", stack, local).loaded
        session = Session(_root(ctx), stack, _display(output))
        with _on_page(output, "up", stack):
            report = session.up(allow_deletes=allow_deletes, projects=_projects(loaded), no_replace=no_replace)
            output.data = report.as_dict()
            _conclude(output, report.changes, "nothing to change")

    return execute(Output("up", as_json, again=f"dp up {stack} --local"), body)


@dp.command()
@click.argument("stack")
@_LOCAL
@click.option("--exit-code", is_flag=True, help="Exit with 2 where there are changes.")
@click.option("--refresh/--no-refresh", default=True, show_default=True, help="Ask the cloud what it has (drift).")
@_NO_REPLACE
@_JSON
@click.pass_context
def preview(
    ctx: click.Context, stack: str, local: bool, exit_code: bool, refresh: bool, no_replace: bool, as_json: bool
) -> int:
    """Show what an up of a STACK would do, and change nothing.

    Field by field, old and new, what of it is drift, what replaces, and how long it is known to take; for a pipeline,
    the difference of its texts and of its meaning.
    """

    def body(output: Output) -> int:
        from dataplatform.local.stack import Session
        from dataplatform.show.preview import changes_in_pipelines

        decided = _decided(ctx, output, "preview", stack, local)
        session = Session(_root(ctx), stack, _display(output, preview=True))
        report = session.preview(_projects(decided.loaded), refresh=refresh, no_replace=no_replace)
        output.data = report.as_dict()
        changes_in_pipelines(output, session, decided, report.resources)
        changes = _conclude(output, report.changes, "no changes")
        return Exit.CHANGES if exit_code and changes else Exit.OK

    return execute(Output("preview", as_json), body)


@dp.command()
@click.argument("stack")
@_LOCAL
@_JSON
@click.pass_context
def down(ctx: click.Context, stack: str, local: bool, as_json: bool) -> int:
    """Destroy all of a STACK."""

    def body(output: Output) -> None:
        from dataplatform.local.stack import Session

        _needs_local(local, "down", stack)
        output.root = root = _root(ctx)
        with _on_page(output, "down", stack):
            report = Session(root, _known_stack(root, stack), _display(output)).down()
            output.data = report.as_dict()
            _conclude(output, report.changes, "nothing to destroy")

    return execute(Output("down", as_json, again=f"dp down {stack} --local"), body)


@dp.command(short_help="Show a STACK's outputs, last runs, and where to look.")
@click.argument("stack")
@_LOCAL
@_JSON
@click.pass_context
def status(ctx: click.Context, stack: str, local: bool, as_json: bool) -> int:
    """Show a STACK's outputs, the pipelines' last runs, and where to look."""

    def body(output: Output) -> None:
        from dataplatform.local import status as shown

        _needs_local(local, "status", stack)
        output.root = root = _root(ctx)
        output.data = shown.collect(root, _known_stack(root, stack))
        for line in shown.lines(output.data):
            output.say(line)

    return execute(Output("status", as_json), body)


@dp.command()
@click.option("--shell", is_flag=True, help="Export lines (this is the default form).")
@click.option("--cloud", is_flag=True, help="Only the executables, for a real cloud: your own backend and plugins.")
@_JSON
@click.pass_context
def env(ctx: click.Context, shell: bool, cloud: bool, as_json: bool) -> int:
    """Print the environment for plain pulumi: eval "$(dp env)"."""
    del shell

    def body(output: Output) -> None:
        from dataplatform.local.engine_env import state_directory

        output.root = root = _root(ctx)
        variables = engine_env(root, local=not cloud)
        if not cloud:
            state_directory(root).mkdir(parents=True, exist_ok=True)
        output.data = {"variables": variables}
        output.say(as_shell(variables).rstrip("\n"))

    return execute(Output("env", as_json), body)


for _command in (*COMMANDS, *DATA_FUSION_COMMANDS):
    dp.add_command(_command)


def _needs_local(local: bool, command: str, stack: str) -> None:
    if not local:
        verb = {"down": "destroy", "status": "stack"}.get(command, command)
        raise UsageError(
            f"say where: dp {command} {stack} --local for the embedded cloud; "
            f"a real cloud is pulumi {verb} --stack {stack}, logged in to your own backend"
        )


def _decided(ctx: click.Context, output: Output, command: str, stack: str, local: bool) -> Decided:
    """The stack, checked: a command that changes something starts with `dp check`."""
    from infra.decide import decide

    _needs_local(local, command, stack)
    output.root = root = _root(ctx)
    decided = decide(root, _known_stack(root, stack))
    output.diagnostics.extend(decided.warnings)
    output.say(f"{stack}: the configuration and {len(decided.loaded.definitions)} definitions are right")
    return decided


def _projects(loaded: LoadedStack) -> list[str]:
    gcp = loaded.platform.gcp
    domains = loaded.platform.pipelines.domains.values() if loaded.platform.pipelines is not None else ()
    return list(dict.fromkeys([gcp.project, *(domain.project for domain in domains)])) if gcp is not None else []


def _display(output: Output, *, preview: bool = False) -> Any:
    from dataplatform.local.display import Display

    return Display(sys.stdout, quiet=output.json, preview=preview)


def _conclude(output: Output, changes: dict[str, int], nothing: str) -> int:
    """Say how many of what were changed; returns how many."""
    counts = {op: n for op, n in changes.items() if op not in ("same", "read", "refresh") and n}
    same = changes.get("same", 0)
    text = ", ".join(f"{n} {op}" for op, n in sorted(counts.items())) or nothing
    output.say(f"{text}{f', {same} unchanged' if same else ''}")
    from dataplatform.local import outputs

    for line in outputs.lines(output.data.get("outputs") or {}):
        output.say(line)
    return sum(counts.values())


@contextlib.contextmanager
def _on_page(output: Output, command: str, stack: str) -> Iterator[None]:
    """Show on the page what the block did, also where it failed."""
    from dataplatform.local.stack import FailedError

    try:
        yield
    except FailedError as problem:
        output.data = problem.report.as_dict()
        _page(output, command, stack)
        raise
    _page(output, command, stack)


def _page(output: Output, command: str, stack: str) -> None:
    from dataplatform.local import page, page_data

    assert output.root is not None
    page_data.save_last(output.root, stack, {"command": command, **output.data})
    written = page.write(output.root, stack)
    output.data["page"] = str(written)
    output.say(f"page: {written}")


def main() -> int:
    """The entry point; click's own errors become status 64, and a document where one is asked for."""
    try:
        return int(dp.main(standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as shown:
        sys.stderr.write(shown.format_message() + "\n")
        return Exit.USAGE
    except click.ClickException as problem:
        said = problem.format_message()
        if "--json" in sys.argv[1:]:
            command = next((a for a in sys.argv[1:] if a in dp.commands), "dp")
            print(json.dumps(Output(command, True).document(Exit.USAGE, said), indent=2))  # noqa: T201
        else:
            context = problem.ctx if isinstance(problem, click.UsageError) else None
            usage = f"{context.get_usage()}\n" if context else ""
            sys.stderr.write(f"{usage}error: {said}\n")
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("error: stopped\n")
        return Exit.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
