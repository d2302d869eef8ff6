"""What the embedded cloud holds, with the inputs each thing was made with: for recovery to recognise its own."""

from __future__ import annotations

import json
from pathlib import Path

from dataplatform.local.recovery import Found


def known_objects(home: Path) -> list[Found]:
    """Resources and grants that programs made. Enabled APIs are left out: enabling one again changes nothing."""
    from localcloud import store
    from localcloud.world import World

    world = World(home)
    try:
        with world.transaction() as connection:
            found = [Found(row.id, row.token, row.inputs) for row in store.everything(connection)]
            grants = connection.execute(
                "SELECT id, token, inputs FROM bindings WHERE id IS NOT NULL AND token IS NOT NULL"
            )
            found += [Found(row["id"], row["token"], json.loads(row["inputs"] or "{}")) for row in grants]
    finally:
        world.close()
    return found
