"""Where the rules of a stack record what they find."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from dataplatform.config.document import Node, Path
from dataplatform.config.explain import close

AT: Final[Path] = ("config", "data-platform:platform")
"""Where the platform is in a stack file."""


class Findings:
    """Records what rules find in one stack file."""

    def __init__(self, node: Node, wrong: Collection[Path]) -> None:
        self._node = node
        self._wrong = wrong

    def tell(
        self, code: str, path: Path, message: str, remedy: str, *, needs: tuple[Path, ...] = (), key: bool = False
    ) -> None:
        """Record a mistake at a path below the platform, unless it rests on a part that is wrong itself.

        Args:
            code: Of the diagnostic.
            path: Where it is shown.
            message: What is wrong.
            remedy: What would be right.
            needs: The other parts it rests on.
            key: Whether it is shown at the key rather than at the value.
        """
        if not any(_touches(wrong, part) for wrong in self._wrong for part in (path, *needs)):
            self._node.report(code, (*AT, *path), message, remedy, key=key)


def _touches(wrong: Path, part: Path) -> bool:
    """Whether a part lies within a wrong one, or may be what a misspelt key beside it was meant to be."""
    if wrong == part[: len(wrong)]:
        return True
    if not part:
        return False
    return wrong[:-1] == part[:-1] and close(str(wrong[-1]), [str(part[-1])])
