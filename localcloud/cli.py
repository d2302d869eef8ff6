"""`localcloud`: look at the embedded cloud, start it anew, break it on purpose."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import click

from localcloud import faults, inventory, shared_network, store
from localcloud.errors import ApiError
from localcloud.services import google
from localcloud.world import World, default_home

_PROJECT = re.compile(r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of the world. Default: $LOCALCLOUD_HOME, else .dp/cloud below the working directory.",
)
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """The embedded cloud: one world in a folder, served to Pulumi by provider plugins and to clients over REST."""
    context.obj = home or default_home()


def _open(context: click.Context, *, make: bool = False) -> World:
    home: Path = context.obj
    if not make and not (home / "world.db").exists():
        raise click.ClickException(f"there is no embedded cloud in {home}; `localcloud init --project ID` makes one")
    try:
        return World(home)
    except (OSError, sqlite3.Error) as error:
        raise click.ClickException(f"cannot open the world in {home}: {error}") from error


@main.command()
@click.option("--project", "first", multiple=True, help="Id of a project to create; may be repeated.")
@click.option("--host", metavar="ID", help="A host project with a network that stacks only refer to (Shared VPC).")
@click.option("--network", default="shared", show_default=True, help="Name of the host's network.")
@click.option("--subnet", "subnets", multiple=True, metavar="REGION/NAME=RANGE", help="A subnet of it; repeatable.")
@click.option("--attachment", "attachments", multiple=True, metavar="NAME=SUBNET", help="A network attachment of it.")
@click.option("--peering", metavar="RANGE", help="Connect it to Google's services over this range.")
@click.argument("more", nargs=-1, metavar="[ID]...")
@click.pass_context
def init(
    context: click.Context,
    first: tuple[str, ...],
    host: str | None,
    network: str,
    subnets: tuple[str, ...],
    attachments: tuple[str, ...],
    peering: str | None,
    more: tuple[str, ...],
) -> None:
    """Create projects, each with the APIs a new Google Cloud project has. What exists already stays as it is."""
    projects = tuple(dict.fromkeys((*first, *more)))
    if host is None and (subnets or attachments or peering):
        raise click.ClickException("a network needs its project: add --host ID")
    wrong = [p for p in (*projects, *([host] if host else [])) if not _PROJECT.match(p)]
    if wrong:
        raise click.ClickException(
            f"'{wrong[0]}' is no project id: 6 to 30 characters, lower case letters, digits, hyphens, a letter first"
        )
    world = _open(context, make=True)
    with world.transaction() as tx:
        for project in projects:
            created = store.create_project(tx, project, google.DEFAULT_APIS)
            number = store.project_number(tx, project)
            click.echo(f"{project} ({number}): {'created' if created else 'exists'}")
    if host is not None:
        try:
            for link in shared_network.make(
                world, shared_network.described(host, network, subnets, attachments, peering)
            ):
                click.echo(link)
        except (ApiError, shared_network.BadNetworkError) as error:
            raise click.ClickException(str(getattr(error, "message", error))) from error


@main.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@click.option("--all", "everything", is_flag=True, help="Also what services made themselves and what is kept for good.")
@click.pass_context
def list_resources(context: click.Context, as_json: bool, everything: bool) -> None:
    """List what programs created: resources, grants, enabled APIs."""
    if as_json and not (context.obj / "world.db").exists():
        click.echo("[]")  # to a program, no cloud is an empty one
        return
    world = _open(context)
    entries = inventory.entries(world)
    shown = [e for e in entries if everything or e.origin == "user"]
    if as_json:
        click.echo(json.dumps([e.as_dict() for e in shown], indent=1))
        return
    for entry in shown:
        mark = "" if entry.origin == "user" else f"  [{entry.origin}]"
        click.echo(f"{entry.type}  {entry.id}{mark}")
    hidden = len(entries) - len(shown)
    click.echo(f"{len(shown)} resources" + (f", {hidden} more that services made or keep (--all)" if hidden else ""))


@main.command("rm")
@click.argument("ids", nargs=-1, required=True)
@click.pass_context
def remove(context: click.Context, ids: tuple[str, ...]) -> None:
    """Delete resources behind the engine's back, by their ids (as `ls` shows them)."""
    world = _open(context)
    for resource_id in ids:
        try:
            removed = inventory.remove(world, resource_id)
        except ApiError as error:
            raise click.ClickException(f"{resource_id}: {error.message}") from error
        if not removed:
            raise click.ClickException(f"there is no resource with the id '{resource_id}'; `localcloud ls` lists them")
        click.echo(f"deleted {removed}  {resource_id}")


@main.command()
@click.option("--project", "projects", multiple=True, help="Only this project, with all in it; may be repeated.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def reset(context: click.Context, projects: tuple[str, ...], yes: bool) -> None:
    """Throw the world away: all projects, resources, objects and the log. With --project, only what is in those."""
    home: Path = context.obj
    if projects:
        _reset_projects(_open(context), projects, yes)
        return
    if not home.exists():
        click.echo(f"there is no embedded cloud in {home}")
        return
    known = {"world.db", "world.db-wal", "world.db-shm", "buckets", "staged", "calls.jsonl"}
    strange = sorted(p.name for p in home.iterdir() if p.name not in known)
    if strange:
        raise click.ClickException(
            f"{home} also holds {', '.join(strange[:3])}: is it the right folder? Nothing was deleted"
        )
    if not yes:
        click.confirm(f"Delete everything in {home}?", abort=True)
    shutil.rmtree(home)
    click.echo(f"deleted {home}")


def _reset_projects(world: World, projects: tuple[str, ...], yes: bool) -> None:
    with world.transaction() as tx:
        unknown = [project for project in projects if store.project_number(tx, project) is None]
    if unknown:
        raise click.ClickException(f"there is no project '{unknown[0]}' in the embedded cloud")
    if not yes:
        click.confirm(f"Delete everything in {', '.join(projects)}?", abort=True)
    for project in projects:
        count = inventory.forget_project(world, project)
        click.echo(f"deleted {project} and {count} resources in it")


@main.command()
@click.option("-n", "count", type=click.IntRange(1), default=50, show_default=True, help="How many of the last calls.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as they are: JSON, one a line.")
@click.option("--errors", is_flag=True, help="Only calls that failed.")
@click.pass_context
def log(context: click.Context, count: int, as_json: bool, errors: bool) -> None:
    """Show the last calls the cloud got, the newest last."""
    world = _open(context)
    lines = world.log.read_text(encoding="utf-8").splitlines() if world.log.exists() else []
    calls = [(line, _parsed(line)) for line in lines]
    if errors:
        calls = [(line, call) for line, call in calls if call.get("outcome") == "error"]
    for line, call in calls[-count:]:
        if as_json:
            click.echo(line)
            continue
        name = str(call.get("urn", "")).rpartition("::")[2] or str(call.get("id", ""))
        text = f"{call.get('method', ''):8} {call.get('type', '')} {name}".rstrip()
        click.echo(text + (f": {call.get('message')}" if call.get("outcome") == "error" else ""))


def _parsed(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


@main.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on the loopback interface; 0 picks a free one."
)
@click.option(
    "--route", "routes", multiple=True, metavar="PREFIX=URL", help="Send workflows' calls below PREFIX to URL."
)
@click.option("--time-scale", type=click.FloatRange(min=0), default=1.0, help="Multiplies the waits of workflows.")
@click.pass_context
def serve(context: click.Context, port: int, routes: tuple[str, ...], time_scale: float) -> None:
    """Serve the REST APIs, until interrupted: Workflows, executions, Data Fusion, its CDAP, BigQuery, Azure's ARM."""
    from localcloud.workflows.server import serve as serve_rest

    world = _open(context, make=True)
    pairs = [route.partition("=") for route in routes]
    if any(not url for _, _, url in pairs):
        raise click.ClickException(
            "a route is written PREFIX=URL, as in https://x.cloudfunctions.net=http://127.0.0.1:8080"
        )
    try:
        server = serve_rest(world, port, routes={prefix: url for prefix, _, url in pairs}, time_scale=time_scale)
    except OSError as error:
        raise click.ClickException(f"cannot listen on port {port}: {error.strerror}") from error
    click.echo(f"http://127.0.0.1:{server.port}")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.close()


@main.group()
def fault() -> None:
    """Faults on request: let an operation fail, be slow, lose its reply, or kill the plugin."""


@fault.command("add")
@click.option(
    "--on", "method", type=click.Choice(faults.METHODS), default="*", show_default=True, help="Which operation."
)
@click.option("--match", default="*", show_default=True, help="Pattern of the resource type or URN: 'gcp:storage/*'.")
@click.option("--nth", type=click.IntRange(1), default=1, show_default=True, help="The how-manieth matching operation.")
@click.option("--times", type=click.IntRange(1), default=1, show_default=True, help="How many in a row.")
@click.argument("action")
@click.pass_context
def fault_add(context: click.Context, method: str, match: str, nth: int, times: int, action: str) -> None:
    """Add a fault.

    ACTION: fail=STATUS, drop (do it, lose the reply), slow=SECONDS, die=before|after, hold=before|after, partial.
    """
    world = _open(context, make=True)
    try:
        faults.add(world, faults.make(method, match, nth, action, times))
    except faults.BadFaultError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{action} on {method} {match}, operation {nth}")


@fault.command("list")
@click.pass_context
def fault_list(context: click.Context) -> None:
    """List the faults that have not fallen due yet."""
    world = _open(context)
    for row in world.connect().execute("SELECT * FROM faults ORDER BY id"):
        what = f"{row['action']} on {row['method']} {row['match']}"
        click.echo(f"{row['id']}: {what}, operation {row['nth']}, seen {row['seen']}")


@fault.command("clear")
@click.pass_context
def fault_clear(context: click.Context) -> None:
    """Forget all faults."""
    world = _open(context)
    with world.transaction() as tx:
        tx.execute("DELETE FROM faults")


if __name__ == "__main__":
    main()
