"""Where engines are kept, outside the checkout, and how two clones share them.

`${XDG_CACHE_HOME:-~/.cache}/data-platform/engine/<name>/bin/…`, complete or not there at all: it is made in a
temporary directory beside it and renamed. One lock file a name; the lock is the kernel's, so it ends with its holder
however that ends, and what a killed holder left is removed by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.engine_common import JOB
from tools.progress import Progress

SEAL = "engine.json"
"""Last file written: it says how the engine was had and how long it took."""


def directory() -> Path:
    """The folder of all kept engines."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "data-platform" / "engine"


def key(root: Path) -> str:
    """Hash of what a build is made from: the Go modules by digest, and the language host's sources."""
    sources = root / "tools" / "pulumi"
    digest = hashlib.sha256()
    for file in sorted([sources / "go.mod", sources / "go.sum", *sources.glob("languagehost/*.go")]):
        if not file.name.endswith("_test.go"):
            digest.update(file.relative_to(sources).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def find(cache: Path, name: str) -> Path | None:
    """The complete engine of that name."""
    kept = cache / name
    return kept if (kept / SEAL).is_file() and (kept / "bin" / "pulumi").is_file() else None


def seconds(kept: Path) -> float:
    """How long obtaining it took."""
    try:
        return float(json.loads((kept / SEAL).read_text("utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        return 0.0


def seal(target: Path, how: str, took: float) -> None:
    """Mark an engine complete."""
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (target / SEAL).write_text(json.dumps({"how": how, "seconds": round(took, 1), "made": made}) + "\n", "utf-8")


@contextlib.contextmanager
def lock(cache: Path, name: str, waiting: Callable[[str], None], progress: Progress) -> Iterator[None]:
    """Hold the lock of a name; while another process holds it, wait and say so."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".lock-{name}").open("a+", encoding="utf-8") as file:
        said = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                owner = file.read(200).strip() or "another set-up"
                if not said:
                    progress.say(JOB, f"{owner} obtains the same engine now; waiting for it")
                    said = True
                waiting(f"waiting for {owner}")
                time.sleep(0.3)
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')},")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextlib.contextmanager
def making(cache: Path, name: str) -> Iterator[Path]:
    """A temporary directory that becomes the engine of that name when the block ends well; call it under `lock`."""
    prefix = f".making-{name}-"
    for left in cache.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    target = Path(tempfile.mkdtemp(prefix=prefix, dir=cache))
    try:
        (target / "bin").mkdir()
        yield target
        target.chmod(0o755)
        final = cache / name
        if final.exists():  # incomplete: nothing but this function writes here
            shutil.rmtree(final)
        target.rename(final)
    finally:
        shutil.rmtree(target, ignore_errors=True)
