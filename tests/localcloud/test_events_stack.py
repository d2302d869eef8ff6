"""A stack with schedules, triggers, functions of its own and monitoring, with the real engine: up, no drift, down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tool.test_stack import ROOT, Project

pytestmark = pytest.mark.engine

PLATFORM = """\
config:
  data-platform:platform:
    environment: dev
    protect: false
    labels: {owner: data-platform, cost_center: "4711"}
    gcp:
      project: acme-data-dev
      region: europe-west1
      secrets:
        hawk_key: {}
        orders_db_password: {}
      network: {subnets: {data: {cidr: 10.10.0.0/22}}}
      lake: {zones: {landing: {force_destroy: true}}}
      executors: {deploy: {subnet: data, min_instances: 1}}
      workflows: {execution_history: detailed, env: {STAGE: dev}}
      triggers: {paused: true, retry: {count: 1}}
      monitoring:
        channels:
          oncall: {email: oncall@acme.example}
          hook: {webhook: {url: "https://hooks.acme.example/incidents", token_from: hawk_key}}
        alerts: {quota: {channels: [oncall]}}
        require_cost_center: true
    pipelines: {directory: pipelines}
"""
DEFINITION = """\
engine: cloud_workflows
schedule: {cron: "0 6 * * 1-5", timezone: Europe/Berlin}
parameters:
  object: {type: string, default: none}
triggers:
  arrived:
    file: {zone: landing, prefix: orders/}
    parameters: {object: name}
    query_variables: {start_date: date}
  told:
    message: {}
    parameters: {object: data.name}
  loaded:
    audit: {service: bigquery.googleapis.com, method: google.cloud.bigquery.v2.JobService.InsertJob}
    parameters: {object: resource}
definition:
  - LEVEL_ID: "1"
    THREADS:
      - THREAD_ID: "1"
        STEPS:
          - {JOB_ID: J1, JOB_NAME: load, TYPE: async, FUNCTION_ID_NAME: bq-saved-query-executor}
          - {JOB_ID: J2, JOB_NAME: copy, TYPE: async, FUNCTION_ID_NAME: dataflow-flextemplate-job-executor}
"""
JOB = """\
{"dataflow_location": "europe-west1", "dataflow_template_name": "GCS_Text_to_BigQuery_Flex",
 "dataflow_template_version": "latest", "dataflow_temp_bucket": "acme-data-dev-dev-landing",
 "dataflow_job_params": {"inputFilePattern": "gs://x/y"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    salt = re.search(r"^encryptionsalt:.*$", text, re.MULTILINE)
    secrets = re.findall(r"^  data-platform:(?:hawk_key|orders_db_password):\n    secure: .*$", text, re.MULTILINE)
    assert salt is not None
    assert len(secrets) == 2
    for file in (made.root / "pipelines").iterdir():
        if file.is_file():
            file.unlink()
    (made.root / "pipelines/orders.yaml").write_text(DEFINITION, encoding="utf-8")
    jobs = made.root / "pipelines/jobs/dataflow-flextemplate-job-executor"
    jobs.mkdir(parents=True)
    (jobs / "copy.json").write_text(JOB, encoding="utf-8")
    (made.root / "Pulumi.dev.yaml").write_text("\n".join([salt[0], PLATFORM.rstrip(), *secrets, ""]), encoding="utf-8")
    return made


def test_a_stack_with_all_of_it_comes_up_does_not_drift_goes_and_comes_again(project: Project) -> None:
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err

    types = {kind.rpartition(":")[2] for kind, _ in project.cloud()}
    assert types >= {"Job", "Trigger", "Function", "Repository", "NotificationChannel", "AlertPolicy", "Dashboard"}
    home, ids = "projects/acme-data-dev/locations/europe-west1", {key for _, key in project.cloud()}
    assert f"{home}/jobs/dev-orders" in ids
    assert {f"{home}/workflows/orders-on-{key}" for key in ("schedule", "arrived", "told", "loaded")} <= ids
    assert {f"{home}/triggers/dev-orders-{key}" for key in ("arrived", "told", "loaded")} <= ids
    assert f"{home}/functions/orch-framework-intermediate" in ids
    assert f"{home}/functions/bq-saved-query-executor" in ids
    archives = list((project.root / ".dp/cloud").rglob("executors-*.zip"))
    assert len(archives) == 1

    # Another schedule and more memory are updates; nothing is replaced.
    file = project.root / "pipelines/orders.yaml"
    file.write_text(DEFINITION.replace("0 6 * * 1-5", "30 6 * * 7"), encoding="utf-8")
    stack = project.root / "Pulumi.dev.yaml"
    changed = stack.read_text(encoding="utf-8").replace("min_instances: 1", "min_instances: 0, memory_mb: 512")
    stack.write_text(changed.replace("paused: true", "paused: false"), encoding="utf-8")
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err

    # Twice down, and again under the same names.
    for command in ("down", "down", "up", "down"):
        status, out, err = project.dp(command, "dev", "--local")
        assert status == 0, out + err
        assert bool(project.cloud()) is (command == "up")
