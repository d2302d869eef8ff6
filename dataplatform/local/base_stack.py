"""A stack that refers to a base stack is brought up after it: told in a sentence, before the engine starts."""

from __future__ import annotations

import json
from pathlib import Path

from dataplatform.config.check import load_stack_config
from dataplatform.local.errors import RefusedError


def refuse_without_base(root: Path, stack: str, stacks: Path) -> None:
    """Refuse where the base stack has not been brought up.

    Args:
        root: The project's folder.
        stack: The stack that is to come up.
        stacks: Folder of the states of the project's stacks.

    Raises:
        RefusedError: the base stack has no outputs.
    """
    azure = load_stack_config(root, stack).platform.azure
    base = azure.base if azure is not None else None
    if base is None or _has_outputs(stacks / f"{base.stack}.json"):
        return
    raise RefusedError(
        f"{stack} uses the base stack '{base.stack}', which has not been brought up; run: dp up {base.stack} --local"
    )


def _has_outputs(checkpoint: Path) -> bool:
    try:
        latest = json.loads(checkpoint.read_text("utf-8"))["checkpoint"].get("latest") or {}
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    found = [r for r in latest.get("resources") or [] if r.get("type") == "pulumi:pulumi:Stack"]
    return any(resource.get("outputs") for resource in found)
