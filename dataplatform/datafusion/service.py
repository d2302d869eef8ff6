"""Pull, diff and push as a whole: files, instance and mapping in, a report out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from dataplatform.datafusion import checks, files, threeway
from dataplatform.datafusion import plan as planning
from dataplatform.datafusion.apply import Applier, Result
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.compare import Change, compare
from dataplatform.datafusion.errors import RefusedError, UnknownNameError
from dataplatform.datafusion.macros import Environment, lift, lower
from dataplatform.datafusion.model import SYSTEM, Export, Json, Key, Kind, namespaces, pipeline_key
from dataplatform.datafusion.read import Snapshot, Wanted, read
from dataplatform.datafusion.secrets import Hidden, hide
from dataplatform.diagnostics import nearest

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which part is meant. Nothing chosen is everything."""

    namespaces: Collection[str] = ()
    names: Collection[str] = ()
    """Names of pipelines; `*` and `?` stand for what they do in a shell."""

    def name(self, name: str) -> bool:
        """Whether a pipeline of that name is meant."""
        return not self.names or any(fnmatchcase(name, pattern) for pattern in self.names)

    def covers(self, key: Key) -> bool:
        """Whether an object is meant."""
        if self.namespaces and key.namespace not in self.namespaces:
            return False
        owner = pipeline_key(key)
        return self.name(owner.name) if owner is not None else not self.names

    def known(self, export: Export, what: str) -> None:
        """Refuse names that mean nothing.

        Raises:
            UnknownNameError: with the nearest name.
        """
        there = {key.name for key in export if key.kind == Kind.PIPELINE}
        for pattern in self.names:
            if not any(fnmatchcase(name, pattern) for name in there):
                raise UnknownNameError(f"{what} has no pipeline '{pattern}'; {nearest(pattern, there)}")
        for space in self.namespaces:
            spaces = {key.namespace for key in export}
            if space not in spaces:
                raise UnknownNameError(f"{what} has no namespace '{space}'; {nearest(space, spaces)}")


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What a pull found and wrote."""

    changes: list[Change]
    written: files.Written
    hidden: list[Hidden]


def observe(
    client: Client, environment: Environment, selection: Selection, *, versions: int = 0
) -> tuple[dict[Key, Json], list[Hidden]]:
    """What the instance holds, as files would say it."""
    spaces = [name for name in selection.namespaces if name != SYSTEM] or None
    snapshot = read(client, Wanted(namespaces=spaces, versions=versions, names=selection.name))
    shown, hidden = hide({key: body for key, body in snapshot.export.items() if selection.covers(key)})
    selection.known(shown, "the instance")
    return lift(shown, environment), hidden


def pull(
    client: Client,
    folder: Path,
    environment: Environment,
    selection: Selection,
    *,
    since: str | None = None,
    versions: int = 0,
    choose: Callable[[list[Change]], list[Change]] | None = None,
    dry_run: bool = False,
) -> Pulled:
    """Write what an instance holds; with `since`, only what changed on it since that commit; what `choose` leaves."""
    export, hidden = observe(client, environment, selection, versions=versions)
    before: Export = {}
    if folder.is_dir() and any(folder.iterdir()):
        before = files.load(folder).export
    base = before
    if since is not None:
        commit = threeway.ancestor(folder, since)
        assert commit is not None, "a commit that is named and not there is refused"
        base = threeway.load_commit(folder, commit).export
    meant = {key: body for key, body in base.items() if _pulled(key, selection, versions)}
    changes = compare(meant, export)
    if choose is not None:
        changes = choose(changes)
    touched = {key for change in changes for key in (change.key, change.before) if key is not None}
    partial = since is not None or choose is not None

    def covered(key: Key) -> bool:
        return key in touched if partial else _pulled(key, selection, versions)

    wanted = {key: body for key, body in export.items() if not partial or key in touched}
    written = files.Written() if dry_run else files.write(folder, wanted, covered)
    return Pulled(changes=changes, written=written, hidden=[h for h in hidden if h.key in wanted])


def _pulled(key: Key, selection: Selection, versions: int) -> bool:
    return selection.covers(key) and (key.kind != Kind.VERSION or versions != 0)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How instance and files differ."""

    differences: list[threeway.Sided]
    ancestor: str | None
    hidden: list[Hidden]


def difference(
    client: Client, folder: Path, environment: Environment, selection: Selection, since: str | None = None
) -> Compared:
    """Compare files and instance, with the common ancestor in git where there is one."""
    loaded = files.load(folder)
    commit = threeway.ancestor(folder, since)
    export, hidden = observe(client, environment, selection)
    mine = {k: v for k, v in loaded.export.items() if _pulled(k, selection, 0) and _compared(k)}
    theirs = {k: v for k, v in export.items() if _compared(k)}
    base = threeway.load_commit(folder, commit).export if commit is not None else None
    return Compared(differences=threeway.three_way(base, mine, theirs), ancestor=commit, hidden=hidden)


def _compared(key: Key) -> bool:
    # What the instance brings by itself differs between versions of it, and nobody pushes it.
    return not (key.namespace == SYSTEM and key.kind == Kind.ARTIFACT)


@dataclass(kw_only=True)
class Push:
    """A push that is about to be made: `steps` and `changes` say what it would do."""

    client: Client
    loaded: files.Loaded
    desired: dict[Key, Json]
    snapshot: Snapshot
    steps: list[planning.Step]
    changes: list[Change] = field(default_factory=list)

    def apply(self, say: Say = lambda text: None, message: str = "") -> Result:
        """Do it."""
        return Applier(self.client, self.desired, self.loaded, say, message).run(self.steps)


def prepare(
    client: Client,
    folder: Path,
    environment: Environment,
    selection: Selection,
    *,
    replace: bool = False,
    prune: bool = False,
    upgrade: bool = False,
    edition: str = "",
    allow_deletes: int | None = None,
) -> Push:
    """Read, plan and check; nothing is changed yet.

    Raises:
        RefusedError, InputError: when it cannot be done as the files say.
    """
    loaded = files.load(folder)
    spaces = [name for name in selection.namespaces if name != SYSTEM]
    doomed = [name for name in spaces if prune and name not in namespaces(loaded.export)]
    left = [name for name in selection.namespaces if name not in doomed]
    if left or not doomed:
        Selection(namespaces=left, names=selection.names).known(loaded.export, f"{loaded.folder}")
    mine = {k: v for k, v in loaded.export.items() if not selection.namespaces or k.namespace in selection.namespaces}
    desired = lower(mine, environment)
    checks.edition_allows(edition, desired)
    wanted = sorted({*namespaces(desired), *doomed})
    declared = None if prune else [k for k in desired if selection.covers(k)]
    snapshot = read(client, Wanted(namespaces=wanted, declared=declared, names=selection.name, lenient=True))
    options = planning.Options(
        replace=replace,
        prune=prune,
        names=selection.name,
        chosen=bool(selection.names),
        doomed=[name for name in doomed if name in snapshot.namespaces],
    )
    if "default" in doomed:
        raise RefusedError("the namespace default cannot be deleted; CDAP makes it and keeps it")
    checker = checks.Checks(client, snapshot, loaded, desired, environment)
    if upgrade:
        desired = checker.desired = checks.upgraded(desired, checker)
    steps = planning.plan(desired, snapshot, options)
    checker.run(steps, edition)
    planning.guard(steps, snapshot, allow_deletes)
    touched = {step.key for step in steps}
    shown, _ = hide({key: body for key, body in snapshot.export.items() if key in touched})
    snapshot_shown = Snapshot(version=snapshot.version, export=shown)
    changes = planning.changes(desired, snapshot_shown, steps)
    return Push(client=client, loaded=loaded, desired=desired, snapshot=snapshot, steps=steps, changes=changes)
