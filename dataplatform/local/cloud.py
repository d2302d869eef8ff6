"""What the embedded cloud holds, with the inputs each thing was made with: for recovery to recognise its own.

The provider's own tables say what makes two sets of inputs one object: one that could be changed into the other without
being replaced.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dataplatform.local.recovery import Found, Json

MASKED = "[secret]"
"""What the engine prints in place of a secret value."""


def known_objects(home: Path) -> list[Found]:
    """What programs made; nothing where there is no cloud.

    Left out is what a service made by itself, and what the cloud keeps of things that were deleted (key rings).
    """
    if not (home / "world.db").exists():
        return []
    from localcloud.world import World

    world = World(home)
    try:
        with world.transaction() as connection:
            return [*_resources_of(connection), *_grants(connection), *_ambient(connection)]
    finally:
        world.close()


def _resources_of(connection: sqlite3.Connection) -> Iterator[Found]:
    from localcloud import rules, store

    rows = store.everything(connection)
    projects = {row.id: row.project for row in rows}
    for row in rows:
        if row.origin != "user":
            continue
        # An object's project is its bucket's.
        project = row.project or projects.get(str(row.outputs.get("bucket")))
        own = tuple((name,) for name in rules.table(row.token).secret_outputs) if rules.known(row.token) else ()
        yield Found(row.id, row.token, row.inputs, (*row.secrets, *own), project, row.outputs)


def _grants(connection: sqlite3.Connection) -> Iterator[Found]:
    rows = connection.execute("SELECT id, token, inputs, project FROM bindings WHERE id IS NOT NULL")
    for row in rows.fetchall():
        if row["token"] is not None:
            yield Found(row["id"], row["token"], json.loads(row["inputs"] or "{}"), project=row["project"])


def _ambient(connection: sqlite3.Connection) -> Iterator[Found]:
    """Enabled APIs and service agents. What else their resources declare is kept by the engine only."""
    apis = connection.execute("SELECT project, service FROM apis WHERE origin = 'user'").fetchall()
    agents = connection.execute("SELECT DISTINCT project, service FROM principals WHERE kind = 'agent'").fetchall()
    for project, name in apis:
        inputs = {"project": project, "service": name}
        yield Found(f"{project}/{name}", "gcp:projects/service:Service", inputs, (), project, inputs, ambient=True)
    for project, short in agents:
        name = f"{short}.googleapis.com"
        token, inputs = "gcp:projects/serviceIdentity:ServiceIdentity", {"project": project, "service": name}
        yield Found(f"projects/{project}/services/{name}", token, inputs, project=project, ambient=True)


def same_object(token: str, recorded: Json, declared: Json) -> bool:
    """Whether what is declared could be reached from what there is without replacing it.

    A value that is not known yet and would replace says no: it may become known when its parent is adopted.
    """
    from localcloud import rules

    return not rules.diff(token, recorded, None, _filled(declared, recorded)).replaces


def _filled(declared: Any, recorded: Any) -> Any:
    """The declared value with the recorded one wherever the engine masked a secret: that cannot be compared."""
    if declared == MASKED:
        return recorded
    if isinstance(declared, dict):
        there = recorded if isinstance(recorded, dict) else {}
        return {k: _filled(v, there.get(k)) for k, v in declared.items()}
    if isinstance(declared, list):
        olds = recorded if isinstance(recorded, list) and len(recorded) == len(declared) else [None] * len(declared)
        return [_filled(v, old) for v, old in zip(declared, olds, strict=True)]
    return declared


def is_hidden(value: Any) -> bool:
    """Whether any part of a value that the engine printed is masked or not known yet."""
    from localcloud.rules.wire import is_unknown

    if isinstance(value, dict):
        return any(is_hidden(v) for v in value.values())
    if isinstance(value, list):
        return any(is_hidden(v) for v in value)
    return value == MASKED or is_unknown(value)


def sealed(value: Any, secrets: Sequence[tuple[str | int, ...]], at: tuple[str | int, ...] = ()) -> Any:
    """The value as a deployment has it, secrets in the envelope that `pulumi stack import` encrypts."""
    from localcloud.rules.wire import SECRET, SIGNATURE

    if at in secrets and value is not None:
        return {SIGNATURE: SECRET, "plaintext": json.dumps(value)}
    if isinstance(value, dict):
        return {k: sealed(v, secrets, (*at, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [sealed(v, secrets, (*at, i)) for i, v in enumerate(value)]
    return value


def unknown_to(home: Path, states: Iterable[Mapping[str, Any]]) -> list[Found]:
    """What programs made and none of the states (deployments) knows."""
    known = {(r.get("type"), r.get("id")) for state in states for r in _resources(state)}
    return [found for found in known_objects(home) if (found.token, found.id) not in known]


def projects_of(state: Mapping[str, Any]) -> set[str]:
    """The cloud projects that a state's resources and providers are in."""
    named = ((r.get("inputs") or {}).get("project") for r in _resources(state))
    return {project for project in named if isinstance(project, str)}


def deployments(state: Path) -> dict[Path, Json]:
    """The deployment of each local stack, by its state file; one that cannot be read is an empty one."""
    found: dict[Path, Json] = {}
    for file in sorted((state / ".pulumi" / "stacks").glob("*/*.json")):
        try:
            content = json.loads(file.read_text("utf-8"))
            found[file] = (content.get("checkpoint") or {}).get("latest") or {}
        except (OSError, ValueError, AttributeError):
            found[file] = {}
    return found


def _resources(state: Mapping[str, Any]) -> list[Json]:
    return [*(state.get("resources") or []), *(o["resource"] for o in state.get("pending_operations") or [])]
