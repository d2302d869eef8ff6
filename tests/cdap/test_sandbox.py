"""Obtaining, starting and stopping a real CDAP; what is said when something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataplatform.datafusion import sandbox
from tests.cdap.support import real_cdap

TOOL = Path(__file__).resolve().parents[2] / "tools" / "cdap" / "sandbox.py"
_JAVA = """\
#!/bin/sh
case "$1" in
  -version) echo 'openjdk version "{version}"' >&2 ;;
  --list-modules) echo java.base@17 ;;
  --describe-module) echo 'exports java.lang' ;;
  *) echo 'Error: no such class'; exit 7 ;;
esac
"""
_JAVAC = """\
#!/bin/sh
while [ "$1" != -d ]; do shift; done
mkdir -p "$2" && touch "$2/Made.class"
"""
_MAVEN = """\
#!/bin/sh
echo ran >> "{log}"
sleep 1
for argument; do case "$argument" in -Dsandbox=*) mkdir -p "${{argument#-Dsandbox=}}/lib" ;; esac; done
"""
_MAVEN_FAILS = """\
#!/bin/sh
echo '[INFO] Downloading'
echo '[ERROR] Could not transfer artifact io.cdap.cdap:cdap-standalone:jar:6.11.0'
exit 1
"""


class Machine:
    """A machine with just these programs on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.home = folder / "home"
        self.log = folder / "maven.log"
        (folder / "jdk" / "bin").mkdir(parents=True)
        for name in ("sh", "sleep", "mkdir", "touch"):
            (folder / "jdk" / "bin" / name).symlink_to(f"/bin/{name}")

    def install(self, name: str, text: str) -> None:
        """Put a program on PATH."""
        file = self.folder / "jdk" / "bin" / name
        file.write_text(text, "utf-8")
        file.chmod(0o755)

    def java(self, version: str = "17.0.9") -> None:
        """A Java of that version, and its compiler."""
        self.install("java", _JAVA.format(version=version))
        self.install("javac", _JAVAC)

    def run(self, command: str) -> tuple[int, str, str]:
        """The tool's status, what it answered, and what it showed."""
        environment = {key: value for key, value in os.environ.items() if key != "JAVA_HOME"}
        environment |= {"PATH": str(self.folder / "jdk" / "bin"), "XDG_CACHE_HOME": str(self.cache)}
        done = subprocess.run(
            [sys.executable, str(TOOL), command, "--json", "--home", str(self.home)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        answer = json.loads(done.stdout)
        return done.returncode, str(answer.get("error") or answer.get("text")), done.stderr

    def kept(self) -> list[str]:
        """What is in the cache."""
        folder = self.cache / "data-platform" / "cdap"
        return sorted(f.name for f in folder.iterdir() if not f.name.startswith(".lock")) if folder.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_java(machine: Machine) -> None:
    status, said, _ = machine.run("up")
    assert status == 3
    assert said == (
        "CDAP needs Java 17 and there is no java on PATH (on Debian: apt-get install openjdk-17-jdk-headless maven)"
    )


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "25.0.1"])
def test_with_another_java(machine: Machine, version: str) -> None:
    machine.java(version)
    status, said, _ = machine.run("up")
    assert status == 3
    assert "CDAP needs Java 17 (to 21), and " in said
    assert f'is version "{version}"' in said


def test_without_a_compiler(machine: Machine) -> None:
    machine.java()
    (machine.folder / "jdk" / "bin" / "javac").unlink()
    assert "has no javac" in machine.run("up")[1]


def test_without_maven(machine: Machine) -> None:
    machine.java()
    status, said, _ = machine.run("up")
    assert status == 3
    assert said.startswith("CDAP's jars are obtained with Maven, and there is no mvn on PATH")


def test_when_maven_cannot_get_something_nothing_half_made_is_left(machine: Machine) -> None:
    machine.java()
    machine.install("mvn", _MAVEN_FAILS)
    status, said, _ = machine.run("obtain")
    assert status == 3
    assert said == (
        "Maven could not obtain CDAP: [ERROR] Could not transfer artifact io.cdap.cdap:cdap-standalone:jar:6.11.0"
    )
    assert machine.kept() == []


def test_two_that_obtain_it_at_once_do_so_once(machine: Machine) -> None:
    machine.java()
    machine.install("mvn", _MAVEN.format(log=machine.log))
    with ThreadPoolExecutor(2) as pool:
        (first, folder, shown), (second, same, also) = pool.map(machine.run, ["obtain", "obtain"])
    assert (first, second) == (0, 0)
    assert folder == same
    assert machine.log.read_text("utf-8") == "ran\n"
    assert machine.kept() == [Path(folder).name]
    assert "another process obtains the same CDAP now; waiting for it" in shown + also
    assert (Path(folder) / "opens.args").read_text("utf-8") == "--add-opens=java.base/java.lang=ALL-UNNAMED\n"
    # A third finds it there.
    assert machine.run("obtain")[1] == folder
    assert machine.log.read_text("utf-8") == "ran\n"


def test_when_it_ends_while_it_starts(machine: Machine) -> None:
    machine.java()
    machine.install("mvn", _MAVEN.format(log=machine.log))
    status, said, _ = machine.run("up")
    assert status == 3
    assert "CDAP ended with 7 while it started" in said
    assert "Error: no such class" in said
    assert machine.run("status")[1] == "no sandbox runs"
    assert machine.run("down")[1] == "no sandbox runs"


def test_python_is_told_as_one_sentence(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.folder / "jdk" / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(sandbox.SandboxError, match="there is no java on PATH"):
        sandbox.up(machine.home)
    assert sandbox.status(machine.home) is None
    assert sandbox.down(machine.home) is False


@pytest.mark.cdap
def test_a_sandbox_is_found_again_keeps_its_data_and_stops(tmp_path: Path) -> None:
    home = tmp_path / "cdap"
    with real_cdap(home) as first:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(sandbox.up, [home, home]))
        assert found == [first, first]
        assert sandbox.status(home) == first
        request = urllib.request.Request(f"{first.url}/v3/namespaces/kept", data=b"{}", method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        status = Path(f"/proc/{first.pid}/status").read_text("utf-8")
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        assert resident < 1024 * 1024, f"{resident} kB of memory"
        assert sandbox.down(home) is True
        assert sandbox.status(home) is None
        second = sandbox.up(home)
        assert second.pid != first.pid
        with urllib.request.urlopen(f"{second.url}/v3/namespaces/kept") as answer:
            assert json.load(answer)["name"] == "kept"
    assert sandbox.status(home) is None
    assert sandbox.down(home) is False
