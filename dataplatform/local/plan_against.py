"""`dp plan --against`: the changes of a state, shown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from dataplatform.local import plan_state
from dataplatform.local.engine import project_name
from dataplatform.local.engine_env import state_directory
from dataplatform.local.errors import RefusedError, UsageError
from dataplatform.local.output import Output
from dataplatform.local.plan_recorder import record


def local_state(root: Path, stack: str) -> Path:
    """The state of the stack on the embedded cloud.

    Raises:
        UsageError: where it has none.
    """
    file = state_directory(root) / ".pulumi" / "stacks" / project_name(root) / f"{stack}.json"
    if not file.is_file():
        raise UsageError(f"{stack} has no state on the embedded cloud; bring it up with: dp up {stack} --local")
    return file


def show(output: Output, stack: str, file: Path, *, no_replace: bool) -> int:
    """Tell what an up of the stack would change of the state; returns how many changes.

    Raises:
        RefusedError: with `no_replace`, when anything would be replaced.
        StateError: when the file is no exported state.
    """
    assert output.root is not None
    state = plan_state.read(file)
    record(output.root, stack, state)
    planned = state.finish()
    counts = Counter(one.op for one in planned)
    output.data = {
        "stack": stack,
        "against": str(file),
        "changes": dict(sorted(counts.items())),
        "not_compared": state.not_compared,
        "resources": [one.as_dict() for one in planned],
    }
    for line in plan_state.told(planned):
        output.say(line)
    summary = ", ".join(f"{n} {op}" for op, n in sorted(counts.items())) or "no changes"
    left_out = f"; {state.not_compared} values not compared (secret, or known to a provider alone)"
    output.say(f"{summary}{left_out if state.not_compared else ''}")
    if no_replace and counts["replace"]:
        names = ", ".join(f"{one.type} {one.name}" for one in planned if one.op == "replace")
        raise RefusedError(f"--no-replace: {counts['replace']} of {stack} would be replaced: {names}")
    return len(planned)
