"""Rules of BigQuery: datasets, and views with what they read. What rests on columns is in `bigquery_schema`.

Sources: Google's documentation of BigQuery, "Quotas and limits", "Managing partitioned tables" and "Dataset locations".
"""

from __future__ import annotations

import graphlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.gcp.bigquery import BigQuery, Dataset, Table
from dataplatform.config.members import check_members
from dataplatform.config.platform import Gcp
from dataplatform.config.regions import REGIONS
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

MULTI_REGIONS: Final = ("EU", "US")
REFERENCE: Final = re.compile(r"\$table:([A-Za-z0-9_]+)\.([A-Za-z0-9_-]+)")
"""A table or view of the stack in a view's query."""
_ANY: Final = re.compile(r"\$table\b:?[^\s,;)`]*")
_AT: Final[Path] = ("gcp", "bigquery")


def bigquery_rules(gcp: Gcp, findings: Findings) -> None:
    """The rules of every dataset."""
    config = gcp.bigquery
    if config is None:
        return
    at: Path = (*_AT, "datasets")
    if not config.datasets and not config.job_users:
        findings.tell("DP264", _AT, "there is no dataset in it", "add datasets, or take bigquery out", key=True)
    check_members(
        gcp, config.job_users, (*_AT, "job_users"), findings, public="would let everybody run jobs at your cost"
    )
    ids: dict[str, str] = {}
    for name, dataset in config.datasets.items():
        here = (*at, name)
        own = dataset.id or name
        if own in ids:
            message = f"the dataset {shown(ids[own])} has this name too"
            findings.tell("DP264", (*here, "id") if dataset.id else here, message, "give each its own", key=True)
        ids[own] = name
        _dataset(gcp, dataset, here, findings)
        for table, config_ in dataset.tables.items():
            _table(config_, (*here, "tables", table), findings)
            if table in dataset.views:
                message = f"the dataset has a table {shown(table)} too"
                findings.tell("DP264", (*here, "views", table), message, "choose another name", key=True)
    _views(config, at, findings)


def _dataset(gcp: Gcp, dataset: Dataset, at: Path, findings: Findings) -> None:
    place = dataset.location
    if place is not None and place.lower() not in REGIONS and place.upper() not in MULTI_REGIONS:
        hint = nearest(place, [*REGIONS, *MULTI_REGIONS])
        findings.tell("DP210", (*at, "location"), f"BigQuery has no location {shown(place)}", hint)
    for field in ("default_table_expiration", "default_partition_expiration"):
        value: timedelta | None = getattr(dataset, field)
        if value is not None and not timedelta(hours=1) <= value <= timedelta(days=36525):
            message = "what expires lives for an hour at least"
            findings.tell("DP125", (*at, field), message, "write PT1H to P36525D")
    check_members(gcp, dataset.readers, (*at, "readers"), findings, public="would publish the dataset")
    check_members(gcp, dataset.writers, (*at, "writers"), findings, public="would let everybody write")
    for index, member in enumerate(dataset.readers):
        if member in dataset.writers:
            message = f"{shown(member)} is a writer, who reads too"
            findings.tell("DP264", (*at, "readers", index), message, "take it out of readers")


def _table(table: Table, at: Path, findings: Findings) -> None:
    if bool(table.columns) == (table.schema_file is not None):
        if table.columns:
            message, remedy = "the columns stand here and in a file", "keep one of columns and schema_file"
            path: Path = (*at, "schema_file")
        else:
            message, remedy, path = "the table has no columns", "add columns, or schema_file: <path>", at
        needs = ((*at, "columns"), (*at, "schema_file"))
        findings.tell("DP264", path, message, remedy, needs=needs, key=True)
    if table.require_partition_filter and table.partition is None:
        findings.tell(
            "DP264",
            (*at, "require_partition_filter"),
            "there is no partition to filter by",
            "add partition, or take it out",
            needs=((*at, "partition"),),
        )
    if len(table.clustering) > 4:
        message = f"a table is clustered by at most 4 columns, not {len(table.clustering)}"
        findings.tell("DP264", (*at, "clustering"), message, "name the first four", key=True)
    partition = table.partition
    if partition is None:
        return
    here: Path = (*at, "partition")
    if (partition.by == "range") != (partition.range is not None):
        if partition.range is None:
            message, remedy = "partitions by range need the range", "add range: {start: 0, end: 1000, interval: 10}"
        else:
            message, remedy = f"partitions by {partition.by} have no range", "write by: range, or take range out"
        needs = ((*here, "by"), (*here, "range"))
        findings.tell("DP264", here, message, remedy, needs=needs, key=True)
    if partition.by == "range":
        if partition.column is None:
            message = "partitions by range need the column"
            findings.tell("DP264", here, message, "add column", needs=((*here, "column"),), key=True)
        if partition.expiration is not None:
            message = "only partitions by time expire"
            findings.tell("DP264", (*here, "expiration"), message, "take it out", needs=((*here, "by"),))
        span = partition.range
        if span is not None and span.end <= span.start:
            message = f"the range ends at {span.end}, and begins at {span.start}"
            findings.tell("DP264", (*here, "range", "end"), message, "let it end later")
        elif span is not None and (span.end - span.start) / span.interval > 10_000:
            count = (span.end - span.start) // span.interval
            message = f"a table has at most 10,000 partitions, and the range makes {count}"
            findings.tell("DP264", (*here, "range", "interval"), message, "raise the interval")
    elif partition.expiration is not None and partition.expiration < timedelta(hours=1):
        findings.tell("DP125", (*here, "expiration"), "what expires lives for an hour at least", "write PT1H or more")


def _views(config: BigQuery, at: Path, findings: Findings) -> None:
    reads: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for name, dataset in config.datasets.items():
        for view, settings in dataset.views.items():
            here: Path = (*at, name, "views", view, "query")
            reads[name, view] = set()
            for found in _ANY.findall(settings.query):
                match = REFERENCE.fullmatch(found.rstrip("."))
                if match is None:
                    message = f"{shown(found)} is not a reference"
                    findings.tell("DP264", here, message, "write $table:<dataset>.<table>")
                    continue
                source, table = match.groups()
                other = config.datasets.get(source)
                if other is None:
                    message = f"there is no dataset {shown(source)}"
                    findings.tell("DP264", here, message, nearest(source, config.datasets), needs=(at,))
                elif table in other.views:
                    reads[name, view].add((source, table))
                elif table not in other.tables:
                    message = f"the dataset {shown(source)} has no table or view {shown(table)}"
                    known = [*other.tables, *other.views]
                    remedy = nearest(table, known) if known else "add it"
                    findings.tell("DP264", here, message, remedy, needs=((*at, source),))
    try:
        graphlib.TopologicalSorter(reads).prepare()
    except graphlib.CycleError as error:
        name, view = error.args[1][0]
        circle = " → ".join(".".join(part) for part in error.args[1])
        message = f"views read each other in a circle: {circle}"
        findings.tell("DP264", (*at, name, "views", view), message, "let one of them read tables only", key=True)
