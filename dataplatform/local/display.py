"""What a person sees while the engine works: a line at once, a line for each resource, never two silent seconds."""

from __future__ import annotations

import time
from typing import TextIO

from dataplatform.local.costs import cost_of
from dataplatform.local.events import REPLACING, UNCHANGED, Operation, Run
from dataplatform.local.texts import text_diff

SILENCE = 1.8
"""Seconds without a line after which one says what is in flight."""

HIDDEN = frozenset({"detectMd5hash"})
"""Fields that a provider uses to notice a change and that say nothing to a person."""

_SIGNS = {"create": "+", "update": "~", "delete": "-", "import": "=", "refresh": "?"}
_VERBS = {
    "create": ("create", "created"),
    "update": ("update", "updated"),
    "delete": ("delete", "deleted"),
    "create-replacement": ("create the replacement", "replacement created"),
    "delete-replaced": ("delete the replaced", "replaced one deleted"),
    "replace": ("REPLACE", "replaced"),
    "import": ("import", "imported"),
    "import-replacement": ("import the replacement", "replacement imported"),
}


class Display:
    """Prints what happens; with `quiet` nothing, for `--json`."""

    def __init__(self, out: TextIO, *, quiet: bool = False, preview: bool = False, operations: bool = True) -> None:
        self.stream, self.quiet = out, quiet
        self._preview, self._operations = preview, operations
        self._began = self._last = time.monotonic()
        self._replaced: set[str] = set()

    def line(self, text: str) -> None:
        """Print a line now."""
        self._last = time.monotonic()
        if not self.quiet:
            self.stream.write(text + "\n")
            self.stream.flush()

    def operation(self, operation: Operation) -> None:
        """Show an operation that has ended (in a preview: that is planned)."""
        if operation.op in UNCHANGED or not operation.custom or operation.status == "running":
            return
        if not self._operations and operation.status != "failed":
            return
        if self._preview and not self._once(operation):
            return
        if not self._preview and operation.op == "replace":
            return  # only the bracket around its two parts
        self.line(self._text(operation))

    def _once(self, operation: Operation) -> bool:
        """Whether to show it in a preview, where a replacement is one line and not its three parts.

        What is replaced because something else is has its reason and its fields with the second part.
        """
        if operation.op == "delete-replaced" or operation.urn in self._replaced:
            return False
        if operation.op == "replace" and not operation.keys:
            return False
        if operation.op in REPLACING:
            self._replaced.add(operation.urn)
        return True

    def _text(self, operation: Operation) -> str:
        future, past = _VERBS.get(operation.op, (operation.op, operation.op))
        if self._preview and operation.op in REPLACING:
            future = _VERBS["replace"][0]
        sign = "!" if operation.op in REPLACING else "-" if "delete" in operation.op else _SIGNS.get(operation.op, " ")
        what = f"  {sign} {operation.type}  {operation.name}"
        if operation.status == "failed":
            return f"  x {operation.type}  {operation.name}  could not be {past}  {operation.seconds:.1f} s"
        if not self._preview:
            return f"{what}  {past}  {operation.seconds:.1f} s"
        because = f"  because of {', '.join(operation.keys)}" if operation.keys else ""
        cost = cost_of(operation)
        cost_line = cost.line() if cost is not None else ""
        lines = [f"{what}  {future}{because}{f'  ({cost_line})' if cost_line else ''}"]
        told = HIDDEN | operation.texts.keys()  # a text is told by its lines
        lines += [f"      {one.line()}" for one in operation.fields if one.path not in told]
        for path, (old, new) in operation.texts.items():
            lines += [f"      {line}" for line in text_diff(path, old, new)]
        return "\n".join(lines)

    def heartbeat(self, run: Run, doing: str) -> None:
        """Say what is in flight, where nothing has been said for a while."""
        if time.monotonic() - self._last < SILENCE:
            return
        running = run.in_flight()
        if not running:
            self.line(f"  … {doing} ({time.monotonic() - self._began:.0f} s)")
            return
        shown = ", ".join(f"{o.name} ({o.seconds:.0f} s)" for o in running[:3])
        more = f" and {len(running) - 3} more" if len(running) > 3 else ""
        self.line(f"  … in flight: {shown}{more}")
