"""Makes `methods.json`: the methods of the services that have connectors, from their discovery documents.

    python -m localcloud.workflows.connectors.generate

The documents come with `google-api-python-client`. One line a method: verb, path, `+` where it takes a body, `?` and
its query parameters; a `!` in front marks a method that returns a long-running operation. Services by
https://cloud.google.com/workflows/docs/reference/googleapis, and those AEF's executors call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SERVICES = [
    "aiplatform.v1",
    "batch.v1",
    "bigquery.v2",
    "bigquerydatatransfer.v1",
    "cloudbuild.v1",
    "cloudfunctions.v1",
    "cloudfunctions.v2",
    "cloudresourcemanager.v1",
    "cloudresourcemanager.v3",
    "cloudscheduler.v1",
    "cloudtasks.v2",
    "compute.v1",
    "container.v1",
    "dataflow.v1b3",
    "dataform.v1",
    "dataform.v1beta1",
    "datafusion.v1",
    "dataproc.v1",
    "documentai.v1",
    "firestore.v1",
    "forms.v1",
    "integrations.v1",
    "language.v1",
    "ml.v1",
    "pubsub.v1",
    "run.v1",
    "run.v2",
    "secretmanager.v1",
    "sheets.v4",
    "spanner.v1",
    "sqladmin.v1",
    "sqladmin.v1beta4",
    "storage.v1",
    "storagetransfer.v1",
    "transcoder.v1",
    "translate.v2",
    "translate.v3",
    "translate.v3beta1",
    "workflowexecutions.v1",
    "workflowexecutions.v1beta",
    "workflows.v1",
    "workflows.v1beta",
]
_OPERATIONS = frozenset({"Operation", "GoogleLongrunningOperation", "GoogleLongrunning__Operation"})
_JOBS = frozenset(
    {
        "bigquery.v2.jobs.insert",
        "run.v1.namespaces.jobs.run",
        *(
            f"dataflow.v1b3.projects.{place}{method}"
            for place in ("", "locations.")
            for method in ("jobs.create", "templates.create", "templates.launch", "flexTemplates.launch")
        ),
    }
)
"""Long-running without returning an operation: what they return is polled itself."""


def _methods(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner)


def table(documents: Path) -> dict[str, Any]:
    """The table of all services."""
    found: dict[str, Any] = {}
    for service in SERVICES:
        document = json.loads((documents / f"{service}.json").read_text())
        name, version = service.split(".")
        methods: dict[str, str] = {}
        for method in _methods(document):
            short = method["id"].split(".", 1)[1]
            query = sorted(k for k, p in method.get("parameters", {}).items() if p.get("location") == "query")
            waits = method.get("response", {}).get("$ref") in _OPERATIONS and method["httpMethod"] != "GET"
            mark = "!" if waits or f"{name}.{version}.{short}" in _JOBS else ""
            body = " +" if "request" in method else ""
            methods[short] = f"{mark}{method['httpMethod']} {method['path']}{body}" + (
                f" ?{','.join(query)}" if query else ""
            )
        root = document["rootUrl"].rstrip("/")
        found[service] = {
            "root": f"{root}/{document['servicePath']}".rstrip("/"),
            "methods": dict(sorted(methods.items())),
        }
    return found


def main() -> None:
    """Write the table beside this file."""
    import googleapiclient

    documents = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    text = json.dumps(table(documents), indent=0, ensure_ascii=False)
    (Path(__file__).parent / "methods.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
