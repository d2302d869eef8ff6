"""Google's REST APIs from a task: one authorised session, calls that are repeated where that is safe, plain errors.

Credentials are the application default ones, which on Composer are those of the environment's account; google-auth
refreshes them. A token goes to hosts of Google only. `DATA_FUSION_EMULATOR_HOST` and `BIGQUERY_EMULATOR_HOST` name
stand-ins (`http://127.0.0.1:PORT/datafusion`, `http://127.0.0.1:PORT`), which get no real token.

What is sent is never part of an error or a log line: runtime arguments may hold secrets.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from dataplatform_runtime.protocol import TIME_SCALE_VARIABLE, _refused

__all__ = ["Rest", "RestError", "bigquery_url", "data_fusion_url", "instance_url", "time_scale"]

DATA_FUSION_VARIABLE = "DATA_FUSION_EMULATOR_HOST"
BIGQUERY_VARIABLE = "BIGQUERY_EMULATOR_HOST"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
NOT_DONE = frozenset({429, 503})
"""Answers after which the service has done nothing: a call that is not safe to repeat may be sent again."""
PAUSES = (1, 2, 4, 8, 16)
CALL_SECONDS = 60
_HOSTS = (".googleapis.com", ".googleusercontent.com")
_LONGEST = 1000


class RestError(Exception):
    """Raised when a call was refused or had no answer; `status` is 0 where none came.

    `unsure` says that the service may have done what it was asked for.
    """

    def __init__(self, message: str, status: int, *, unsure: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.unsure = unsure


def _emulator(variable: str) -> str:
    found = os.environ.get(variable, "").rstrip("/")
    return found if not found or "://" in found else f"http://{found}"


def data_fusion_url() -> str:
    """Base of the API of Data Fusion's instances."""
    return _emulator(DATA_FUSION_VARIABLE) or "https://datafusion.googleapis.com"


def instance_url(endpoint: str) -> str:
    """Base of an instance's own API; `endpoint` is the instance's `apiEndpoint`."""
    emulator = _emulator(DATA_FUSION_VARIABLE)
    parts = urlsplit(endpoint)
    return f"{emulator}/{parts.netloc}{parts.path.rstrip('/')}" if emulator else endpoint.rstrip("/")


def bigquery_url() -> str:
    """Base of BigQuery's API."""
    return f"{_emulator(BIGQUERY_VARIABLE) or 'https://bigquery.googleapis.com'}/bigquery/v2"


def time_scale() -> float:
    """Factor on pauses: 1, unless Data Fusion is a stand-in and says otherwise."""
    return float(os.environ.get(TIME_SCALE_VARIABLE, "1")) if _emulator(DATA_FUSION_VARIABLE) else 1.0


class Rest:
    """Calls of REST APIs. Not safe for several threads; a signal handler makes one of its own."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._plain: Any = None
        self._google: Any = None

    def call(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        safe: bool | None = None,
        timeout: float = CALL_SECONDS,
        repeat: bool = True,
    ) -> Any:
        """What the service answers: JSON as data, any other text as it is.

        Args:
            method: GET, POST and so on.
            url: Without its query.
            body: Sent as JSON.
            query: Parameters of the URL.
            safe: Whether the call may be sent again when it may have been heard; what GET is where left out.
            timeout: Seconds for one answer.
            repeat: Whether it is sent again at all.

        Raises:
            RestError: no answer, or one with another status than 2xx.
        """
        safe = method == "GET" if safe is None else safe
        for pause in [*(PAUSES if repeat else ()), None]:
            try:
                return self._once(method, url, body, query, timeout)
            except RestError as error:
                again = error.status in TRANSIENT or error.status == 0 if safe else error.status in NOT_DONE
                if pause is None or not (again or (error.status == 0 and not error.unsure)):
                    raise
                self._sleep(pause * time_scale())
        raise AssertionError("the last call returns or raises")

    def _once(self, method: str, url: str, body: Any, query: Mapping[str, str] | None, timeout: float) -> Any:
        import requests

        place = f"{method} {urlsplit(url).path}"
        headers = {"Content-Type": "application/json"}
        # A body of its own even where there is nothing to say: Google's front ends want a Content-Length.
        data = json.dumps(body).encode() if body is not None else (b"" if method != "GET" else None)
        try:
            session = self._session(url, headers)
        except Exception as error:
            raise RestError(f"{place}: no credentials: {error}", 401) from None
        try:
            answer = session.request(
                method, url, params=dict(query or {}), data=data, headers=headers, timeout=(min(timeout, 30), timeout)
            )
        except requests.exceptions.RequestException as error:
            never_sent = isinstance(error, requests.exceptions.ConnectTimeout) or _refused(error)
            words = "no connection" if never_sent else f"no answer ({type(error).__name__})"
            raise RestError(f"{place}: {words}", 0, unsure=not never_sent) from None
        except Exception as error:  # google-auth could not refresh the token
            raise RestError(f"{place}: no credentials: {type(error).__name__}: {error}", 401) from None
        if not 200 <= answer.status_code < 300:
            unsure = answer.status_code in TRANSIENT - NOT_DONE
            said = _said(answer.text)
            raise RestError(f"{place}: HTTP status {answer.status_code}: {said}", answer.status_code, unsure=unsure)
        if not answer.text.strip():
            return None
        try:
            return answer.json()
        except ValueError:
            return answer.text

    def _session(self, url: str, headers: dict[str, str]) -> Any:
        host = urlsplit(url).hostname or ""
        emulators = [urlsplit(_emulator(name)).netloc for name in (DATA_FUSION_VARIABLE, BIGQUERY_VARIABLE)]
        if urlsplit(url).netloc in filter(None, emulators):
            if self._plain is None:
                import requests

                self._plain = requests.Session()
                self._plain.trust_env = False
            headers["Authorization"] = "Bearer emulator"
            return self._plain
        if not url.startswith("https://") or not host.endswith(_HOSTS):
            raise ValueError(f"{host or url} is not a host of Google's")
        if self._google is None:
            import google.auth
            from google.auth.transport.requests import AuthorizedSession

            default: Any = google.auth.default
            authorized: Any = AuthorizedSession
            self._google = authorized(default(scopes=[SCOPE])[0])
        return self._google


def _said(text: str) -> str:
    """The message of Google's JSON, or of CDAP's plain text, in one line."""
    try:
        found = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        found = text
    return " ".join(str(found).split())[:_LONGEST] or "no reason given"
