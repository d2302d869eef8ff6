"""A stack file with all of services, keys, secrets, lake and BigQuery, with the real engine: up, no drift, down."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.tool.test_stack import ROOT, Project

pytestmark = pytest.mark.engine

PLATFORM = """\
config:
  data-platform:platform:
    environment: dev
    protect: false
    labels: {owner: data-platform}
    gcp:
      project: acme-data-dev
      region: europe-west1
      apis: [dataplex, datacatalog]
      kms:
        services:
          storage: {protection_level: hsm, grants: {decrypt: ["group:auditors@acme.example"]}}
        keys:
          config: {grants: {decrypt: [$workflows]}}
          signing: {purpose: asymmetric_sign, algorithm: EC_SIGN_P256_SHA256, grants: {public_key: [$workflows]}}
        ciphertexts: {config: [hawk_key]}
      secrets:
        hawk_key:
          airflow_variable: hawk_key
          accessors: [$workflows]
          locations: [europe-west1, europe-west4]
          annotations: {owner.team: data-platform}
        orders_db_password:
          rotation: {period: P30D, first: "2090-01-01T06:00:00Z"}
          ttl: P3650D
          version_destroy_delay: P7D
          version_deletion: disable
      lake:
        location: EU
        zones:
          landing:
            force_destroy: true
            soft_delete: PT0S
            readers: ["group:analysts@acme.example"]
            lifecycle:
              expire: {age_days: 30, action: delete}
              versions: {newer_versions: 3, state: archived, action: delete}
              uploads: {age_days: 7, action: abort_incomplete_uploads}
            folders:
              orders: {writers: [$workflows], readers: ["group:orders@acme.example"]}
              orders/eu: {readers: ["group:eu@acme.example"]}
            notifications:
              arrived: {prefix: orders/, events: [finalize, delete]}
          curated: {force_destroy: true, autoclass: {terminal_class: ARCHIVE}}
          archive: {storage_class: ARCHIVE, versioning: false, retention: P30D, soft_delete: P14D}
      bigquery:
        job_users: [$workflows]
        datasets:
          config:
            tables:
              pipelines:
                columns:
                  - {name: pipeline, type: STRING, mode: REQUIRED}
                  - {name: active, type: BOOL, mode: REQUIRED}
                  - {name: arguments, type: RECORD, mode: REPEATED, fields: [{name: key, type: STRING}]}
          output:
            location: EU
            default_partition_expiration: P400D
            readers: [$workflows]
            tables:
              orders:
                schema_file: schemas/orders.json
                partition: {by: day, column: ordered_at}
                require_partition_filter: true
                clustering: [country]
              counts:
                columns: [{name: total, type: INT64}]
                partition: {by: range, column: total, range: {start: 0, end: 100, interval: 10}}
            views:
              recent: {query: "SELECT country FROM $table:output.orders WHERE ordered_at > CURRENT_TIMESTAMP()"}
              alive: {query: "SELECT * FROM $table:output.recent"}
      workflows: {}
"""
COLUMNS = [
    {"name": "order_id", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "country", "type": "STRING"},
    {"name": "ordered_at", "type": "TIMESTAMP"},
    {"name": "amount", "type": "NUMERIC", "precision": 12, "scale": 2, "description": "In euros."},
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    salt = re.search(r"^encryptionsalt:.*$", text, re.MULTILINE)
    secrets = re.findall(r"^  data-platform:(?:hawk_key|orders_db_password):\n    secure: .*$", text, re.MULTILINE)
    assert salt is not None
    assert len(secrets) == 2
    (made.root / "schemas").mkdir()
    (made.root / "schemas/orders.json").write_text(json.dumps(COLUMNS), encoding="utf-8")
    (made.root / "Pulumi.dev.yaml").write_text("\n".join([salt[0], PLATFORM.rstrip(), *secrets, ""]), encoding="utf-8")
    return made


def secret_value(project: Project) -> str:
    """The value of `hawk_key`, as the cloud has it."""
    with sqlite3.connect(project.root / ".dp/cloud/world.db") as world:
        found = world.execute("SELECT id, outputs FROM resources WHERE token LIKE '%:SecretVersion'").fetchall()
    return next(str(json.loads(o)["secretData"]) for key, o in found if "airflow-variables-hawk_key" in key)


def test_a_stack_with_all_of_it_comes_up_does_not_drift_and_goes_down(project: Project) -> None:
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, out + err
    status, out, err = project.dp("preview", "dev", "--local", "--exit-code")
    assert status == 0, out + err

    types = {kind.rpartition(":")[2] for kind, _ in project.cloud()}
    assert types >= {"Table", "Dataset", "ManagedFolder", "Notification", "Topic", "SecretCiphertext"}
    ids = {key for _, key in project.cloud()}
    assert "projects/acme-data-dev/secrets/airflow-variables-hawk_key" in ids
    assert "projects/acme-data-dev/topics/dev-landing-arrived" in ids
    assert "projects/acme-data-dev/locations/europe-west4/keyRings/data-platform-dev/cryptoKeys/secretmanager" in ids
    assert "projects/acme-data-dev/locations/europe/keyRings/data-platform-dev/cryptoKeys/bigquery" in ids

    value = secret_value(project)
    assert len(value) >= 4
    for file in [project.checkpoint, *(project.root / ".dp").rglob("*.jsonl")]:
        assert value not in file.read_text(encoding="utf-8"), file
    (made,) = [r for r in project.state()["resources"] if r["type"].endswith(":SecretCiphertext")]
    assert "ciphertext" in made["inputs"]["plaintext"], "the plaintext is encrypted in the state"
    assert made["outputs"]["ciphertext"] == stack_outputs(project)["ciphertexts"]["hawk_key"]

    # A column more is an update of the table; one renamed would be another table.
    file = project.root / "schemas/orders.json"
    file.write_text(json.dumps([*COLUMNS, {"name": "note", "type": "STRING"}]), encoding="utf-8")
    status, out, err = project.dp("up", "dev", "--local", "--no-replace")
    assert status == 0, out + err

    status, out, err = project.dp("down", "dev", "--local")
    assert status == 0, out + err
    assert project.cloud() == set()


def stack_outputs(project: Project) -> dict[str, dict[str, str]]:
    (stack,) = [r for r in project.state()["resources"] if r["type"] == "pulumi:pulumi:Stack"]
    outputs: dict[str, dict[str, str]] = stack["outputs"]
    return outputs
