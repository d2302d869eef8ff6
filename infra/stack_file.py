"""Where in the stack file a value stands, for diagnostics that are found after the models were made."""

from __future__ import annotations

from pathlib import Path

from dataplatform.config.loader import load_document
from dataplatform.diagnostics import Diagnostics, Position, relative

_PLATFORM: tuple[str | int, ...] = ("config", "data-platform:platform")


class StackFile:
    """Positions in one stack file. It is read only when the first position is asked for."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._node, _ = load_document(file)

    def add(self, diagnostics: Diagnostics, code: str, path: tuple[str | int, ...], message: str, remedy: str) -> None:
        """Add a diagnostic about the value at a path below `data-platform:platform`.

        It points at the key of the value, or of the nearest part above it that is written out.
        """
        position, source = self.place(path)
        shown = ".".join(str(part) for part in ("platform", *path))
        diagnostics.add(code, position, message, remedy, path=shown, source=source)

    def place(self, path: tuple[str | int, ...]) -> tuple[Position, str]:
        """Where the key of a value stands, or of the nearest part above it that is written out; and the line there."""
        position, source = Position(relative(self._file)), ""
        for length in range(len(path), -1, -1) if self._node is not None else ():
            assert self._node is not None
            try:
                position = self._node.position_of((*_PLATFORM, *path[:length]), key=True)
            except LookupError:
                continue
            source = self._node.line_text(position.line)
            break
        return position, source
