"""Both sides changed: which changes are the files', which the instance's, and where they contradict each other.

The common ancestor is what the files were at a commit: the given one, or the merge base of HEAD and the branch that it
goes to.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dataplatform.datafusion.compare import MISSING, Change, compare, describe, flatten
from dataplatform.datafusion.errors import UnknownNameError
from dataplatform.datafusion.files import Loaded, parse
from dataplatform.datafusion.model import Export, Json, Key

Side = Literal["files", "instance", "both", "conflict", "unknown"]
"""Who changed an object since the common ancestor; `unknown` where there is none."""
BRANCHES = ("@{upstream}", "origin/HEAD", "origin/main", "main")


@dataclass(frozen=True, kw_only=True)
class Sided:
    """An object that differs between files and instance, and who changed it since the ancestor."""

    key: Key
    side: Side
    change: Change
    """From the instance to the files: what a push would do."""
    conflicts: tuple[str, ...] = ()
    """In words, where both changed the same to different values."""

    def as_dict(self) -> Json:
        """Plain data."""
        return {**self.change.as_dict(), "side": self.side, "conflicts": list(self.conflicts)}


def three_way(base: Export | None, files: Export, instance: Export) -> list[Sided]:
    """Every difference between instance and files with the side it comes from; `base` is None without an ancestor."""
    found = []
    for change in compare(instance, files):
        if base is None:
            found.append(Sided(key=change.key, side="unknown", change=change))
            continue
        keys = {change.key, *((change.before,) if change.before is not None else ())}
        ours = any(base.get(k) != files.get(k) for k in keys)
        theirs = any(base.get(k) != instance.get(k) for k in keys)
        conflicts = _conflicts(base.get(change.key), files.get(change.key), instance.get(change.key))
        side: Side = "both" if ours and theirs else "files" if ours else "instance"
        if ours and theirs and conflicts:
            side = "conflict"
        found.append(Sided(key=change.key, side=side, change=change, conflicts=tuple(conflicts if theirs else ())))
    return found


def _conflicts(base: Json | None, ours: Json | None, theirs: Json | None) -> list[str]:
    if ours is None or theirs is None:
        gone, kept = ("files", theirs) if ours is None else ("instance", ours)
        if base is None or kept == base:
            return []
        other = "instance" if gone == "files" else "files"
        return [f"deleted in the {gone}, changed in the {other}"]
    a, b, o = flatten(ours), flatten(theirs), flatten(base) if base is not None else {}
    clashes = [
        path
        for path in sorted({*a, *b})
        if _get(a, path) != _get(b, path) and _get(a, path) != _get(o, path) and _get(b, path) != _get(o, path)
    ]
    return [
        f"{describe(path)}: {_words(_get(o, path))} became {_words(_get(a, path))} in the files "
        f"and {_words(_get(b, path))} on the instance"
        for path in clashes
    ]


def _get(flat: dict[tuple[str, ...], Any], path: tuple[str, ...]) -> Any:
    return flat.get(path, MISSING)


def _words(value: Any) -> str:
    return "nothing" if value is MISSING else repr(value)[:80]


def ancestor(folder: Path, since: str | None) -> str | None:
    """The commit to compare with; None where the folder lies in no repository, or nothing is committed.

    Raises:
        UnknownNameError: for a commit that does not exist.
    """
    where = folder if folder.is_dir() else folder.parent
    if since is not None:
        found = _git(where, "rev-parse", "--verify", "--quiet", f"{since}^{{commit}}")
        if found is None:
            raise UnknownNameError(f"'{since}' is no commit of the repository of {folder}")
        return found.strip()
    for branch in BRANCHES:
        found = _git(where, "merge-base", "HEAD", branch)
        if found is not None:
            return found.strip()
    found = _git(where, "rev-parse", "--verify", "--quiet", "HEAD")
    return found.strip() if found else None


def load_commit(folder: Path, commit: str) -> Loaded:
    """What the files were at a commit. Nothing is checked out."""
    top = _git(folder if folder.is_dir() else folder.parent, "rev-parse", "--show-toplevel")
    assert top is not None, "the commit was found in this repository"
    root = Path(top.strip())
    inside = folder.resolve().relative_to(root.resolve()).as_posix()
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", commit, "--", f"{inside}/") or ""
    names = [name for name in listed.split("\0") if name]
    texts = _contents(root, commit, names)
    files = {name.removeprefix(f"{inside}/"): Path(f"{commit[:10]}:{name}") for name in names}
    read: Callable[[Path], str | None] = lambda path: texts.get(str(path).partition(":")[2])  # noqa: E731
    return parse({n: p for n, p in files.items() if not n.startswith(".")}, read, folder)


def _contents(root: Path, commit: str, names: list[str]) -> dict[str, str]:
    """The texts of many files with one call of git. Names with line ends, which none of ours have, are left out."""
    wanted = [name for name in names if "\n" not in name and name.endswith(".json")]
    asked = "".join(f"{commit}:{name}\n" for name in wanted)
    done = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=root, input=asked.encode(), capture_output=True, check=True
    )
    out, at, texts = done.stdout, 0, {}
    for name in wanted:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[-1])
        texts[name] = out[end + 1 : end + 1 + size].decode("utf-8", "replace")
        at = end + 1 + size + 1
    return texts


def _git(where: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=where, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
