"""A client of CDAP's REST API: every status checked, pooled connections, retries only where a second call is harmless.

Paths are given as segments and quoted one by one, so a name may hold a space, a slash or any letter.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from dataplatform.datafusion.credentials import TokenSource, source_for
from dataplatform.datafusion.errors import (
    ApiError,
    ConflictError,
    DataFusionError,
    NotFoundError,
    RefusedError,
    TokenError,
    UnreachableError,
)

Json = dict[str, Any]
RETRIED = frozenset({429, 502, 503, 504})
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_KINDS = {404: NotFoundError, 409: ConflictError}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Client:
    """One instance. Safe to use from several threads; `send` is the only method that touches the network."""

    def __init__(
        self,
        endpoint: str,
        *,
        tokens: TokenSource | None = None,
        concurrency: int = 16,
        timeout: float = 60.0,
        attempts: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RefusedError(f"'{endpoint}' is not an endpoint; it has the form https://HOST/api or http://HOST:PORT")
        self.endpoint = endpoint.rstrip("/").removesuffix("/v3")
        self.concurrency = concurrency
        self.attempts = attempts
        self.sleep = sleep
        self._tokens = tokens
        self._timeout = urllib3.Timeout(connect=min(10.0, timeout), read=timeout)
        self._pool = _pool(self.endpoint, concurrency)
        self._turn = threading.BoundedSemaphore(concurrency)

    @classmethod
    def connect(cls, endpoint: str, **options: Any) -> Client:
        """A client with the credentials that the endpoint calls for."""
        return cls(endpoint, tokens=source_for(endpoint), **options)

    def send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One request, one answer.

        Raises:
            urllib3.exceptions.HTTPError: when none comes.
        """
        answer = self._pool.request(
            method, url, body=body, headers=headers, timeout=self._timeout, retries=False, redirect=False
        )
        return Answer(status=answer.status, body=answer.data, headers=answer.headers)

    def call(
        self,
        method: str,
        segments: Iterable[str],
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retry: bool | None = None,
    ) -> Answer:
        """Call a path below `/v3`; the answer is a success.

        `retry` says whether a second call does no harm; unless told, it is so for GET, PUT and DELETE.
        """
        path = "/v3/" + "/".join(quote(s, safe="") for s in segments)
        path += f"?{urlencode(query)}" if query else ""
        # A body is always there, if empty, so that Content-Length is: Google's front ends answer 411 without one.
        data = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        sent = {"Accept": "application/json", **({"Content-Type": "application/json"} if body is not None else {})}
        again = method in ("GET", "PUT", "DELETE") if retry is None else retry
        answer = self._with_retries(method, path, None if method == "GET" else data, sent | dict(headers or {}), again)
        if answer.status // 100 == 2:
            return answer
        raise self._error(method, path, answer)

    def json(self, method: str, segments: Iterable[str], **options: Any) -> Any:
        """Call a path whose answer is JSON."""
        answer = self.call(method, segments, **options)
        try:
            return json.loads(answer.body)
        except ValueError as problem:
            raise DataFusionError(
                f"{self.endpoint} answered with something else than JSON; is it the API endpoint of an instance "
                "(its address ends in /api)?"
            ) from problem

    def get(self, *segments: str, **query: str) -> Any:
        """The JSON at a path."""
        return self.json("GET", segments, query=query)

    def _with_retries(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], again: bool
    ) -> Answer:
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            token = self._tokens.token() if self._tokens is not None else None
            sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
            try:
                with self._turn:
                    answer = self.send(method, self.endpoint + path, data, sent)
            except urllib3.exceptions.HTTPError as problem:
                # No connection was made at all: nothing was done there, whatever the method.
                unsent = isinstance(
                    problem, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
                )
                if attempt >= self.attempts or not (again or unsent):
                    raise UnreachableError(self._unreachable(problem)) from problem
                self.sleep(_pause(attempt, None))
                continue
            if answer.status == 401 and token is not None and not renewed:
                renewed = True
                if self._tokens is not None and self._tokens.renew(token):
                    attempt -= 1
                    continue
            if answer.status in RETRIED and attempt < self.attempts and (again or answer.status == 429):
                self.sleep(_pause(attempt, answer.headers.get("Retry-After")))
                continue
            return answer

    def _unreachable(self, problem: Exception) -> str:
        host = urlsplit(self.endpoint).netloc
        said = " ".join(str(getattr(problem, "reason", problem)).split())
        said = said.rpartition(": ")[2] or type(problem).__name__
        return f"the instance at {host} cannot be reached ({said[:160]}); check the endpoint and your network"

    def _error(self, method: str, path: str, answer: Answer) -> DataFusionError:
        shown = path.partition("?")[0]
        if answer.status == 401:
            return TokenError(
                f"{urlsplit(self.endpoint).netloc} refused the access token (missing, wrong or expired); log in again: "
                "gcloud auth application-default login"
            )
        if answer.status // 100 == 3:
            return DataFusionError(f"{self.endpoint} redirects elsewhere; it is not the API endpoint of an instance")
        return _KINDS.get(answer.status, ApiError)(method, shown, answer.status, _first_line(answer.body))


def _pool(endpoint: str, size: int) -> urllib3.PoolManager:
    parts = urlsplit(endpoint)
    proxy = getproxies().get(parts.scheme)
    options: Any = {"maxsize": size, "block": False}
    # A proxy is for the world outside, not for this machine.
    if proxy and parts.hostname not in LOOPBACK and not proxy_bypass(parts.netloc):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def _pause(attempt: int, asked: str | None) -> float:
    if asked is not None and asked.isdigit():
        return min(float(asked), 30.0)
    return min(0.2 * 2.0 ** (attempt - 1), 5.0)


def _first_line(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if text[:1] == "<":
        return "(a page, no text)"
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")[:300]
