"""A stack with all of services, keys, secrets, lake and BigQuery, recorded; the text is changed piece by piece."""

from __future__ import annotations

import json
from pathlib import Path

from dataplatform.local.plan_recorder import RecordedResource, record

STACK = """\
encryptionsalt: v1:kU2/DdcC8M8=:v1:dZrdnY0FI5+7vA66:wZOlmRMCznL1b3Qpp7IkVxspSuh2pg==
config:
  data-platform:platform:
    environment: lak
    protect: true
    labels: {owner: data-platform}
    gcp:
      project: acme-data-lak
      region: europe-west1
      apis: [dataplex]
      kms:
        services:
          storage: {protection_level: hsm, rotation_period: P30D, grants: {decrypt: ["group:auditors@acme.example"]}}
        keys:
          config: {grants: {decrypt: [$workflows]}}
          signing: {purpose: asymmetric_sign, algorithm: EC_SIGN_P256_SHA256, protection_level: hsm}
        ciphertexts: {config: [token]}
      secrets:
        token: {airflow_connection: my_conn, locations: [europe-west4, europe-west1]}
        hawk: {airflow_variable: hawk, accessors: [$workflows], version_deletion: abandon}
        renewed:
          rotation: {period: P30D, first: "2090-01-01T06:00:00Z"}
          ttl: P100D
        elsewhere:
          rotation: {period: P1D, first: "2090-01-01T06:00:00Z", topic: projects/acme-topics/topics/renewals}
          expire_time: "2099-01-01T00:00:00Z"
          version_destroy_delay: P7D
      lake:
        location: EU
        zones:
          landing:
            soft_delete: P30D
            readers: [$workflows]
            lifecycle:
              versions: {newer_versions: 3, noncurrent_days: 7, state: archived, prefixes: [orders/], action: delete}
              uploads: {age_days: 7, action: abort_incomplete_uploads}
            folders:
              orders: {writers: [$workflows], readers: ["group:orders@acme.example"]}
              orders/eu: {readers: ["group:eu@acme.example"]}
            notifications:
              arrived: {prefix: orders/, events: [finalize, delete], attributes: {source: lake}}
              told: {topic: projects/acme-topics/topics/objects}
          curated: {autoclass: {terminal_class: ARCHIVE}}
          archive: {storage_class: ARCHIVE, versioning: false, retention: P30D, lock_retention: true}
      bigquery:
        job_users: [$workflows]
        datasets:
          config:
            tables:
              pipelines: {columns: [{name: pipeline, type: STRING, mode: REQUIRED}, {name: active, type: BOOL}]}
          output:
            id: output
            location: eu
            default_table_expiration: P400D
            time_travel_hours: 48
            readers: ["group:analysts@acme.example"]
            writers: [$workflows]
            tables:
              orders:
                schema_file: schemas/orders.json
                partition: {by: month, column: ordered_at, expiration: P90D}
                clustering: [country]
              counts:
                columns: [{name: total, type: INT64}]
                partition: {by: range, column: total, range: {start: 0, end: 100, interval: 10}}
            views:
              alive: {query: "SELECT * FROM $table:output.recent"}
              recent: {query: "SELECT country FROM $table:output.orders, $table:config.pipelines"}
      workflows: {}
  data-platform:token: {secure: v1:AAAAAAAAAAA=:AAAA}
  data-platform:hawk: {secure: v1:AAAAAAAAAAA=:AAAA}
  data-platform:renewed: {secure: v1:AAAAAAAAAAA=:AAAA}
  data-platform:elsewhere: {secure: v1:AAAAAAAAAAA=:AAAA}
"""
COLUMNS = [
    {"name": "order_id", "type": "INT64", "mode": "REQUIRED"},
    {"name": "country", "type": "STRING"},
    {"name": "ordered_at", "type": "TIMESTAMP"},
    {
        "name": "lines",
        "type": "STRUCT",
        "mode": "REPEATED",
        "fields": [{"name": "net", "type": "NUMERIC", "precision": 12}],
    },
]


def stack(folder: Path, *changes: tuple[str, str]) -> Path:
    """A project with one stack `lak`, pieces of its text replaced; each piece must be there."""
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", encoding="utf-8")
    text = STACK
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "Pulumi.lak.yaml").write_text(text, encoding="utf-8")
    (folder / "schemas/orders.json").write_text(json.dumps(COLUMNS), encoding="utf-8")
    return folder


def recorded_stack(folder: Path, *changes: tuple[str, str]) -> list[RecordedResource]:
    """What it registers."""
    return record(stack(folder, *changes), "lak")
