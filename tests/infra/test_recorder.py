"""The recorder: the same program, no engine, no cloud, no secret."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
import pytest

from dataplatform.diagnostics import InputError
from dataplatform.local import plan_recorder
from dataplatform.local.plan_recorder import record, record_decided
from infra.decide import Decided, decide
from tests.infra.inventory import ROOT, STACKS, checkout, recorded, stack_text

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("stack", STACKS)
def test_two_recordings_are_equal(stack: str) -> None:
    assert record(ROOT, stack) == list(recorded(stack))


def test_stacks_recorded_at_once_do_not_touch_each_other() -> None:
    with ThreadPoolExecutor(3) as pool:
        found = dict(zip(STACKS, pool.map(lambda stack: record(ROOT, stack), STACKS), strict=True))
    for stack in STACKS:
        assert found[stack] == list(recorded(stack))


def test_a_parent_comes_before_its_children_and_a_dependency_before_what_needs_it() -> None:
    seen: set[str] = set()
    for resource in recorded("prod"):
        assert not resource.parent or resource.parent in seen, resource.urn
        assert set(resource.dependencies) <= seen, resource.urn
        seen.add(resource.urn)


def test_urns_hold_the_whole_chain_of_types() -> None:
    urns = {r.urn for r in recorded("dev")}
    assert "urn:pulumi:dev::data-platform::pulumi:pulumi:Stack::data-platform-dev" in urns
    assert "urn:pulumi:dev::data-platform::dp:gcp:Lake::lake" in urns
    assert "urn:pulumi:dev::data-platform::dp:gcp:Lake$gcp:storage/bucket:Bucket::lake-landing" in urns


def test_json_has_the_documented_keys_and_no_secret() -> None:
    text = json.dumps([r.to_json() for r in recorded("dev")])
    keys = {"urn", "type", "name", "parent", "protect", "dependencies", "inputs", "secrets"}
    assert all(set(resource) == keys for resource in json.loads(text))
    assert plan_recorder.STAND_IN not in text
    for line in (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8").splitlines():
        if "secure:" in line:
            assert line.split("secure:")[1].strip() not in text


def test_a_bucket_shows_its_name_and_an_object_that_its_place_is_unknown() -> None:
    found = {r.name: r for r in recorded("dev")}
    assert found["lake-landing"].inputs["name"] == "acme-data-dev-dev-landing"
    dag = next(r for r in recorded("dev") if r.name == "dags-demo_pipeline_composer")
    assert dag.inputs["bucket"] == plan_recorder.UNKNOWN_MARKER
    assert dag.secrets == ("content",)


def test_nothing_is_asked_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the recorder opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert record(ROOT, "dev")


def test_no_passphrase_is_needed() -> None:
    code = (
        "from pathlib import Path; from dataplatform.local.plan_recorder import record; "
        "print(len(record(Path('.'), 'dev')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == len(recorded("dev"))


def test_two_resources_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(_decided: Decided) -> None:
        for _count in range(2):
            pulumi.ComponentResource("dp:test:Twice", "same")

    monkeypatch.setattr(plan_recorder, "register", twice)
    with pytest.raises(plan_recorder.DuplicateUrnError, match="dp:test:Twice::same"):
        record_decided(decide(ROOT, "dev"))


def test_a_mistake_registers_nothing(tmp_path: Path) -> None:
    text = stack_text("dev", ("region: europe-west1", "region: europe-west1\n      regoin: x"))
    with pytest.raises(InputError, match="regoin"):
        record(checkout(tmp_path / "project", stacks={"dev": text}), "dev")
