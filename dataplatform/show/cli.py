"""The commands `graph`, `explain`, `diff`, `import`, `schema`, `iam`, `new` and `wheel`, to be added to `dp`.

Heavy modules are imported inside the commands, as in `dataplatform.cli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataplatform.diagnostics import nearest
from dataplatform.local.engine_env import project_root
from dataplatform.local.errors import Exit, UsageError
from dataplatform.local.output import Output, execute

if TYPE_CHECKING:
    from dataplatform.show.commands import Format
    from dataplatform.show.new import Made

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, diagnostics included.")
_STACK = click.option("--stack", default="dev", show_default=True, help="The stack whose values and executors count.")
_OUT = click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of printing.")


def _root(ctx: click.Context) -> Path:
    given: Path | None = ctx.obj
    if given is not None and not (given / "Pulumi.yaml").is_file():
        raise UsageError(f"{given} has no Pulumi.yaml; name the project's folder with --root")
    root = given.resolve() if given is not None else project_root()
    if root is None:
        raise UsageError("no Pulumi.yaml here or above; go to the project, or name it with dp --root DIR")
    return root


@click.command(short_help="Draw a PIPELINE as SVG or Mermaid.")
@click.argument("pipeline")
@click.option("--format", "fmt", type=click.Choice(["svg", "mermaid"]), help="By the ending of --out; else svg.")
@_OUT
@_STACK
@_JSON
@click.pass_context
def graph(ctx: click.Context, pipeline: str, fmt: Format | None, out: Path | None, stack: str, as_json: bool) -> int:
    """Draw a PIPELINE (a name or a file) as SVG or Mermaid.

    It may be a definition, an exported Data Fusion pipeline (also as NAMESPACE/NAME), or one of Data Factory's folder.
    """

    def body(output: Output) -> None:
        from dataplatform.show import commands

        output.root = root = _root(ctx)
        _tell(output, commands.graph(root, stack, pipeline, fmt, out), "graph")

    return execute(Output("graph", as_json), body)


@click.command(short_help="Say in words what a PIPELINE does and when.")
@click.argument("pipeline")
@_STACK
@_JSON
@click.pass_context
def explain(ctx: click.Context, pipeline: str, stack: str, as_json: bool) -> int:
    """Say in words what a PIPELINE (a name, or a definition file) does and when."""

    def body(output: Output) -> None:
        from dataplatform.show import commands
        from dataplatform.show import explain as explained

        output.root = root = _root(ctx)
        plan = commands.plan_of(root, stack, pipeline)
        text = explained.explain(plan)
        output.data = {"text": text, "plan": explained.as_dict(plan)}
        output.say(text.rstrip("\n"))

    return execute(Output("explain", as_json), body)


@click.command(short_help="Show what changes in meaning from pipeline A to B.")
@click.argument("a")
@click.argument("b")
@click.option("--exit-code", is_flag=True, help="Exit with 2 where there are changes.")
@_STACK
@_JSON
@click.pass_context
def diff(ctx: click.Context, a: str, b: str, exit_code: bool, stack: str, as_json: bool) -> int:
    """Show what changes in meaning from pipeline A to B (names, or definition files)."""

    def body(output: Output) -> int:
        from dataplatform.show import commands
        from dataplatform.show.diff import as_dicts

        output.root = root = _root(ctx)
        compared = commands.diff(root, stack, a, b)
        output.data = {"changes": as_dicts(compared.changes)}
        output.say(compared.text.rstrip("\n"))
        return Exit.CHANGES if exit_code and compared.changes else Exit.OK

    return execute(Output("diff", as_json), body)


@click.command("import", short_help="Convert a definition: AEF's JSON to YAML, and back.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file or folder instead of printing.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--stack", help="A stack whose own executors the definition may name.")
@_JSON
@click.pass_context
def import_(ctx: click.Context, file: Path, out: Path | None, force: bool, stack: str | None, as_json: bool) -> int:
    """Convert a definition FILE: AEF's JSON to YAML, or YAML back to AEF's JSON."""

    def body(output: Output) -> None:
        from dataplatform.show import commands

        functions: list[str] = []
        if stack is not None:
            output.root = _root(ctx)
            functions = commands.functions_of(output.root, stack)
        shown = commands.import_(file, out, functions=functions, force=force)
        _tell(output, shown, "definition")
        if shown.path is not None and shown.path.resolve().parent == file.resolve().parent:
            output.say(f"now delete {file}: a folder may hold one definition of a name")

    return execute(Output("import", as_json), body)


@click.command(short_help="Print the JSON Schema of a KIND of file, for editors.")
@click.argument("kind")
@_OUT
@_JSON
def schema(kind: str, out: Path | None, as_json: bool) -> int:
    """Print the JSON Schema of a KIND of file, for editors: stack or definition."""

    def body(output: Output) -> None:
        from dataplatform.show import commands

        shown = commands.schema(kind, out)
        _tell(output, shown, "schema")
        if output.json:
            import json

            output.data["schema"] = json.loads(shown.text)

    return execute(Output("schema", as_json), body)


@click.command(short_help="Show which rights a STACK's identities need and have.")
@click.argument("stack")
@click.option("--check", "check_", is_flag=True, help="Exit with 1 where the stack grants more or less than is needed.")
@_JSON
@click.pass_context
def iam(ctx: click.Context, stack: str, check_: bool, as_json: bool) -> int:
    """Show which rights a STACK's identities need for its pipelines, and what the stack grants them."""

    def body(output: Output) -> int:
        from dataplatform.config.check import stack_names
        from dataplatform.show import access

        output.root = root = _root(ctx)
        if stack not in (known := stack_names(root)):
            raise UsageError(f"no stack '{stack}'; {nearest(stack[:100], known)}")
        output.data = {"stack": stack, "exact": False, "accounts": {}, "rights": [], "untold": []}
        report = access.report(root, stack)
        output.data |= {
            "exact": report.exact,
            "accounts": dict(report.accounts),
            "rights": [row.as_dict() for row in report.rows],
            "untold": [
                dict(zip(("identity", "pipeline", "step", "what"), item, strict=True)) for item in report.untold
            ],
        }
        for line in access.lines(report):
            output.say(line)
        return Exit.INPUT if check_ and not report.exact else Exit.OK

    return execute(Output("iam", as_json), body)


def _tell(output: Output, shown: Any, what: str) -> None:
    """The text, or the file that has it."""
    output.data = {what: shown.text, "file": str(shown.path) if shown.path else None}
    output.say(str(shown.path) if shown.path else shown.text.rstrip("\n"))


@click.group(short_help="Begin a pipeline, a stack or a package.")
def new() -> None:
    """Begin a pipeline, a stack or a package of transformations, with the schemas wired into the editor."""


@new.command("pipeline", short_help="A definition NAME.yaml, right as it stands.")
@click.argument("name")
@click.option("--engine", type=click.Choice(["workflows", "airflow"]), default="workflows", show_default=True)
@click.option("--kind", type=click.Choice(["steps", "datafusion"]), default="steps", show_default=True)
@click.option("--directory", default="pipelines", show_default=True, help="Folder of the definitions.")
@_JSON
@click.pass_context
def new_pipeline(ctx: click.Context, name: str, engine: str, kind: str, directory: str, as_json: bool) -> int:
    """Write a definition NAME.yaml to begin with; it is right as it stands."""

    def body(output: Output) -> None:
        from dataplatform.show import new as made

        output.root = root = _root(ctx)
        word = {"workflows": "cloud_workflows", "airflow": "composer"}[engine]
        _made(output, made.pipeline(root, name, folder=directory, engine=word, kind=kind))

    return execute(Output("new", as_json), body)


@new.command("stack", short_help="A stack file Pulumi.NAME.yaml.")
@click.argument("name")
@click.option("--project", required=True, help="Id of the Google Cloud project.")
@click.option("--region", required=True, help="Region, such as europe-west1.")
@_JSON
@click.pass_context
def new_stack(ctx: click.Context, name: str, project: str, region: str, as_json: bool) -> int:
    """Write a stack file Pulumi.NAME.yaml to begin with."""

    def body(output: Output) -> None:
        from dataplatform.show import new as made

        output.root = root = _root(ctx)
        _made(output, made.stack(root, name, project=project, region=region))

    return execute(Output("new", as_json), body)


@new.command("transformations", short_help="A package NAME with tests, expectations, a notebook.")
@click.argument("name")
@_JSON
@click.pass_context
def new_transformations(ctx: click.Context, name: str, as_json: bool) -> int:
    """Write a package of transformations NAME, with its tests on local Spark, expectations and a notebook."""

    def body(output: Output) -> None:
        from dataplatform.show.new import Made
        from dataplatform.show.transformations import new_package

        output.root = root = _root(ctx)
        _made(output, Made(files=tuple(new_package(root, name))))

    return execute(Output("new", as_json), body)


@click.command(short_help="Build the wheel of a package of transformations.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--release", required=True, help="The release: the wheel's version, such as 1.4.0.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to.  [default: dist in FOLDER]")
@_JSON
@click.pass_context
def wheel(ctx: click.Context, folder: Path, release: str, out: Path | None, as_json: bool) -> int:
    """Build the wheel of a package of transformations: the same files and release give the same bytes."""

    def body(output: Output) -> None:
        import hashlib

        from dataplatform.show.transformations import build_wheel, write_wheel

        output.root = root = _root(ctx)
        beside = Path("transformations") / folder
        if not (root / folder).exists() and (root / beside / "src").is_dir():
            raise UsageError(f"there is no folder {folder}; did you mean '{beside}'?")
        name, data = build_wheel(root / folder, release)
        file = write_wheel((out if out is not None else root / folder / "dist") / name, data)
        output.data = {"file": str(file), "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        output.say(str(file))

    return execute(Output("wheel", as_json), body)


@new.command("editor", short_help="Only the schemas, and the editor told of them.")
@click.option("--directory", default="pipelines", show_default=True, help="Folder of the definitions.")
@_JSON
@click.pass_context
def new_editor(ctx: click.Context, directory: str, as_json: bool) -> int:
    """Only write the schemas and wire them into the editor; also after an upgrade of dp."""

    def body(output: Output) -> None:
        from dataplatform.show import new as made

        output.root = root = _root(ctx)
        _made(output, made.editor(root, folder=directory))

    return execute(Output("new", as_json), body)


def _made(output: Output, made: Made) -> None:
    output.data = {"files": [file.as_posix() for file in made.files], "by_hand": list(made.by_hand)}
    for file in made.files:
        output.say(file.as_posix())
    if not made.files:
        output.say("nothing to write: the schemas and the editor's settings are as they should be")
    for line in made.by_hand:
        output.say(line)


COMMANDS: tuple[click.Command, ...] = (graph, explain, diff, import_, schema, iam, new, wheel)
"""All of them: `for command in COMMANDS: dp.add_command(command)`."""
