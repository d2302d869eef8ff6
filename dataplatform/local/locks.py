"""The locks of the local state: who holds one, and when it may be taken over.

The engine's file backend writes a lock below `<state>/.pulumi/locks/` with pid, user, host and time, and refuses to
start while another's is there, however dead its owner. A lock is taken over only where its owner is provably gone: on
this host, no such process, or one that started after the lock was written.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dataplatform.local.errors import StateError


@dataclass(frozen=True)
class Lock:
    """One lock file."""

    file: Path
    pid: int
    host: str
    user: str
    time: str

    def owner(self) -> str:
        """`user@host, process 4711, since …`."""
        return f"{self.user}@{self.host}, process {self.pid}, since {self.time}"


def read_locks(state: Path, project: str, stack: str) -> list[Lock]:
    """The locks of a stack, unreadable ones included (a write cut short): those say pid 0."""
    folder = state / ".pulumi" / "locks" / "organization" / project / stack
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            data = json.loads(file.read_text("utf-8"))
            found.append(
                Lock(file, int(data["pid"]), str(data["hostname"]), str(data["username"]), str(data["timestamp"]))
            )
        except FileNotFoundError:
            continue  # released while we looked
        except (ValueError, KeyError, TypeError, OSError):
            found.append(Lock(file, 0, socket.gethostname(), "unknown", "unknown"))
    return found


def is_dead(lock: Lock) -> bool:
    """Whether the owner is provably gone."""
    if lock.host != socket.gethostname():
        return False  # nobody here can know
    if lock.pid <= 0:
        return time.time() - lock.file.stat().st_mtime > 5  # a torn write, not one that is being written
    try:
        os.kill(lock.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    if _has_ended(lock.pid):
        return True
    started = process_start(lock.pid)
    written = _seconds(lock.time)
    # The kernel counts in hundredths and boots are rounded to seconds: two seconds of tolerance.
    return started is not None and written is not None and started > written + 2


def _has_ended(pid: int) -> bool:
    """Whether nothing of a process is left but its entry, which goes when its parent asks for its status."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] in ("Z", "X")


def process_start(pid: int) -> float | None:
    """When a process started, in seconds since the epoch; None where this system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
        ticks = int(stat.rpartition(")")[2].split()[19])
        boot = next(line for line in Path("/proc/stat").read_text("utf-8").splitlines() if line.startswith("btime "))
        return int(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, StopIteration, IndexError):
        return None


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text[:19] + "+00:00" if text.endswith("Z") else _trim(text)).timestamp()
    except ValueError:
        return None


def _trim(text: str) -> str:
    """RFC 3339 with nanoseconds, as Go writes it, cut to what Python reads."""
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[: min(digits, 6)]}{rest[digits:]}"


def take_over(state: Path, project: str, stack: str) -> list[Lock]:
    """Remove the locks of dead owners and return them.

    Raises:
        StateError: when somebody alive, or on another host, holds one.
    """
    removed = []
    for lock in read_locks(state, project, stack):
        if not is_dead(lock):
            raise StateError(
                f"stack {stack} is locked by {lock.owner()}; wait for it to end, "
                f"or, if you are sure that it has, remove {lock.file}"
            )
        for file in (lock.file, lock.file.with_name(lock.file.name + ".attrs")):
            file.unlink(missing_ok=True)
        removed.append(lock)
    return removed
