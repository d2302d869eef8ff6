"""Tokens of Microsoft Entra for Azure Resource Manager, from the same environment that azure-native reads.

In this order: a service principal (ARM_CLIENT_ID, ARM_TENANT_ID and ARM_CLIENT_SECRET, or a federated token with
ARM_USE_OIDC), a managed identity (ARM_USE_MSI), `azure-identity` where it is installed, the Azure CLI's login. A
certificate (ARM_CLIENT_CERTIFICATE_PATH) needs azure-identity. Tokens are kept in this process only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from providers.base import ProviderError

_CLOUDS = {
    "public": ("https://login.microsoftonline.com", "https://management.azure.com"),
    "usgovernment": ("https://login.microsoftonline.us", "https://management.usgovcloudapi.net"),
    "china": ("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
}
"""ARM_ENVIRONMENT → authority and Resource Manager."""

STORAGE = "https://storage.azure.com"
"""The audience of a storage account's own API, in every cloud."""
_SUFFIXES = {"public": "core.windows.net", "usgovernment": "core.usgovcloudapi.net", "china": "core.chinacloudapi.cn"}

_MSI = "http://169.254.169.254/metadata/identity/oauth2/token"
_SPARE = 300.0
"""Seconds before its end at which a token is renewed."""
_TIMEOUT = 30.0


def cloud(environment: Mapping[str, str]) -> tuple[str, str]:
    """Authority and Resource Manager of the environment's cloud."""
    name = environment.get("ARM_ENVIRONMENT", "public").lower()
    found = _CLOUDS.get(name)
    if found is None:
        raise ProviderError(f"ARM_ENVIRONMENT is '{name}'; known are: {', '.join(sorted(_CLOUDS))}")
    return found


def storage_suffix(environment: Mapping[str, str]) -> str:
    """What the hosts of the environment's cloud's storage accounts end with."""
    cloud(environment)
    return _SUFFIXES[environment.get("ARM_ENVIRONMENT", "public").lower()]


@dataclass
class _Token:
    value: str
    expires: float


class Login:
    """Tokens for one audience."""

    def __init__(self, environment: Mapping[str, str] | None = None, *, audience: str = "") -> None:
        self._environment = dict(os.environ if environment is None else environment)
        self._authority, manager = cloud(self._environment)
        self._audience = audience or manager
        self._token: _Token | None = None
        self._lock = threading.Lock()

    def token(self) -> str:
        """A token that is valid for minutes yet. Raises ProviderError where none can be had, and says what to do."""
        with self._lock:
            if self._token is None or self._token.expires - time.time() < _SPARE:
                self._token = self._fetch()
            return self._token.value

    def _fetch(self) -> _Token:
        env = self._environment
        client, tenant = env.get("ARM_CLIENT_ID", ""), env.get("ARM_TENANT_ID", "")
        if _yes(env.get("ARM_USE_OIDC")):
            if not client or not tenant:
                raise ProviderError("ARM_USE_OIDC is set, and ARM_CLIENT_ID or ARM_TENANT_ID is not")
            return self._principal(
                client,
                tenant,
                {
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    "client_assertion": self._federated(),
                },
            )
        if client and tenant and env.get("ARM_CLIENT_SECRET"):
            return self._principal(client, tenant, {"client_secret": env["ARM_CLIENT_SECRET"]})
        if _yes(env.get("ARM_USE_MSI")):
            return self._managed(client)
        return self._library() or self._command_line()

    def _principal(self, client: str, tenant: str, proof: Mapping[str, str]) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "scope": f"{self._audience}/.default",
            **proof,
        }
        url = f"{self._authority}/{urllib.parse.quote(tenant, safe='')}/oauth2/v2.0/token"
        return _taken(_request(url, data=urllib.parse.urlencode(form).encode()))

    def _federated(self) -> str:
        """The token of the identity provider outside: given, in a file, or asked of GitHub Actions."""
        env = self._environment
        if env.get("ARM_OIDC_TOKEN"):
            return env["ARM_OIDC_TOKEN"]
        if env.get("ARM_OIDC_TOKEN_FILE_PATH"):
            try:
                return Path(env["ARM_OIDC_TOKEN_FILE_PATH"]).read_text("utf-8").strip()
            except OSError as error:
                raise ProviderError(f"ARM_OIDC_TOKEN_FILE_PATH cannot be read ({error.strerror})") from None
        url = env.get("ARM_OIDC_REQUEST_URL") or env.get("ACTIONS_ID_TOKEN_REQUEST_URL")
        bearer = env.get("ARM_OIDC_REQUEST_TOKEN") or env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        if not url or not bearer:
            raise ProviderError(
                "ARM_USE_OIDC is set without a token: set ARM_OIDC_TOKEN, ARM_OIDC_TOKEN_FILE_PATH, or "
                "ARM_OIDC_REQUEST_URL with ARM_OIDC_REQUEST_TOKEN"
            )
        joint = "&" if "?" in url else "?"
        found = _request(
            f"{url}{joint}audience={urllib.parse.quote('api://AzureADTokenExchange', safe='')}",
            headers={"Authorization": f"Bearer {bearer}"},
        )
        return str(found.get("value", ""))

    def _managed(self, client: str) -> _Token:
        query = {"api-version": "2018-02-01", "resource": f"{self._audience}/"}
        if client:
            query["client_id"] = client
        endpoint = self._environment.get("ARM_MSI_ENDPOINT") or _MSI
        return _taken(_request(f"{endpoint}?{urllib.parse.urlencode(query)}", headers={"Metadata": "true"}))

    def _library(self) -> _Token | None:
        """By azure-identity, which is not one of our requirements."""
        try:
            from azure import identity  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        try:
            found = identity.DefaultAzureCredential().get_token(f"{self._audience}/.default")
        except Exception as error:
            raise ProviderError(f"azure-identity has no token for Azure: {error}") from None
        return _Token(str(found.token), float(found.expires_on))

    def _command_line(self) -> _Token:
        az = shutil.which("az")
        if az is None:
            raise ProviderError(
                "no credentials for Azure: set ARM_CLIENT_ID, ARM_TENANT_ID and ARM_USE_OIDC (or ARM_CLIENT_SECRET), "
                "set ARM_USE_MSI on a machine with a managed identity, or install the Azure CLI and run `az login`"
            )
        command = [az, "account", "get-access-token", "--resource", f"{self._audience}/", "--output", "json"]
        if self._environment.get("ARM_TENANT_ID"):
            command += ["--tenant", self._environment["ARM_TENANT_ID"]]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT * 2, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ProviderError(f"the Azure CLI gave no token ({type(error).__name__}); run `az login`") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise ProviderError(f"the Azure CLI gave no token: {last[:300]}; run `az login`")
        found = json.loads(done.stdout)
        return _Token(str(found["accessToken"]), float(found.get("expires_on") or time.time() + 600))


def _yes(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes")


def _taken(found: Mapping[str, Any]) -> _Token:
    if "access_token" not in found:
        raise ProviderError("the answer of the token endpoint holds no access_token")
    return _Token(str(found["access_token"]), time.time() + float(found.get("expires_in", 600)))


def _request(url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A call of a token endpoint. What it sent and what it got are in no message, apart from Entra's own words."""
    host = urllib.parse.urlsplit(url).netloc
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ProviderError(f"{host or 'the token endpoint'} is not an http address")
    request = urllib.request.Request(url, data=data, headers=dict(headers or {}))  # noqa: S310 - judged above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            found = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        try:
            words = str(json.loads(error.read()).get("error_description", "")).splitlines()
        except ValueError:
            words = []
        said = f": {words[0][:300]}" if words else ""
        raise ProviderError(f"{host} refused to give a token ({error.code}){said}") from None
    except (OSError, ValueError) as error:
        raise ProviderError(f"{host} gave no token ({type(error).__name__})") from None
    return dict(found) if isinstance(found, dict) else {}
