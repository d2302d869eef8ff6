"""A request, a reply and a refusal of CDAP's API, and what its handlers are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.cdap import gsonlike

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request; path and query are decoded, header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One HTTP answer. No content type means that the answer has none, as where CDAP sends a status alone."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = None


OK = Reply()
"""A status and nothing else: what most changes are answered with."""


class CdapError(Exception):
    """A refusal: a status and one plain text, never JSON. `content_type` None is what its router itself sends."""

    def __init__(self, status: int, text: str, content_type: str | None = TEXT) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text
        self.content_type = content_type

    def reply(self) -> Reply:
        """The answer it stands for."""
        return Reply(status=self.status, body=self.text.encode(), content_type=self.content_type)


def json_reply(value: Any, content_type: str = JSON) -> Reply:
    """An answer in JSON, written as Gson writes it."""
    return Reply(body=gsonlike.dumps(value).encode(), content_type=content_type)


def text_reply(text: str) -> Reply:
    """An answer in words."""
    return Reply(body=text.encode(), content_type=TEXT)


def not_found(entity: str) -> CdapError:
    """404 in CDAP's words; `entity` as `namespace:ns1`."""
    return CdapError(404, f"'{entity}' was not found.")
