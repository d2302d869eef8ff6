"""File names of objects: deterministic, reversible, and different on every file system.

What a file system may refuse or fold is written %XX (UTF-8, as in a URL). Names that differ in case alone get a mark of
their own, `~` and six digits of the name's digest, all but the one in lower case; a name too long for a file keeps its
beginning and the mark. `~` itself is always written %7E, so a mark is never mistaken.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote

_REFUSED = frozenset('/\\:*?"<>|%~@')
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))})
_LIMIT = 180
"""Bytes: 255 is the limit of file systems, and endings come on top."""


def encode(name: str) -> str:
    """The file name, without its ending, of an object that has no neighbours."""
    # A letter that has two spellings in Unicode would come back from some file systems in the other one.
    plain = unicodedata.normalize("NFC", name) == name and name.isprintable()
    last = len(name) - 1
    parts = []
    for i, character in enumerate(name):
        edge = (i == 0 and character in ". ") or (i == last and character in ". ")
        keep = character not in _REFUSED and not edge and (character.isascii() or plain)
        parts.append(character if keep and character.isprintable() else _escaped(character))
    text = "".join(parts)
    if not text or text.partition(".")[0].casefold() in _RESERVED:
        text = (_escaped(name[0]) if name else "%") + text[1:]
    if len(text.encode()) > _LIMIT:
        text = text.encode()[: _LIMIT - 10].decode("utf-8", "ignore").rpartition("%")[0] or text[:40]
        return f"{text}~{_mark(name)}"
    return text


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]


def decode(text: str) -> str:
    """The name. Of a name that was too long only its beginning."""
    return "" if text == "%" else unquote(text.partition("~")[0], errors="surrogatepass")


def file_names(names: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The file names, without endings, of objects that lie in one folder; parts of a name are joined by `@`."""
    encoded = {name: "@".join(encode(part) for part in name) for name in sorted(set(names))}
    folded: dict[str, list[tuple[str, ...]]] = {}
    for name, text in encoded.items():
        folded.setdefault(text.casefold(), []).append(name)
    for group in folded.values():
        if len(group) > 1:
            for name in group:
                if encoded[name] != encoded[name].casefold():
                    encoded[name] += f"~{_mark('@'.join(name))}"
    return encoded
