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
from dataplatform.config.plaintext import REMEDY, plain_secret
from dataplatform.config.stepproperties import PLACEHOLDER
from dataplatform.config.text import dotted, kind_of, shown
from dataplatform.diagnostics import Diagnostics, Position, nearest

_WORDS: dict[KeyType, tuple[str, str]] = {
    "text": ("text", "write it in quotes"),
    "number": ("a whole number", "write it in digits"),
    "list": ("a list", "write […]"),
    "object": ("an object", 'write {"key": "value"}'),
    "value": ("a value", "write one"),
}


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
    keys = REGISTRY[executor].keys if executor in REGISTRY else None
    if keys is not None:
        _check_keys(node, executor, keys)


def _check_keys(node: Node, executor: str, keys: Mapping[str, Key]) -> None:
    for key, (_, value) in node.entries.items():
        if key not in keys:
            remedy = nearest(key[:100], keys)
            node.report("DP327", (key,), f"{executor} reads no key {shown(key)}", remedy, key=True)
        elif not value.flawed and not _is(value, keys[key].type):
            wanted, remedy = _WORDS[keys[key].type]
            node.report("DP327", (key,), f"expected {wanted}, found {kind_of(value.value())}", remedy)
    for key, rule in keys.items():
        if rule.required and key not in node.entries:
            misspelt = any(
                nearest(name[:100], [key]).startswith("did you") for name in node.entries if name not in keys
            )
            if not misspelt:
                message = f"the key {shown(key)} is missing: {executor} reads it"
                node.report("DP327", (), message, f'add "{key}": {_WORDS[rule.type][0]}')


def _is(node: Node, wanted: KeyType) -> bool:
    if wanted in ("list", "object"):
        return node.kind == ("sequence" if wanted == "list" else "mapping")
    if wanted == "value":
        return True
    value = node.scalar
    if node.kind != "scalar" or isinstance(value, bool):
        return False
    if wanted == "text":
        return isinstance(value, str)
    return isinstance(value, int) or (isinstance(value, str) and value.isdigit())
