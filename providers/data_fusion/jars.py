"""The jars of artifacts: named relative to the project, so that a state is the same wherever it is made."""

from __future__ import annotations

import hashlib
from pathlib import Path

from providers.base import ProviderError

ROOT = Path(__file__).resolve().parents[2]
"""The project this provider lies in; the engine runs it there or in a folder of it."""


def find(jar: str, digest: str) -> Path:
    """The file with that path and SHA-256, from the working directory upwards.

    Raises:
        ProviderError: when there is none.
    """
    here = Path.cwd()
    found = next((folder / jar for folder in (here, *here.parents, ROOT) if (folder / jar).is_file()), None)
    if found is None:
        raise ProviderError(f"there is no file {jar}; an artifact's jar lies beside its file")
    if hashlib.sha256(found.read_bytes()).hexdigest() != digest:
        raise ProviderError(f"{jar} is another file than when the program was run; run this again")
    return found
