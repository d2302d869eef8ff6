"""The commands `dp datafusion …`.

Heavy modules are imported inside the commands, as in `dataplatform.cli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataplatform.datafusion.options import (
    DRY_RUN,
    JSON,
    SINCE,
    Target,
    environment_of,
    folder_of,
    part_options,
    run,
    selection_of,
    target_options,
)
from dataplatform.datafusion.run_cli import RUN_COMMANDS
from dataplatform.diagnostics import nearest
from dataplatform.local.errors import Exit, UsageError
from dataplatform.local.output import Output

if TYPE_CHECKING:
    from dataplatform.datafusion.compare import Change


class _Group(click.Group):
    """Commands with the nearest name where one is misspelt."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(f"no command 'datafusion {args[0]}'; {nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, short_help="Data Fusion's pipelines in git: pull, diff, push, run.")
def datafusion() -> None:
    """Pull, compare, push and run the pipelines of a Data Fusion instance, or of any CDAP.

    The instance: --endpoint URL, or --instance, --project and --region. An address of Google's is called with the
    application default credentials; another one with the token in CDAP_ACCESS_TOKEN, if there is one.
    """


@datafusion.command()
@target_options
@part_options
@SINCE
@click.option("--versions", metavar="N|all", default="0", help="Old versions of each pipeline to keep as well.")
@click.option("--interactive", "-i", is_flag=True, help="Ask for each change whether to take it.")
@DRY_RUN
@JSON
def pull(
    target: Target,
    namespaces: tuple[str, ...],
    names: tuple[str, ...],
    folder: Path | None,
    mapping: Path | None,
    since: str | None,
    versions: str,
    interactive: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Write what the instance holds to files, one per object.

    With --since COMMIT only what changed on the instance since that commit; with --names only those pipelines; with
    --interactive only what you say yes to. Files of what is gone are deleted, never those of what was not asked for.
    """

    def body(output: Output) -> int:
        from dataplatform.datafusion import service

        if interactive and as_json:
            raise UsageError("--interactive asks you, and --json is for machines: leave one of them out")
        where = folder_of(output, folder)
        count = -1 if versions == "all" else int(versions) if versions.isdigit() else None
        if count is None:
            raise UsageError(f"--versions is a number or all, not '{versions}'")
        client, _ = target.connect()
        output.say(f"reading {client.endpoint}")
        pulled = service.pull(
            client,
            where,
            environment_of(where, mapping),
            selection_of(namespaces, names),
            since=since,
            versions=count,
            choose=_ask if interactive else None,
            dry_run=dry_run,
        )
        written = pulled.written
        output.data = {
            "changes": [change.as_dict() for change in pulled.changes],
            "added": [str(path) for path in written.added],
            "changed": [str(path) for path in written.changed],
            "removed": [str(path) for path in written.removed],
            "secrets": [str(hidden) for hidden in pulled.hidden],
        }
        for change in pulled.changes:
            output.say("\n".join(change.lines()))
        for hidden in pulled.hidden:
            output.say(f"secret: {hidden}")
        if dry_run:
            output.say(f"{len(pulled.changes)} changes; nothing was written")
        else:
            output.say(
                f"{len(written.added)} files added, {len(written.changed)} changed, {len(written.removed)} removed"
            )
        return Exit.OK

    return run(Output("datafusion pull", as_json), body)


def _ask(changes: list[Change]) -> list[Change]:
    """Let a person choose."""
    taken: list[Change] = []
    for i, change in enumerate(changes):
        click.echo("\n".join(change.lines()))
        answer = click.prompt("take it? (y)es, (n)o, (a)ll from here, (q)uit", default="y", show_default=False)
        if answer[:1].lower() == "a":
            return taken + changes[i:]
        if answer[:1].lower() == "q":
            break
        if answer[:1].lower() == "y":
            taken.append(change)
    return taken


@datafusion.command()
@target_options
@part_options
@SINCE
@click.option("--exit-code", is_flag=True, help="Exit with 2 where there are differences.")
@JSON
def diff(
    target: Target,
    namespaces: tuple[str, ...],
    names: tuple[str, ...],
    folder: Path | None,
    mapping: Path | None,
    since: str | None,
    exit_code: bool,
    as_json: bool,
) -> int:
    """Show what differs between the instance and the files, and who changed it.

    The common ancestor is the files at --since COMMIT, or at the merge base of HEAD and its upstream branch. What both
    sides changed to different values is a conflict, and named.
    """

    def body(output: Output) -> int:
        from dataplatform.datafusion import service

        where = folder_of(output, folder)
        client, _ = target.connect()
        found = service.difference(
            client, where, environment_of(where, mapping), selection_of(namespaces, names), since
        )
        output.data = {
            "ancestor": found.ancestor,
            "differences": [one.as_dict() for one in found.differences],
            "conflicts": sum(bool(one.side == "conflict") for one in found.differences),
            "secrets": [str(hidden) for hidden in found.hidden],
        }
        words = {
            "files": "changed in the files",
            "instance": "changed on the instance",
            "both": "changed on both sides",
            "conflict": "CONFLICT",
        }
        for one in found.differences:
            head, *rest = one.change.lines()
            output.say(f"{head}   [{words[one.side]}]" if one.side in words else head)
            for line in (*rest, *(f"    conflict: {text}" for text in one.conflicts)):
                output.say(line)
        since_words = f" since {found.ancestor[:10]}" if found.ancestor else "; who changed them is in no git history"
        since_words = since_words if found.differences or found.ancestor else ""
        conflicts = output.data["conflicts"]
        output.say(f"{len(found.differences)} objects differ, {conflicts} in conflict{since_words}")
        return Exit.CHANGES if exit_code and found.differences else Exit.OK

    return run(Output("datafusion diff", as_json), body)


@datafusion.command()
@target_options
@part_options
@click.option("--replace", is_flag=True, help="Push everything again, also what is the same.")
@click.option("--prune", is_flag=True, help="Delete what the files do not have.")
@click.option("--allow-deletes", type=click.IntRange(min=0), help="How many objects may be deleted.")
@click.option("--upgrade", is_flag=True, help="Use the instance's versions of artifacts, newer or of another patch.")
@click.option("--message", "-m", default="", help="The description of the change, as the instance's history shows it.")
@click.option("--exit-code", is_flag=True, help="With --dry-run: exit with 2 where there is something to do.")
@DRY_RUN
@JSON
def push(
    target: Target,
    namespaces: tuple[str, ...],
    names: tuple[str, ...],
    folder: Path | None,
    mapping: Path | None,
    replace: bool,
    prune: bool,
    allow_deletes: int | None,
    upgrade: bool,
    message: str,
    exit_code: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make the instance hold what the files say: only what differs, in the order it is needed.

    Everything is checked before anything is changed. A schedule that runs goes on running, and a pipeline that somebody
    else changed meanwhile is not overwritten. Stopped or failed half-way it says what was done (exit 5); push again.
    """

    def body(output: Output) -> int:
        from dataplatform.datafusion import service

        where = folder_of(output, folder)
        client, edition = target.connect()
        output.say(f"comparing {where.name} with {client.endpoint}")
        prepared = service.prepare(
            client,
            where,
            environment_of(where, mapping),
            selection_of(namespaces, names),
            replace=replace,
            prune=prune,
            upgrade=upgrade,
            edition=edition,
            allow_deletes=allow_deletes,
        )
        steps = prepared.steps
        output.data = {
            "steps": [step.as_dict() for step in steps],
            "changes": [change.as_dict() for change in prepared.changes],
        }
        for change in prepared.changes:
            output.say("\n".join(change.lines()))
        if dry_run:
            output.say(f"{len(steps)} to do; nothing was changed" if steps else "nothing to do")
            return Exit.CHANGES if exit_code and steps else Exit.OK
        result = prepared.apply(output.say, message)
        output.data |= result.as_dict()
        error = result.error()
        if error is not None:
            raise error
        output.say(f"{len(result.done)} done" if result.done else "nothing to do")
        return Exit.OK

    command = "dp datafusion push"
    return run(Output("datafusion push", as_json, again=command), body)


@datafusion.command()
@click.argument("pipeline")
@click.option("--namespace", metavar="NAME", help="Its namespace, where several have a pipeline of that name.")
@click.option("--folder", metavar="DIR", type=click.Path(path_type=Path), help="The files of the exports.")
@JSON
def graph(pipeline: str, namespace: str | None, folder: Path | None, as_json: bool) -> int:
    """Print a pipeline of the files as a Mermaid flowchart, for Markdown. Nothing is asked of an instance."""

    def body(output: Output) -> int:
        from dataplatform.datafusion import files, picture
        from dataplatform.datafusion.model import Kind

        where = folder_of(output, folder)
        export = files.load(where).export
        selection_of((namespace,) if namespace else (), ()).known(export, where.name)
        there = {
            key: found
            for key, found in export.items()
            if key.kind == Kind.PIPELINE and namespace in (None, key.namespace)
        }
        named = [key for key in there if key.name == pipeline]
        if not named:
            names = {key.name for key in there}
            raise UsageError(f"{where.name} has no pipeline '{pipeline}'; {nearest(pipeline, names)}")
        if len(named) > 1:
            spaces = ", ".join(sorted(key.namespace for key in named))
            raise UsageError(f"several namespaces have a pipeline '{pipeline}': {spaces}; say which with --namespace")
        text = picture.mermaid(there[named[0]])
        output.data = {"namespace": named[0].namespace, "pipeline": pipeline, "mermaid": text}
        output.say(text.rstrip("\n"))
        return Exit.OK

    return run(Output("datafusion graph", as_json), body)


@datafusion.group()
def sandbox() -> None:
    """A real CDAP on this machine, to try pipelines on (Java 17 and Maven; 350 MB once)."""


@sandbox.command("up")
@click.option("--fresh", is_flag=True, help="Begin with no data.")
@JSON
def sandbox_up(fresh: bool, as_json: bool) -> int:
    """Start it, or find that it runs; the first time it is downloaded."""

    def body(output: Output) -> None:
        from dataplatform.datafusion.sandbox import up

        found = up(fresh=fresh)
        output.data = {"endpoint": found.url, "pid": found.pid, "home": str(found.home)}
        output.say(f"{found.url} (process {found.pid}); use it with --endpoint {found.url}")

    return run(Output("datafusion sandbox up", as_json), body)


@sandbox.command("down")
@JSON
def sandbox_down(as_json: bool) -> int:
    """Stop it. Its data stay."""

    def body(output: Output) -> None:
        from dataplatform.datafusion.sandbox import down

        output.data = {"ran": down()}
        output.say("stopped" if output.data["ran"] else "it was not running")

    return run(Output("datafusion sandbox down", as_json), body)


@sandbox.command("status")
@JSON
def sandbox_status(as_json: bool) -> int:
    """Say whether it runs, and where."""

    def body(output: Output) -> None:
        from dataplatform.datafusion.sandbox import status

        found = status()
        output.data = {"running": found is not None, "endpoint": found.url if found is not None else None}
        output.say(
            f"running at {found.url}" if found is not None else "not running; start it: dp datafusion sandbox up"
        )

    return run(Output("datafusion sandbox status", as_json), body)


for _command in RUN_COMMANDS:
    datafusion.add_command(_command)


COMMANDS: tuple[click.Command, ...] = (datafusion,)
"""All of them: `for command in COMMANDS: dp.add_command(command)`."""
