"""What `dp preview` tells: fields, drift, replacement and its cost, texts and meaning; and `--no-replace`."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.local.costs import cost, table
from dataplatform.local.events import Run
from dataplatform.local.fields import LATER, SECRET, fields_of, parts, shown
from dataplatform.local.guard import HOLDS_DATA
from dataplatform.local.texts import MAX_LINES, text_diff
from tests.tool.test_stack import Project

MASKED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}


def step(old: dict[str, Any], new: dict[str, Any], *paths: str, outputs: dict[str, Any] | None = None) -> Any:
    return fields_of(
        {
            "old": {"inputs": old, "outputs": outputs or old},
            "new": {"inputs": new},
            "detailedDiff": {path: {"diffKind": "update"} for path in paths},
        }
    )


def test_the_parts_of_a_path() -> None:
    assert list(parts('config.env["A.b"].x[2].y')) == ["config", "env", "A.b", "x", 2, "y"]


def test_an_edit_shows_old_and_new() -> None:
    (field,) = step({"labels": {"a": "1"}}, {"labels": {"a": "2"}}, "labels.a")
    assert (field.old, field.new, field.cause) == ("1", "2", "edit")
    assert field.line() == 'labels.a: "1" → "2"'


def test_what_the_cloud_has_otherwise_is_drift() -> None:
    (field,) = step({"size": 1}, {"size": 1}, "size", outputs={"size": 3})
    assert (field.old, field.new, field.cause) == (3, 1, "drift")
    assert "(drift)" in field.line()


def test_what_nobody_declared_is_a_default() -> None:
    (field,) = step({}, {}, "kind", outputs={"kind": "A"})
    assert (field.old, field.new, field.cause) == ("A", None, "default")


def test_secrets_and_unknown_values_have_words_of_their_own() -> None:
    (field,) = step({"password": MASKED}, {"password": MASKED}, "password")
    assert (field.old, field.new, field.cause) == (SECRET, SECRET, "edit")
    (field,) = step({"id": "x"}, {"id": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}, "id")
    assert field.new == LATER


def test_a_long_value_is_cut_in_the_middle() -> None:
    assert len(shown("x" * 10_000)) < 250
    assert shown("a\nb") == "a text of 2 lines"


def test_a_refresh_that_finds_nothing_there_is_drift_without_fields() -> None:
    run = Run()
    state = {"custom": True, "inputs": {}, "outputs": {}}
    urn = "urn:pulumi:dev::p::gcp:storage/bucket:Bucket::a"
    run.read({"resOutputsEvent": {"metadata": {"urn": urn, "op": "refresh", "old": state, "new": None}}})
    assert run.drift == {urn: ()}


def test_a_long_difference_is_cut_and_counted() -> None:
    lines = text_diff("x", "", "\n".join(str(n) for n in range(500)))
    assert lines[0] == "x: 500 lines added, 0 removed"
    assert len(lines) == MAX_LINES + 2
    assert "lines more" in lines[-1]


COMPOSER = "gcp:composer/environment:Environment"


def test_an_update_of_an_environment_is_one_request_for_each_field() -> None:
    one = cost(COMPOSER, "update", ["config.environmentSize"])
    assert one is not None
    assert (one.how, one.typical) == ("update", (25, 25))
    three = cost(
        COMPOSER,
        "update",
        [
            "config.environmentSize",
            "config.workloadsConfig.scheduler.cpu",
            "config.workloadsConfig.worker.cpu",
            "labels.a",
        ],
    )
    assert three is not None
    assert (three.how, three.patches, three.typical) == ("serial updates", 3, (75, 75))
    assert three.line() == "3 updates one after the other, about 75 min"


def test_a_replacement_says_what_is_lost() -> None:
    replaced = cost("gcp:datafusion/instance:Instance", "replace", ["type"])
    assert replaced is not None
    assert replaced.how == "replace"
    assert "namespaces" in replaced.line()


def test_what_takes_no_time_says_only_how_it_changes() -> None:
    grant = "gcp:projects/iAMMember:IAMMember"
    updated, replaced = cost(grant, "update", ["role"]), cost(grant, "replace", ["role"])
    assert updated is not None
    assert replaced is not None
    assert (updated.how, updated.line(), replaced.how, replaced.line()) == ("update", "", "replace", "")
    assert cost(grant, "create", []) is None
    assert cost(grant, "delete", []) is None


def test_labels_of_an_environment_are_one_update() -> None:
    found = cost("gcp:composer/environment:Environment", "update", ["labels.a", "effectiveLabels.a", "pulumiLabels.a"])
    assert found is not None
    assert (found.how, found.patches) == ("update", 1)


@pytest.mark.parametrize("token", sorted(token for token in HOLDS_DATA if not token.startswith("azure-native:")))
def test_what_holds_data_says_what_a_replacement_loses(token: str) -> None:
    found = cost(token, "replace", [])
    assert found is not None
    assert found.how == "replace"
    assert found.lost


def test_the_newer_kinds_of_resource_say_what_a_replacement_means() -> None:
    """Functions, triggers, jobs, alerts and networks hold no data, and yet a replacement is felt."""
    for kind in ("cloudfunctionsv2/function:Function", "eventarc/trigger:Trigger", "cloudscheduler/job:Job"):
        assert cost(f"gcp:{kind}", "replace", []).line(), kind  # type: ignore[union-attr]
    for kind in ("monitoring/alertPolicy:AlertPolicy", "compute/networkAttachment:NetworkAttachment"):
        assert cost(f"gcp:{kind}", "replace", []).line(), kind  # type: ignore[union-attr]


def test_every_typical_duration_names_its_source() -> None:
    for token, entry in table().items():
        for verb in ("create", "update", "delete"):
            found = entry.get(verb, {})
            assert "typical" not in found or found.get("source"), (token, verb)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = Project(tmp_path_factory.mktemp("preview") / "project")
    git = ["git", "-C", str(made.root), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "pipelines"], check=True)
    subprocess.run([*git, "commit", "-qm", "Add pipelines"], check=True)
    status, out, err = made.dp("up", "dev", "--local")
    assert status == 0, out + err
    yield made
    made.dp("down", "dev", "--local")


def preview(project: Project, *options: str) -> tuple[int, dict[str, Any]]:
    status, out, err = project.dp("preview", "dev", "--local", "--json", *options)
    assert out, err
    document: dict[str, Any] = json.loads(out)
    return status, document


def edit(file: Path, old: str, new: str) -> str:
    before = file.read_text()
    assert old in before
    file.write_text(before.replace(old, new, 1))
    return before


@pytest.mark.engine
def test_an_edited_step_is_told_as_text_and_as_meaning(project: Project) -> None:
    file = project.root / "pipelines/demo_pipeline_composer.json"
    before = edit(file, '"JOB_ID": "J02",', '"JOB_ID": "J02", "CONTINUE_IF_FAIL": "true",')
    try:
        status, told = preview(project, "--exit-code")
        assert status == 2
        rows = {row["name"]: row for row in told["resources"]}
        assert set(rows) == {"dags-demo_pipeline_composer", "workflows-demo_pipeline_composer"}
        assert any("all_done" in line for line in rows["dags-demo_pipeline_composer"]["text"])
        (meaning,) = told["meaning"]
        assert meaning["pipeline"] == "demo_pipeline_composer"
        assert [(change["subject"], change["field"]) for change in meaning["changes"]] == [
            ("sample_jdbc_dataflow_ingestion", "continue_if_fail")
        ]
        _, out, _ = project.dp("preview", "dev", "--local")
        assert "demo_pipeline_composer, in meaning:" in out
        assert "may_fail: true" in out
    finally:
        file.write_text(before)


@pytest.mark.engine
def test_a_replacement_is_an_error_where_none_is_wanted(project: Project) -> None:
    file = project.root / "Pulumi.dev.yaml"
    before = edit(file, "edition: developer", "edition: enterprise")
    try:
        for command in ("preview", "up"):
            status, out, err = project.dp(command, "dev", "--local", "--no-replace")
            assert status == 1, out
            # What is in the instance goes with it.
            assert re.search(r"--no-replace: \d+ of dev would be replaced", err)
            assert "data-fusion because of type" in err
            assert "dp-cdap:datafusion:Pipeline" in err
        _, told = preview(project)
        replaced = {row["type"]: row for row in told["resources"] if row["op"] == "replace"}
        assert {row["cost"]["how"] for row in replaced.values()} == {"replace"}
        assert "history" in replaced["dp-cdap:datafusion:Pipeline"]["cost"]["lost"]
        row = replaced["gcp:datafusion/instance:Instance"]
        assert {field["path"]: field["forces_replacement"] for field in row["fields"]} == {"type": True}
    finally:
        file.write_text(before)


@pytest.mark.engine
def test_drift_is_named_before_it_is_overwritten(project: Project) -> None:
    world = sqlite3.connect(project.root / ".dp/cloud/world.db")
    with world:
        (text,) = world.execute("select outputs from resources where id like '%-landing'").fetchone()
        outputs = json.loads(text) | {"storageClass": "NEARLINE"}
        world.execute("update resources set outputs = ? where id like '%-landing'", (json.dumps(outputs),))
    world.close()
    status, told = preview(project, "--no-refresh", "--exit-code")
    assert (status, told["drift"]) == (0, [])
    status, told = preview(project, "--exit-code")
    assert status == 2
    (row,) = told["resources"]
    assert [(f["path"], f["old"], f["new"], f["cause"]) for f in row["fields"]] == [
        ("storageClass", "NEARLINE", "STANDARD", "drift")
    ]
    assert [d["name"] for d in told["drift"]] == ["lake-landing"]
    status, out, err = project.dp("up", "dev", "--local")
    assert status == 0, err
    assert 'storageClass: "STANDARD" → "NEARLINE" in the cloud' in out
    assert "this up overwrites it" in out
    assert preview(project, "--exit-code")[0] == 0


def rows(document: dict[str, Any]) -> set[tuple[str, str, tuple[str, ...]]]:
    return {
        (row["name"], row["op"], tuple(field["path"] for field in row["fields"] if row["op"] in ("update", "replace")))
        for row in document["resources"]
        if row["op"] not in ("create-replacement", "delete-replaced")
    }


@pytest.mark.engine
@pytest.mark.parametrize(
    "edits",
    [
        (),
        (("edition: developer", "edition: enterprise"),),
        (('cost_center: "4711"', 'cost_center: "4712"'), ("size: small", "size: medium")),
        (("curated:", "cured:"), ("$bucket:curated", "$bucket:cured")),
        (("force_destroy: true", "force_destroy: false"), ("accessors: [$composer]", "accessors: []")),
        (("image_version: composer-3", "name: kern\n        image_version: composer-3"),),
    ],
)
def test_a_plan_against_the_state_says_what_the_engine_says(
    project: Project, edits: tuple[tuple[str, str], ...]
) -> None:
    """Without an engine and with the secrets left encrypted: the same operations on the same fields."""
    file = project.root / "Pulumi.dev.yaml"
    before = file.read_text()
    try:
        for old, new in edits:
            file.write_text(file.read_text().replace(old, new, 1))
        status, out, err = project.dp("plan", "dev", "--local", "--exit-code", "--json")
        assert status == (2 if edits else 0), err
        planned = json.loads(out)
        _, previewed = preview(project, "--no-refresh")
        assert rows(planned) == rows(previewed)
    finally:
        file.write_text(before)


@pytest.mark.engine
def test_a_plan_wants_a_state_that_is_one(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("[]")
    status, _, err = project.dp("plan", "dev", "--against", str(file))
    assert status == 4
    assert "pulumi stack export" in err
    status, _, err = project.dp("plan", "dev", "--exit-code")
    assert status == 64
    assert "--against FILE" in err
