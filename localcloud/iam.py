"""Whether a principal may do something: the grants of the world, evaluated as IAM does.

A permission is held on a resource by a role that is granted there or on anything above it: a project for what is in
it, a bucket for its objects, a dataset for its tables. Conditions on the resource's name and type are evaluated; one
that says anything else holds for nobody, which is stricter than the cloud. Deny policies, groups and the roles of
organizations are deliberately absent.
"""

from __future__ import annotations

import json
import re
import sqlite3

from localcloud import store
from localcloud.iam_roles import BASIC, ROLES

_CUSTOM = "gcp:projects/iAMCustomRole:IAMCustomRole"
_BUCKET = "gcp:storage/bucket:Bucket"
_CLAUSE = re.compile(r"""\s*resource\.(name|type)\s*(?:(==)\s*|\.(startsWith|endsWith)\(\s*)(["'])(.*?)\4\s*\)?\s*""")
_KINDS = {
    "datasets": "bigquery.googleapis.com/Dataset",
    "instances": "datafusion.googleapis.com/Instance",
    "jobs": "run.googleapis.com/Job",
    "secrets": "secretmanager.googleapis.com/Secret",
    "services": "run.googleapis.com/Service",
    "tables": "bigquery.googleapis.com/Table",
    "workflows": "workflows.googleapis.com/Workflow",
}


def allowed(tx: sqlite3.Connection, member: str | None, permission: str, resource: str) -> bool:
    """Whether the member has the permission on the resource.

    Args:
        tx: A transaction or connection of the world.
        member: As in a grant, `serviceAccount:…`; None for a caller nobody knows.
        permission: Such as `run.routes.invoke`.
        resource: Its relative name, such as `projects/p/locations/l/services/s`; a bucket is `b/<name>`, an object in
            it `b/<name>/o/<object>`.
    """
    who = ["allUsers"] if member is None else ["allUsers", "allAuthenticatedUsers", member]
    marks = ", ".join("?" for _ in who)
    for place in above(tx, resource):
        rows = tx.execute(
            f"SELECT role, condition FROM bindings WHERE resource = ? AND lower(member) IN ({marks})",  # noqa: S608
            (place, *(name.lower() for name in who)),
        ).fetchall()
        for row in rows:
            if permission in permissions_of(tx, row["role"]) and _holds(row["condition"], resource):
                return True
    return False


def permissions_of(tx: sqlite3.Connection, role: str) -> frozenset[str]:
    """What a role permits, as far as `localcloud.iam_roles` knows it; a custom role's are its own."""
    if role.startswith("roles/"):
        return ROLES.get(role) or BASIC.get(role) or frozenset()
    row = store.find(tx, _CUSTOM, role)
    return frozenset(str(p) for p in (row.outputs.get("permissions") or ())) if row is not None else frozenset()


def above(tx: sqlite3.Connection, resource: str) -> list[str]:
    """The resource and everything above it, as grants are stored."""
    if resource.startswith("b/"):
        bucket = resource.split("/")[1]
        row = store.find(tx, _BUCKET, bucket)
        return [bucket, *([f"projects/{row.project}"] if row is not None and row.project else [])]
    parts = resource.split("/")
    if parts[0] == "projects" and len(parts) > 1 and parts[1].isdigit():
        parts[1] = store.project_by_number(tx, parts[1]) or parts[1]
    return ["/".join(parts[:end]) for end in range(len(parts), 1, -2)]


def _holds(condition: str, resource: str) -> bool:
    """Whether a grant's condition holds for the resource."""
    if not condition:
        return True
    expression = str(json.loads(condition).get("expression") or "")
    return any(all(_clause(part, resource) for part in option.split("&&")) for option in expression.split("||"))


def _clause(text: str, resource: str) -> bool:
    found = _CLAUSE.fullmatch(text.strip())
    if found is None:
        return False
    about, equal, method, _, wanted = found.groups()
    has = _named(resource) if about == "name" else _kind(resource)
    if equal:
        return has == wanted
    return has.startswith(wanted) if method == "startsWith" else has.endswith(wanted)


def _named(resource: str) -> str:
    """The resource's name as conditions see it."""
    if not resource.startswith("b/"):
        return resource
    bucket, _, item = resource.removeprefix("b/").partition("/o/")
    return f"projects/_/buckets/{bucket}" + (f"/objects/{item}" if item else "")


def _kind(resource: str) -> str:
    if resource.startswith("b/"):
        return "storage.googleapis.com/Object" if "/o/" in resource else "storage.googleapis.com/Bucket"
    parts = resource.split("/")
    return _KINDS.get(parts[-2] if len(parts) > 3 else "", "cloudresourcemanager.googleapis.com/Project")
