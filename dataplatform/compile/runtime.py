"""The files that compiled DAGs need beside them."""

from __future__ import annotations

from importlib import resources

PACKAGE = "dataplatform_runtime"


def runtime_files() -> dict[str, str]:
    """Path below the DAG folder → text, of every file of the runtime package, in order.

    An `.airflowignore` comes with it, for Airflow would look for DAGs in every file that mentions them. It lists the
    files by name, which Airflow 2 (regular expressions) and Airflow 3 (globs) both read as what is meant.
    """
    sources = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in resources.files(PACKAGE).iterdir()
        if entry.is_file() and entry.name.endswith(".py")
    }
    files = {name: sources[name] for name in sorted(sources)}
    ignore = "".join(f"{name}\n" for name in files)
    return {f"{PACKAGE}/.airflowignore": ignore, **{f"{PACKAGE}/{name}": text for name, text in files.items()}}
