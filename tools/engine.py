"""Obtain the Pulumi CLI: `python3 tools/engine.py ensure|path [--json]`.

The version is the one of `pulumi==…` in pyproject.toml, the only place that pins it. In this order, each way saying
what it tries and why it moved on:

1. a `pulumi` on PATH that is new enough and has a Python language host beside it or on PATH;
2. the official download, checked against the published SHA-256;
3. a build as a Go tool dependency of `tools/pulumi/go.mod`, with our small language host beside it.

What is downloaded or built is kept outside the checkout, by version and by what it was made from, so that a second
clone finds it ready. It is made in a temporary directory and renamed into place under a file lock that the kernel
releases when its holder dies. In the checkout only the link `.dp/engine` is written.

Standard library only: this runs before any environment exists.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import engine_build, engine_cache, engine_download
from tools.engine_common import JOB, NotHadError, Version, parse_version, run_version
from tools.progress import Progress


@dataclass(frozen=True)
class Engine:
    """A usable CLI: the directory of its executables, its version, how it was had and what that took."""

    bin: str
    version: str
    how: str
    seconds: float
    """Time that obtaining it took when it was obtained, on this machine; 0 where it was simply found."""


def pinned_version(root: Path) -> Version:
    """The version that `pulumi==…` in pyproject.toml names."""
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    for requirement in project["dependencies"]:
        name, _, version = requirement.partition("==")
        if name.strip() == "pulumi" and version:
            return parse_version(version)
    raise NotHadError("pyproject.toml has no line pulumi==<version>; the engine's version is pinned there")


def on_path(wanted: Version) -> Engine:
    """The CLI on PATH, where it is good enough."""
    found = shutil.which("pulumi")
    if found is None:
        raise NotHadError("there is no pulumi on PATH")
    have = run_version(found)
    if have is None:
        raise NotHadError(f"{found} does not tell its version")
    if have < wanted:
        raise NotHadError(f"{found} is {have}, older than {wanted}")
    home = Path(found).parent
    hosts = (home / "pulumi-language-python", Path(found).resolve().parent / "pulumi-language-python")
    if not any(os.access(host, os.X_OK) for host in hosts) and shutil.which("pulumi-language-python") is None:
        raise NotHadError(f"{found} has no Python language host (pulumi-language-python) beside it or on PATH")
    return Engine(str(home), str(have), f"{found} of PATH", 0.0)


def ensure(root: Path, progress: Progress) -> Engine:
    """The engine for this checkout, obtained where it is not there yet.

    Raises:
        NotHadError: when no way works; the text says each reason.
    """
    wanted = pinned_version(root)
    cache = engine_cache.directory()
    key = engine_cache.key(root)
    stamp = root / ".dp" / "engine.json"
    # What can change the answer without a change of the checkout: another pulumi on PATH.
    seen = {"path": shutil.which("pulumi"), "wanted": str(wanted), "key": key, "cache": str(cache)}
    known = _stamped(stamp, seen)
    if known is not None:
        return known

    reasons: list[str] = []
    engine: Engine | None = None
    progress.state(JOB, f"looking for pulumi {wanted} or newer on PATH")
    try:
        engine = on_path(wanted)
        progress.say(JOB, f"using {engine.how}, version {engine.version}")
    except NotHadError as reason:
        reasons.append(str(reason))

    ways = (
        ("download", f"v{wanted}-official-{engine_download.platform_name()}", engine_download.obtain),
        ("build", f"v{wanted}-{key}", engine_build.obtain),
    )
    for how, name, _ in ways if engine is None else ():
        kept = engine_cache.find(cache, name)
        if kept is not None:
            engine = Engine(str(kept / "bin"), str(wanted), f"the {how} kept in {kept}", engine_cache.seconds(kept))
            progress.say(JOB, f"{reasons[0]}; using {engine.how}")
            break
    for how, name, obtain in ways if engine is None else ():
        progress.say(
            JOB, f"{reasons[-1]}; trying the {'official download' if how == 'download' else 'build from source'}"
        )
        try:
            with engine_cache.lock(cache, name, lambda text: progress.state(JOB, text), progress):
                kept = engine_cache.find(cache, name)
                if kept is None:
                    started = time.monotonic()
                    with engine_cache.making(cache, name) as target:
                        obtain(root, wanted, target, progress)
                        _verify(target, wanted)
                        engine_cache.seal(target, how, time.monotonic() - started)
                    kept = cache / name
                    progress.say(JOB, f"{how} took {engine_cache.seconds(kept):.0f} s, kept in {kept}")
            engine = Engine(str(kept / "bin"), str(wanted), f"the {how} kept in {kept}", engine_cache.seconds(kept))
            break
        except NotHadError as reason:
            reasons.append(str(reason))
    progress.done(JOB)
    if engine is None:
        raise NotHadError(
            f"the Pulumi engine {wanted} cannot be had ("
            + "; ".join(reasons)
            + f"); put a pulumi {wanted} or newer on PATH (https://www.pulumi.com/docs/install) and try again"
        )
    _link(root, engine, stamp, seen)
    return engine


def _verify(target: Path, wanted: Version) -> None:
    have = run_version(str(target / "bin" / "pulumi"))
    if have != wanted:
        raise NotHadError(f"what was obtained says it is {have}, not {wanted}")


def _stamped(stamp: Path, seen: dict[str, str | None]) -> Engine | None:
    """The engine of the last run, where nothing it was chosen by has changed and it is still there."""
    try:
        data = json.loads(stamp.read_text("utf-8"))
        engine = Engine(**data["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    link = stamp.parent / "engine"
    whole = all(os.access(Path(engine.bin) / name, os.X_OK) for name in ("pulumi",)) and link.is_symlink()
    return engine if whole and data.get("seen") == seen and str(link.readlink()) == engine.bin else None


def _link(root: Path, engine: Engine, stamp: Path, seen: dict[str, str | None]) -> None:
    """Point `.dp/engine` at the executables: the only thing written into the checkout."""
    stamp.parent.mkdir(exist_ok=True)
    fresh = stamp.parent / f"engine.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(engine.bin)
    fresh.replace(stamp.parent / "engine")
    text = json.dumps({"engine": asdict(engine), "seen": seen}, indent=2) + "\n"
    temporary = stamp.with_suffix(f".{os.getpid()}")
    temporary.write_text(text, "utf-8")
    temporary.replace(stamp)


def main(argv: list[str] | None = None) -> int:
    """The command; prints the directory of the executables on standard output."""
    parser = argparse.ArgumentParser(prog="tools/engine.py", description="Obtain the pinned Pulumi CLI.")
    parser.add_argument("command", choices=["ensure", "path"], help="obtain it, or only say where it is")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    try:
        if args.command == "path":
            link = args.root / ".dp" / "engine"
            if not (link / "pulumi").exists():
                raise NotHadError("the engine has not been obtained for this checkout; run: make setup")
            data = json.loads((args.root / ".dp" / "engine.json").read_text("utf-8"))
            engine = Engine(**data["engine"])
        else:
            with Progress() as progress:
                engine = ensure(args.root, progress)
    except NotHadError as reason:
        print(
            json.dumps({"version": 1, "ok": False, "error": str(reason)}) if args.json else f"engine: {reason}",
            file=sys.stdout if args.json else sys.stderr,
        )
        return 3
    except KeyboardInterrupt:
        print("engine: stopped; nothing half-made is left; go on with: make setup", file=sys.stderr)
        return 130
    print(json.dumps({"version": 1, "ok": True, **asdict(engine)}) if args.json else engine.bin)
    return 0


if __name__ == "__main__":
    sys.exit(main())
