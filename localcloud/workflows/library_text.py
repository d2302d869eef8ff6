"""The `text` module of the standard library.

Regular expressions are RE2's in the service. Python's `re` runs them here after RE2's refusals are applied: no
lookaround, no backreference, no possessive quantifier or atomic group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote_to_bytes

from localcloud.workflows.failures import type_error, value_error
from localcloud.workflows.values import Value, type_name

_NOT_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>|P=|\()|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+")
_FLAGS = re.compile(r"\(\?[a-zA-Z]+\)")
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|[()|]", re.DOTALL)
_CHARSETS = {"UTF-8": "utf-8", "UTF8": "utf-8", "US-ASCII": "ascii", "ASCII": "ascii", "ISO-8859-1": "latin-1",
             "UTF-16": "utf-16", "UTF-16BE": "utf-16-be", "UTF-16LE": "utf-16-le"}  # fmt: skip


def _text(where: str, value: Value) -> str:
    if not isinstance(value, str):
        raise type_error(f"{where} takes a string; got: {type_name(value)}")
    return value


def _pattern(where: str, value: Value) -> re.Pattern[str]:
    source = _text(where, value)
    if _NOT_RE2.search(source):
        raise value_error(f"{where}: the regular expression is not in RE2's syntax: {source}")
    try:
        return re.compile(source)
    except re.error:
        raise value_error(f"{where}: invalid regular expression: {source}") from None


def _charset(value: Value) -> str:
    name = "UTF-8" if value is None else _text("charset", value)
    if name.upper() not in _CHARSETS:
        raise value_error(f"unsupported charset '{name}'")
    return _CHARSETS[name.upper()]


def decode(data: Value, charset: Value = None) -> str:
    """Bytes to text."""
    if not isinstance(data, bytes):
        raise type_error(f"text.decode takes bytes; got: {type_name(data)}")
    try:
        return data.decode(_charset(charset))
    except UnicodeDecodeError:
        raise value_error("text.decode: the bytes are not text in the given charset") from None


def encode(text: Value, charset: Value = None) -> bytes:
    """Text to bytes."""
    try:
        return _text("text.encode", text).encode(_charset(charset))
    except UnicodeEncodeError:
        raise value_error("text.encode: the text cannot be encoded in the given charset") from None


def _alternatives(pattern: re.Pattern[str]) -> list[re.Pattern[str]]:
    """The alternatives at the top of an expression, each with the flags it begins with."""
    source = pattern.pattern
    prefix = _FLAGS.match(source)
    begin = prefix.end() if prefix else 0
    depth, start, parts = 0, begin, []
    for token in _TOKEN.finditer(source, begin):
        depth += (token.group() == "(") - (token.group() == ")")
        if token.group() == "|" and depth == 0:
            parts.append(source[start : token.start()])
            start = token.end()
    if not parts:
        return [pattern]
    return [re.compile(source[:begin] + part) for part in (*parts, source[start:])]


def _spans(pattern: re.Pattern[str], source: str) -> Iterator[tuple[int, int]]:
    """The matches from left to right; of alternatives the longest, and none that is empty right after another."""
    alternatives = _alternatives(pattern)
    position, last = 0, -1
    while position <= len(source) and (found := pattern.search(source, position)) is not None:
        start, end = found.span()
        if len(alternatives) > 1:
            end = max(m.end() for a in alternatives if (m := a.match(source, start)) is not None)
        if end > start or start != last:
            yield start, end
            last = end
        position = max(end, start + (end == start))


def _matches(pattern: re.Pattern[str], source: str) -> list[Value]:
    return [{"index": start, "match": source[start:end]} for start, end in _spans(pattern, source)]


def find_all(source: Value, substr: Value) -> list[Value]:
    """All places of a substring, as maps of index and match."""
    where = "text.find_all"
    return _matches(re.compile(re.escape(_text(where, substr))), _text(where, source))


def find_all_regex(source: Value, regexp: Value) -> list[Value]:
    """All matches of a regular expression, as maps of index and match."""
    where = "text.find_all_regex"
    return _matches(_pattern(where, regexp), _text(where, source))


def match_regex(source: Value, regexp: Value) -> bool:
    """Whether the expression matches anywhere in the text."""
    where = "text.match_regex"
    return _pattern(where, regexp).search(_text(where, source)) is not None


def replace_all(source: Value, substr: Value, repl: Value) -> str:
    """All occurrences of a substring replaced."""
    where = "text.replace_all"
    return _text(where, source).replace(_text(where, substr), _text(where, repl))


def replace_all_regex(source: Value, regexp: Value, repl: Value) -> str:
    """All matches replaced by a text; backreferences in it mean nothing."""
    where = "text.replace_all_regex"
    replacement = _text(where, repl)
    text, parts, at = _text(where, source), list[str](), 0
    for start, end in _spans(_pattern(where, regexp), text):
        parts += (text[at:start], replacement)
        at = end
    return "".join((*parts, text[at:]))


def split(source: Value, separator: Value) -> list[Value]:
    """The parts between separators; with an empty separator every character."""
    text, mark = _text("text.split", source), _text("text.split", separator)
    return list(text.split(mark)) if mark else list(text)


def substring(source: Value, start: Value, end: Value) -> str:
    """Characters from start up to, not including, end."""
    text = _text("text.substring", source)
    for bound in (start, end):
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise type_error(f"text.substring takes integers; got: {type_name(bound)}")
    if not 0 <= start <= end <= len(text):
        raise value_error(f"text.substring: {start} to {end} is not within a text of {len(text)} characters")
    return text[start:end]


def to_lower(source: Value) -> str:
    """Lower case."""
    return _text("text.to_lower", source).lower()


def to_upper(source: Value) -> str:
    """Upper case."""
    return _text("text.to_upper", source).upper()


def url_encode(source: Value) -> str:
    """Percent-encoding, a space as %20."""
    return quote(_text("text.url_encode", source), safe="")


def url_encode_plus(source: Value) -> str:
    """Percent-encoding, a space as +."""
    return quote_plus(_text("text.url_encode_plus", source), safe="")


def url_decode(source: Value) -> str:
    """Percent-decoding; + is a space."""
    text = _text("text.url_decode", source)
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        raise value_error("text.url_decode: the text is not percent-encoded")
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise value_error("text.url_decode: the text is not UTF-8") from None
