"""Job parameter files: `jobs/<executor>/<JOB_NAME>.json`, which executors read when a step starts.

A file is a JSON object without plain-text secrets and without placeholders that nobody has filled in. Where the
registry knows the executor's keys, the file has those and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from dataplatform.config.document import Node
from dataplatform.config.executors import EXECUTORS, REGISTRY, Key, KeyType
from dataplatform.config.loader import load_document, shown_path
from dataplatform.config.pipeline import JobFile
from dataplatform.config.plaintext import REMEDY, plain_secret
from dataplatform.config.stepproperties import PLACEHOLDER
from dataplatform.config.text import dotted, kind_of, shown
from dataplatform.diagnostics import Diagnostics, Position, nearest

_WORDS: dict[KeyType, tuple[str, str]] = {
    "text": ("text", "write it in quotes"),
    "number": ("a whole number", "write it in digits"),
    "list": ("a list", "write […]"),
    "object": ("an object", 'write {"key": "value"}'),
    "flag": ("true or false", "write one of the two, without quotes"),
    "value": ("a value", "write one"),
}
FOLDER = "jobs"


def find_jobs(definition: Path, root: Path | None) -> Path | None:
    """The folder of job parameter files that a definition's steps have theirs in, or None where there is none."""
    here = definition.absolute().parent
    top = root.absolute() if root is not None else here
    for folder in (here, *here.parents):
        try:
            if (folder / FOLDER).is_dir():
                return folder / FOLDER
        except (OSError, ValueError):
            return None
        if folder == top or not folder.is_relative_to(top):
            return None
    return None


def read_job_file(jobs: Path, executor: str, job_name: str) -> JobFile | None:
    """A step's job parameter file: None where there is none, one that is `broken` where it is not to be read.

    A job may be called anything, so its name is not taken for a path.
    """
    if "/" in job_name or "\\" in job_name or job_name.startswith("."):
        return None
    for ending in (".json", ".yaml", ".yml"):
        path = jobs / executor / f"{job_name}{ending}"
        try:
            if not path.is_file() or not path.resolve().is_relative_to(jobs.resolve()):
                continue
        except (OSError, RuntimeError, ValueError):
            continue
        node, found = load_document(path)
        if node is None or found or node.kind != "mapping" or node.document.diagnostics:
            return JobFile(file=shown_path(path), values={}, broken=True)
        places = {key: node.document.position(value.offset) for key, (_, value) in node.entries.items()}
        return JobFile(file=shown_path(path), values=node.value(), positions=places)
    return None


def check_job_file(path: Path, jobs: Path, functions: Collection[str], diagnostics: Diagnostics) -> None:
    """Check one file below the folder `jobs`. `functions` are the executors that a stack registers itself."""
    place = Position(shown_path(path))
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        diagnostics.add("DP304", place, "not a job parameter file", "job parameters are .json files")
        return
    node, found = load_document(path)
    if node is not None:
        folders = path.relative_to(jobs).parts[:-1]
        if folders and folders[0] not in EXECUTORS and folders[0] not in functions:
            known = EXECUTORS | frozenset(functions)
            remedy = f"{nearest(folders[0][:100], known)} Job parameters lie in {jobs.name}/<executor>/<JOB_NAME>.json"
            diagnostics.add("DP311", place, f"the folder {shown(folders[0])} is not named after an executor", remedy)
        _check(node, folders[0] if folders else "")
        found = node.document.diagnostics
    diagnostics.extend(found.items)


def _check(node: Node, executor: str) -> None:
    if node.kind != "mapping":
        if not node.flawed:
            message = f"job parameters are an object, and this is {kind_of(node.value())}"
            node.report("DP122", (), message, 'write {"key": "value"}')
        return
    if "engine" in node.entries and "definition" in node.entries:
        node.report("DP304", (), "a definition in the folder jobs/", "move it up into the pipelines folder")
        return
    for path, key, leaf in node.walk():
        what = plain_secret(key, leaf.scalar)
        if what:
            node.document.report("DP318", leaf.offset, f"{what} in plain text", REMEDY, at=dotted(path))
        elif isinstance(leaf.scalar, str) and (placeholder := PLACEHOLDER.search(leaf.scalar)):
            message = f"the placeholder {shown(placeholder[0])} has not been filled in"
            node.document.report("DP317", leaf.offset, message, "write the value it stands for", at=dotted(path))
    known = REGISTRY.get(executor)
    if known is not None and known.keys is not None:
        _check_keys(node, executor, known.keys, whole=known.function)


def _check_keys(node: Node, executor: str, keys: Mapping[str, Key], *, whole: bool) -> None:
    """`whole`: nothing but the file says the keys. What a service is told may stand in STEP_PROPERTIES as well."""
    for key, (_, value) in node.entries.items():
        if key not in keys:
            remedy = nearest(key[:100], keys)
            node.report("DP327", (key,), f"{executor} reads no key {shown(key)}", remedy, key=True)
        elif not value.flawed and not holds(value.value(), keys[key].type):
            wanted, remedy = _WORDS[keys[key].type]
            node.report("DP327", (key,), f"expected {wanted}, found {kind_of(value.value())}", remedy)
    for key, rule in keys.items():
        if whole and rule.required and key not in node.entries:
            misspelt = any(
                nearest(name[:100], [key]).startswith("did you") for name in node.entries if name not in keys
            )
            if not misspelt:
                message = f"the key {shown(key)} is missing: {executor} reads it"
                node.report("DP327", (), message, f'add "{key}": {_WORDS[rule.type][0]}')


def holds(value: object, wanted: KeyType) -> bool:
    """Whether a value is of a key's type; a number may be written as text."""
    match wanted:
        case "value":
            return True
        case "list":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "flag":
            return isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "number":
            return (isinstance(value, int) and not isinstance(value, bool)) or (
                isinstance(value, str) and value.isdigit()
            )


def words_for(wanted: KeyType) -> tuple[str, str]:
    """What a key of a type holds, and how to write it."""
    return _WORDS[wanted]
