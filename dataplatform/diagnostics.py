"""Diagnostics: what a person wrote wrong, where, and what would be right.

A diagnostic is a value. Whoever finds a mistake makes one and goes on looking, so that all of them are reported
together; whoever prints them sorts them. Programming errors are exceptions and never come here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, order=True)
class Position:
    """A place in a text file. `line` and `column` count from 1; a `column` counts characters, not bytes."""

    file: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One mistake of a user's.

    `code` is stable (`DP101`), `message` says what is wrong in one sentence without a full stop, `remedy` what would
    be right, `source` is the text of the line (without its end) and may be empty where there is none. Neither
    `message` nor `remedy` nor `source` may hold a secret value.
    """

    code: str
    position: Position
    message: str
    remedy: str
    source: str = ""
    path: str = ""
    """Dotted path of the value inside its document, `platform.gcp.region`; empty for the document itself."""
    severity: Literal["error", "warning"] = "error"
    """A warning keeps nothing from being done."""

    def headline(self) -> str:
        """`file:line:col: error: what is wrong; what would be right [code]`, always one line."""
        place = f"{self.position.file}:{self.position.line}:{self.position.column}"
        where = f"{self.path}: " if self.path else ""
        return " ".join(f"{place}: {self.severity}: {where}{self.message}; {self.remedy} [{self.code}]".split("\n"))

    def excerpt(self) -> str:
        """The source line with a caret under the column, indented, or nothing where there is no source line."""
        if not self.source:
            return ""
        number = f"{self.position.line:>6} | "
        shown = self.source.replace("\t", " ")[:200]
        pointer = " " * min(self.position.column - 1, 200) + "^"
        return f"{number}{shown}\n{' ' * 6} | {pointer}"

    def as_dict(self) -> dict[str, object]:
        """The diagnostic as plain data, for `--json`."""
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.position.file,
            "line": self.position.line,
            "column": self.position.column,
            "path": self.path,
            "message": self.message,
            "remedy": self.remedy,
            "source": self.source,
        }


@dataclass
class Diagnostics:
    """The mistakes found so far, in the order they were found."""

    items: list[Diagnostic] = field(default_factory=list)

    def add(
        self, code: str, position: Position, message: str, remedy: str, *, path: str = "", source: str = ""
    ) -> None:
        """Record one mistake."""
        self.items.append(
            Diagnostic(code=code, position=position, message=message, remedy=remedy, path=path, source=source)
        )

    def extend(self, others: Iterable[Diagnostic]) -> None:
        """Record several."""
        self.items.extend(others)

    def __bool__(self) -> bool:
        """Whether there is a mistake; warnings alone are none."""
        return any(item.severity == "error" for item in self.items)

    def sorted(self) -> list[Diagnostic]:
        """All of them, once each, by file, line, column and code: the order they are shown in."""
        unique = dict.fromkeys(self.items)
        return sorted(unique, key=lambda d: (d.position, d.code, d.message))

    def render(self) -> str:
        """The text for a terminal: each headline with its excerpt, then the count."""
        shown = self.sorted()
        lines = [part for d in shown for part in (d.headline(), d.excerpt()) if part]
        errors = sum(d.severity == "error" for d in shown)
        counts = {"error": errors, "warning": len(shown) - errors}
        lines.append(", ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items() if n) or "0 errors")
        return "\n".join(lines)


class InputError(Exception):
    """Raised when what a person wrote cannot be used; carries every diagnostic. Commands exit 1 on it."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__(diagnostics.render())
        self.diagnostics = diagnostics


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the closest known name, else `expected one of: …` (at most twelve)."""
    choices = sorted(set(known))
    lowered = {c.lower(): c for c in choices}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{lowered[close[0]]}'?"
    if not choices:
        return "nothing is known under that name"
    more = "" if len(choices) <= 12 else f", … ({len(choices)} in all)"
    return "expected one of: " + ", ".join(choices[:12]) + more


def relative(path: Path) -> str:
    """The path as a person would type it: relative to the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
