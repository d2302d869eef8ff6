"""One statement of GoogleSQL, run by SQLite over copies of the tables it names.

Tokens are translated, not trees: strings, quoted names, types and a few functions. What SQLite cannot parse or does not
know is an invalid query here, whatever the real service would say of it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from localcloud.bigquery import tables
from localcloud.bigquery.tables import Column, Table
from localcloud.errors import ApiError

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/)
    |(?P<text>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<quoted>`[^`\n]+`)
    |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<word>[^\W\d]\w*)
    |(?P<parameter>@\w+)
    |(?P<sign><>|<=|>=|!=|\|\||[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "`": "`", "a": "\a", "b": "\b"}
_TYPES = {
    "STRING": "TEXT", "INT64": "INTEGER", "FLOAT64": "REAL", "NUMERIC": "REAL", "BOOL": "INTEGER", "BYTES": "BLOB",
}  # fmt: skip
_KINDS = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
_BEFORE_TABLE = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE"})
_WORDS = "WHERE GROUP ORDER HAVING LIMIT JOIN INNER LEFT RIGHT FULL CROSS ON USING SET VALUES SELECT UNION EXCEPT FOR"
_NO_ALIAS = frozenset(_WORDS.split()) | {"INTERSECT", "WINDOW", "QUALIFY"}
_NAME = re.compile(r"[A-Za-z_]\w*")
MAX_STEPS, STEPS = 200_000_000, 100_000
"""What a statement may take of SQLite's virtual machine, and how often that is looked at."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        """The word in capitals; empty where the token is none."""
        return self.text.upper() if self.kind == "word" else ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a statement came to."""

    kind: str
    """SELECT, INSERT, UPDATE, DELETE or TRUNCATE_TABLE."""
    location: str
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    affected: int | None = None


@dataclass(frozen=True, kw_only=True)
class Home:
    """Where a statement is run."""

    project: str
    location: str | None
    """None: that of the first dataset it names."""
    dataset: tuple[str, str] | None = None
    """Project and dataset of tables that are named alone."""


def invalid(message: str) -> ApiError:
    """400 as BigQuery has it for a statement."""
    return ApiError(400, "invalidQuery", message)


def run(tx: sqlite3.Connection, text: str, home: Home, parameters: Mapping[str, Any] | None = None) -> Result:
    """Run a statement in a transaction of the world."""
    return _Statement(tx, home, dict(parameters or {})).run(text)


class _Statement:
    def __init__(self, tx: sqlite3.Connection, home: Home, parameters: dict[str, Any], depth: int = 0) -> None:
        self.tx = tx
        self.home = home
        self.location = home.location
        self.parameters = parameters
        self.depth = depth
        self.named: list[Table] = []

    def run(self, text: str) -> Result:
        tokens = _tokens(text)
        kind = tokens[0].word if tokens else ""
        if kind not in _KINDS:
            begin = tokens[0].text[:50] if tokens else ""
            raise invalid(f'Syntax error: Unexpected "{begin}" at [1:1]; served are {", ".join(_KINDS)}')
        words = [token.word for token in tokens]
        if kind in ("DELETE", "UPDATE") and "WHERE" not in words:
            raise invalid(f"{kind} must have a WHERE clause at [1:1]")
        if kind == "DELETE" and words[1:2] != ["FROM"]:
            tokens.insert(1, _Token("word", "FROM"))
        if kind == "INSERT" and words[1:2] != ["INTO"]:
            tokens.insert(1, _Token("word", "INTO"))
        translated = self._translated(tokens)
        where = self.location or "US"
        if kind in ("SELECT", "WITH"):
            return self._select(translated, where)
        if not self.named:
            raise invalid(f"Syntax error: {kind} names no table")
        target = self.named[0]
        if target.view is not None:
            raise invalid(f"{kind} is not allowed for this operation because {target.path} is not a table.")
        if kind == "TRUNCATE":
            tables.replace(self.tx, target, ())
            return Result(kind="TRUNCATE_TABLE", location=where)
        return self._change(kind, translated, where, target)

    def _select(self, text: str, where: str) -> Result:
        with closing(self._copied()) as database:
            cursor = self._execute(database, text)
            names = [item[0] for item in cursor.description or ()]
            found = self._fetched(cursor)
        known = {column.name.lower(): column for table in reversed(self.named) for column in table.columns}
        described: list[Column] = []
        for index, name in enumerate(names):
            column = known.get(name.lower())
            values = [row[index] for row in found if row[index] is not None]
            shown = name if _NAME.fullmatch(name) else f"f{index}_"
            kind = column.type if column is not None and _is_of(column, values) else _inferred(values)
            same = column is not None and kind == column.type
            described.append(
                Column(
                    name=shown,
                    type=kind,
                    mode=column.mode if same and column is not None and column.mode == "REPEATED" else "NULLABLE",
                    fields=column.fields if same and column is not None else (),
                )
            )
        rows = tuple(tuple(_read(c, value) for c, value in zip(described, row, strict=True)) for row in found)
        return Result(kind="SELECT", location=where, columns=tuple(described), rows=rows)

    def _change(self, kind: str, text: str, where: str, target: Table) -> Result:
        with closing(self._copied()) as database:
            cursor = self._execute(database, text)
            affected = cursor.rowcount
            names = ", ".join(_quoted(column.name) for column in target.columns)
            kept = database.execute(f'SELECT {names} FROM "t0" ORDER BY rowid').fetchall()  # noqa: S608
        rows = [
            {column.name: _read(column, value) for column, value in zip(target.columns, row, strict=True)}
            for row in kept
        ]
        try:
            tables.replace(self.tx, target, [tables.checked(target, row) for row in rows])
        except ValueError as error:
            raise invalid(str(error)) from None
        return Result(kind=kind, location=where, affected=affected)

    def _execute(self, database: sqlite3.Connection, text: str) -> sqlite3.Cursor:
        try:
            return database.execute(text, self.parameters)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            if str(error) == "interrupted":
                raise ApiError(403, "resourcesExceeded", "Resources exceeded during query execution") from None
            words = str(error).replace("no such column: ", "Unrecognized name: ")
            raise invalid(f"{words[:1].upper()}{words[1:]}") from None

    def _fetched(self, cursor: sqlite3.Cursor) -> list[Any]:
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            raise ApiError(403, "resourcesExceeded", f"Resources exceeded during query execution: {error}") from None

    def _copied(self) -> sqlite3.Connection:
        """A database with a copy of every table the statement names, as `t0`, `t1` and so on."""
        database = sqlite3.connect(":memory:", isolation_level=None)
        steps = iter(range(MAX_STEPS // STEPS))
        # A true result ends the statement.
        database.set_progress_handler(lambda: next(steps, None) is None, STEPS)
        database.create_function("CONCAT", -1, lambda *parts: None if None in parts else "".join(map(str, parts)))
        database.create_function("STARTS_WITH", 2, lambda text, begin: str(text).startswith(str(begin)))
        for number, table in enumerate(self.named):
            if table.view is None:
                columns, rows = table.columns, [tuple(row.values()) for row in self._rows(table)]
            else:
                inner = _Statement(self.tx, self.home, {}, self.depth + 1)
                if self.depth > 15:
                    raise invalid(f"Views reference each other too deeply: {table.path}")
                result = inner.run(table.view)
                columns, rows = result.columns, list(result.rows)
                self.named[number] = Table(**{**vars(table), "columns": columns})
            made = ", ".join(_quoted(column.name) for column in columns)
            database.execute(f'CREATE TABLE "t{number}"({made})')
            marks = ", ".join("?" for _ in columns)
            values = [tuple(_written(value) for value in row) for row in rows]
            database.executemany(f'INSERT INTO "t{number}" VALUES ({marks})', values)  # noqa: S608
        return database

    def _rows(self, table: Table) -> list[dict[str, Any]]:
        found = tables.rows(self.tx, table)
        return [{column.name: row.get(column.name) for column in table.columns} for row in found]

    def _translated(self, tokens: Sequence[_Token]) -> str:
        ctes = {
            one.text.strip("`").lower()
            for one, two, three in zip(tokens, tokens[1:], tokens[2:], strict=False)
            if two.word == "AS" and three.text == "("
        }
        out: list[str] = []
        index, of_table = 0, False
        while index < len(tokens):
            token = tokens[index]
            nameable = token.kind in ("word", "quoted") and token.word not in ("UNNEST", "SELECT")
            if of_table and nameable:
                path, index = _path(tokens, index)
                if not (len(path) == 1 and path[0].lower() in ctes):
                    out.append(self._table(path, tokens[index : index + 2], out))
                else:
                    out.append(_quoted(path[0]))
                of_table = False
                continue
            of_table = token.word in _BEFORE_TABLE
            out.append(_word(token, tokens, index))
            index += 1
        while out and out[-1] == ";":
            out.pop()
        if ";" in out:
            raise invalid("Scripts of several statements are not served")
        return " ".join(out)

    def _table(self, path: Sequence[str], following: Sequence[_Token], before: Sequence[str]) -> str:
        if len(path) == 1 and self.home.dataset is None:
            raise invalid(f'Table "{path[0]}" must be qualified with a dataset (e.g. dataset.table).')
        if len(path) == 1 and self.home.dataset is not None:
            path = [*self.home.dataset, *path]
        project, dataset, name = [self.home.project, *path][-3:]
        if self.location is None:
            home = tables.require_dataset(self.tx, project, dataset)
            self.location = str(home.outputs.get("location") or "US")
        self.named.append(tables.require_table(self.tx, project, dataset, name, self.location))
        own = f'"t{len(self.named) - 1}"'
        if before and before[-1].upper() == "INTO":
            return own
        token = following[0] if following else _Token("", "")
        aliased = token.word == "AS" or token.kind == "quoted" or (token.word and token.word not in _NO_ALIAS)
        return own if aliased else f"{own} AS {_quoted(name)}"


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise invalid(f"Syntax error: Illegal input character at [1:{at + 1}]")
        if match.lastgroup != "space":
            found.append(_Token(match.lastgroup, match[0]))
        at = match.end()
    return found


def _path(tokens: Sequence[_Token], index: int) -> tuple[list[str], int]:
    """The parts of a table's name, `project-with-dashes.dataset.table`, and where the text goes on."""
    text = ""
    while index < len(tokens):
        token = tokens[index]
        if token.kind == "quoted":
            text += token.text[1:-1]
        elif token.kind in ("word", "number") or (text and token.text == "-"):
            text += token.text
        else:
            break
        index += 1
        if index < len(tokens) and tokens[index].text in (".", "-"):
            text += tokens[index].text
            index += 1
            continue
        break
    parts = text.replace(":", ".").split(".")
    if not all(parts) or len(parts) > 3:
        raise invalid(f'Invalid table name: "{text}"')
    return parts, index


def _word(token: _Token, tokens: Sequence[_Token], index: int) -> str:
    if token.kind == "text":
        return "'" + _string(token.text).replace("'", "''") + "'"
    if token.kind == "quoted":
        return _quoted(token.text[1:-1])
    if token.word in _TYPES and index and tokens[index - 1].word == "AS":
        return _TYPES[token.word]
    if token.word in ("TABLE", "TRUNCATE") and index < 2 and tokens[0].word == "TRUNCATE":
        return token.text
    return token.text


def _string(text: str) -> str:
    """The value of a string literal."""
    raw = "r" in text[: len(text) - len(text.lstrip("rRbB"))].lower()
    body = text.lstrip("rRbB")
    size = 3 if body[:3] in ('"""', "'''") else 1
    body = body[size:-size]
    if raw:
        return body

    def put(match: re.Match[str]) -> str:
        kind = match[1]
        if kind[0] in "xuU":
            return chr(int(kind[1:], 16))
        return _ESCAPES.get(kind, match[0])

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", put, body, flags=re.DOTALL)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _written(value: Any) -> Any:
    """A value as SQLite can hold it."""
    return json.dumps(value) if isinstance(value, dict | list) else value


def _read(column: Column, value: Any) -> Any:
    """A value of SQLite as a row has it."""
    if value is None:
        return None
    if column.mode == "REPEATED" or column.type in ("RECORD", "JSON"):
        return json.loads(value) if isinstance(value, str) else value
    if column.type == "BOOL":
        return bool(value) if isinstance(value, int | float) else value
    return value


def _is_of(column: Column, values: Sequence[Any]) -> bool:
    """Whether values can be a column's: an expression may be named like one."""
    kinds: tuple[type, ...]
    kinds = {"BOOL": (int,), "INT64": (int,), "FLOAT64": (int, float)}.get(column.type, (str, bytes))
    return all(isinstance(value, kinds) for value in values)


def _inferred(values: Sequence[Any]) -> str:
    if values and all(isinstance(value, int) for value in values):
        return "INT64"
    if values and all(isinstance(value, int | float) for value in values):
        return "FLOAT64"
    return "STRING" if values else "INT64"
