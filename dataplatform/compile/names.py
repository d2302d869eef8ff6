"""Identifiers made from names people chose.

A job may be called anything; what an engine calls its task may not. An identifier is only a label: the name itself
travels as data, so nothing is lost by reducing it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata


def ascii_words(text: str, *, keep: str = "_", longest: int = 100) -> str:
    """The text reduced to ASCII letters, digits and the characters of `keep`, or "" where nothing is left.

    Accents are dropped from letters; any run of other characters becomes one underscore.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    words = re.sub(rf"[^A-Za-z0-9{re.escape(keep)}]+", "_", plain)
    return (words if words == text else words.strip("_"))[:longest]


def stable_id(text: str, *, keep: str = "_-", longest: int = 100, prefix: str = "x") -> str:
    """An identifier for `text` that depends on nothing but `text`.

    A text that already is one stays as it is; any other gets a digest of the text, so that two names that look alike
    when reduced stay apart and neither changes when the other comes or goes (Airflow keeps history by task id).
    """
    words = ascii_words(text, keep=keep, longest=longest)
    if words == text and words:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{words[: longest - 9] or prefix}_{digest}"


class Unique:
    """Hands out each identifier once; a second asker gets it with a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, wanted: str) -> str:
        """`wanted`, or `wanted_2`, `wanted_3` … where it is taken. Case is ignored when comparing."""
        name, number = wanted, 1
        while name.lower() in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name.lower())
        return name
