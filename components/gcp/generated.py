"""A compiled text and where it came from, as the asset components take it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, kw_only=True)
class Generated:
    """The text compiled from one definition for one engine."""

    name: str
    """Name of the definition: the key of all its resources."""
    text: str
    source: str
    """File of the definition, as given."""
    sha256: str
    """SHA-256 of the definition's bytes, in hex."""
    compiler: str
    """Version of the compiler."""

    def provenance(self) -> dict[str, str]:
        """What a reviewer needs to see of it, by key.

        The provider hides an object's content in a preview; these show. The service refuses slashes and quotes in
        them, so of the path only the file's name is told.
        """
        return {
            "compiler": self.compiler,
            "definition": PurePosixPath(self.source.replace("\\", "/")).name,
            "definition-sha256": self.sha256,
        }
