"""How text that people wrote is shown back to them: on one line, escaped, shortened, and never a secret's value."""

from __future__ import annotations

import re

_SHOWN = 60


def escaped(text: str) -> str:
    """The text with what a terminal could act on (controls, ANSI escapes, bidi marks) written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    if short:
        return short
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shown(value: object) -> str:
    """A value as a message shows it: in quotes, escaped, at most sixty characters of it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = str(value)
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    text = str(value)
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"'{escaped(cut)}'"


def kind_of(value: object) -> str:
    """What kind of value this is, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text"


def source_line(text: str) -> str:
    """A line of a file as an excerpt shows it: same columns, with a replacement for what a terminal could act on."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def control_character(text: str) -> str | None:
    """The first character of `text` that is a control, a line or paragraph separator or half a surrogate pair."""
    if text.isprintable():
        return None
    for char in text:
        code = ord(char)
        if code < 0x20 or 0x7F <= code < 0xA0 or code in (0x2028, 0x2029) or 0xD800 <= code < 0xE000:
            return char
    return None


_DOTTED = re.compile(r"[\w$:@/-]+")


def dotted(path: tuple[str | int, ...]) -> str:
    """A path inside a document: `platform.gcp.secrets`, `definition[0].THREADS[1]`.

    The platform is the subject of a stack file, so what stands above it there is left out.
    """
    if path[:2] == ("config", "data-platform:platform"):
        path = ("platform", *path[2:])
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            name = part if _DOTTED.fullmatch(part) else shown(part)
            parts.append(f".{name}" if parts else name)
    return "".join(parts)
