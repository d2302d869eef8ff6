"""How every command ends: one document for a machine, or text for a person; one exit status; never a traceback."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataplatform.diagnostics import Diagnostics, InputError
from dataplatform.local.errors import Exit, ToolError

VERSION = 1
"""Of the documents' form."""
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
        status = Exit.INTERRUPTED
        error = "stopped" + (f"; go on with: {output.again}" if output.again else "; nothing was changed")
    except BrokenPipeError:
        sys.stdout = None  # the reader has gone; so must the interpreter's last flush
        return Exit.OK
    except Exception as problem:
        status = INTERNAL
        kept = _keep(output.root)
        where = f"details are in {kept}" if kept else "details could not be kept"
        error = f"a fault in dp itself ({type(problem).__name__}); {where}; please report it with that file"
    if output.json:
        sys.stdout.write(json.dumps(output.document(status, error), indent=2, default=str) + "\n")
    else:
        if output.diagnostics.items:
            sys.stderr.write(output.diagnostics.render() + "\n")
        if error:
            sys.stderr.write(f"error: {error}\n")
    return status


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
