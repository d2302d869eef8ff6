"""What the ways of obtaining the engine share."""

from __future__ import annotations

import re
import subprocess
from typing import NamedTuple

JOB = "engine"
"""Name of the job in what is shown."""


class NotHadError(Exception):
    """Raised when one way of obtaining the engine does not work; its text is the reason, half a sentence."""


class Version(NamedTuple):
    """A release, ordered."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(map(str, self))


def parse_version(text: str) -> Version:
    """`3.259.0` or `v3.259.0`, with any suffix ignored.

    Raises:
        NotHadError: when the text is no version.
    """
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    if match is None:
        raise NotHadError(f"{text.strip()[:40]!r} is not a version")
    return Version(*(int(part or 0) for part in match.groups()))


def run_version(pulumi: str) -> Version | None:
    """The version an executable says it is; None when it does not say one within seconds."""
    try:
        done = subprocess.run([pulumi, "version"], capture_output=True, text=True, timeout=20, check=True)
        return parse_version(done.stdout)
    except (OSError, subprocess.SubprocessError, NotHadError):
        return None
