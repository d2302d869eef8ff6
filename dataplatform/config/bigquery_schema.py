"""The columns of BigQuery tables: written in the stack file or in schema files, checked, and with what rests on them.

A schema file is what `bq show --schema` prints: a JSON list of columns. It is read strictly, so a mistake in it is told
with its line there.

Sources: Google's documentation of BigQuery, "Specifying a schema", "Nested and repeated columns", "Introduction to
partitioned tables" and "Introduction to clustered tables".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from dataplatform.config.document import Path
from dataplatform.config.findings import AT
from dataplatform.config.folder import directory_problem
from dataplatform.config.gcp.bigquery import Column, Partition, Table
from dataplatform.config.loader import load_document, validate
from dataplatform.config.stackfile import StackFile
from dataplatform.config.text import dotted, shown
from dataplatform.diagnostics import Diagnostics, nearest

Tell = Callable[[Path, str, str], None]
"""Records a mistake at a path: what is wrong, what would be right."""

_SAME: Final = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD", "DECIMAL": "NUMERIC",
                "BIGDECIMAL": "BIGNUMERIC"}  # fmt: skip
"""Names that BigQuery answers with another one; said as it answers, so that nothing drifts."""
_TIMES: Final = {"hour": ("TIMESTAMP", "DATETIME")}
_DAYS: Final = ("TIMESTAMP", "DATETIME", "DATE")
_CLUSTERED: Final = (
    "BIGNUMERIC", "BOOLEAN", "DATE", "DATETIME", "GEOGRAPHY", "INTEGER", "NUMERIC", "STRING", "TIMESTAMP",
)  # fmt: skip
_RESERVED: Final = ("_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER")
_REMEDY: Final = "write a path below the project's root, such as schemas/orders.json"
_DEEPEST, _MOST = 15, 10_000


@dataclass(frozen=True)
class _Place:
    """Where columns stand: reports mistakes below them."""

    tell: Tell
    at: Path = ()


def canonical(column_type: str) -> str:
    """A column's type as BigQuery answers it."""
    return _SAME.get(column_type, column_type)


def load_schemas(root: FilePath, file: StackFile) -> tuple[dict[tuple[str, str], tuple[Column, ...]], Diagnostics]:
    """The columns of every table of a stack, by dataset and table, and what is wrong with any of them."""
    found: dict[tuple[str, str], tuple[Column, ...]] = {}
    diagnostics = Diagnostics()
    gcp = file.partial.gcp if file.partial is not None else None
    if gcp is None or gcp.bigquery is None:
        return found, diagnostics
    for name, dataset in gcp.bigquery.datasets.items():
        for key, table in dataset.tables.items():
            at: Path = ("gcp", "bigquery", "datasets", name, "tables", key)
            if any(wrong == at[: len(wrong)] or at == wrong[: len(at)] for wrong in file.unsure):
                continue
            columns = _columns(root, file, table, at, diagnostics)
            if columns is not None:
                found[name, key] = columns
                _divided(table, columns, at, _teller(file, diagnostics))
    return found, diagnostics


def _teller(file: StackFile, diagnostics: Diagnostics) -> Tell:
    def tell(path: Path, message: str, remedy: str) -> None:
        position, source = file.place(path)
        diagnostics.add("DP265", position, message, remedy, path=dotted((*AT, *path)), source=source)

    return tell


def _columns(
    root: FilePath, file: StackFile, table: Table, at: Path, diagnostics: Diagnostics
) -> tuple[Column, ...] | None:
    """A table's columns; None where there are none or they are wrong."""
    if table.schema_file is None:
        before = len(diagnostics.items)
        _check(table.columns, _Place(_teller(file, diagnostics), (*at, "columns")))
        return tuple(table.columns) if table.columns and len(diagnostics.items) == before else None
    if table.columns:
        return None
    place = (*at, "schema_file")
    problem = directory_problem(table.schema_file)
    if problem is not None:
        position, source = file.place(place)
        diagnostics.add(problem[0], position, problem[1], _REMEDY, source=source)
        return None
    path = root / table.schema_file
    if not _inside(root, path):
        position, source = file.place(place)
        diagnostics.add(
            "DP303", position, f"{shown(table.schema_file)} leads out of the project", _REMEDY, source=source
        )
        return None
    if path.suffix != ".json" or not path.is_file():
        if path.suffix == ".json":
            what = f"there is no file {shown(table.schema_file)}"
            remedy = "create it, or correct its name: it is relative to the project's root"
        else:
            what, remedy = f"{shown(table.schema_file)} is not a JSON file's name", "name a file that ends in .json"
        _teller(file, diagnostics)(place, what, remedy)
        return None
    return _read(path, diagnostics)


def _inside(root: FilePath, path: FilePath) -> bool:
    """Whether a path stays in the project where links are followed."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _read(path: FilePath, diagnostics: Diagnostics) -> tuple[Column, ...] | None:
    node, found = load_document(path)
    diagnostics.extend(found.items)
    if node is None:
        return None
    told = len(node.document.diagnostics.items)
    if node.kind != "sequence" or not node.items:
        node.report("DP265", (), "a schema file is a JSON list of columns", "write what `bq show --schema` prints")
    columns = [validate(Column, node, at=(index,))[0] for index in range(len(node.items))]
    whole = [column for column in columns if column is not None]
    if len(whole) == len(columns):
        _check(whole, _Place(lambda at, message, remedy: node.report("DP265", at, message, remedy)))
    new = node.document.diagnostics.items[told:]
    diagnostics.extend(new)
    return tuple(whole) if not new and not found else None


def _check(columns: Sequence[Column], place: _Place, depth: int = 1) -> None:
    """What makes columns contradict themselves or each other."""
    seen: set[str] = set()
    if len(columns) > _MOST:
        place.tell(place.at, f"a table has at most {_MOST:,} columns, not {len(columns)}", "divide it")
    for index, column in enumerate(columns):
        at: Path = (*place.at, index)
        kind = canonical(column.type)
        if column.name.lower() in seen:
            place.tell((*at, "name"), f"there are two columns {shown(column.name)}", "give each its own name")
        seen.add(column.name.lower())
        reserved = next((prefix for prefix in _RESERVED if column.name.upper().startswith(prefix)), None)
        if reserved:
            place.tell((*at, "name"), f"BigQuery keeps names that begin with {reserved}", "choose another name")
        if (kind == "RECORD") != bool(column.fields):
            if column.fields:
                place.tell(
                    (*at, "type"), f"the type {column.type} has no columns inside", "write RECORD, or take fields out"
                )
            else:
                place.tell((*at, "type"), f"the type {column.type} has columns inside", "add fields")
        if column.precision is not None and kind not in ("NUMERIC", "BIGNUMERIC"):
            place.tell((*at, "precision"), f"the type {column.type} has no precision", "take it out")
        if column.scale is not None and column.precision is None:
            place.tell((*at, "scale"), "a scale goes with a precision", "add precision")
        elif column.scale is not None and column.precision is not None and column.scale > column.precision:
            place.tell((*at, "scale"), f"the scale is above the precision of {column.precision}", "lower it")
        if column.maxLength is not None and kind not in ("STRING", "BYTES"):
            place.tell((*at, "maxLength"), f"the type {column.type} has no length", "take it out")
        if column.defaultValueExpression is not None and depth > 1:
            place.tell((*at, "defaultValueExpression"), "only a column at the top has a default", "take it out")
        if column.fields and depth >= _DEEPEST:
            place.tell((*at, "fields"), f"columns nest at most {_DEEPEST} deep", "take a level out")
        elif column.fields:
            _check(column.fields, _Place(place.tell, (*at, "fields")), depth + 1)


def _divided(table: Table, columns: Sequence[Column], at: Path, tell: Tell) -> None:
    """Partition and clusters name columns that are there and of a kind that can divide."""
    by_name: Mapping[str, Column] = {column.name: column for column in columns}
    if table.partition is not None and table.partition.column is not None:
        _partition(table.partition, by_name, (*at, "partition", "column"), tell)
    for index, name in enumerate(table.clustering):
        here = (*at, "clustering", index)
        column = by_name.get(name)
        if name in table.clustering[:index]:
            tell(here, f"{shown(name)} stands here twice", "take one of them out")
        elif column is None:
            tell(here, f"the table has no column {shown(name)}", nearest(name, by_name))
        elif canonical(column.type) not in _CLUSTERED or column.mode == "REPEATED":
            what = "repeated" if column.mode == "REPEATED" else column.type
            tell(here, f"a table cannot be clustered by a column that is {what}", "name another column")


def _partition(partition: Partition, columns: Mapping[str, Column], at: Path, tell: Tell) -> None:
    name = partition.column
    assert name is not None
    column = columns.get(name)
    wanted = ("INTEGER",) if partition.by == "range" else _TIMES.get(partition.by, _DAYS)
    if column is None:
        tell(at, f"the table has no column {shown(name)}", nearest(name, columns))
    elif canonical(column.type) not in wanted or column.mode == "REPEATED":
        what = "repeated" if column.mode == "REPEATED" else column.type
        tell(
            at,
            f"partitions by {partition.by} need a column that is {' or '.join(wanted)}, and this one is {what}",
            "name another column, or divide otherwise",
        )
