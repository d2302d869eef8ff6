"""Obtaining the engine: each way, why it is left, and what two set-ups at once or a killed one leave."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools import engine, engine_build, engine_cache, engine_download
from tools.engine_common import NotHadError, Version, parse_version
from tools.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
WANTED = Version(3, 259, 0)


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with what engine.py reads, and nothing else."""
    root = tmp_path / "checkout"
    (root / "tools/pulumi/languagehost").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\ndependencies = ["pulumi==3.259.0"]\n')
    (root / "tools/pulumi/go.mod").write_text("module x\n\ngo 1.25.11\n")
    (root / "tools/pulumi/go.sum").write_text("")
    (root / "tools/pulumi/languagehost/main.go").write_text("package main\n")
    return root


def test_one_place_pins_the_version() -> None:
    pinned = engine.pinned_version(ROOT)
    modules = (ROOT / "tools/pulumi/go.mod").read_text()
    for module in ("pkg", "sdk"):
        assert f"github.com/pulumi/pulumi/{module}/v3 v{pinned}" in modules
    assert parse_version(re.findall(r"^go (\S+)$", modules, re.MULTILINE)[0]) <= parse_version(
        engine_build.GO_PACKAGE.split("==")[1]
    )


@pytest.mark.parametrize(
    ("version", "host", "reason"),
    [
        ("v3.258.9", True, "is 3.258.9, older than 3.259.0"),
        ("v3.259.0", False, "no Python language host"),
        ("nonsense", True, "does not tell its version"),
    ],
)
def test_a_pulumi_on_path_that_will_not_do_is_left_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, host: bool, reason: str
) -> None:
    executable(tmp_path / "pulumi", f"#!/bin/sh\necho {version}\n")
    if host:
        executable(tmp_path / "pulumi-language-python", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotHadError, match=re.escape(reason)):
        engine.on_path(WANTED)


@pytest.mark.parametrize("version", ["v3.259.0", "v3.300.1", "v4.0.0"])
def test_a_good_pulumi_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    executable(tmp_path / "pulumi", f"#!/bin/sh\necho {version}\n")
    executable(tmp_path / "pulumi-language-python", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.on_path(WANTED).bin == str(tmp_path)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://no-such-host.invalid"])
def test_an_unreachable_download_is_given_up_within_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATAPLATFORM_ENGINE_URL", url)
    started = time.monotonic()
    with pytest.raises(NotHadError, match=r"cannot be reached|did not answer"):
        engine_download.obtain(tmp_path, WANTED, tmp_path, Progress(io.StringIO()))
    assert time.monotonic() - started < 10


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mirror on this machine that publishes an archive and its checksum; the folder it serves."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    archive = folder / f"pulumi-v{WANTED}-{engine_download.platform_name()}.tar.gz"
    script = b"#!/bin/sh\necho v3.259.0\n"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("pulumi/pulumi", "pulumi/pulumi-language-python", "../../escape/pulumi-evil", "pulumi/README"):
            info = tarfile.TarInfo(name)
            info.size = len(script)
            tar.addfile(info, io.BytesIO(script))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (folder / f"pulumi-{WANTED}-checksums.txt").write_text(f"{digest}  {archive.name}\n")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("DATAPLATFORM_ENGINE_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_download_is_checked_and_unpacked_inside_its_folder(mirror: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "bin").mkdir(parents=True)
    engine_download.obtain(tmp_path, WANTED, target, Progress(io.StringIO()))
    assert sorted(f.name for f in (target / "bin").iterdir()) == ["pulumi", "pulumi-evil", "pulumi-language-python"]
    assert not (tmp_path.parent / "escape").exists()
    assert list(target.iterdir()) == [target / "bin"]


def test_a_download_that_is_not_what_was_published_is_refused(mirror: Path, tmp_path: Path) -> None:
    listing = next(mirror.glob("*checksums.txt"))
    listing.write_text("0" * 64 + listing.read_text()[64:])
    (tmp_path / "bin").mkdir()
    with pytest.raises(NotHadError, match="SHA-256"):
        engine_download.obtain(tmp_path, WANTED, tmp_path, Progress(io.StringIO()))
    assert not list((tmp_path / "bin").iterdir())


DRIVER = textwrap.dedent(
    """
    import os, sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from tools import engine, engine_build, engine_download
    from tools.engine_common import NotHadError

    def build(root, wanted, target, progress):
        with open(sys.argv[3], "a") as log:
            log.write("build\\n")
        (target / "bin" / "half").write_text("half")
        time.sleep(float(sys.argv[4]))
        pulumi = target / "bin" / "pulumi"
        pulumi.write_text("#!/bin/sh\\necho v3.259.0\\n")
        pulumi.chmod(0o755)

    def download(root, wanted, target, progress):
        raise NotHadError("the host cannot be reached")

    engine_build.obtain, engine_download.obtain = build, download
    sys.exit(engine.main(["ensure", "--json", "--root", sys.argv[2]]))
    """
)


def start(checkout: Path, log: Path, seconds: float, cache: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", DRIVER, str(ROOT), str(checkout), str(log), str(seconds)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists()


def test_of_two_set_ups_at_once_one_builds_and_the_other_waits_and_says_so(checkout: Path, tmp_path: Path) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    first = start(checkout, log, 1.5, cache)
    wait_for(log)
    second = start(checkout, log, 1.5, cache)
    said = [process.communicate(timeout=120) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert log.read_text() == "build\n"
    assert "waiting for it" in said[1][1]
    answers = [json.loads(out) for out, _ in said]
    assert answers[0]["bin"] == answers[1]["bin"]
    assert (Path(answers[0]["bin"]) / "pulumi").exists()


def test_a_killed_build_leaves_nothing_that_is_used(checkout: Path, tmp_path: Path) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    killed = start(checkout, log, 60, cache)
    wait_for(log)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    name = f"v{WANTED}-{engine_cache.key(checkout)}"
    folder = cache / "data-platform" / "engine"
    assert engine_cache.find(folder, name) is None
    assert not (checkout / ".dp" / "engine").exists()

    again = start(checkout, log, 0, cache)
    out, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert log.read_text() == "build\nbuild\n"
    assert sorted(f.name for f in Path(json.loads(out)["bin"]).iterdir()) == ["half", "pulumi"]
    assert not list(folder.glob(".making-*"))


def test_ensure_writes_only_below_dp_and_a_second_time_asks_nobody(checkout: Path, tmp_path: Path) -> None:
    log, cache = tmp_path / "log", tmp_path / "cache"
    before = {p for p in checkout.rglob("*") if p.is_file()}
    for _ in range(2):
        process = start(checkout, log, 0, cache)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert said == ""
    new = {p.relative_to(checkout).parts[0] for p in checkout.rglob("*") if p.is_file() and p not in before}
    assert new == {".dp"}


def test_when_no_way_works_one_sentence_names_every_reason_and_the_remedy(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DATAPLATFORM_ENGINE_URL", "http://127.0.0.1:9")

    def no_go(*_: object) -> None:
        raise NotHadError("there is no Go")

    monkeypatch.setattr(engine_build, "obtain", no_go)
    assert engine.main(["ensure", "--json", "--root", str(checkout)]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    for part in ("no pulumi on PATH", "127.0.0.1:9", "there is no Go", "put a pulumi 3.259.0 or newer on PATH"):
        assert part in answer["error"]
