"""Where the lint records what it finds: mistakes, and warnings, which do not stop a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dataplatform.config.codes import CODES
from dataplatform.config.data_factory.secret_texts import credential_in
from dataplatform.config.document import Node, Path
from dataplatform.config.text import dotted, escaped
from dataplatform.diagnostics import Diagnostic, Diagnostics, Position

WARNINGS: Final = frozenset(code for code, meaning in CODES.items() if meaning.endswith("(warning)"))
"""Codes that only warn."""


_SECRETS: Final = frozenset({"DP522", "DP523"})
"""Codes of secrets."""


@dataclass
class Found:
    """Mistakes and warnings, apart."""

    errors: Diagnostics = field(default_factory=Diagnostics)
    warnings: Diagnostics = field(default_factory=Diagnostics)
    patched: Mapping[str, frozenset[Path]] = field(default_factory=dict)
    """File → places whose value the stack replaces: what stands there is nobody's mistake."""

    def tell(self, code: str, node: Node, path: Path, message: str, remedy: str, *, key: bool = False) -> None:
        """Record something at a path below a document's root, unless the stack replaces what stands there."""
        if self.replaced(node, path):
            return
        position = node.position_of(path, key)
        line = node.line_text(position.line)
        # Whatever is told of a line with a credential, the line is not shown.
        source = "" if code in _SECRETS or credential_in(line) is not None else line
        self.at(code, position, message, remedy, path=dotted(path), source=source)

    def at(self, code: str, position: Position, message: str, remedy: str, *, path: str = "", source: str = "") -> None:
        """Record something at a place."""
        into = self.warnings if code in WARNINGS else self.errors
        into.items.append(
            Diagnostic(
                code=code,
                severity="warning" if code in WARNINGS else "error",
                position=position,
                message=escaped(message),
                remedy=escaped(remedy),
                path=escaped(path),
                source=source,
            )
        )

    def replaced(self, node: Node, path: Path) -> bool:
        """Whether the stack replaces or removes the value at a path, or one that holds it."""
        places = self.patched.get(node.document.file, frozenset())
        return bool(places) and any(path[: len(place)] == place for place in places)

    def everything(self) -> list[Diagnostic]:
        """Mistakes and warnings by place."""
        return Diagnostics([*self.errors.items, *self.warnings.items]).sorted()
