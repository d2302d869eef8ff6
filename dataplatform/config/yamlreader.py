"""YAML → `Node`, from the parser's events.

PyYAML's composer recurses in C and ends the process on a deeply nested text; its constructor resolves YAML 1.1, where
`on` is a boolean and `012` is ten. So the tree is built here: no recursion, no tags, no anchors (and so no alias
bombs), duplicate keys found, and a value that two YAML readers would read differently is refused instead of guessed.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from dataplatform.config.document import Document, Node
from dataplatform.config.text import control_character, shown

MAX_DEPTH = 100
MAX_NODES = 100_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = frozenset({"", "~", "null"})
_BOOL = {"true": True, "false": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_OTHER_BOOL = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null)")
_OCTAL = re.compile(r"[-+]?0o?[0-7_]+|[-+]?0[0-9_]+")
_BASED = re.compile(r"[-+]?0x[0-9a-fA-F_]+|[-+]?0b[01_]+")
_GROUPED = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?"
)
_RAW = "\0"
"""Stands in a remedy for the scalar as it is written."""
_NOT_FINITE = re.compile(r"[-+]?\.(?i:inf|nan)")

_WHAT = {
    "found character that cannot start any token": (
        "a character that cannot begin a value",
        "put the text in quotes, or indent with spaces where a tab stands",
    ),
    "mapping values are not allowed in this context": (
        "a second ': ' on one line",
        "put the value in quotes, or begin a new line for the next key",
    ),
    "mapping values are not allowed here": (
        "a second ': ' on one line",
        "put the value in quotes, or begin a new line for the next key",
    ),
    "found unexpected end of stream": ("a quote that is not closed", "close it"),
    "found unknown escape character": (
        "an unknown escape in a double-quoted text",
        "write \\\\ for a backslash, or use single quotes",
    ),
    "found invalid Unicode character escape code": (
        "a \\u escape that is no character",
        "write the character itself, or one beyond U+FFFF as \\U with eight digits",
    ),
    "did not find expected key": (
        "a line that is neither a key nor the end of the mapping",
        "give it the indentation of its neighbours, and every key its ': '",
    ),
    "could not find expected ':'": ("a key without ':'", "write 'key: value'"),
    "did not find expected ',' or ']'": ("a list that is not closed", "end it with ']', and put ',' between its items"),
    "did not find expected ',' or '}'": (
        "a mapping in braces that is not closed",
        "end it with '}', and put ',' between its entries",
    ),
    "did not find expected '-' indicator": (
        "a list in which a line is no item",
        "begin every item with '- ' at the same indentation, or end the list",
    ),
    "did not find expected node content": ("a value that is cut off", "complete it"),
    "did not find expected <document start>": (
        "text after the end of the document",
        "give it the indentation of the mapping or list it belongs to",
    ),
}


def read_yaml(document: Document) -> Node | None:
    """The document's tree, or None where there is none; mistakes are recorded in the document."""
    reader = _Reader(document)
    try:
        return reader.read()
    except yaml.YAMLError as error:
        _syntax(document, error)
        return None


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.stack: list[Node] = []
        self.keys: list[tuple[str, int, bool] | None] = []
        self.root: Node | None = None
        self.documents = 0
        self.nodes = 0
        self.told: set[str] = set()
        """Anchors whose use was told: once each, or an alias bomb would be a flood of words."""

    def read(self) -> Node | None:
        for event in yaml.parse(self.document.text, Loader=_LOADER):
            if isinstance(event, yaml.ScalarEvent):
                ok = self._scalar(event)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                ok = self._open(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                ok = self._close()
            elif isinstance(event, yaml.AliasEvent):
                ok = self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                ok = self._begin(event)
            else:
                ok = True
            if not ok:
                return None
        return self.root

    def _offset(self, mark: Any) -> int:
        """Offset of a mark of either parser, PyYAML's own or libyaml's."""
        starts = self.document.starts()
        return starts[min(int(mark.line), len(starts) - 1)] + int(mark.column)

    def _begin(self, event: yaml.DocumentStartEvent) -> bool:
        self.documents += 1
        if self.documents > 1:
            self.document.report(
                "DP107",
                self._offset(event.start_mark),
                "a second document begins here",
                "keep one document in a file: take out the line '---' and what follows it",
            )
            return False
        return True

    def _node(self, kind: str, offset: int) -> Node | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.document.report(
                "DP104", offset, f"more than {MAX_NODES} values in one file", "divide the file into several"
            )
            return None
        assert kind in ("mapping", "sequence", "scalar")
        return Node(self.document, kind, offset)  # type: ignore[arg-type]

    def _decorated(self, event: yaml.NodeEvent, offset: int) -> bool:
        """Whether the node has a tag or an anchor, which is told."""
        tag = getattr(event, "tag", None)
        if tag:
            self.document.report(
                "DP115",
                offset,
                f"the tag {shown(tag)}",
                "take it out; quotes make a value text, nothing else is needed",
            )
        if event.anchor and not isinstance(event, yaml.AliasEvent):
            self.document.report(
                "DP114",
                offset,
                f"the anchor '&{shown(event.anchor)[1:-1]}'",
                "take it out and write the value at each place where it is meant",
            )
        return bool(tag)

    def _alias(self, event: yaml.AliasEvent) -> bool:
        offset = self._offset(event.start_mark)
        name = event.anchor or ""
        if name not in self.told:
            self.told.add(name)
            remedy = "write the value out wherever it is meant: aliases and merge keys are not read"
            self.document.report("DP114", offset, f"the alias '*{shown(name)[1:-1]}'", remedy)
        node = self._node("scalar", offset)
        if node is None:
            return False
        node.flawed = True
        return self._place(node, None)

    def _open(self, event: yaml.CollectionStartEvent) -> bool:
        offset = self._offset(event.start_mark)
        node = self._node("mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence", offset)
        if node is None:
            return False
        if len(self.stack) >= MAX_DEPTH:
            self.document.report(
                "DP105", offset, f"nested more than {MAX_DEPTH} levels deep", "use fewer levels of nesting"
            )
            return False
        node.flawed = self._decorated(event, offset)
        if not self._place(node, None):
            return False
        self.stack.append(node)
        self.keys.append(None)
        return True

    def _close(self) -> bool:
        self.stack.pop()
        self.keys.pop()
        return True

    def _scalar(self, event: yaml.ScalarEvent) -> bool:
        offset = self._offset(event.start_mark)
        node = self._node("scalar", offset)
        if node is None:
            return False
        node.raw = event.value
        node.plain = not event.style  # None from PyYAML's own parser, empty from libyaml's
        node.flawed = self._decorated(event, offset)
        is_key = bool(self.stack) and self.stack[-1].kind == "mapping" and self.keys[-1] is None
        if node.plain and not node.flawed:
            problem = _resolve(node)
            if problem:
                node.flawed = True
                node.scalar = node.raw
                what = "the key" if is_key else "the value"
                quoted = self.document.quote(offset, node.raw)
                remedy = problem[2].replace(_RAW, quoted[1:-1])
                self.document.report(problem[0], offset, f"{what} {quoted} {problem[1]}", remedy)
        else:
            node.scalar = event.value
        if not node.flawed and isinstance(node.scalar, str) and "\0" in node.scalar:
            node.flawed = True
            self.document.report("DP103", offset, "the text holds a NUL character", "take it out")
        return self._place(node, event)

    def _place(self, node: Node, event: yaml.ScalarEvent | None) -> bool:
        """Put a finished or just opened node where it belongs; a key waits for its value."""
        if not self.stack:
            self.root = node
            return True
        parent = self.stack[-1]
        if parent.kind == "sequence":
            parent.items.append(node)
            return True
        waiting = self.keys[-1]
        if waiting is None:
            return self._key(node, event)
        self.keys[-1] = None
        name, offset, keep = waiting
        if keep:
            parent.entries[name] = (offset, node)
        return True

    def _key(self, node: Node, event: yaml.ScalarEvent | None) -> bool:
        parent = self.stack[-1]
        if event is None:
            if node.kind != "scalar":
                self.document.report("DP112", node.offset, "a key that is a list or mapping", "write the key as text")
                return False
            self.keys[-1] = ("", node.offset, False)
            return True
        if node.plain and node.raw == "<<":
            self.document.report(
                "DP114", node.offset, "the merge key '<<'", "write the merged keys out: merge keys are not read"
            )
            self.keys[-1] = ("", node.offset, False)
            parent.flawed = True  # what is missing may have been meant to come from there
            return True
        name = node.scalar
        if not isinstance(name, str):
            self.document.report(
                "DP112", node.offset, f"the key {shown(name) if name is not None else 'null'} is not text",
                f'put it in quotes: "{shown(node.raw)[1:-1]}"' if node.raw else "give it a name",
            )  # fmt: skip
            self.keys[-1] = ("", node.offset, False)
            return True
        keep = not node.flawed
        if name in parent.entries:
            first = self.document.position(parent.entries[name][0])
            self.document.report(
                "DP111",
                node.offset,
                f"the key {shown(name)} is given a second time",
                f"keep one of them: the first is at {first.line}:{first.column}",
            )
            parent.entries[name][1].flawed = True
            keep = False
        char = control_character(name)
        if char is not None:
            self.document.report("DP103", node.offset, f"the key holds U+{ord(char):04X}", "take it out")
            keep = False
        self.keys[-1] = (name, node.offset, keep)
        return True


def _resolve(node: Node) -> tuple[str, str, str] | None:
    """Give a plain scalar its value, or say why it has none: code, what is wrong, what would be right."""
    raw = node.raw
    if raw in _NULL:
        node.scalar = None
        return None
    if raw in _BOOL:
        node.scalar = _BOOL[raw]
        return None
    first = raw[0]
    if first not in "0123456789+-.yYnNoOtTfF":
        if len(raw) == 4 and raw.lower() == "null":
            return (
                "DP113",
                "is null to some YAML readers and text to others",
                f'write null, or "{_RAW}" for the text',
            )
        node.scalar = raw
        return None
    quoted = f'write "{_RAW}" in quotes if the text is meant'
    if _INT.fullmatch(raw):
        if len(raw) > 20 or not -(2**63) <= int(raw) < 2**63:
            return "DP116", "is an integer of more than 64 bits", quoted
        node.scalar = int(raw)
        return None
    if _FLOAT.fullmatch(raw):
        number = float(raw)
        if number in (float("inf"), float("-inf")):
            return "DP116", "is a number out of range", quoted
        node.scalar = number
        return None
    if _NOT_FINITE.fullmatch(raw):
        return "DP116", "is not a finite number", quoted
    if _OTHER_BOOL.fullmatch(raw):
        word = "true" if raw.lower() in ("y", "yes", "on", "true") else "false"
        return (
            "DP113",
            "is a boolean to some YAML readers and text to others",
            f'write {word}, or "{_RAW}" for the text',
        )
    if _OCTAL.fullmatch(raw):
        return (
            "DP113",
            "is octal to some YAML readers and decimal to others",
            f"write it without the leading 0; {quoted}",
        )
    if _BASED.fullmatch(raw) or _GROUPED.fullmatch(raw):
        return "DP113", "is a number to some YAML readers and text to others", f"write it in plain digits; {quoted}"
    if _SEXAGESIMAL.fullmatch(raw):
        return "DP113", "is a number in base 60 to some YAML readers and text to others", quoted
    if _DATE.fullmatch(raw):
        return "DP113", "is a date to some YAML readers and text to others", quoted
    node.scalar = raw
    return None


def _syntax(document: Document, error: yaml.YAMLError) -> None:
    if isinstance(error, yaml.reader.ReaderError):
        offset = error.position if isinstance(error.position, int) else 0
        char = document.text[offset] if offset < len(document.text) else "\0"
        document.report(
            "DP103", offset, f"the control character U+{ord(char):04X}", 'take it out, or write it as an escape in "…"'
        )
        return
    problem = str(getattr(error, "problem", "") or "the text is not YAML")
    marks = [getattr(error, name, None) for name in ("problem_mark", "context_mark")]
    if problem == "found unexpected end of stream":
        marks.reverse()  # a quote that is not closed is shown where it opens
    mark = marks[0] or marks[1]
    starts = document.starts()
    offset = starts[min(mark.line, len(starts) - 1)] + mark.column if mark else 0
    line = document.line(document.position(offset).line)
    lead = line[: len(line) - len(line.lstrip())]
    if "\t" in lead:
        tab = offset - (document.position(offset).column - 1) + lead.index("\t")
        document.report("DP110", tab, "a tab in the indentation", "indent with spaces")
        return
    what, remedy = _WHAT.get(problem, (problem, "put right the YAML at this place or just before it"))
    document.report("DP108", offset, f"this is not YAML: {what}", remedy)
