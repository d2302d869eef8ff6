"""Components alone: the Python on their pages runs, and what it registers is what the provider takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dataplatform.local import plan_recorder
from dataplatform.local.plan_recorder import STAND_IN, UNKNOWN_MARKER, RecordedResource
from infra.decide import decide
from localcloud.rules import check
from localcloud.rules.wire import UNKNOWN, secret
from tests.infra.inventory import ROOT

PAGES = ROOT / "docs/components"
_PYTHON = re.compile(r"^```python\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = {
    "executors.md": {
        "Account",
        "Bucket",
        "BucketIAMMember",
        "BucketObject",
        "Function",
        "IAMMember",
        "Repository",
        "RepositoryIamMember",
        "ServiceIamMember",
    },
    "monitoring.md": {"AlertPolicy", "Dashboard", "Metric", "NotificationChannel"},
    "triggers.md": {"Account", "IAMMember", "Job", "Topic", "Trigger", "Workflow"},
    "composer.md": {"Account", "Environment", "IAMMember"},
    "dag_assets.md": {"BucketObject"},
    "data_fusion.md": {"Account", "BucketIAMMember", "IAMMember", "Instance", "InstanceIamMember"},
    "bigquery.md": {"Dataset", "DatasetIamMember", "Table"},
    "kms.md": {"KeyRing", "CryptoKey", "CryptoKeyIAMMember", "SecretCiphertext"},
    "lake.md": {
        "Bucket",
        "BucketIAMMember",
        "ManagedFolder",
        "ManagedFolderIamMember",
        "Notification",
        "Topic",
        "TopicIAMMember",
    },
    "secrets.md": {"Secret", "SecretVersion", "SecretIamMember"},
    "services.md": {"Service", "ServiceIdentity"},
    "cloud_sql.md": {"DatabaseInstance", "Database", "User", "Address", "ForwardingRule", "Secret", "SecretVersion"},
    "network.md": {"Network", "Subnetwork", "NetworkAttachment", "Router", "RouterNat"},
}


def registered(page: Path, monkeypatch: pytest.MonkeyPatch) -> list[RecordedResource]:
    """What the example of a page registers, recorded instead of the program of a stack."""
    (example,) = _PYTHON.findall(page.read_text(encoding="utf-8"))

    def run(_decided: object) -> None:
        exec(compile(example, str(page), "exec"), {})

    monkeypatch.setattr(plan_recorder, "register", run)
    return plan_recorder.record_decided(decide(ROOT, "dev"))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_of_a_page_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = [r for r in registered(PAGES / name, monkeypatch) if r.type.startswith("gcp:")]
    assert {r.type.rpartition(":")[2] for r in resources} == EXPECTED[name]
    for resource in resources:
        inputs: Any = {
            key: UNKNOWN if value == UNKNOWN_MARKER else _wire(value) for key, value in resource.inputs.items()
        }
        assert STAND_IN not in str(inputs)
        given = dict(inputs)
        for path in resource.secrets:
            *above, last = path.split(".")
            inside = given
            for part in above:
                inside = inside[part]
            inside[last] = secret("value")
        found = check(resource.type, given, provider_config={"project": "acme-data-dev", "region": "europe-west1"})
        assert [(resource.name, f.property, f.reason) for f in found.failures] == []


def _wire(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_wire(item) for item in value]
    return UNKNOWN if value == UNKNOWN_MARKER else value
