"""Credentials inside of longer texts: connection strings and shared access signatures."""

from __future__ import annotations

import re
from typing import Final

_CREDENTIAL: Final = re.compile(
    r"(?i)(?:^|[;\s\"'])(?:password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|accesskey|client_?secret)"
    r"\s*=\s*(?P<value>[^;\"]+)"
)
_SIGNATURE: Final = re.compile(r"[?&;]sig=(?P<value>[A-Za-z0-9%+/=_-]{20,})")


def credential_in(text: str) -> str | None:
    """The credential that a text holds, whatever its key is called; None where it holds none."""
    match = _CREDENTIAL.search(text) or _SIGNATURE.search(text)
    return match["value"].strip() if match else None
