"""Processes that a killed run left: found by the mark each run gives its children, waited for, then ended.

Only where the system shows processes as files (Linux). Elsewhere none are found, and what is left ends by itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dataplatform.local.locks import process_start

RUN_MARK = "DATAPLATFORM_RUN"
"""Environment variable of every process that a run starts: `<pid>:<start>:<checkout>` of the `dp` that leads it."""

LINGER = 15.0
"""Seconds they may take to end by themselves."""


def run_mark(root: Path) -> str:
    """The mark of this process's runs on a checkout."""
    pid = os.getpid()
    return f"{pid}:{process_start(pid) or 0:.2f}:{root}"


def leftovers(root: Path) -> list[int]:
    """Processes of runs on this checkout that nobody leads any more; this process's own count, it leads none now."""
    left = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended, or another user's
        mark = next((v for v in variables if v.startswith(f"{RUN_MARK}=".encode())), b"").decode(errors="replace")
        owner, _, rest = mark.partition("=")[2].partition(":")
        started, _, checkout = rest.partition(":")
        if checkout != str(root) or int(entry.name) == os.getpid():
            continue
        now = process_start(int(owner)) if owner.isdigit() else None
        if now is None or f"{now:.2f}" != started or int(owner) == os.getpid():
            left.append(int(entry.name))
    return sorted(left)


def end_leftovers(root: Path, say: Callable[[str], None], patience: float = LINGER) -> None:
    """Wait for them to end, then end them: a second writer would break what the next run relies on."""
    deadline = time.monotonic() + patience
    said = False
    while left := leftovers(root):
        if not said:
            say(f"waiting for what an interrupted run left: process {', '.join(map(str, left))}")
            said = True
        if time.monotonic() > deadline:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + patience
        time.sleep(0.1)
