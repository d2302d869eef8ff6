"""Calls of Google's REST APIs as the function's own identity.

An endpoint can be replaced by an environment variable `ENDPOINT_<SERVICE>`, for private endpoints and for tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import google.auth
import google.auth.transport.urllib3
import urllib3
from google.oauth2 import id_token

from executors.contract import ExecutorError

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT_SECONDS = 60.0
_RETRIES = urllib3.Retry(
    # A POST starts something: it is repeated only where it surely was not received.
    total=4,
    connect=4,
    read=0,
    other=0,
    status=4,
    status_forcelist=(429, 503),
    allowed_methods=("GET",),
    backoff_factor=0.5,
    raise_on_status=False,
)


class Tokens(Protocol):
    """Where tokens come from."""

    def access(self) -> str:
        """For an API of Google's."""

    def identity(self, audience: str) -> str:
        """For a function."""


class OwnTokens:
    """Tokens of the function's own account, from the metadata server."""

    def __init__(self) -> None:
        # The library has no types for these.
        transport: Any = google.auth.transport.urllib3
        self._request: Any = transport.Request(pool())
        self._fetch: Any = id_token.fetch_id_token
        self._credentials: Any = None

    def access(self) -> str:
        """An access token, renewed when it is about to end."""
        if self._credentials is None:
            self._credentials = google.auth.default(scopes=[SCOPE])[0]
        if not self._credentials.valid:
            self._credentials.refresh(self._request)
        return str(self._credentials.token)

    def identity(self, audience: str) -> str:
        """An identity token for a function's address."""
        return str(self._fetch(self._request, audience))


@cache
def pool() -> urllib3.PoolManager:
    """The connections of this instance."""
    return urllib3.PoolManager(retries=_RETRIES, timeout=urllib3.Timeout(total=TIMEOUT_SECONDS))


@cache
def own_tokens() -> Tokens:
    """The tokens of this instance."""
    return OwnTokens()


class Api:
    """One of Google's services."""

    def __init__(self, service: str, tokens: Tokens | None = None) -> None:
        self._service = service
        self._root = os.environ.get(f"ENDPOINT_{service.upper()}", f"https://{service}.googleapis.com").rstrip("/")
        self._tokens = tokens or own_tokens()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON that a GET answers."""
        return self._json("GET", path, query, None)

    def post(self, path: str, body: Any, query: Mapping[str, str] | None = None) -> Any:
        """The JSON that a POST answers."""
        return self._json("POST", path, query, body)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str | None:
        """The text that a GET answers; None where there is nothing."""
        answer = self._send("GET", path, query, None)
        if answer.status == 404:
            return None
        self._refuse(answer, path)
        return answer.data.decode("utf-8")

    def _json(self, method: str, path: str, query: Mapping[str, str] | None, body: Any) -> Any:
        answer = self._send(method, path, query, body)
        self._refuse(answer, path)
        try:
            return json.loads(answer.data or b"{}")
        except ValueError:
            raise ExecutorError(f"{self._service} answered something that is not JSON to {path}") from None

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any
    ) -> urllib3.response.BaseHTTPResponse:
        url = f"{self._root}/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self._tokens.access()}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        try:
            return pool().request(method, url, body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise ExecutorError(f"{self._service} could not be reached: {type(error).__name__}") from None

    def _refuse(self, answer: urllib3.response.BaseHTTPResponse, path: str) -> None:
        if answer.status < 400:
            return
        raise ExecutorError(f"{self._service} answered {answer.status} to {path}: {_reason(answer.data)}")


def _reason(data: bytes) -> str:
    """What an API says is wrong, cut short."""
    try:
        found = json.loads(data)["error"]
        return str(found["message"] if isinstance(found, dict) else found)[:500]
    except (ValueError, KeyError, TypeError):
        return data[:200].decode("utf-8", "replace")


def segment(text: str) -> str:
    """A value as one part of a path."""
    return quote(text, safe="")


def home_project() -> str:
    """The project the function runs in, as the stack sets it."""
    return _required("PLATFORM_PROJECT")


def home_region() -> str:
    """The region the function runs in, as the stack sets it."""
    return _required("PLATFORM_REGION")


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ExecutorError(f"the function has no environment variable {name}")
    return value
