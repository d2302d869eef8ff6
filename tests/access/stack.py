"""A stack whose pipelines use executors of every kind, and a world that has what they need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataplatform.compile.access import Access
from dataplatform.compile.plan import Plan
from dataplatform.local.plan_recorder import RecordedResource, record_decided
from dataplatform.show.access import grant_of
from infra.decide import Decided, decide
from localcloud import store
from localcloud.services.google import DEFAULT_APIS
from localcloud.world import World
from tests.localcloud.client import Client

PROJECT, REGION = "acme-data-dev", "europe-west1"
HOME = f"projects/{PROJECT}/locations/{REGION}"
EMAILS = {name: f"dev-{name}@{PROJECT}.iam.gserviceaccount.com" for name in ("composer", "workflows", "datafusion")}
SQL = "-- {name}\ninsert into mart.{name} select * from `{project}.sales.orders` o join ref.countries using (country)"

Json = dict[str, Any]


def _step(name: str, executor: str, properties: Mapping[str, Any] | None = None, **more: Any) -> Json:
    wait = {} if more.get("TYPE") == "sync" else {"WAIT_TIME_SECONDS": 10}
    found: Json = {"JOB_ID": name, "JOB_NAME": name, "FUNCTION_ID_NAME": executor, **wait}
    return {**found, **({"STEP_PROPERTIES": properties} if properties is not None else {}), **more}


def _pipeline(*steps: Json, **more: Any) -> Json:
    threads = [{"THREAD_ID": n, "STEPS": [step]} for n, step in enumerate(steps, start=1)]
    return {**more, "definition": [{"LEVEL_ID": 1, "THREADS": threads}]}


BIGQUERY = {"query": SQL.format(name="load", project=PROJECT), "location": "EU"}
PIPELINES: Mapping[str, Json] = {
    "functions": _pipeline(
        _step("tagged", "dataform-tag-executor"), _step("once", "dataform-tag-executor", TYPE="sync")
    ),
    "told": _pipeline(_step("breaks", "dataform-tag-executor"), on_failure={"function": "tell-somebody"}),
    "queries": _pipeline(_step("load", "bigquery-query", BIGQUERY)),
    "containers": _pipeline(
        _step("plain", "cloud-run-job", {"cloud_run_job": "plain"}),
        _step("with-args", "cloud-run-job", {"cloud_run_job": "with-args", "args": ["--full"]}),
    ),
    "integrations": _pipeline(
        _step("ingest", "data-fusion-pipeline", {"instance_name": "$datafusion:core", "pipeline_name": "ingest"})
    ),
    "parent": _pipeline({"JOB_ID": "P", "JOB_NAME": "child", "TYPE": "workflows", "workflows_name": "queries"}),
}
OPERATORS: Mapping[str, Json] = {
    "beam": _pipeline(
        _step(
            "stream",
            "dataflow-flextemplate-job-executor",
            {
                "dataflow_location": REGION,
                "dataflow_template_name": "x",
                "dataflow_template_version": "latest",
                "dataflow_job_params": {},
                "dataflow_temp_bucket": "acme-temp",
            },
        ),
        run="operators",
    ),
    "models": _pipeline(
        _step(
            "tag",
            "dataform-tag-executor",
            {
                "dataform_location": REGION,
                "dataform_project_id": PROJECT,
                "repository_name": "models",
                "tags": ["daily"],
            },
        ),
        run="operators",
    ),
    "spark": _pipeline(
        _step(
            "crunch",
            "dataproc-serverless-job-executor",
            {
                "dataproc_serverless_project_id": PROJECT,
                "dataproc_serverless_region": REGION,
                "jar_file_location": "gs://acme-jars/x.jar",
                "spark_app_main_class": "x.Main",
                "dataproc_serverless_runtime_version": "2.2",
                "dataproc_service_account": f"spark-workers@{PROJECT}.iam.gserviceaccount.com",
            },
        ),
        run="operators",
    ),
    "elsewhere": _pipeline(
        _step("bricks", "databricks-run-now", {"databricks_job_id": 7}), engine="composer", run="operators"
    ),
}


def stack_file(grant: str | None = "function", **parts: Any) -> str:
    """The text of the stack file."""
    executors = {"functions": ["tell-somebody"], **({"grant": grant} if grant else {})}
    gcp = {
        "project": PROJECT,
        "region": REGION,
        "executors": executors,
        "data_fusion": {"name": "core", "edition": "enterprise", "version": "6.11.1", "rbac": True},
        "workflows": {},
        **parts,
    }
    platform = {"environment": "dev", "protect": False, "gcp": gcp, "pipelines": {"directory": "pipelines"}}
    return str(yaml.safe_dump({"config": {"data-platform:platform": platform}}, sort_keys=False))


COMPOSER = {"image_version": "composer-3-airflow-2.11.1", "size": "small"}


def project(folder: Path, pipelines: Mapping[str, Json], text: str) -> Path:
    """A project with these pipelines and this stack file."""
    (folder / "pipelines").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", "utf-8")
    (folder / "Pulumi.dev.yaml").write_text(text, "utf-8")
    for name, definition in pipelines.items():
        body = {"engine": "cloud_workflows", **definition}
        (folder / "pipelines" / f"{name}.json").write_text(json.dumps(body), "utf-8")
    return folder


@dataclass(frozen=True, kw_only=True)
class Made:
    """A stack that was decided, and the registrations of its program."""

    decided: Decided
    resources: tuple[RecordedResource, ...]

    @property
    def access(self) -> Access:
        return self.decided.pipelines.access


def made(folder: Path, pipelines: Mapping[str, Json], text: str) -> Made:
    """Decide and record."""
    decided = decide(project(folder, pipelines, text), "dev")
    return Made(decided=decided, resources=tuple(record_decided(decided)))


def world_for(folder: Path, stack: Made) -> World:
    """A world with what the pipelines use, the stack's accounts, and the grants that its program registers."""
    world = World(folder)
    with world.transaction() as tx:
        store.create_project(tx, PROJECT, DEFAULT_APIS)
    gcp = Client("gcp", world, {"project": PROJECT, "region": REGION})
    gcp.enable("cloudresourcemanager", "iam", "run", "cloudfunctions", "datafusion", "workflows", "workflowexecutions")
    gcp.enable("compute", "dataform")
    for name in (*(f"dev-{key}" for key in EMAILS), "spark-workers"):
        gcp.create("gcp:serviceaccount/account:Account", {"accountId": name}, name)
    for name in ("sales", "ref", "mart"):
        gcp.create("gcp:bigquery/dataset:Dataset", {"datasetId": name, "location": "EU"}, name)
    container = {"template": {"template": {"containers": [{"image": "x"}]}}}
    for name in ("plain", "with-args"):
        job = {"name": name, "location": REGION, "deletionProtection": False, **container}
        gcp.create("gcp:cloudrunv2/job:Job", job, name)
    for name in ("orch-framework-intermediate", "tell-somebody"):
        service = {"name": name, "location": REGION, "deletionProtection": False}
        gcp.create("gcp:cloudrunv2/service:Service", {**service, "template": {"containers": [{"image": "x"}]}}, name)
    instance = {"name": "dev-core", "type": "ENTERPRISE", "version": "6.11.1", "enableRbac": True}
    gcp.create("gcp:datafusion/instance:Instance", instance, "core")
    gcp.create("gcp:storage/bucket:Bucket", {"name": "acme-temp", "location": "EU"}, "temp")
    gcp.create("gcp:dataform/repository:Repository", {"name": "models", "region": REGION}, "models")
    _grants(gcp, world, stack.resources)
    return world


def _grants(gcp: Client, world: World, resources: Iterable[RecordedResource]) -> None:
    """Bring in the grants to the stack's accounts as the program registers them, through the provider."""
    by_urn = {resource.urn: resource for resource in resources}
    for resource in by_urn.values():
        found = grant_of(resource, by_urn)
        if found is None or found.identity not in EMAILS.values():
            continue
        inputs = dict(resource.inputs) | {"member": f"serviceAccount:{found.identity}"}
        if "serviceAccountId" in inputs:
            with world.transaction() as tx:
                number = store.project_number(tx, PROJECT)
            inputs["serviceAccountId"] = found.on.replace("{number}", str(number))
        if "bucketIAM" in resource.type and inputs["bucket"] != "acme-temp":
            continue
        gcp.create(resource.type, inputs, resource.name)


def plan_texts(stack: Made) -> dict[str, str]:
    """Name of each workflow → its text."""
    return {text.name: text.text for text in stack.decided.pipelines.workflows}


__all__ = [
    "COMPOSER",
    "EMAILS",
    "HOME",
    "OPERATORS",
    "PIPELINES",
    "PROJECT",
    "REGION",
    "Made",
    "Plan",
    "made",
    "plan_texts",
    "stack_file",
    "world_for",
]
