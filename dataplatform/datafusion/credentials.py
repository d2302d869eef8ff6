"""Access tokens: Google's for Google's addresses, a given one for others, none for a plain endpoint.

A Google token never goes to an address that is not Google's.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Protocol
from urllib.parse import urlsplit

from dataplatform.datafusion.errors import TokenError

TOKEN_VARIABLE = "CDAP_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
"""A bearer token for an endpoint that is not Google's."""
_GOOGLE = (".googleusercontent.com", ".googleapis.com")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class TokenSource(Protocol):
    """Where tokens come from. Called from several threads."""

    def token(self) -> str:
        """A token that has not expired as far as is known."""
        ...

    def renew(self, refused: str) -> bool:
        """Get another one than the refused; False where there is none."""
        ...


class GivenToken:
    """A token somebody gave us. It cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """The token."""
        return self._token

    def renew(self, refused: str) -> bool:
        """There is no other."""
        return False


class GoogleToken:
    """Tokens of the application default credentials, refreshed before they expire and when one is refused."""

    def __init__(self, credentials: Any = None, transport: Any = None) -> None:
        self._lock = threading.Lock()
        self._credentials = credentials
        self._transport = transport

    def token(self) -> str:
        """A valid token, refreshed where the last one is about to expire."""
        with self._lock:
            if self._credentials is None:
                self._credentials, self._transport = _default_credentials()
            if not self._credentials.valid:
                self._refresh()
            return str(self._credentials.token)

    def renew(self, refused: str) -> bool:
        """Refresh, unless another thread has done it since."""
        with self._lock:
            if self._credentials is not None and self._credentials.token == refused:
                self._refresh()
            return True

    def _refresh(self) -> None:
        from google.auth.exceptions import GoogleAuthError

        try:
            self._credentials.refresh(self._transport)
        except GoogleAuthError as problem:
            raise TokenError(
                f"the Google credentials gave no access token ({_one_line(problem)}); log in again: "
                "gcloud auth application-default login"
            ) from problem


def _default_credentials() -> tuple[Any, Any]:
    import google.auth
    import urllib3
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.urllib3 import Request

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except GoogleAuthError as problem:
        raise TokenError(
            "there are no Google credentials; log in: gcloud auth application-default login, or set "
            "GOOGLE_APPLICATION_CREDENTIALS"
        ) from problem
    transport: Any = Request  # its constructor has no annotations
    return credentials, transport(urllib3.PoolManager())


def is_google(url: str) -> bool:
    """Whether the address is one of Google's, over TLS."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(_GOOGLE)


def source_for(url: str) -> TokenSource | None:
    """The tokens an endpoint gets; none for a plain one."""
    if is_google(url):
        return GoogleToken()
    given = os.environ.get(TOKEN_VARIABLE)
    return GivenToken(given) if given else None


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split())[:200]
