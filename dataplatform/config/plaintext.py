"""Plain-text secrets: how they are recognised, by the name of their key or by their own shape.

A key is a secret's when its last word is: `DB_PASSWORD`, `smtp-smtp_password`, `clientSecret`. `secret_name` and
`token_uri` are not: what they hold is a reference. Values are never returned and never part of a message.
"""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = (
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "access_key",
    "account_key",
    "private_key",
    "secret_key",
    "shared_key",
    "sas_key",
    "signing_key",
    "encryption_key",
    "credential",
    "credentials",
    "connection_string",
)
_KEY = re.compile(r"(?:^|_)(?:" + "|".join(_WORDS) + r")(?:_?\d+)?(?:_(?:value|plain|plaintext|text))?$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_REFERENCE = re.compile(
    r"""^(?:
        \$.* |                                    # $secret:name, ${…}
        \{\{.*\}\} | \{[A-Za-z_.]+\} |            # a template's variable
        <[^<>]*> |                                # a placeholder: reported as one
        (?:projects/[^/]+/(?:locations/[^/]+/)?secrets/.+) |
        (?:sm|gsm|secretmanager|secret-manager|keyvault|vault)://?.+ |
        gs://.+ |
        (?:env|secret|var|file):.+
    )$""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)

_SHAPES: Final = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), "an AWS access key"),
    (re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"), "a Google API key"),
    (re.compile(r"\bya29\.[0-9A-Za-z_-]{20,}"), "a Google access token"),
    (re.compile(r"\bgh[pousr]_[0-9A-Za-z]{36,}\b"), "a GitHub token"),
    (re.compile(r"\bdapi[0-9a-f]{32}\b"), "a Databricks token"),
    (re.compile(r"(?i)\bAccountKey=[A-Za-z0-9+/=]{20,}"), "a storage account key"),
    (re.compile(r"(?i)\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@$<{]{1,100}:[^\s/:@$<{]{1,200}@"), "a password in a URL"),
    (
        re.compile(
            r"(?i)(?:^|[^a-z0-9])(?:password|passwd|pwd|client_secret|secret_key|api[_-]?key|access_token)"
            r"\s*=\s*(?![$<{*])[^\s;&,$<{]+"
        ),
        "a password",
    ),
)

REMEDY: Final = "keep it in Secret Manager (gcp.secrets and `pulumi config set --secret`) and write its name here"


def secret_key(key: str) -> bool:
    """Whether a key of that name holds a secret."""
    if len(key) > 300:
        return False
    name = _CAMEL.sub("_", key).lower()
    return _KEY.search(re.sub(r"[^a-z0-9]+", "_", name).strip("_")) is not None


def reference(value: str) -> bool:
    """Whether a value says where a secret is rather than what it is."""
    return _REFERENCE.match(value) is not None


def secret_shape(text: str) -> str | None:
    """What kind of secret a text holds by its own look, whatever its key, in words, or None."""
    if len(text) < 5:
        return None
    return next((what for shape, what in _SHAPES if shape.search(text)), None)


def plain_secret(key: str | None, value: object) -> str | None:
    """What kind of secret stands here in plain text, in words, or None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        if not value.strip():
            return None
        if key is not None and secret_key(key) and not reference(value):
            return "a secret"
        return secret_shape(value)
    if key is not None and isinstance(value, int | float) and secret_key(key):
        return "a secret"
    return None
