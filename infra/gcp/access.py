"""The pipelines' rights on what the stack itself makes."""

from __future__ import annotations

from components.gcp.access import Access, AccessArgs
from infra.gcp.composition import Composition


def access(c: Composition) -> None:
    """Grants on things that are made after the identities; nothing where no pipeline needs any."""
    wanted = {identity: rights for identity in sorted(c.identities) if (rights := c.late_rights(identity))}
    if not wanted:
        return
    made = Access(
        "access",
        AccessArgs(
            project=c.gcp.project,
            members=c.identities,
            rights=wanted,
            made=c.grantable,
            depends_on=c.enabled([right for rights in wanted.values() for right in rights]),
        ),
        c.opts,
    )
    c.late_grants = made.grants
