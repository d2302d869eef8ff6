"""Differences are told by meaning, and both sides' changes apart."""

from __future__ import annotations

import copy
import random
import subprocess
from pathlib import Path

from dataplatform.datafusion import files, service
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.compare import compare
from dataplatform.datafusion.macros import Environment, lift, lower
from dataplatform.datafusion.model import Json, Key, Kind
from dataplatform.datafusion.secrets import hide
from dataplatform.datafusion.service import Selection
from tests.datafusion.conftest import Cdap
from tests.datafusion.pipelines import export_of, generated, pipeline, stage, tree, write

NOTHING = Environment()


def lines(old: Json, new: Json) -> list[str]:
    return [line for change in compare(export_of("ns", old), export_of("ns", new)) for line in change.lines()]


def test_properties_stages_and_connections_are_named() -> None:
    old, new = pipeline("p"), pipeline("p", "invoices", schedule="0 6 * * *")
    new["config"]["stages"].insert(1, stage("Clean", "Projection", "transform", drop="x"))
    new["config"]["connections"] = [{"from": "Read", "to": "Clean"}, {"from": "Clean", "to": "Write"}]
    assert lines(old, new) == [
        "~ pipeline ns/p",
        '    + connection Clean → Write: {"from": "Clean", "to": "Write"}',
        '    + connection Read → Clean: {"from": "Read", "to": "Clean"}',
        '    - connection Read → Write: {"from": "Read", "to": "Write"}',
        '    ~ schedule: "0 1 */1 * *" → "0 6 * * *"',
        "    + stage 'Clean': Projection (transform)",
        "    ~ stage 'Read', property 'name': \"orders\" → \"invoices\"",
        "    ~ stage 'Write', property 'name': \"orders_copy\" → \"invoices_copy\"",
    ]


def test_a_renamed_stage_and_a_renamed_pipeline_are_told_as_such() -> None:
    old, new = pipeline("p"), pipeline("p")
    new["config"]["stages"][0]["name"] = "Load"
    new["config"]["connections"] = [{"from": "Load", "to": "Write"}]
    assert '    ~ stage \'Load\', name: "Read" → "Load"' in lines(old, new)
    assert lines(pipeline("before"), pipeline("after")) == ["~ pipeline ns/after (was before)"]


def test_a_field_of_a_schema_is_named() -> None:
    schema = '{"type":"record","name":"o","fields":[{"name":"id","type":"long"}%s]}'
    old, new = pipeline("p"), pipeline("p")
    old["config"]["stages"][0]["plugin"]["properties"]["schema"] = schema % ""
    new["config"]["stages"][0]["plugin"]["properties"]["schema"] = schema % ',{"name":"at","type":"string"}'
    assert lines(old, new)[1:] == ["    + stage 'Read', property 'schema.fields.field at': \"string\""] or lines(
        old, new
    )[1:] == ["    + stage 'Read', property 'schema.field at': \"string\""]


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def committed(cdap: Cdap, tmp_path: Path) -> tuple[Path, str]:
    """A repository whose main branch is what the instance holds, and a branch of it."""
    namespace = cdap.namespace()
    folder = tmp_path / "repo" / "pipelines" / "data_fusion"
    write(folder, export_of(namespace, pipeline("ours"), pipeline("theirs"), pipeline("both"), pipeline("clash")))
    assert service.prepare(cdap.client(), folder, NOTHING, Selection()).apply().error() is None
    git(tmp_path / "repo", "init", "-q", "-b", "main")
    git(tmp_path / "repo", "add", "-A")
    git(tmp_path / "repo", "commit", "-q", "-m", "pulled")
    git(tmp_path / "repo", "checkout", "-q", "-b", "work")
    return folder, namespace


def put(client: Client, namespace: str, body: Json) -> None:
    client.call("PUT", ("namespaces", namespace, "apps", body["name"]), body=body)


def both_sides(cdap: Cdap, tmp_path: Path) -> tuple[Path, str]:
    folder, namespace = committed(cdap, tmp_path)
    put(cdap.client(), namespace, pipeline("theirs", "t"))
    put(cdap.client(), namespace, pipeline("both", maxConcurrentRuns=3))
    put(cdap.client(), namespace, pipeline("clash", "t"))
    mine = [pipeline("ours", "o"), pipeline("theirs"), pipeline("both", engine="spark"), pipeline("clash", "o")]
    write(folder, export_of(namespace, *mine))
    return folder, namespace


def test_three_ways(cdap: Cdap, tmp_path: Path) -> None:
    folder, namespace = both_sides(cdap, tmp_path)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "mine")
    found = service.difference(cdap.client(), folder, NOTHING, Selection(namespaces=[namespace]))
    assert {one.key.name: one.side for one in found.differences} == {
        "both": "both",
        "clash": "conflict",
        "ours": "files",
        "theirs": "instance",
    }
    (clash,) = [one for one in found.differences if one.key.name == "clash"]
    assert clash.conflicts == (
        "stage 'Read', property 'name': 'orders' became 'o' in the files and 't' on the instance",
        "stage 'Write', property 'name': 'orders_copy' became 'o_copy' in the files and 't_copy' on the instance",
    )


def test_a_developer_takes_just_what_changed_since_a_commit(cdap: Cdap, tmp_path: Path) -> None:
    folder, namespace = both_sides(cdap, tmp_path)
    before = tree(folder)
    selection = Selection(namespaces=[namespace])
    pulled = service.pull(
        cdap.client(),
        folder,
        NOTHING,
        selection,
        since="main",
        choose=lambda changes: [c for c in changes if c.key.name == "theirs"],
    )
    assert [path.name for path in pulled.written.changed] == ["theirs.json"]
    after = tree(folder)
    assert [name for name in after if after[name] != before[name]] == [f"{namespace}/pipelines/theirs.json"]
    pulled = service.pull(cdap.client(), folder, NOTHING, selection, since="main")
    assert sorted(path.name for path in pulled.written.changed) == ["both.json", "clash.json"]
    assert b'"o"' in tree(folder)[f"{namespace}/pipelines/ours.json"], "not changed on the instance: kept"


def test_without_an_ancestor_nobody_is_said_to_have_changed_anything(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    write(tmp_path, export_of(namespace, pipeline("p")))
    assert service.prepare(cdap.client(), tmp_path, NOTHING, Selection()).apply().error() is None
    write(tmp_path, export_of(namespace, pipeline("p", "other")))
    found = service.difference(cdap.client(), tmp_path, NOTHING, Selection(namespaces=[namespace]))
    assert found.ancestor is None
    assert [(one.key.name, one.side, one.conflicts) for one in found.differences] == [("p", "unknown", ())]


def test_values_become_macros_and_come_back() -> None:
    environment = Environment(
        values={"bucket": "acme-dev", "zone": "acme-dev-lake", "n": "7x7"}, inline=frozenset({"n"})
    )
    body = pipeline("p", "gs://acme-dev/in")
    body["config"]["stages"][1]["plugin"]["properties"]["name"] = "acme-dev-lake and acme-dev2 7x7 ${x}"
    export = export_of("ns", body)
    export[Key(namespace="ns", kind=Kind.RUNTIME_ARGUMENTS, name="p")] = {
        "pipeline": "p",
        "arguments": {"a": "acme-dev"},
    }
    lifted = lift(export, environment)
    shown = str(lifted)
    assert "gs://${bucket}/in" in shown
    assert "${zone} and acme-dev2 ${n} ${x}" in shown
    lowered = lower(lifted, environment)
    text = str(lowered[Key(namespace="ns", kind=Kind.PIPELINE, name="p")])
    assert "gs://${bucket}/in" in text, "CDAP evaluates it"
    assert "7x7" in text, "written into the pipeline"
    key = Key(namespace="ns", kind=Kind.PREFERENCES)
    assert lowered[key] == {"preferences": {"bucket": "acme-dev", "zone": "acme-dev-lake"}}
    assert lowered[Key(namespace="ns", kind=Kind.RUNTIME_ARGUMENTS, name="p")]["arguments"] == {"a": "acme-dev"}
    assert lift(lowered, environment) == lifted


def test_random_edits_are_told_and_nothing_else(tmp_path: Path) -> None:
    r = random.Random(5)
    for seed in range(60):
        old = generated(seed)
        new = copy.deepcopy(old)
        new["config"]["stages"][r.randrange(len(new["config"]["stages"]))]["plugin"]["properties"]["added"] = "1"
        (change,) = compare(export_of("ns", old), export_of("ns", new))
        assert len(change.fields) == 1
        assert compare(export_of("ns", old), export_of("ns", copy.deepcopy(old))) == []
        write(tmp_path / str(seed), export_of("ns", old))
        assert files.load(tmp_path / str(seed)).export == export_of("ns", old)
        assert hide(export_of("ns", old))[1] == []
