"""Runs where Google's own client of BigQuery is installed: asks the address it is given, and prints what it got."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any


def main(address: str, project: str) -> dict[str, Any]:
    """Ask as a user of the client does."""
    bigquery: Any = importlib.import_module("google.cloud.bigquery")
    exceptions: Any = importlib.import_module("google.api_core.exceptions")
    options: Any = importlib.import_module("google.api_core.client_options")
    anonymous: Any = importlib.import_module("google.auth.credentials").AnonymousCredentials()
    client = bigquery.Client(
        project=project,
        credentials=anonymous,
        location="EU",
        client_options=options.ClientOptions(api_endpoint=address),
    )
    name = f"{project}.cdf_output.configuration"
    rows = [{"business_unit": "hr", "data_source": f"größe {n}", "is_active": n % 2 == 0} for n in range(5)]
    found: dict[str, Any] = {"datasets": sorted(item.dataset_id for item in client.list_datasets())}
    found["inserted"] = client.insert_rows_json(name, rows)
    table = client.get_table(name)
    found["table"] = [table.num_rows, table.location, [field.name for field in table.schema]]
    found["listed"] = [dict(row.items()) for row in client.list_rows(table, max_results=2)]
    query = f"SELECT data_source, is_active FROM `{name}` WHERE business_unit = @unit AND is_active"
    parameter = bigquery.ScalarQueryParameter("unit", "STRING", "hr")
    config = bigquery.QueryJobConfig(query_parameters=[parameter])
    found["queried"] = [list(row.values()) for row in client.query(query, job_config=config).result()]
    found["at_once"] = [list(row.values()) for row in client.query_and_wait(f"SELECT COUNT(*) AS n FROM `{name}`")]
    try:
        client.query(f"SELECT * FROM `{name}`", location="US").result()
    except exceptions.NotFound as error:
        found["elsewhere"] = str(error.errors[0]["message"] if error.errors else error)
    job = client.query(f"DELETE FROM `{name}` WHERE is_active = FALSE")
    job.result()
    found["deleted"] = job.num_dml_affected_rows
    client.query(f"TRUNCATE TABLE `{name}`").result()
    found["left"] = client.get_table(name).num_rows
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
