"""A small client of Azure Resource Manager: one call, its JSON, and an error that says what Azure said.

Retried: 429 and 5xx with what `Retry-After` asks for, and a connection that cannot be made; everything this client
sends may be sent twice. The base address is `DP_ARM_ENDPOINT` where it is set: the embedded cloud's, or a test's.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from providers import companion
from providers.azure_login import Login, cloud
from providers.base import ProviderError

ENDPOINT = "DP_ARM_ENDPOINT"
"""Name of the variable that puts another address in Resource Manager's place, or `run:` and the command of a server."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TIMEOUT = 60.0
_ATTEMPTS = 5
_LONGEST_PAUSE = 60.0


class ArmError(ProviderError):
    """Raised when Resource Manager refuses a call."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{message.strip()} ({status} {code})" if code else f"{message.strip()} ({status})")
        self.status = status
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a call returned."""

    status: int
    body: dict[str, Any]


class Arm:
    """Resource Manager of one cloud."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        env = dict(os.environ if environment is None else environment)
        self._env = env
        self._sleep = sleep
        self._login: Login | None = None
        named = companion.address(env.get(ENDPOINT, "")).rstrip("/")
        self.base = named or cloud(env)[1]
        split = urllib.parse.urlsplit(self.base)
        self._local = split.hostname in _LOOPBACK
        # A proxy of the environment is for the world outside, not for this machine.
        proxies = [urllib.request.ProxyHandler({})] if self._local else []
        self._opener = urllib.request.build_opener(*proxies)
        if split.scheme not in ("https", "http") or not split.hostname:
            raise ProviderError(f"{ENDPOINT} is '{self.base}', which is not an address such as https://host")
        if split.scheme == "http" and not self._local:
            # The token would cross the network in clear.
            raise ProviderError(f"{ENDPOINT} is '{self.base}'; only this machine may be spoken to without https")

    def call(self, method: str, path: str, *, version: str, body: Mapping[str, Any] | None = None) -> Answer:
        """One call.

        Args:
            method: GET, PUT, POST or DELETE.
            path: A resource id, perhaps with an action behind it.
            version: The API version.
            body: Sent as JSON.

        Raises:
            ArmError: when it is refused.
            ProviderError: when there is no answer.
        """
        url = f"{self.base}{urllib.parse.quote(path, safe='/')}?api-version={version}"
        data = None if body is None else json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        pause = 1.0
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            request = urllib.request.Request(url, data=data, method=method, headers=self._headers())  # noqa: S310
            try:
                with self._opener.open(request, timeout=_TIMEOUT) as answer:
                    return Answer(status=answer.status, body=_object(answer.read()))
            except urllib.error.HTTPError as error:
                with error:
                    refused = _refusal(error.code, error.read())
                    asked = error.headers.get("Retry-After", "")
                if last or not (error.code == 429 or error.code >= 500):
                    raise refused from None
                wait = float(asked) if asked.isdigit() else pause
            except OSError as error:
                if last:
                    reason = getattr(error, "reason", None) or type(error).__name__
                    raise ProviderError(f"{self.base} does not answer ({reason})") from None
                wait = pause
            self._sleep(min(wait, _LONGEST_PAUSE))
            pause *= 2
        raise AssertionError("the last attempt returned or raised")

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "data-platform"}
        if not self._local:
            if self._login is None:
                self._login = Login(self._env)
            headers["Authorization"] = f"Bearer {self._login.token()}"
        return headers


def _object(data: bytes) -> dict[str, Any]:
    if not data.strip():
        return {}
    try:
        found = json.loads(data)
    except ValueError:
        raise ProviderError("the answer of Resource Manager is not JSON") from None
    return found if isinstance(found, dict) else {}


def _refusal(status: int, data: bytes) -> ArmError:
    """The error in an answer: `{"error": {"code", "message"}}`, or without the frame."""
    try:
        found = json.loads(data)
    except ValueError:
        found = {}
    error = found.get("error", found) if isinstance(found, dict) else {}
    if not isinstance(error, dict):
        error = {}
    code = str(error.get("code") or "")
    message = str(error.get("message") or "") or f"Resource Manager answered {status}"
    return ArmError(status, code, message)
