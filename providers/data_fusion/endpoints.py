"""Clients for the endpoints that resources name, and the words for what goes wrong with them.

`DP_CDAP_ENDPOINT` puts another server in the place of Google's addresses: the embedded cloud's. It is the base of
`localcloud serve`, or `run:` and a command that prints such an address.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from dataplatform.datafusion.client import LOOPBACK, Client
from dataplatform.datafusion.credentials import GivenToken, is_google
from dataplatform.datafusion.errors import ApiError, DataFusionError, RefusedError
from dataplatform.diagnostics import InputError
from providers import companion
from providers.base import ProviderError

ENDPOINT = "DP_CDAP_ENDPOINT"
"""Name of the variable that puts another server in the place of Google's addresses."""
_ATTEMPTS = 6
"""An instance that has just been made answers 503 for a moment."""


class Clients:
    """One client for each endpoint, made when it is first asked for."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()

    def of(self, endpoint: str) -> Client:
        """The client of an endpoint.

        Raises:
            ProviderError: when the endpoint is none, or what stands for it cannot be had.
        """
        with self._lock:
            if endpoint not in self._clients:
                try:
                    self._clients[endpoint] = self._made(endpoint)
                except RefusedError as error:
                    raise ProviderError(str(error)) from None
            return self._clients[endpoint]

    def _made(self, endpoint: str) -> Client:
        named = companion.address(self._environment.get(ENDPOINT, "")).rstrip("/")
        if not named or not is_google(endpoint):
            return Client.connect(endpoint, attempts=_ATTEMPTS)
        split = urlsplit(named)
        if split.scheme != "http" or split.hostname not in LOOPBACK:
            raise ProviderError(f"{ENDPOINT} is '{named}'; it is the embedded cloud's address, http://127.0.0.1:PORT")
        parts = urlsplit(endpoint)
        # Any token will do there, and none of Google's leaves for it.
        tokens = GivenToken("embedded-cloud")
        return Client(f"{named}/datafusion/{parts.netloc}{parts.path}", tokens=tokens, attempts=_ATTEMPTS)


@contextmanager
def sentences(what: str) -> Iterator[None]:
    """Turn what the client raises into one sentence about `what`."""
    try:
        yield
    except InputError as error:
        told = "; ".join(f"{one.message}: {one.remedy}" for one in error.diagnostics.sorted())
        raise ProviderError(told) from None
    except ApiError as error:
        raise ProviderError(f"{what}: {_reason(error)}") from None
    except DataFusionError as error:
        raise ProviderError(f"{what}: {error}") from None


def _reason(error: ApiError) -> str:
    if error.code == 403:
        return (
            f"{error.text} (403); whoever deploys needs a role such as roles/datafusion.developer on the instance,"
            " and roles/datafusion.admin for namespaces and what belongs to the instance"
        )
    return f"{error.text} ({error.code})"
