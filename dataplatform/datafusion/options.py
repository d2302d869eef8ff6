"""What the commands of `dp datafusion` have in common: which instance, which part of it, which files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dataplatform.datafusion.errors import DataFusionError
from dataplatform.datafusion.layout import DEFAULT_FOLDER
from dataplatform.local.engine_env import project_root
from dataplatform.local.errors import ToolError, UsageError
from dataplatform.local.output import Output, execute

if TYPE_CHECKING:
    from dataplatform.datafusion.client import Client
    from dataplatform.datafusion.macros import Environment
    from dataplatform.datafusion.service import Selection

F = TypeVar("F", bound=Callable[..., Any])

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, diagnostics included.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
SINCE = click.option("--since", metavar="COMMIT", help="The commit to compare with, instead of the merge base.")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The instance that is meant."""

    endpoint: str | None
    instance: str | None
    project: str | None
    region: str | None
    concurrency: int

    def connect(self) -> tuple[Client, str]:
        """A client, and the instance's edition where it is known."""
        from dataplatform.datafusion.client import Client

        if self.endpoint:
            if self.instance:
                told = " (the endpoint is the one in CDAP_ENDPOINT)" if os.environ.get("CDAP_ENDPOINT") else ""
                raise UsageError(
                    f"name the instance by --endpoint, or by --instance, --project and --region, not by both{told}"
                )
            return Client.connect(self.endpoint, concurrency=self.concurrency), ""
        if not (self.instance and self.project and self.region):
            raise UsageError("which instance: --endpoint URL, or --instance NAME --project PROJECT --region REGION")
        from dataplatform.datafusion.discovery import discover

        found = discover(self.project, self.region, self.instance)
        return Client.connect(found.endpoint, concurrency=self.concurrency), found.edition


def target_options(command: F) -> F:
    """Options that say which instance; the command gets them as `target`."""

    def wrapped(*args: Any, **given: Any) -> Any:
        names = ("endpoint", "instance", "project", "region", "concurrency")
        return command(*args, target=Target(**{name: given.pop(name) for name in names}), **given)

    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    made: Any = wrapped
    for option in (
        click.option("--concurrency", type=click.IntRange(1, 64), default=16, show_default=True, help="Calls at once."),
        click.option("--region", metavar="REGION", help="The instance's region.", envvar="DATA_FUSION_REGION"),
        click.option("--project", metavar="PROJECT", help="The instance's project.", envvar="DATA_FUSION_PROJECT"),
        click.option("--instance", metavar="NAME", help="The instance's name.", envvar="DATA_FUSION_INSTANCE"),
        click.option(
            "--endpoint",
            metavar="URL",
            help="Any CDAP's address, such as http://127.0.0.1:11015.",
            envvar="CDAP_ENDPOINT",
        ),
    ):
        made = option(made)
    return made  # type: ignore[no-any-return]


def part_options(command: F) -> F:
    """Options that say which part of the instance and which files."""
    made: Any = command
    for option in (
        click.option(
            "--mapping", metavar="FILE", type=click.Path(path_type=Path), help="The environment's values of macros."
        ),
        click.option(
            "--folder", metavar="DIR", type=click.Path(path_type=Path), help=f"The files. [default: {DEFAULT_FOLDER}]"
        ),
        click.option("--names", metavar="NAME", multiple=True, help="Only pipelines of this name (* and ? allowed)."),
        click.option("--namespace", "namespaces", metavar="NAME", multiple=True, help="Only this namespace."),
    ):
        made = option(made)
    return made  # type: ignore[no-any-return]


def folder_of(output: Output, folder: Path | None) -> Path:
    """The folder of exports: of the project, or where no project is, of the working directory."""
    output.root = project_root() or Path.cwd()
    return folder if folder is not None else output.root / DEFAULT_FOLDER


def selection_of(namespaces: tuple[str, ...], names: tuple[str, ...]) -> Selection:
    """The part that is meant. Several names may be given with commas between them."""
    from dataplatform.datafusion.service import Selection

    return Selection(
        namespaces=[n.strip() for given in namespaces for n in given.split(",") if n.strip()],
        names=[n.strip() for given in names for n in given.split(",") if n.strip()],
    )


def environment_of(folder: Path, mapping: Path | None) -> Environment:
    """The mapping that is given, else the one that lies with the exports."""
    from dataplatform.datafusion.macros import load_mapping

    beside = folder / "mapping.yaml"
    return load_mapping(mapping if mapping is not None else beside if beside.is_file() else None)


def run(output: Output, body: Callable[[Output], int | None]) -> int:
    """Run a command's body; our errors get their exit status."""

    def wrapped(shown: Output) -> int | None:
        try:
            return body(shown)
        except DataFusionError as problem:
            failure = ToolError(str(problem))
            failure.status = problem.status  # type: ignore[assignment]
            raise failure from problem

    return execute(output, wrapped)
