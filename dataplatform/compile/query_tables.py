"""Which datasets a query of BigQuery reads and writes, as far as its text says.

Not a parser of GoogleSQL: a reader of the names that follow the words after which a table stands (FROM, JOIN, INTO,
UPDATE and so on). Comments and strings are no names; a name without a dataset is a table expression of the query, or
of a default dataset, which compiled queries do not have. What only a run knows (EXECUTE IMMEDIATE, a query that is a
parameter) cannot be told, and is said to be so. Deliberately absent: routines that are called inside of expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
      (?P<skip>\s+|--[^\n]*|\#[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<text>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    | (?P<name>(?:`[^`]+`|[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)(?:\s*\.\s*(?:`[^`]+`|[A-Za-z_*][A-Za-z0-9_*]*))*)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WRITE = frozenset({"INTO", "UPDATE", "MERGE", "TABLE", "VIEW", "DELETE", "INSERT"})
_WORDS = _WRITE | {"FROM", "JOIN", "USING", "CALL", "MODEL", "IMMEDIATE"}
_BETWEEN = frozenset({"INTO", "IF", "NOT", "EXISTS", "TABLE", "OVERWRITE"})
"""Words that may stand between one of those and the name."""
_ENDS_LIST = frozenset(
    {"WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "QUALIFY", "WINDOW", "SELECT", "SET", "ON", "WHEN"}
)
_AFTER_TABLE = (
    _WORDS
    | _ENDS_LIST
    | {"AS", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "FOR", "TABLESAMPLE", "VALUES", "PIVOT"}
    | {"UNPIVOT", "THEN", "PARTITION", "CLUSTER", "OPTIONS", "LIKE", "CLONE", "COPY", "WITH", "EXCEPT", "INTERSECT"}
)
_TAKE_FROM = frozenset({"EXTRACT", "TRIM", "SUBSTRING", "OVERLAY", "POSITION"})
"""Functions whose arguments have a FROM."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Datasets by `(project, dataset)`, and whether the text says them all."""

    read: frozenset[tuple[str, str]] = frozenset()
    written: frozenset[tuple[str, str]] = frozenset()
    complete: bool = True


def tables(query: str, project: str) -> Tables:
    """The datasets of a query that runs in a project."""
    reader = _Reader(project)
    for kind, piece in _tokens(query):
        reader.take(kind, piece)
    read = {found for name in reader.read if (found := reader.dataset(name)) is not None}
    written = {found for name in reader.written if (found := reader.dataset(name)) is not None}
    return Tables(read=frozenset(read - written), written=frozenset(written), complete=reader.complete)


@dataclass
class _Reader:
    """Goes through a query's tokens once."""

    project: str
    read: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    complete: bool = True
    aliases: set[str] = field(default_factory=set)
    """Names that tables have in the query: `t.items` after FROM is then an array of one of them."""
    before: str = ""
    into: list[str] | None = None
    """Where a name that comes now belongs."""
    lists: list[bool] = field(default_factory=lambda: [False])
    """For each open parenthesis, whether a comma in it separates tables."""
    functions: list[str] = field(default_factory=list)
    """For each open parenthesis, the word before it."""
    named: bool = False
    """Whether the last piece was a table's name."""

    def take(self, kind: str, piece: str) -> None:
        """One piece."""
        word = piece.upper() if kind == "name" else piece
        named, self.named = self.named, False
        if kind == "mark":
            if piece == "(" and named and self.read and self.read[-1].upper().startswith(("ML.", "AI.")):
                # A function of BigQuery's own, as in FROM ML.PREDICT(…).
                self.read.pop()
            self._mark(piece)
        elif word == "AS" and named:
            self.named = True
        elif named and word not in _AFTER_TABLE and "." not in piece:
            self.aliases.add(piece.strip("`").lower())
        elif word in _WORDS or word in _ENDS_LIST:
            self._word(word)
        elif self.into is not None and word not in _BETWEEN:
            self.into.append(piece)
            self.into, self.named = None, True
        self.before = word

    def _mark(self, piece: str) -> None:
        self.into = self.read if piece == "," and self.lists[-1] else None
        match piece:
            case "(":
                self.lists.append(False)
                self.functions.append(self.before)
            case ")" if len(self.lists) > 1:
                self.lists.pop()
                self.functions.pop()
            case ";":
                self.lists[-1] = False

    def _word(self, word: str) -> None:
        before = self.before
        if word == "IMMEDIATE":
            self.complete = self.complete and before != "EXECUTE"
            return
        if word in _BETWEEN and self.into is self.written:
            return
        if word == "FROM" and (before == "DISTINCT" or (self.functions and self.functions[-1] in _TAKE_FROM)):
            return
        self.lists[-1] = word in ("FROM", "JOIN") and before != "DELETE"
        if word in _ENDS_LIST:
            self.into = None
        elif word == "MODEL" or (word == "TABLE" and before in ("(", ",")):
            self.into = self.written if before in ("CREATE", "REPLACE", "EXISTS") else self.read
        elif word in _WRITE or (word == "FROM" and before == "DELETE"):
            self.into = self.written
        else:
            self.into = self.read

    def dataset(self, name: str) -> tuple[str, str] | None:
        """Project and dataset of a table's name; None where it has no dataset."""
        pieces = [a or b for a, b in re.findall(r"`([^`]+)`|([^`.\s]+)", name)]
        parts = [part for piece in pieces for part in piece.split(".") if part]
        upper = [part.upper() for part in parts]
        if "INFORMATION_SCHEMA" in upper:
            parts = [*parts[: upper.index("INFORMATION_SCHEMA")], "INFORMATION_SCHEMA"]
            if len(parts) < 2 or parts[-2].lower().startswith("region-"):
                return None
        match parts:
            case [dataset, _] if dataset.lower() not in self.aliases:
                return self.project, dataset
            case [project, dataset, _]:
                return project, dataset
            case _:
                return None


def _tokens(query: str) -> list[tuple[str, str]]:
    found = []
    for match in _TOKEN.finditer(query):
        kind = match.lastgroup or "mark"
        if kind not in ("skip", "text"):
            found.append((kind, match.group()))
    return found
