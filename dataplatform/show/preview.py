"""What a preview changes in pipelines' meaning: the definition that is deployed against the one at hand.

The state tells the SHA-256 of the definition a text was compiled from; its bytes are looked for in the file's history
in git. Where they are not found the difference of the texts is all that can be shown, and that is said.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dataplatform.compile.build import build_plan, target_for
from dataplatform.config.definitions import load_definition
from dataplatform.config.pipeline import Definition
from dataplatform.config.platform import Platform
from dataplatform.diagnostics import InputError
from dataplatform.local.output import Output
from dataplatform.local.stack import Session
from dataplatform.local.texts import text_diff
from dataplatform.show.changes import Change, as_dicts
from dataplatform.show.diff import diff, render
from infra.decide import Decided

_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
_BLOB = re.compile(r"^:\S+ \S+ ([0-9a-f]+) ([0-9a-f]+) ", re.MULTILINE)
MAX_VERSIONS = 500
"""Versions of a file that are looked at, the newest first."""


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What changes in one pipeline's meaning; None where the deployed definition is not known any more."""

    pipeline: str
    changes: tuple[Change, ...] | None

    def lines(self) -> Iterator[str]:
        """The change for a person."""
        if self.changes is None:
            yield f"  {self.pipeline}: the deployed definition is not in the file's history; see the text above"
            return
        yield f"  {self.pipeline}, in meaning:"
        yield from (f"      {line}" for line in render(self.changes).splitlines())

    def as_dict(self) -> dict[str, Any]:
        """The change for a machine."""
        return {"pipeline": self.pipeline, "changes": None if self.changes is None else as_dicts(self.changes)}


def changes_in_pipelines(output: Output, session: Session, decided: Decided, resources: list[dict[str, Any]]) -> None:
    """For each pipeline that a preview changes: the difference of its DAG's text, and of its meaning.

    Args:
        output: Where they are told; `meaning` goes into its document.
        session: Of the stack, for what is deployed.
        decided: The stack as it would be.
        resources: Rows of the preview's report; those of DAGs get a `text`.
    """
    assert output.root is not None
    compiled = decided.pipelines
    texts = {f"dags-{dag.name}": dag for dag in compiled.dags} | {f"workflows-{w.name}": w for w in compiled.workflows}
    changed = [row for row in resources if row["op"] == "update" and row["name"] in texts]
    deployed = session.deployed(row["urn"] for row in changed)
    was: dict[str, str] = {}
    for row in changed:
        inputs, now = deployed.get(row["urn"], {}), texts[row["name"]]
        was[now.name] = definition_sha256(inputs) or was.get(now.name, "")
        if isinstance(inputs.get("content"), str):
            row["text"] = text_diff(row["name"], inputs["content"], now.text)
            for line in row["text"]:
                output.say(f"  {line}")
    definitions = {definition.name: definition for definition in decided.loaded.definitions}
    found = meanings(output.root, decided.loaded.platform, definitions, was)
    output.data["meaning"] = [one.as_dict() for one in found]
    for one in found:
        for line in one.lines():
            output.say(line)


def definition_sha256(inputs: Mapping[str, Any]) -> str:
    """Of the definition that a deployed workflow or DAG object was compiled from; empty where it does not tell."""
    for entry in (inputs.get("contexts") or {}).get("customs") or ():
        if entry.get("key") == "definition-sha256":
            return str(entry.get("value", ""))
    found = _SHA256.search(str(inputs.get("description") or ""))
    return found.group() if found else ""


def meanings(
    root: Path, platform: Platform, definitions: Mapping[str, Definition], deployed: Mapping[str, str]
) -> tuple[Meaning, ...]:
    """The changes in meaning of the pipelines.

    Args:
        root: The project.
        platform: The stack, for the target the plans are built for.
        definitions: Those at hand, by name.
        deployed: SHA-256 of the deployed definition, by name.
    """
    return tuple(
        Meaning(pipeline=name, changes=_changes(root, platform, definitions[name], sha256))
        for name, sha256 in sorted(deployed.items())
        if name in definitions and sha256 != definitions[name].sha256
    )


def _changes(root: Path, platform: Platform, now: Definition, sha256: str) -> tuple[Change, ...] | None:
    text = _version(root, root / now.file, sha256) if sha256 else None
    if text is None:
        return None
    functions = platform.gcp.executors.functions if platform.gcp is not None else ()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / PurePosixPath(now.file).name
        file.write_bytes(text)
        before, problems = load_definition(file, functions=functions)
    if before is None or problems:
        return None
    target = target_for(platform, now.file)
    try:
        return diff(build_plan(before, target), build_plan(now, target))
    except InputError:
        return None  # it was right for the version that compiled it, and is not for this one


def _version(root: Path, file: Path, sha256: str) -> bytes | None:
    """The bytes of that digest in the file's history."""
    raw = _git(root, "log", "--all", "--raw", "--no-abbrev", "--format=", f"-{MAX_VERSIONS}", "--", str(file))
    if raw is None:
        return None
    blobs = dict.fromkeys(blob for pair in _BLOB.findall(raw.decode("utf-8", "replace")) for blob in pair)
    for blob in blobs:
        text = _git(root, "cat-file", "blob", blob) if blob.strip("0") else None
        if text is not None and hashlib.sha256(text).hexdigest() == sha256:
            return text
    return None


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
