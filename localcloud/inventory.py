"""What is in a world, in one list, and how to take something out of it by hand."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from localcloud import store
from localcloud.services import files
from localcloud.services.base import Call, Settings
from localcloud.services.registry import service_for
from localcloud.world import World

_SERVICE = "gcp:projects/service:Service"


@dataclass(frozen=True)
class Entry:
    """One thing in the cloud, under the id the engine's state has for it."""

    id: str
    type: str
    project: str | None
    name: str
    origin: str
    """`user`; `kept`: deleted by its program, but the cloud never lets it go; else the service that made it."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def entries(world: World) -> list[Entry]:
    """Everything, by type and id: enabled APIs, resources, grants. Objects without a program are listed too."""
    with world.transaction() as tx:
        found = [
            Entry(f"{row['project']}/{row['service']}", _SERVICE, row["project"], row["service"], row["origin"])
            for row in tx.execute("SELECT * FROM apis WHERE origin != 'default'")
        ]
        rows = store.everything(tx)
        found += [
            Entry(r.id, r.token, r.project, str(r.outputs.get("name") or r.id), r.origin)
            for r in rows
            if r.token != "gcp:storage/bucketObject:BucketObject" or _there(world, tx, r)  # noqa: S105 - a resource type
        ]
        found += _strays(world, tx, rows)
        grants: dict[tuple[str, str], Entry] = {}
        for row in tx.execute("SELECT * FROM bindings ORDER BY resource, role, member"):
            grant_id = row["id"] or f"{row['resource']}/{row['role']}/{row['member']}"
            token = row["token"] or "iam"
            grants[(token, grant_id)] = Entry(grant_id, token, row["project"], row["role"], row["origin"])
        found += grants.values()
    return sorted(found, key=lambda e: (e.origin != "user", e.type, e.id))


def _call(world: World, tx: Any, token: str, project: str | None = None) -> Call:
    return Call(world, tx, Settings(token.partition(":")[0], {"project": project}), token)


def _there(world: World, tx: Any, row: store.Row) -> bool:
    call = _call(world, tx, row.token)
    return files.stat(call, str(row.outputs["bucket"]), str(row.outputs["name"])) is not None


def _strays(world: World, tx: Any, rows: list[store.Row]) -> list[Entry]:
    """Objects that lie in a bucket but belong to no program."""
    token = "gcp:storage/bucketObject:BucketObject"  # noqa: S105 - a resource type
    owned = {(r.outputs.get("bucket"), r.outputs.get("name")) for r in rows if r.token == token}
    call = _call(world, tx, token)
    return [
        Entry(f"{row.id}-{name}", token, row.project, name, "storage")
        for row in rows
        if row.token == "gcp:storage/bucket:Bucket"  # noqa: S105 - a resource type
        for name in files.names(call, row.id)
        if (row.id, name) not in owned
    ]


def remove(world: World, resource_id: str) -> str | None:
    """Delete what has that id, as somebody else in the cloud would; its type, or None where there is nothing."""
    with world.transaction() as tx:
        rows = store.find_id(tx, resource_id)
        if rows:
            row = rows[0]
            unprotected = {**row.outputs, "deletionProtection": False, "deletionPolicy": "DELETE"}
            service_for(row.token).delete(_call(world, tx, row.token, row.project), row.id, unprotected)
            return row.token
        grant = tx.execute("SELECT token FROM bindings WHERE id = ?", (resource_id,)).fetchone()
        if grant is not None:
            tx.execute("DELETE FROM bindings WHERE id = ?", (resource_id,))
            return str(grant["token"])
        project, _, service = resource_id.rpartition("/")
        done = tx.execute("DELETE FROM apis WHERE project = ? AND service = ?", (project, service)).rowcount
        return _SERVICE if done else None


def forget_project(world: World, project: str) -> int:
    """Take a project out of the world with all in it, also what the cloud keeps for good; how many resources it had.

    The numbers that services count with stay: what is made in a project of that name later is new, not the same again.
    """
    with world.transaction() as tx:
        number = store.project_number(tx, project)
        roots = [f"projects/{name}" for name in (project, number) if name is not None]
        rows = store.everything(tx)
        buckets = {r.id for r in rows if r.project == project and r.token == "gcp:storage/bucket:Bucket"}  # noqa: S105
        gone = [r for r in rows if r.project == project or r.outputs.get("bucket") in buckets or _below(r.id, roots)]
        for row in gone:
            store.remove(tx, row)
            tx.execute("DELETE FROM tombstones WHERE key = ?", (row.key,))
        for row in tx.execute("SELECT DISTINCT resource FROM bindings").fetchall():
            if _below(row["resource"], roots):
                tx.execute("DELETE FROM bindings WHERE resource = ?", (row["resource"],))
        for bucket in sorted(buckets):
            tx.execute("DELETE FROM objects WHERE bucket = ?", (bucket,))
            if (world.buckets / bucket).is_dir():
                world.record_move(bucket, None)
        for row in tx.execute("SELECT key FROM tombstones").fetchall():
            if _below(row["key"].rpartition("|")[2], roots):
                tx.execute("DELETE FROM tombstones WHERE key = ?", (row["key"],))
        for table in ("apis", "principals", "bindings"):
            tx.execute(f"DELETE FROM {table} WHERE project = ?", (project,))  # noqa: S608 - names from above
        _forget_workflows(tx, roots)
        tx.execute("DELETE FROM projects WHERE id = ?", (project,))
    return sum(row.origin == "user" for row in gone)


def _forget_workflows(tx: Any, roots: list[str]) -> None:
    """The rows of Workflows, whose tables exist only where a workflow was ever served."""
    names = {
        "workflow_definitions": "name",
        "workflow_revisions": "name",
        "workflow_operations": "parent",
        "workflow_executions": "workflow",
        "workflow_step_entries": "execution",
        "workflow_logs": "execution",
    }
    there = {row["name"] for row in tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, column in names.items():
        if table not in there:
            continue
        for row in tx.execute(f"SELECT DISTINCT {column} AS name FROM {table}").fetchall():  # noqa: S608
            if _below(row["name"], roots):
                tx.execute(f"DELETE FROM {table} WHERE {column} = ?", (row["name"],))  # noqa: S608


def _below(name: str, roots: list[str]) -> bool:
    return any(name == root or name.startswith(f"{root}/") for root in roots)
