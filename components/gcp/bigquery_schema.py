"""Columns as the JSON text that BigQuery takes: as it would answer them, so that nothing drifts."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dataplatform.config.bigquery_schema import canonical
from dataplatform.config.gcp.bigquery import Column


def schema_text(columns: Sequence[Column]) -> str:
    """The schema of a table."""
    return json.dumps([_column(column) for column in columns], ensure_ascii=False, indent=1)


def _column(column: Column) -> dict[str, object]:
    told: dict[str, object] = {"name": column.name, "type": canonical(column.type), "mode": column.mode}
    if column.description is not None:
        told["description"] = column.description
    if column.fields:
        told["fields"] = [_column(inside) for inside in column.fields]
    # The API gives 64-bit numbers as text.
    for key, number in (("precision", column.precision), ("scale", column.scale), ("maxLength", column.maxLength)):
        if number is not None:
            told[key] = str(number)
    if column.defaultValueExpression is not None:
        told["defaultValueExpression"] = column.defaultValueExpression
    return told
