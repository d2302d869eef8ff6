"""The pipelines folder: which files are definitions, and that nothing else is there.

`<directory>/**/*.json` (and `.yaml`, `.yml`) are definitions, `<directory>/jobs/**` are job parameter files (see
`jobfiles`), `<directory>/data_fusion/**` is what `dp datafusion pull` writes, `<directory>/data_factory/**` an
exported Data Factory, `<directory>/plugins/**` and `<directory>/data/**` are Airflow's (see `airflow_files`). Anything
else is a mistake: an ignored file is a pipeline that somebody believes to be deployed. A README.md and hidden files are
let be.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path, PurePosixPath, PureWindowsPath

from dataplatform.config.definitions import SUFFIXES, load_definition
from dataplatform.config.jobfiles import check_job_file
from dataplatform.config.loader import shown_path
from dataplatform.config.pipeline import Definition
from dataplatform.config.text import shown
from dataplatform.config.together import Given, check_across
from dataplatform.diagnostics import Diagnostics, Position

MAX_FILES = 10_000

JOBS = "jobs"
"""Folder of the job parameter files, directly below the pipelines folder."""

DATA_FUSION = "data_fusion"
"""Folder of what Data Fusion holds, directly below the pipelines folder."""

DATA_FACTORY = "data_factory"
"""Folder of an exported Data Factory, which `azure.data_factory` of a stack names and the lint judges."""

PLUGINS, DATA = "plugins", "data"
"""Folders of what Airflow gets beside the DAGs, directly below the pipelines folder (see `airflow_files`)."""

RESERVED = (JOBS, DATA_FACTORY, DATA_FUSION, PLUGINS, DATA)
"""Folders that hold no definitions."""


def directory_problem(directory: str) -> tuple[str, str, str] | None:
    """Code, message and remedy for a `pipelines.directory` that cannot be one, judged by its text alone."""
    remedy = "write a path below the project's root, such as pipelines"
    if not directory.strip() or "\0" in directory:
        return "DP303", f"{shown(directory)} is not a folder's path", remedy
    posix, windows = PurePosixPath(directory), PureWindowsPath(directory)
    if posix.is_absolute() or windows.is_absolute() or windows.drive or directory.startswith("~"):
        return "DP303", f"{shown(directory)} is an absolute path", remedy
    if ".." in posix.parts or ".." in windows.parts:
        return "DP303", f"{shown(directory)} leads out of the project", remedy
    if posix == PurePosixPath("."):
        return "DP303", "the pipelines folder cannot be the project's root itself", remedy
    return None


def load_folder(
    root: Path, directory: str, *, given: Given, asked: Position, source: str = ""
) -> tuple[tuple[Definition, ...], Diagnostics]:
    """Read every definition of a pipelines folder, in the order of their names.

    Args:
        root: The project's root.
        directory: The folder as the stack names it, already free of `directory_problem`s.
        given: What the stack gives its definitions.
        asked: Where the stack names the folder; mistakes about the folder itself are shown there.
        source: The line at `asked`.
    """
    diagnostics = Diagnostics()
    folder = root / directory

    def tell(code: str, message: str, remedy: str) -> None:
        diagnostics.add(code, asked, message, remedy, source=source)

    try:
        inside = folder.resolve().is_relative_to(root.resolve())
        there, is_folder = folder.exists(), folder.is_dir()
    except (OSError, RuntimeError, ValueError):
        tell("DP303", f"{shown(directory)} cannot be followed", "name an ordinary folder of the project")
        return (), diagnostics
    if not inside:
        tell(
            "DP303",
            f"{shown(directory)} leads out of the project",
            "name a folder of the project, not a link out of it",
        )
        return (), diagnostics
    if not is_folder:
        what = "is not a folder" if there else "does not exist"
        remedy = "create the folder and put a definition into it, or leave pipelines out of the stack"
        tell("DP301", f"the pipelines folder {shown(directory)} {what}", remedy)
        return (), diagnostics
    definitions, jobs = _files(root, folder, diagnostics)
    if not definitions and not diagnostics:
        remedy = "put a definition (.json) into it, or leave pipelines out of the stack"
        tell("DP302", f"the pipelines folder {shown(directory)} holds no definition", remedy)
    loaded = _definitions(root, definitions, given.functions, folder / JOBS, diagnostics)
    names = {path.stem for path in definitions}
    diagnostics.extend(check_across(loaded, names, given).items)
    for path in jobs:
        check_job_file(path, folder / JOBS, given.functions, diagnostics)
    return tuple(sorted(loaded, key=lambda definition: definition.name)), diagnostics


def _files(root: Path, folder: Path, diagnostics: Diagnostics) -> tuple[list[Path], list[Path]]:
    """Definitions and job parameter files below a folder, sorted; what is neither is told."""
    definitions: list[Path] = []
    jobs: list[Path] = []
    home = root.resolve()

    def unreadable(error: OSError) -> None:
        place = Position(shown_path(Path(error.filename or folder)))
        diagnostics.add("DP101", place, "the folder may not be read", "give yourself the permission to read it")

    for where, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(where)
        is_job = here != folder and here.relative_to(folder).parts[0] == JOBS
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if here == folder:
            # What Data Fusion holds is no definition; `infra.decide` has it read by what reads it.
            folders[:] = [name for name in folders if name not in (DATA_FACTORY, DATA_FUSION, PLUGINS, DATA)]
        for name in list(folders):
            if (here / name).is_symlink():
                folders.remove(name)
                diagnostics.add(
                    "DP303", Position(shown_path(here) + f"/{shown(name)[1:-1]}"), "a link to a folder",
                    "put the folder itself here: links are not followed",
                )  # fmt: skip
        for name in sorted(files):
            path = here / name
            if name.startswith(".") or (name == "README.md" and not path.is_symlink()):
                continue
            if len(definitions) + len(jobs) >= MAX_FILES:
                remedy = "divide them among several projects"
                diagnostics.add("DP104", Position(shown_path(folder)), f"more than {MAX_FILES} files", remedy)
                return definitions, jobs
            place = Position(shown_path(here) + f"/{shown(name)[1:-1]}" if path.is_symlink() else shown_path(path))
            if path.is_symlink() and not _inside(path, home):
                remedy = "put the file itself here, or link to one of the project"
                diagnostics.add("DP303", place, "a link that leads out of the project", remedy)
            elif is_job:
                jobs.append(path)
            elif path.suffix.lower() in SUFFIXES:
                definitions.append(path)
            else:
                diagnostics.add(
                    "DP304",
                    place,
                    f"a file that ends in {shown(path.suffix)} is not a definition"
                    if path.suffix
                    else "not a definition",
                    f"name definitions .json (or .yaml), put job parameters into {JOBS}/, and the rest elsewhere",
                )
    return definitions, jobs


def _inside(path: Path, home: Path) -> bool:
    try:
        return path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):
        return False


def _definitions(
    root: Path, paths: list[Path], functions: Collection[str], jobs: Path, diagnostics: Diagnostics
) -> list[Definition]:
    loaded: list[Definition] = []
    seen: dict[str, Path] = {}
    for path in paths:
        definition, found = load_definition(path, root=root, functions=functions, jobs=jobs)
        diagnostics.extend(found.items)
        first = seen.setdefault(path.stem.lower(), path)
        if first is not path:
            diagnostics.add(
                "DP306",
                Position(shown_path(path)),
                f"a second definition of the name {shown(path.stem)}",
                f"give each its own name: the first is {shown_path(first)}",
            )
        elif definition is not None:
            loaded.append(definition)
    return loaded
