"""Stack files with a part on Azure, for tests."""

from __future__ import annotations

from pathlib import Path

SUBSCRIPTION = "00000000-0000-4000-8000-00000000da7a"
TENANT = "00000000-0000-4000-8000-00000000717e"

AZURE = f"""\
    azure:
      subscription: {SUBSCRIPTION}
      tenant: {TENANT}
      location: westeurope
      prefix: acmedata
      identities:
        etl:
          federated_credentials:
            main:
              issuer: https://token.actions.githubusercontent.com
              subject: repo:acme/data:ref:refs/heads/main
            release:
              issuer: https://token.actions.githubusercontent.com
              subject: repo:acme/data:environment:dev
        reports: {{}}
      monitoring:
        alert_emails: {{oncall: oncall@example.com}}
      lake:
        allowed_ips: [20.50.2.0/24, 20.51.1.7]
        filesystems:
          datalake:
            directories: [data, data/lnd, libs]
            readers: [$reports]
            writers: [$etl]
            lifecycle:
              expire: {{age_days: 30, action: delete, prefix: data/lnd}}
              cool: {{age_days: 90, action: cool}}
          sandbox: {{}}
      key_vault:
        purge_protection: false
        soft_delete_days: 7
        secrets:
          storageAccount: {{source: lake_account, readers: [$etl]}}
          lakeEndpoint: {{source: lake_dfs_endpoint}}
          kvUrl: {{source: vault_uri}}
"""


def write_stack(root: Path, *, azure: str = AZURE, stack: str = "dev", protect: bool = False) -> Path:
    """A project with one stack that is on Azure alone."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\nmain: infra\n")
    (root / f"Pulumi.{stack}.yaml").write_text(
        "config:\n"
        "  data-platform:platform:\n"
        f"    environment: {stack}\n"
        f"    protect: {'true' if protect else 'false'}\n"
        '    labels: {owner: data-platform, cost_center: "4711"}\n' + azure
    )
    return root


DATABRICKS = (
    AZURE
    + """\
      databricks:
        service_principal: 00000000-0000-4000-8000-0000000000aa
        secret_scopes: [vault]
        policies: {etl: databricks/policies/etl.json}
        clusters:
          etl: {file: databricks/clusters/etl.json, policy: etl, values: {CLUSTER_NAME: x, DATABASE: lake}}
        warehouses: {reports: {auto_stop_minutes: 20}}
        notebooks: databricks/notebooks
        libraries: databricks/libs
        release: "2026.11.1"
        job_clusters:
          runs: {file: databricks/clusters/etl.json, policy: etl, values: {CLUSTER_NAME: x, DATABASE: lake}}
        jobs:
          transform:
            schedule: {cron: "30 2 * * 5-7", timezone: Europe/Berlin, paused: true}
            parameters: {day: ""}
            alert_emails: [data@acme.example]
            tasks:
              standardize:
                notebook: etl/02_standardize
                parameters: {mode: full}
                cluster: etl
              transform:
                wheel: {package: acme_transform, entry_point: run, parameters: {level: "2"}}
                libraries: [acme_transform-1.4.0-py3-none-any.whl]
                job_cluster: runs
                needs: [standardize]
                retries: 1
              report: {notebook: setup, needs: [transform]}
        unity_catalog:
          filesystem: datalake
          locations: {landing: {filesystem: datalake, path: data/lnd}}
          schemas:
            raw: {volumes: [files], grants: {analysts: [USE_SCHEMA, SELECT]}}
          grants: {analysts: [USE_CATALOG]}
"""
)
"""The same with a Databricks workspace, whose files `write_files` writes."""

CLUSTER = """\
{
  "cluster_name": "__REPLACE_CLUSTER_NAME__",
  "autoscale": {"min_workers": 1, "max_workers": 2},
  "spark_version": "15.4.x-scala2.12",
  "autotermination_minutes": 30,
  "node_type_id": "Standard_DS3_v2",
  "data_security_mode": "USER_ISOLATION",
  "spark_env_vars": {"DATABASE": "__REPLACE_DATABASE__"}
}
"""


def write_files(root: Path) -> Path:
    """The files of the workspace, below the project."""
    files = {
        "clusters/etl.json": CLUSTER,
        "policies/etl.json": '{"spark_version": {"type": "fixed", "value": "15.4.x-scala2.12"}}\n',
        "notebooks/etl/02_standardize.py": "# Databricks notebook source\nprint('standardize')\n",
        "notebooks/setup.sql": "-- Databricks notebook source\nSELECT 1\n",
        "libs/acme_transform-1.4.0-py3-none-any.whl": "PK not really a wheel",
    }
    for name, text in files.items():
        file = root / "databricks" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root
