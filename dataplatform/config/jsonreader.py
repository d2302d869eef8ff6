"""JSON → `Node`, strictly, with positions and with words.

`json.loads` says `Expecting property name enclosed in double quotes`, keeps the last of two equal keys and accepts
NaN. Here every departure from the standard is a diagnostic that says what would be right, and after the harmless ones
(a trailing or missing comma, a comment, single quotes) reading goes on, so that all of them are told at once.
"""

from __future__ import annotations

import json
import re

from dataplatform.config.document import Document, Node
from dataplatform.config.text import shown

MAX_DEPTH = 100
MAX_NODES = 100_000

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:("[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")'
    r"|([{}\[\]:,])"
    r"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?![\w.+-])"
    r"|(true|false|null)\b)"
)
_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?(?:\*/|\Z)|\#[^\r\n]*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_$][\w$-]*")
_NUMBERISH = re.compile(r"[-+.]?[0-9][\w.+-]*|[-+]?(?:Infinity|NaN)\b|[-+]")
_SINGLE = re.compile(r"'((?:[^'\\\r\n]|\\.)*)'")
_LOOSE = re.compile(r'"((?:[^"\\\r\n]|\\.)*)"')
_BAD_ESCAPE = re.compile(r'\\(?:u(?![0-9a-fA-F]{4})|[^"\\/bfnrtu])')
_CONTROL = re.compile(r"[\x00-\x1f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "false": False, "null": None}
_OTHER_WORDS = {"True": "true", "False": "false", "None": "null", "undefined": "null", "nil": "null", "NULL": "null"}


class _UnreadableError(Exception):
    """Raised where nothing sensible can be read any more; the mistake is already recorded."""


def read_json(document: Document, begin: int = 0) -> Node | None:
    """The document's tree, or None where there is none; mistakes are recorded in the document."""
    try:
        reader = _Reader(document, begin)
        root = reader.value(0)
        reader.end()
    except _UnreadableError:
        return None
    return root


class _Reader:
    def __init__(self, document: Document, begin: int) -> None:
        self.document = document
        self.text = document.text
        self.at = begin
        self.nodes = 0
        self.kind = ""
        """Of the token at hand: `s`tring, a punctuation mark, `n`umber, `w`ord, or empty at the end."""
        self.token = ""
        self.start = begin
        self.next()

    def next(self) -> None:
        """Read one token, telling and skipping what is not JSON."""
        while True:
            match = _TOKEN.match(self.text, self.at)
            if match is not None:
                self.start = match.start(match.lastindex or 0)
                self.token = match[match.lastindex or 0]
                self.kind = {1: "s", 2: self.token, 3: "n", 4: "w"}[match.lastindex or 0]
                self.at = match.end()
                return
            space = _SPACE.match(self.text, self.at)
            self.start = self.at = space.end() if space else self.at
            if self.at >= len(self.text):
                self.kind = self.token = ""
                return
            if self._odd():
                return

    def _tell(self, message: str, remedy: str, code: str = "DP109", offset: int | None = None) -> None:
        self.document.report(code, self.start if offset is None else offset, message, remedy)

    def _quote(self, text: str) -> str:
        return self.document.quote(self.start, text)

    def _odd(self) -> bool:
        """Handle what is no token. True where it stands for one, False where it is to be skipped."""
        text, start = self.text, self.at
        comment = _COMMENT.match(text, start)
        if comment:
            self._tell("a comment", "take it out: JSON has none (YAML has; a definition may be a .yaml file)")
            self.at = comment.end()
            return False
        char = text[start]
        if char == '"':
            return self._string(_LOOSE.match(text, start))
        if char == "'":
            single = _SINGLE.match(text, start)
            self._tell("single quotes", 'use double quotes: "…"')
            if single is None:
                raise _UnreadableError
            self.kind, self.at = "s", single.end()
            self.token = json.dumps(single[1].replace("\\'", "'"))
            return True
        number = _NUMBERISH.match(text, start)
        if number:
            return self._number(number[0], number.end())
        word = _WORD.match(text, start)
        if word:
            return self._bare(word[0], word.end())
        if char in "\u201c\u201d\u201e\u2018\u2019":
            self._tell("a typographic quote", 'use straight double quotes: "…"')
        elif not char.isprintable():
            self._tell(f"the character U+{ord(char):04X} outside of a text", "take it out", "DP103")
        else:
            self._tell(f"{shown(char)} is not JSON", "put texts in double quotes and separate values with ','")
        raise _UnreadableError

    def _string(self, loose: re.Match[str] | None) -> bool:
        if loose is None:
            self._tell("a text that is not closed on its line", "close it with '\"', and write a line break as \\n")
            raise _UnreadableError
        bad = _BAD_ESCAPE.search(loose[1])
        control = _CONTROL.search(loose[1])
        if bad:
            if bad[0].startswith("\\u"):
                self._tell(
                    "\\u without four hexadecimal digits", "write it as \\u00e9", offset=loose.start(1) + bad.start()
                )
            else:
                self._tell(
                    f"the escape {shown(bad[0])} does not exist in JSON",
                    "write \\\\ for a backslash",
                    offset=loose.start(1) + bad.start(),
                )
        elif control:
            name = "a tab" if control[0] == "\t" else f"the control character U+{ord(control[0]):04X}"
            remedy = "write it as \\t" if control[0] == "\t" else f"take it out or write it as \\u{ord(control[0]):04x}"
            self._tell(f"{name} inside a text", remedy, "DP103", loose.start(1) + control.start())
        self.kind, self.at = "s", loose.end()
        self.token = loose[0]
        if bad or control:
            self.kind, self.token = "f", json.dumps(loose[1])
        return True

    def _number(self, text: str, end: int) -> bool:
        quoted = self._quote(text)
        bare = quoted[1:-1]
        if "Infinity" in text or "NaN" in text:
            self._tell(f"{bare} is not a number in JSON", "write a finite number, or null", "DP116")
        elif text.startswith("+"):
            self._tell(f"the number {bare}", "write it without '+'")
        elif re.match(r"-?0[0-9]", text):
            self._tell(f"the number {bare} begins with 0", f'write it without the 0, or in quotes: "{bare}"')
        else:
            self._tell(f"{quoted} is not a number in JSON", "write digits such as 12 or 0.5, or put it in quotes")
        self.kind, self.token, self.at = "f", "", end
        return True

    def _bare(self, word: str, end: int) -> bool:
        if word in ("NaN", "Infinity"):
            return self._number(word, end)
        if word in _OTHER_WORDS or word.lower() in _WORDS:
            right = _OTHER_WORDS.get(word, word.lower())
            self._tell(f"{shown(word)} is not JSON", f"write {right}")
        else:
            quoted = self._quote(word)
            self._tell(f"the text {quoted} has no quotes", f'write "{quoted[1:-1]}"')
        self.kind, self.token, self.at = "f", json.dumps(word), end
        return True

    def _node(self, kind: str) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._tell(f"more than {MAX_NODES} values in one file", "divide the file into several", "DP104")
            raise _UnreadableError
        assert kind in ("mapping", "sequence", "scalar")
        return Node(self.document, kind, self.start)  # type: ignore[arg-type]

    def value(self, depth: int) -> Node:
        """Read one value; the token after it is at hand afterwards."""
        kind = self.kind
        if kind == "s":
            return self._text()
        if kind in ("{", "["):
            if depth >= MAX_DEPTH:
                self._tell(f"nested more than {MAX_DEPTH} levels deep", "use fewer levels of nesting", "DP105")
                raise _UnreadableError
            return self._mapping(depth) if kind == "{" else self._sequence(depth)
        node = self._node("scalar")
        node.plain = True
        node.raw = self.token
        if kind == "w":
            node.scalar = _WORDS[self.token]
        elif kind == "n":
            self._finite(node)
        elif kind == "f":
            node.flawed = True
            node.scalar = json.loads(self.token) if self.token else None
        elif kind == "":
            self._tell("the text ends here and a value is missing", "complete it; is a '}' or ']' missing?")
            raise _UnreadableError
        else:
            self._tell(f"'{kind}' where a value belongs", "write a value here, or take out what is too much")
            raise _UnreadableError
        self.next()
        return node

    def _finite(self, node: Node) -> None:
        whole = not any(c in self.token for c in ".eE")
        if whole and len(self.token) <= 20 and -(2**63) <= int(self.token) < 2**63:
            node.scalar = int(self.token)
        elif not whole and abs(float(self.token)) != float("inf"):
            node.scalar = float(self.token)
        else:
            node.flawed = True
            self._tell(
                f"the number {self._quote(self.token)[1:-1]} is out of range",
                "write a number of at most 64 bits, or put it in quotes",
                "DP116",
            )

    def _text(self) -> Node:
        node = self._node("scalar")
        node.raw = self.token[1:-1]
        node.scalar = self._decode(node)
        self.next()
        return node

    def _decode(self, node: Node | None) -> str:
        token = self.token
        if "\\" not in token:
            return token[1:-1]
        try:
            text = str(json.loads(token))
        except ValueError:
            # A single-quoted or otherwise repaired text: told already.
            text = token[1:-1]
        odd = "NUL" if "\0" in text else "half of a surrogate pair" if _SURROGATE.search(text) else ""
        if odd:
            self._tell(f"the text holds {odd}", "take the escape out", "DP103")
            text = _SURROGATE.sub("?", text.replace("\0", "?"))
            if node is not None:
                node.flawed = True
        return text

    def _mapping(self, depth: int) -> Node:
        node = self._node("mapping")
        self.next()
        while self.kind != "}":
            if self.kind not in ("s", "f") or not self.token:
                self._expected("a key in double quotes")
            offset, name = self.start, self._decode(None) if self.kind == "s" else str(json.loads(self.token))
            flawed = self.kind == "f"
            self.next()
            if self.kind == ":":
                self.next()
            elif self.kind in ("s", "n", "w", "{", "["):
                self._tell("':' is missing between key and value", 'write "key": value')
            else:
                self._tell(f"the key {shown(name)} has no value", 'write "key": value', offset=offset)
                raise _UnreadableError
            child = self.value(depth + 1)
            if name in node.entries:
                first = self.document.position(node.entries[name][0])
                self.document.report(
                    "DP111",
                    offset,
                    f"the key {shown(name)} is given a second time",
                    f"keep one of them: the first is at {first.line}:{first.column}",
                )
                node.entries[name][1].flawed = True
            elif not flawed:
                node.entries[name] = (offset, child)
            else:
                child.flawed = True
                node.entries[name] = (offset, child)
            self._comma("}")
        self.next()
        return node

    def _sequence(self, depth: int) -> Node:
        node = self._node("sequence")
        self.next()
        while self.kind != "]":
            node.items.append(self.value(depth + 1))
            self._comma("]")
        self.next()
        return node

    def _comma(self, close: str) -> None:
        """After a member: a comma and another, or the end."""
        if self.kind == close:
            return
        if self.kind == ",":
            comma = self.start
            self.next()
            if self.kind == close:
                self._tell("a comma after the last item", "take it out", offset=comma)
            elif self.kind == ",":
                self._tell("two commas", "take one out")
                while self.kind == ",":
                    self.next()
            return
        if self.kind in ("s", "n", "w", "f", "{", "["):
            self._tell("a comma is missing before this", "put ',' between two items")
            return
        self._expected(f"',' or '{close}'")

    def _expected(self, what: str) -> None:
        if self.kind == "":
            self._tell(f"the text ends here and {what} is missing", "complete it")
        else:
            self._tell(f"{self._quote(self.token)} where {what} belongs", f"write {what} here")
        raise _UnreadableError

    def end(self) -> None:
        """There must be nothing more."""
        if self.kind:
            self._tell("text after the end of the document", "take it out, or put all into one object")
            raise _UnreadableError
