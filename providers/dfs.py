"""A small client of a Data Lake Storage account's own API: directories, which Resource Manager does not know.

Where `DP_ARM_ENDPOINT` names the embedded cloud, it is there that the accounts are too, below `/dfs/<account>`.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping

from providers import companion
from providers.arm import ENDPOINT, ArmError
from providers.azure_login import STORAGE, Login, storage_suffix
from providers.base import ProviderError

_VERSION = "2023-11-03"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TIMEOUT = 60.0
_ATTEMPTS = 5
_LONGEST_PAUSE = 60.0


class DfsError(ArmError):
    """Raised when a storage account refuses a call."""


class Dfs:
    """The accounts of one cloud."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        env = dict(os.environ if environment is None else environment)
        self._sleep = sleep
        named = companion.address(env.get(ENDPOINT, "")).rstrip("/")
        # A Resource Manager that is not on this machine is a real one, and its accounts are where they always are.
        self._local = named if urllib.parse.urlsplit(named).hostname in _LOOPBACK else ""
        self._suffix = storage_suffix(env)
        proxies = [urllib.request.ProxyHandler({})] if self._local else []
        self._opener = urllib.request.build_opener(*proxies)
        self._login = Login(env, audience=STORAGE)

    def call(
        self, method: str, account: str, path: str, *, query: Mapping[str, str] | None = None, only_new: bool = False
    ) -> Mapping[str, str]:
        """One call; the answer's headers, with names in lower case.

        Args:
            method: PUT, HEAD or DELETE.
            account: Name of the storage account.
            path: Filesystem and path in it.
            query: Of the address.
            only_new: Whether a path that is there already is refused.

        Raises:
            DfsError: when it is refused.
            ProviderError: when there is no answer.
        """
        host = f"{self._local}/dfs/{account}" if self._local else f"https://{account}.dfs.{self._suffix}"
        url = f"{host}/{urllib.parse.quote(path, safe='/')}"
        url += f"?{urllib.parse.urlencode(query)}" if query else ""
        pause = 1.0
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            request = urllib.request.Request(url, method=method, headers=self._headers(only_new))  # noqa: S310
            try:
                with self._opener.open(request, timeout=_TIMEOUT) as answer:
                    return {name.lower(): value for name, value in answer.headers.items()}
            except urllib.error.HTTPError as error:
                with error:
                    refused = _refusal(error.code, error.read(), error.headers.get("x-ms-error-code", ""))
                if last or not (error.code == 429 or error.code >= 500):
                    raise refused from None
            except OSError as error:
                if last:
                    reason = getattr(error, "reason", None) or type(error).__name__
                    raise ProviderError(f"the storage account {account} does not answer ({reason})") from None
            self._sleep(min(pause, _LONGEST_PAUSE))
            pause *= 2
        raise AssertionError("the last attempt returned or raised")

    def _headers(self, only_new: bool) -> dict[str, str]:
        headers = {"x-ms-version": _VERSION, "User-Agent": "data-platform", "Content-Length": "0"}
        if only_new:
            headers["If-None-Match"] = "*"
        if not self._local:
            headers["Authorization"] = f"Bearer {self._login.token()}"
        return headers


def _refusal(status: int, data: bytes, header: str) -> DfsError:
    """The error in an answer. That of a HEAD has no body, and its code stands in a header."""
    try:
        found = json.loads(data) if data else {}
    except ValueError:
        found = {}
    error = found.get("error") if isinstance(found, dict) else None
    told = error if isinstance(error, dict) else {}
    message = str(told.get("message") or "").splitlines()
    return DfsError(
        status, str(told.get("code") or header), message[0] if message else f"the storage account answered {status}"
    )
