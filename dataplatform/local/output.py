"""How every command ends: one document for a machine, or text for a person; one exit status; never a traceback."""

from __future__ import annotations

import errno
import json
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataplatform.diagnostics import Diagnostics, InputError
from dataplatform.local.errors import Exit, ToolError
from dataplatform.local.stop import Stop

VERSION = 1
"""Of the documents' form."""
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT})
_NOBODY_READS = -1
"""The reader of a pipe has gone; there is nothing to be said to anybody."""
INTERNAL = 70
"""Exit status of a fault of ours (EX_SOFTWARE of sysexits.h): none of the promised ones is true of it."""


@dataclass
class Output:
    """What a command has to say. Text for a person goes to standard output at once, unless a document is wanted."""

    command: str
    json: bool
    root: Path | None = None
    data: dict[str, Any] = field(default_factory=dict)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    again: str = ""
    """The command to go on with after a stop."""

    def say(self, text: str) -> None:
        """A line for a person."""
        if not self.json:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def document(self, status: int, error: str = "") -> dict[str, Any]:
        """The document."""
        return {
            "version": VERSION,
            "command": self.command,
            "ok": status in (Exit.OK, Exit.CHANGES),
            "exit": int(status),
            **({"error": error} if error else {}),
            "diagnostics": [d.as_dict() for d in self.diagnostics.sorted()],
            **self.data,
        }


def execute(output: Output, body: Callable[[Output], int | None]) -> int:
    """Run a command's body and turn however it ends into text or a document, and an exit status."""
    with Stop() as stop:
        status, error = _ended(output, body)
    if stop.asked and status in (Exit.INPUT, INTERNAL):
        output.diagnostics = Diagnostics()  # found by something that was stopped on its way: not to be relied on
        status, error = Exit.INTERRUPTED, _stopped(output)
    if status == _NOBODY_READS:
        return Exit.OK
    _tell(output, status, error)
    return status


def _stopped(output: Output) -> str:
    return "stopped" + (f"; go on with: {output.again}" if output.again else "; nothing was changed")


def _ended(output: Output, body: Callable[[Output], int | None]) -> tuple[int, str]:
    """Run the body; returns the exit status and what is to be said of it."""
    error = ""
    try:
        status = int(body(output) or Exit.OK)
        if output.diagnostics:
            status = status or Exit.INPUT
    except InputError as problem:
        output.diagnostics.extend(problem.diagnostics.items)
        status = Exit.INPUT
    except ToolError as problem:
        error, status = str(problem), problem.status
        report = getattr(problem, "report", None)
        if report is not None:
            output.data |= report.as_dict()
            error = "\n".join([*(_blame(e) for e in report.errors), error])
    except KeyboardInterrupt:
        status, error = Exit.INTERRUPTED, _stopped(output)
    except BrokenPipeError:
        sys.stdout = None  # the reader has gone; so must the interpreter's last flush
        status = _NOBODY_READS
    except Exception as problem:
        unwritable = _unwritable(problem, output.root)
        if unwritable is not None:
            return Exit.STATE, unwritable
        status = INTERNAL
        kept = _keep(output.root)
        where = f"details are in {kept}" if kept else "details could not be kept"
        error = f"a fault in dp itself ({type(problem).__name__}); {where}; please report it with that file"
    return status, error


def _unwritable(problem: Exception, root: Path | None) -> str | None:
    """What to say where the machine does not let us write: no fault of ours, and nothing to report."""
    if isinstance(problem, sqlite3.OperationalError) and "readonly database" in str(problem):
        return f"cannot write below {root or Path.cwd()}: a database there is read-only; make the folder writable"
    if not isinstance(problem, OSError) or problem.errno not in _NOT_WRITABLE:
        return None
    where = problem.filename or f"below {root or Path.cwd()}"
    full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
    verb = "write" if full or problem.errno == errno.EROFS else "read or write"
    remedy = "free some room" if full else "make it writable"
    return f"cannot {verb} {where}: {problem.strerror}; {remedy}, then try again"


def _tell(output: Output, status: int, error: str) -> None:
    if output.json:
        sys.stdout.write(json.dumps(output.document(status, error), indent=2, default=str) + "\n")
    else:
        if output.diagnostics.items:
            sys.stderr.write(output.diagnostics.render() + "\n")
        if error:
            sys.stderr.write(f"error: {error}\n")


def _blame(error: dict[str, str]) -> str:
    who = f"{error['resource']} ({error['type']}): " if error["resource"] else ""
    lines = [line.strip() for line in error["message"].splitlines() if line.strip()]
    return who + "\n    ".join(lines[:12])


def _keep(root: Path | None) -> Path | None:
    """Write the traceback of the exception at hand to a file."""
    folder = (root or Path.cwd()) / ".dp" / "log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-fault.txt"
        file.write_text(traceback.format_exc(), "utf-8")
    except OSError:
        return None
    return file
