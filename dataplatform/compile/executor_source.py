"""The source of the executors' functions, as it is deployed: the same files for the same commit, whoever deploys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources

PACKAGE = "executors"


def executor_files() -> dict[str, str]:
    """Path in the source → text, in order: the package, and what the builder looks for at the top."""
    found = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in resources.files(PACKAGE).iterdir()
        if entry.is_file() and (entry.name.endswith(".py") or entry.name == "requirements.txt")
    }
    files = {"main.py": found["main.py"], "requirements.txt": found["requirements.txt"]}
    return files | {f"{PACKAGE}/{name}": text for name, text in sorted(found.items()) if name.endswith(".py")}


def source_digest(files: Mapping[str, str]) -> str:
    """SHA-256 of all paths and texts, in hex."""
    digest = hashlib.sha256()
    for path, text in sorted(files.items()):
        for part in (path, text):
            data = part.encode()
            digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def entry_point(function: str) -> str:
    """The Python function that is `function` of the framework."""
    return function.replace("-", "_")
