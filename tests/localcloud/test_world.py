"""The world survives kills, keeps objects inside their bucket, and serves several processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from localcloud import paths, store
from localcloud.services import files
from localcloud.services.base import Call, Settings
from localcloud.world import World

NAMES = [
    "a",
    "a/b",
    "a/b/c",
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "x/../../y",
    "dir/",
    "a//b",
    "%",
    "%2E",
    "%2E%2E",
    "%file",
    "a%file",
    "a%dir/b",
    "ümläut/日本語.txt",
    "tab\there",
    "back\\slash",
    "long/" + "x" * 900,
    "long/" + "x" * 899 + "y",
    "long" + "/x" * 300,
]


def _call(world: World) -> Call:
    return Call(world, world.connect(), Settings("gcp", {}), "")


def test_every_object_name_has_a_file_of_its_own_inside_the_bucket(world: World) -> None:
    for name in NAMES:
        with world.transaction() as tx:
            files.write(Call(world, tx, Settings("gcp", {}), ""), "bucket", name, f"content of {name}".encode())
    bucket = (world.buckets / "bucket").resolve()
    found = [p for p in world.home.rglob("*") if p.is_file() and p.parent != world.home]
    assert len(found) == len(NAMES)
    assert all(p.resolve().is_relative_to(bucket) for p in found)
    for name in NAMES:
        assert files.read(_call(world), "bucket", name) == f"content of {name}".encode()
    assert files.names(_call(world), "bucket") == sorted(NAMES)
    for name in NAMES:
        with world.transaction() as tx:
            files.delete(Call(world, tx, Settings("gcp", {}), ""), "bucket", name)
    assert list(bucket.rglob("*")) == []


def test_plain_names_stay_readable() -> None:
    assert "/".join(paths.natural_path("dags/orders.py")) == "dags/orders.py"
    assert paths.natural_path("../x") == ("%2E%2E", "x")
    assert paths.decode_path(("%2E%2E", "%", "a b")) == "..//a b"


def test_a_failed_transaction_leaves_nothing(world: World) -> None:
    def work() -> None:
        with world.transaction() as tx:
            store.create_project(tx, "acme-other", ())
            files.write(Call(world, tx, Settings("gcp", {}), ""), "bucket", "a", b"x")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        work()
    assert store.project_number(world.connect(), "acme-other") is None
    assert not (world.buckets / "bucket").exists()


def test_an_inner_transaction_is_undone_alone(world: World) -> None:
    with world.transaction() as tx:
        store.create_project(tx, "acme-outer", ())
        with pytest.raises(RuntimeError), world.transaction() as inner:  # noqa: PT012 - the insert is part of it
            store.create_project(inner, "acme-inner", ())
            raise RuntimeError("stop")
    assert store.project_number(world.connect(), "acme-outer") is not None
    assert store.project_number(world.connect(), "acme-inner") is None


KILLED = """
import os, signal, sys
from pathlib import Path
from localcloud.services import files
from localcloud.services.base import Call, Settings
from localcloud.world import World
world = World(Path(sys.argv[1]))
moment = sys.argv[2]
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
if moment == "before the commit":
    World.record_move = lambda self, path, staged: die()
elif moment == "after the commit":
    plain = World._do_moves
    def moves(self, connection):
        if connection.execute("SELECT 1 FROM moves").fetchone():
            die()
        plain(self, connection)
    World._do_moves = moves
elif moment == "after the move":
    replace = Path.replace
    def then_die(self, target):
        replace(self, target)
        die()
    Path.replace = then_die
with world.transaction() as tx:
    files.write(Call(world, tx, Settings("gcp", {}), ""), "bucket", "dags/a.py", b"after")
"""


@pytest.mark.parametrize(
    ("moment", "expected"),
    [("before the commit", b"before"), ("after the commit", b"after"), ("after the move", b"after")],
)
def test_a_kill_leaves_before_or_after(world: World, moment: str, expected: bytes) -> None:
    with world.transaction() as tx:
        files.write(Call(world, tx, Settings("gcp", {}), ""), "bucket", "dags/a.py", b"before")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(world.home), moment], check=False)
    assert ended.returncode == -signal.SIGKILL
    again = World(world.home)
    assert (again.buckets / "bucket" / "dags" / "a.py").read_bytes() == expected
    held = files.stat(_call(again), "bucket", "dags/a.py")
    assert held is not None
    assert held.md5 == files.md5(expected)
    again.close()


def test_threads_and_processes_number_without_gaps(world: World) -> None:
    code = "import sys; from pathlib import Path; from localcloud.world import World\n"
    code += "w = World(Path(sys.argv[1]))\nfor _ in range(25): w.next_value('n')"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(world.home)]) for _ in range(2)]
    threads = [threading.Thread(target=lambda: [world.next_value("n") for _ in range(25)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0]
    assert world.next_value("n") == 101


def test_files_laid_by_hand_are_objects(world: World) -> None:
    folder = world.buckets / "bucket" / "in"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_bytes(b"1")
    assert files.names(_call(world), "bucket") == ["in/x.csv"]
    assert files.read(_call(world), "bucket", "in/x.csv") == b"1"


def test_digests_are_those_of_cloud_storage() -> None:
    # The check values of the algorithms: CRC-32C of "123456789" is 0xE3069283.
    assert files.crc32c(b"123456789") == "4waSgw=="
    assert files.md5(b"") == "1B2M2Y8AsgTpgAmY7PhCfg=="


def test_only_the_owner_may_look(world: World) -> None:
    assert (world.home.stat().st_mode & 0o077) == 0
    assert (world.database.stat().st_mode & 0o077) == 0


def test_the_log_is_one_json_object_a_line(world: World, tmp_path: Path) -> None:
    def write() -> None:
        for _ in range(20):
            world.record({"n": "x" * 3000})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    import json

    assert len([json.loads(line) for line in world.log.read_text().splitlines()]) == 80
    assert world.log.stat().st_size > 240_000
