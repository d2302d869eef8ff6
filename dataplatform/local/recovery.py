"""What a killed run left behind, put right before the next one starts.

The engine writes an operation into its state before it asks the provider, and takes it out when the answer is there. A
kill in between leaves the operation pending: for a create nobody knows whether the object exists. Because names are
deterministic the cloud can be asked: an object that exists is adopted into the state, one that does not is forgotten
and created again. Everything else that was pending is forgotten and read again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataplatform.local.errors import StateError
from dataplatform.local.events import short_name, type_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """An object that exists in the cloud: its id and type, and the inputs it was made with."""

    id: str
    token: str
    inputs: Json
    secrets: tuple[tuple[str | int, ...], ...] = ()
    """Paths that are secret, in the inputs and the outputs."""
    project: str | None = None
    outputs: Json | None = None
    """What the cloud last answered about it; None where that must be read."""
    ambient: bool = False
    """Belongs to the project, not to who asked for it (an enabled API): asking again changes nothing."""


@dataclass(frozen=True)
class Repair:
    """A deployment put right, and what was done to it."""

    deployment: Json
    adopted: tuple[str, ...]
    forgotten: tuple[str, ...]
    refresh: tuple[str, ...]
    """URNs whose outputs must be read again."""


def repair(deployment: Json, plain: Json, cloud: Iterable[Found]) -> Repair:
    """The deployment without pending operations.

    `plain` is the same deployment with its secrets in the clear, to compare inputs with the cloud's; nothing of it goes
    into the result.
    """
    result: Json = json.loads(json.dumps(deployment))
    body = result["deployment"]
    resources: list[Json] = body.get("resources") or []
    owned = {(r["type"], r.get("id")) for r in resources}
    free = [found for found in cloud if (found.token, found.id) not in owned]
    adopted, forgotten, refresh = [], [], []
    pending = zip(
        body.get("pending_operations") or [], plain["deployment"].get("pending_operations") or [], strict=True
    )
    for operation, readable in pending:
        resource, kind = operation["resource"], operation["type"]
        urn = resource["urn"]
        if kind != "creating":
            forgotten.append(urn)
            if any(r["urn"] == urn and not r.get("delete") for r in resources):
                refresh.append(urn)
            continue
        found = match(resource["type"], readable["resource"].get("inputs") or {}, free)
        if found is None:
            forgotten.append(urn)
            continue
        free.remove(found)
        # The engine may have had the answer and been killed before it took the operation out: then it is whole.
        whole = resource.get("id") == found.id and resource.get("outputs")
        outputs = resource["outputs"] if whole else resource.get("inputs") or {}
        insert(resources, {**resource, "id": found.id, "outputs": outputs})
        adopted.append(urn)
        refresh.append(urn)
    body["resources"] = resources
    body.pop("pending_operations", None)
    return Repair(result, tuple(adopted), tuple(forgotten), tuple(dict.fromkeys(refresh)))


def match(token: str, inputs: Json, free: Sequence[Found]) -> Found | None:
    """The one object of that type that was made with those inputs.

    Every text input that both sides have must agree (names, parents, members are texts). Two objects that fit equally
    well are nobody's: adopting the wrong one would be worse than a conflict that names it.
    """
    wanted = {k: v for k, v in inputs.items() if isinstance(v, str) and not k.startswith("__")}
    scored = []
    for found in free:
        common = [k for k in wanted if k in found.inputs]
        if found.token == token and common and all(found.inputs[k] == wanted[k] for k in common):
            scored.append((len(common), found))
    best = max((score for score, _ in scored), default=0)
    fitting = [found for score, found in scored if score == best]
    return fitting[0] if len(fitting) == 1 else None


def insert(resources: list[Json], new: Json) -> None:
    """Put a resource after all it depends on; one of the same URN was being replaced and is now to be deleted."""
    needs = {new.get("parent"), *(new.get("dependencies") or ())}
    needs.add((new.get("provider") or "").rpartition("::")[0])
    for names in (new.get("propertyDependencies") or {}).values():
        needs.update(names or ())
    place = max((index + 1 for index, r in enumerate(resources) if r["urn"] in needs), default=len(resources))
    for old in resources:
        if old["urn"] == new["urn"] and not old.get("delete"):
            old["delete"] = True
    resources.insert(place, new)


def restore_checkpoint(checkpoint: Path) -> Path | None:
    """Replace a state file that is not whole by the newest copy that is; None where nothing had to be done.

    Raises:
        StateError: when no whole copy is left.
    """
    if not checkpoint.exists() or _is_whole(checkpoint):
        return None
    base = checkpoint.parents[2]
    project, stack = checkpoint.parent.name, checkpoint.stem
    older = [
        *(base / "history" / project / stack).glob(f"{stack}-*.checkpoint.json"),
        *(base / "backups" / project / stack).glob(f"{stack}.*.json"),
    ]
    newest_first = sorted((f for f in older if f.is_file()), key=lambda f: f.stat().st_mtime, reverse=True)
    for copy in (checkpoint.with_name(checkpoint.name + ".bak"), *newest_first):
        if copy.is_file() and _is_whole(copy):
            temporary = checkpoint.with_name(f".{checkpoint.name}.{os.getpid()}")
            temporary.write_bytes(copy.read_bytes())
            temporary.replace(checkpoint)
            # The backend's side file holds the digest of what was there.
            checkpoint.with_name(checkpoint.name + ".attrs").unlink(missing_ok=True)
            return copy
    raise StateError(
        f"the state file {checkpoint} is damaged and there is no whole copy of it; put a backup there, or remove it "
        f"and the embedded cloud's folder to start anew"
    )


def drop_torn_attributes(state: Path) -> None:
    """Remove the file backend's side files (`*.attrs`) that a kill cut short.

    It writes them in place, unlike the state itself, cannot read what is beside a torn one, and does without any.
    """
    for file in (state / ".pulumi").rglob("*.attrs"):
        if not _is_whole(file):
            file.unlink(missing_ok=True)


def _is_whole(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_text("utf-8")), dict)
    except (ValueError, OSError):
        return False


def describe(repaired: Repair) -> list[str]:
    """A line for each operation that was pending."""
    return [
        *(
            f"adopted {short_name(u)} ({type_of(u)}): it was created when the last run was killed"
            for u in repaired.adopted
        ),
        *(f"forgot an unfinished operation on {short_name(u)} ({type_of(u)})" for u in repaired.forgotten),
    ]
