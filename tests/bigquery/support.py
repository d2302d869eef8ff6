"""A world with a project, a dataset in the EU and another elsewhere, and tables in them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from localcloud import store
from localcloud.services.google import DEFAULT_APIS
from localcloud.workflows.server import Server
from localcloud.world import World
from tests.localcloud.client import Client

PROJECT = "acme-data-dev"
CONFIGURATION = [
    {"name": "business_unit", "type": "STRING"},
    {"name": "data_source", "type": "STRING"},
    {"name": "is_active", "type": "BOOL"},
]
STAFF = [{"name": "id", "type": "INT64", "mode": "REQUIRED"}, {"name": "name", "type": "STRING"}]


def new_project(world: World, project: str = PROJECT, more: Sequence[str] = ()) -> None:
    """A project with the APIs a new one has, BigQuery's and `more`."""
    with world.transaction() as tx:
        store.create_project(tx, project, [*DEFAULT_APIS, "bigquery.googleapis.com", *more])


def make_dataset(client: Client, name: str, location: str) -> None:
    """A dataset of the project."""
    client.create(
        "gcp:bigquery/dataset:Dataset", {"datasetId": name, "location": location, "project": PROJECT}, f"d-{name}"
    )


def make_table(client: Client, dataset: str, name: str, schema: Sequence[dict[str, Any]], **more: Any) -> None:
    """A table of the dataset."""
    inputs = {"datasetId": dataset, "tableId": name, "project": PROJECT, "deletionProtection": False, **more}
    inputs |= {"schema": json.dumps(list(schema))} if schema else {}
    client.create("gcp:bigquery/table:Table", inputs, f"t-{dataset}-{name}")


def google(world: World) -> Client:
    """The engine's side of the Google provider of a world."""
    return Client("gcp", world, {"project": PROJECT, "region": "europe-west1"})


def ask(server: Server, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
    """A call of BigQuery's API: status and JSON."""
    url = f"{server.url}/bigquery/v2/projects/{PROJECT}/{path}" + (f"?{urlencode(query)}" if query else "")
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def insert(server: Server, dataset: str, table: str, rows: Sequence[dict[str, Any]]) -> Any:
    """Stream rows into a table; the answer."""
    body = {"rows": [{"json": row} for row in rows]}
    status, answer = ask(server, "POST", f"datasets/{dataset}/tables/{table}/insertAll", body)
    assert status == 200, answer
    return answer


def query(server: Server, text: str, location: str | None = "EU", **more: Any) -> tuple[int, Any]:
    """`jobs.query` of GoogleSQL."""
    body = {"query": text, "useLegacySql": False, **({"location": location} if location else {}), **more}
    return ask(server, "POST", "queries", body)


def values(answer: Any) -> list[list[Any]]:
    """The cells of an answer's rows."""
    return [[cell["v"] for cell in row["f"]] for row in answer.get("rows", ())]
