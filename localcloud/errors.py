"""What a service of the embedded cloud answers when it refuses."""

from __future__ import annotations


class ApiError(Exception):
    """A refusal of a service: raise it wherever the cloud would answer with an error status.

    `status` is the HTTP status (404), `code` the service's own code (`NOT_FOUND`, `ResourceNotFound`), `message` its
    text.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
