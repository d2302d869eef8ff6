"""Stacks that are right, and what loading gives."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from dataplatform.config.check import LoadedStack, check_stacks, load_stack, load_stack_config, stack_names
from dataplatform.diagnostics import InputError

CORPUS = Path(__file__).parent / "corpus"

FULL = """\
# Pulumi's own keys and other namespaces are let be.
secretsprovider: passphrase
encryptionsalt: v1:w0ixJdxV5FY=:v1:8fdr3fi+:jnh7ApWvN41g==
environment:
  - shared
config:
  pulumi:tags: {team: data}
  gcp:project: acme-data-dev
  gcp:zone: europe-west1-b
  gcp:disableGlobalProjectWarning: "true"
  azure-native:clientSecret:
    secure: v1:abc
  data-platform:hawk_key:
    secure: v1:abc
  data-platform:platform:
    environment: dev
    protect: false
    labels: {owner: data-platform, cost_center: "4711"}
    gcp:
      project: acme-data-dev
      region: europe-west1
      kms: {rotation_period: P30D, destroy_scheduled_duration: P1D}
      lake:
        location: EU
        zones:
          landing:
            versioning: false
            retention: P30D
            lifecycle:
              cool: {age_days: 30, action: nearline}
              cold: {age_days: 90, action: archive}
              gone: {age_days: 365, action: delete}
          curated: {}
      secrets:
        hawk_key: {accessors: ["group:data@example.com", $composer]}
      data_fusion:
        private: true
        network:
          connection: vpc_peering
          network: projects/acme-net/global/networks/shared
          ip_allocation: 10.89.48.0/22
      composer:
        private: true
        workloads:
          scheduler: {cpu: 1, memory_gb: 2.5, count: 1}
          worker: {cpu: 0.5, min_count: 1, max_count: 3}
          dag_processor: {cpu: 1}
        env_variables: {SECRET_NAME: hawk_key}
        airflow_config_overrides: {core-parallelism: "4"}
        pypi_packages: {numpy: "", requests: "[socks]>=2.32,<3", pandas: ==2.2.*}
      workflows: {}
      executors: {functions: [our-executor]}
    pipelines: {directory: pipelines}
"""


def project(folder: Path, text: str = FULL, stack: str = "dev") -> Path:
    (folder / "Pulumi.yaml").write_text("name: data-platform\nruntime: python\n", encoding="utf-8")
    (folder / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")
    pipelines = folder / "pipelines"
    (pipelines / "jobs" / "dataform-tag-executor").mkdir(parents=True, exist_ok=True)
    for path in CORPUS.glob("*.json"):
        if path.stem == "job_run_dataform_tag":
            job = path.read_text(encoding="utf-8").replace("<PROJECT_ID>", "acme-data-dev")
            target = pipelines / "jobs" / "dataform-tag-executor" / "run_dataform_tag.json"
            target.write_text(job, encoding="utf-8")
        else:
            shutil.copy(path, pipelines)
    (pipelines / "README.md").write_text("what is here", encoding="utf-8")
    (pipelines / ".DS_Store").write_bytes(b"\0")
    return folder


def codes(root: Path, *stacks: str) -> list[str]:
    return [diagnostic.code for diagnostic in check_stacks(root, stacks).sorted()]


def test_a_full_stack_is_right(tmp_path: Path) -> None:
    root = project(tmp_path)
    diagnostics = check_stacks(root)
    assert not diagnostics, diagnostics.render()
    stack = load_stack(root, "dev")
    assert isinstance(stack, LoadedStack)
    assert stack.name == "dev"
    assert stack.file == root / "Pulumi.dev.yaml"
    assert stack.secrets == {"hawk_key"}
    assert stack.platform.labels == {"owner": "data-platform", "cost_center": "4711"}
    gcp = stack.platform.gcp
    assert gcp is not None
    assert gcp.kms.rotation_period == timedelta(days=30)
    assert gcp.composer is not None
    assert gcp.composer.workloads is not None
    assert gcp.composer.workloads.scheduler is not None
    assert gcp.composer.workloads.scheduler.cpu == 1
    assert gcp.executors.functions == ["our-executor"]
    names = [definition.name for definition in stack.definitions]
    assert names == sorted(path.stem for path in CORPUS.glob("*.json") if path.stem != "job_run_dataform_tag")
    assert {definition.file for definition in stack.definitions} == {f"pipelines/{name}.json" for name in names}


def test_load_stack_config_reads_no_pipelines(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "pipelines" / "broken.json").write_text("{", encoding="utf-8")
    assert load_stack_config(root, "dev").definitions == ()
    with pytest.raises(InputError) as error:
        load_stack(root, "dev")
    assert [d.code for d in error.value.diagnostics.items] == ["DP109"]


def test_unknown_stack_names_the_nearest(tmp_path: Path) -> None:
    root = project(tmp_path)
    for wrong in ("dve", "../dev", "", "\x1b[31m", "dev/../../x"):
        (found,) = check_stacks(root, [wrong]).items
        assert found.code == "DP201"
        with pytest.raises(InputError):
            load_stack(root, wrong)
    assert "did you mean 'dev'?" in check_stacks(root, ["dve"]).render()


def test_stacks_are_found_by_their_files(tmp_path: Path) -> None:
    project(tmp_path)
    project(tmp_path, FULL.replace("environment: dev", "environment: qa").replace("10.89.48", "10.89.52"), "qa")
    assert stack_names(tmp_path) == ["dev", "qa"]
    assert stack_names(tmp_path / "nowhere") == []
    assert codes(tmp_path) == []


def test_a_named_stack_is_compared_with_the_others(tmp_path: Path) -> None:
    project(tmp_path)
    project(tmp_path, stack="qa")
    assert codes(tmp_path, "dev") == ["DP217", "DP214"]
    (tmp_path / "Pulumi.qa.yaml").write_text("broken: [", encoding="utf-8")
    assert codes(tmp_path, "dev") == [], "another stack's own mistakes are not told"
    assert codes(tmp_path) == ["DP108"]


def test_what_does_not_depend_on_a_mistake_is_told_with_it(tmp_path: Path) -> None:
    text = FULL.replace("protect: false", "protect: 7").replace("P30D, destroy", "PT1H, destroy")
    root = project(tmp_path, text.replace("region: europe-west1", "regin: europe-west1"))
    (root / "pipelines" / "notes.txt").write_text("x", encoding="utf-8")
    assert sorted(codes(root)) == ["DP120", "DP122", "DP125", "DP304"]


def test_links_out_of_the_project_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(CORPUS / "etl_example_0.json", outside / "x.json")
    root = tmp_path / "root"
    root.mkdir()
    project(root)
    (root / "pipelines" / "linked.json").symlink_to(outside / "x.json")
    (root / "pipelines" / "folder").symlink_to(outside)
    (root / "pipelines" / "loop.json").symlink_to(root / "pipelines" / "loop.json")
    assert codes(root) == ["DP303", "DP303", "DP303"]
    shutil.rmtree(root / "pipelines")
    (root / "pipelines").symlink_to(outside)
    assert codes(root) == ["DP303"]


def test_neither_a_placeholder_nor_a_secret_is_fine_in_a_job_parameter_file(tmp_path: Path) -> None:
    root = project(tmp_path)
    job = root / "pipelines" / "jobs" / "x.json"
    job.write_text('{"project": "<PROJECT_ID>", "password": "<PASSWORD>"}', encoding="utf-8")
    assert codes(root) == ["DP317", "DP317"]
    job.write_text('{"project": "acme", "password": "projects/acme/secrets/db"}', encoding="utf-8")
    assert codes(root) == []
    job.write_text('{"nested": [{"password": "changeme"}]}', encoding="utf-8")
    diagnostics = check_stacks(root)
    assert [d.code for d in diagnostics.items] == ["DP318"]
    assert "changeme" not in diagnostics.render()
