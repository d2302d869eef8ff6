"""Start and stop a real CDAP: `python3 tools/cdap/sandbox.py up|down|status [--home FOLDER] [--json]`.

One sandbox a home folder (`.dp/cdap` of the checkout): its data, its configuration, its log, and `sandbox.json`, which
says where it listens. It listens on the loopback interface only and asks for no credentials. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.cdap import config, obtain
from tools.cdap.obtain import JOB, NotHadError
from tools.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
HEAP = "512m"
_READY_SECONDS = 240
_STOP_SECONDS = 45


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that runs."""

    url: str
    pid: int
    home: str


def default_home() -> Path:
    """`.dp/cdap` of the checkout."""
    return ROOT / ".dp" / "cdap"


def status(home: Path) -> Sandbox | None:
    """The sandbox of that home, if it runs."""
    try:
        found = Sandbox(**json.loads((home / "sandbox.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if _runs(found.pid, home) else None


def _runs(pid: int, home: Path) -> bool:
    """Whether the process is there and is this sandbox: a number may have been given to another one since."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and f"{home}/conf" in command


def up(home: Path, progress: Progress, *, fresh: bool = False, unrecoverable: bool = True) -> Sandbox:
    """Start the sandbox, or find that it runs; `fresh` begins with no data.

    Raises:
        NotHadError: when it cannot be had or does not start.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    made, java = obtain.ensure(progress)
    with obtain.lock(home / ".lock", progress, "starts or stops this sandbox"):
        running = status(home)
        if running is not None and not fresh:
            return running
        if running is not None:
            _stop(running, home)
        if fresh:
            shutil.rmtree(home / "data", ignore_errors=True)
        started = time.monotonic()
        port = _free_port()
        config.write(home, made, port, unrecoverable=unrecoverable)
        process = _start(home, made, java)
        sandbox = Sandbox(f"http://127.0.0.1:{port}", process.pid, str(home))
        temporary = home / "sandbox.json.new"
        temporary.write_text(json.dumps(asdict(sandbox)) + "\n", "utf-8")
        temporary.replace(home / "sandbox.json")
        try:
            _wait(sandbox, process, home, progress)
        except BaseException:
            process.kill()
            process.wait()
            (home / "sandbox.json").unlink(missing_ok=True)
            raise
        progress.say(JOB, f"{sandbox.url} is ready after {time.monotonic() - started:.0f} s")
        return sandbox


def down(home: Path, progress: Progress) -> bool:
    """Stop the sandbox; whether one ran. Its data stay."""
    home = home.absolute()
    if not home.is_dir():
        return False
    with obtain.lock(home / ".lock", progress, "starts or stops this sandbox"):
        running = status(home)
        if running is None:
            (home / "sandbox.json").unlink(missing_ok=True)
            return False
        progress.state(JOB, "stopping")
        _stop(running, home)
        progress.done(JOB)
        return True


def _stop(running: Sandbox, home: Path) -> None:
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _runs(running.pid, home):
        if time.monotonic() > deadline:
            os.kill(running.pid, signal.SIGKILL)
        time.sleep(0.1)
    (home / "sandbox.json").unlink(missing_ok=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _start(home: Path, made: Path, java: obtain.Java) -> subprocess.Popen[bytes]:
    command = [
        java.tool("java"),
        f"-Xmx{HEAP}",
        # These and the arenas below bound what it takes beside its heap: 660 MB in all after 500 calls and 150
        # deployments.
        "-XX:+UseSerialGC",
        "-XX:ReservedCodeCacheSize=96m",
        "-XX:MaxDirectMemorySize=96m",
        f"@{made / 'opens.args'}",
        "-Dhadoop.security.group.mapping=org.apache.hadoop.security.JniBasedUnixGroupsMappingWithFallback",
        "-Dexplore.conf.files=",
        "-Dio.netty.tryReflectionSetAccessible=true",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        "-Djava.system.class.loader=BootLoader",
        f"-Dboot.classpath={home / 'conf'}:{made / 'lib'}/*",
        "-cp",
        str(made / "boot"),
        "io.cdap.cdap.StandaloneMain",
    ]
    with (home / "cdap.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=home,
            env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "MALLOC_ARENA_MAX": "2"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A session of its own: an interrupt of the command that started it does not reach it.
            start_new_session=True,
        )


def _wait(sandbox: Sandbox, process: subprocess.Popen[bytes], home: Path, progress: Progress) -> None:
    """Wait until the API answers, the system artifacts are loaded and the studio runs."""
    deadline = time.monotonic() + _READY_SECONDS
    missing = "its API"
    while True:
        if process.poll() is not None:
            raise NotHadError(f"CDAP ended with {process.returncode} while it started; {_last(home)}")
        if time.monotonic() > deadline:
            raise NotHadError(f"CDAP was not ready within {_READY_SECONDS} s, {missing} was missing; {_last(home)}")
        progress.state(JOB, f"starting; waiting for {missing}")
        missing = _missing(sandbox.url)
        if not missing:
            return
        time.sleep(0.25)


def _missing(url: str) -> str:
    if _get(f"{url}/v3/namespaces") is None:
        return "its API"
    found = _get(f"{url}/v3/namespaces/default/artifacts?scope=SYSTEM")
    if not isinstance(found, list) or len({a["name"] for a in found} & {"cdap-data-pipeline", "core-plugins"}) < 2:
        return "its plugins"
    studio = f"{url}/v3/namespaces/system/apps/pipeline/services/studio"
    if (_get(f"{studio}/status") or {}).get("status") != "RUNNING":
        return "its studio"
    return "" if _get(f"{studio}/methods/v1/contexts/default/drafts") is not None else "its studio"


def _get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def _last(home: Path) -> str:
    try:
        lines = (home / "cdap.log").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    wrong = [line for line in lines if "ERROR" in line or "Exception" in line or "Error:" in line]
    return f"{home / 'cdap.log'} ends: {(wrong or lines or ['nothing'])[-1][:300]}"


def main(argv: list[str] | None = None) -> int:
    """The command; prints the sandbox's URL."""
    parser = argparse.ArgumentParser(prog="tools/cdap/sandbox.py", description="A real CDAP on this machine.")
    parser.add_argument("command", choices=["up", "down", "status", "obtain"])
    parser.add_argument("--home", type=Path, default=default_home(), help="folder of its data (default .dp/cdap)")
    parser.add_argument("--fresh", action="store_true", help="begin with no data")
    parser.add_argument("--locked", action="store_true", help="namespaces cannot be deleted, as by default in CDAP")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    try:
        with Progress() as progress:
            answer = _do(args, progress)
    except NotHadError as reason:
        _tell(args.json, {"ok": False, "error": str(reason)}, f"cdap: {reason}", sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("cdap: stopped; nothing half-made is left", file=sys.stderr)
        return 130
    _tell(args.json, {"ok": True, **answer}, str(answer.get("url") or answer["text"]), sys.stdout)
    return 0


def _do(args: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    home: Path = args.home.absolute()
    if args.command == "obtain":
        return {"text": str(obtain.ensure(progress)[0])}
    if args.command == "up":
        return asdict(up(home, progress, fresh=args.fresh, unrecoverable=not args.locked))
    if args.command == "down":
        ran = down(home, progress)
        return {"ran": ran, "text": "stopped" if ran else "no sandbox runs"}
    found = status(home)
    return asdict(found) if found else {"text": "no sandbox runs"}


def _tell(as_json: bool, value: dict[str, Any], text: str, stream: Any) -> None:
    print(json.dumps({"version": 1, **value}) if as_json else text, file=sys.stdout if as_json else stream)


if __name__ == "__main__":
    sys.exit(main())
