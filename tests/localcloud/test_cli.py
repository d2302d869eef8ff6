"""The `localcloud` command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from localcloud.cli import main
from localcloud.world import World
from tests.localcloud.client import Client


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "cloud"


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), *arguments])


def test_init_list_remove_reset(home: Path) -> None:
    result = run(home, "ls")
    assert result.exit_code == 1
    assert "there is no embedded cloud in" in result.output
    result = run(home, "init", "--project", "acme-dev", "acme-qa")
    assert result.exit_code == 0
    assert [line.rpartition(": ")[2] for line in result.output.splitlines()] == ["created", "created"]
    assert run(home, "init", "--project", "acme-dev").output.endswith(": exists\n")
    world = World(home)
    client = Client("gcp", world, {"project": "acme-dev"})
    client.create("gcp:storage/bucket:Bucket", {"name": "acme-data", "location": "EU"})
    client.create("gcp:storage/bucketObject:BucketObject", {"bucket": "acme-data", "name": "a/b", "content": "x"})
    (home / "buckets" / "acme-data" / "stray").write_text("y")
    listed = json.loads(run(home, "ls", "--json").output)
    assert [(e["type"], e["id"], e["project"]) for e in listed] == [
        ("gcp:storage/bucket:Bucket", "acme-data", "acme-dev"),
        ("gcp:storage/bucketObject:BucketObject", "acme-data-a/b", None),
    ]
    everything = json.loads(run(home, "ls", "--json", "--all").output)
    assert "acme-data-stray" in {e["id"] for e in everything}
    assert "2 resources, " in run(home, "ls").output
    assert "create   gcp:storage/bucket:Bucket it" in run(home, "log").output
    assert run(home, "rm", "acme-data-a/b").exit_code == 0
    assert not (home / "buckets" / "acme-data" / "a").exists()
    assert "there is no resource with the id 'acme-data-a/b'" in run(home, "rm", "acme-data-a/b").output
    assert run(home, "reset").exit_code == 1, "asks, and nobody answers"
    (home / "thesis.txt").write_text("mine")
    result = run(home, "reset", "--yes")
    assert result.exit_code == 1
    assert "also holds thesis.txt" in result.output
    (home / "thesis.txt").unlink()
    world.close()
    assert run(home, "reset", "--yes").exit_code == 0
    assert not home.exists()


@pytest.mark.parametrize("name", ["X", "short", "-dash-first", "a" * 31, "../../etc"])
def test_bad_project_ids(home: Path, name: str) -> None:
    result = run(home, "init", "--project", name)
    assert result.exit_code == 1
    assert f"'{name}' is no project id" in result.output
    assert not home.exists()


def test_faults(home: Path) -> None:
    run(home, "init", "--project", "acme-dev")
    assert run(home, "fault", "add", "--on", "create", "--nth", "2", "die=before").exit_code == 0
    assert "1: die=before on create *, operation 2, seen 0" in run(home, "fault", "list").output
    result = run(home, "fault", "add", "explode")
    assert result.exit_code == 1
    assert "expected one of: fail, drop, slow, die, hold, partial" in result.output
    assert run(home, "fault", "clear").exit_code == 0
    assert run(home, "fault", "list").output == ""


def test_errors_of_the_log(home: Path) -> None:
    run(home, "init", "--project", "acme-dev")
    client = Client("gcp", World(home), {"project": "acme-dev"})
    with pytest.raises(Exception, match="Invalid bucket name"):
        client.create("gcp:storage/bucket:Bucket", {"name": "goog-x", "location": "EU"})
    lines = run(home, "log", "--errors").output.splitlines()
    assert len(lines) == 1
    assert "Invalid bucket name: 'goog-x'" in lines[0]
    assert json.loads(run(home, "log", "--errors", "--json").output)["status"] == 400


def test_help_says_what_each_command_does(home: Path) -> None:
    for words in ([], ["init"], ["ls"], ["rm"], ["reset"], ["log"], ["serve"], ["fault"], ["fault", "add"]):
        result = run(home, *words, "--help")
        assert result.exit_code == 0
        assert len(result.output.splitlines()) >= 5
