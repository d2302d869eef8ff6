"""What can go wrong between us and an instance, each with the exit status that tells a machine which it was.

The statuses are those of every command (dataplatform.local.errors.Exit); this package is imported by programs that have
no command line, so it does not import that module.
"""

from __future__ import annotations

INPUT, CLOUD, PARTIAL, USAGE = 1, 3, 5, 64


class DataFusionError(Exception):
    """Raised when something cannot go on; the text is one sentence with the remedy."""

    status = CLOUD


class UnreachableError(DataFusionError):
    """Raised when no answer comes, after the retries that were safe."""


class TokenError(DataFusionError):
    """Raised when there is no access token, or the instance refuses it even when fresh."""


class RefusedError(DataFusionError):
    """Raised before anything is changed, when what was asked for cannot be done or needs a word more."""

    status = INPUT


class PartialError(DataFusionError):
    """Raised when some of it was done before the rest failed."""

    status = PARTIAL


class UnknownNameError(DataFusionError):
    """Raised when the command line names something that does not exist."""

    status = USAGE


class ApiError(DataFusionError):
    """Raised when the instance answers with a status that is no success."""

    def __init__(self, method: str, path: str, code: int, text: str) -> None:
        super().__init__(f"{method} {path} was refused with {code}: {text}")
        self.method = method
        self.path = path
        self.code = code
        self.text = text


class NotFoundError(ApiError):
    """404."""


class ConflictError(ApiError):
    """409."""
