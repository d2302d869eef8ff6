"""A state that was lost: the stack's own objects are found in the cloud again and put back into the state.

A preview says what would be created. A create whose object exists already, made by this stack, becomes an entry of the
state instead, with the inputs the object was made with. References between resources become known as their parents are
adopted, so this goes in rounds until nothing more is found.

Whose an object is: its identity (every input that could not change without a replacement) is what the program declares,
its labels do not name another stack, no other stack's state knows it, and nothing else fits as well. What is ambiguous
is left alone: the cloud then refuses the create and names the conflict.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dataplatform.local.cloud import is_hidden, same_object, sealed
from dataplatform.local.events import short_name, type_of
from dataplatform.local.recovery import Found, Json, insert

OWNERSHIP = ("stack", "environment")
"""Labels that say whose an object is."""
SHOWN = 5
"""How many adopted resources are named before only their number is told."""
_DROPPED = ("id", "inputs", "outputs", "sourcePosition", "stackTrace", "created", "modified")


@dataclass(frozen=True)
class Adoption:
    """A deployment with what was found added to it."""

    deployment: Json
    adopted: Mapping[str, Found]
    """URN to the object in the cloud."""


def planned(output: str) -> list[Json]:
    """The states that `pulumi preview --json` would create, in the engine's order; `output` may have lines before it.

    Raises:
        ValueError: when there is no such document in it.
    """
    start = 0 if output.startswith("{") else output.index("\n{") + 1
    document, _ = json.JSONDecoder().raw_decode(output, start)
    return [step["newState"] for step in document.get("steps") or [] if step.get("op") == "create"]


def adopt(deployment: Json, states: Sequence[Json], free: Sequence[Found], stack: str) -> Adoption:
    """One round: put every planned create whose object is found into the deployment."""
    result: Json = json.loads(json.dumps(deployment))
    resources: list[Json] = result["deployment"].setdefault("resources", [])
    shells = {s["urn"]: s for s in states if not s.get("custom") or s["type"].startswith("pulumi:providers:")}
    adopted = {}
    for state, found in _claims(states, free, stack):
        provider = _provider(resources, shells, state)
        declared = state.get("inputs") or {}
        if provider is None or (found.ambient and is_hidden(declared)):
            continue
        _add_shells(resources, shells, state.get("parent"))
        inputs = declared if found.ambient else sealed(found.inputs, found.secrets)
        # Until what the cloud did not tell is read: its inputs.
        outputs = {**(inputs if found.ambient or found.outputs is None else {}), **_outputs(found)}
        insert(resources, {**_kept(state), "id": found.id, "inputs": inputs, "outputs": outputs, "provider": provider})
        adopted[state["urn"]] = found
    _connect(resources)
    return Adoption(result, adopted)


def _outputs(found: Found) -> Json:
    outputs: Json = sealed(found.outputs or {}, found.secrets)
    return outputs


def _claims(states: Sequence[Json], free: Sequence[Found], stack: str) -> list[tuple[Json, Found]]:
    claims = []
    for state in states:
        if state.get("custom") and not state["type"].startswith("pulumi:"):
            found = identify(state["type"], state.get("inputs") or {}, free, stack)
            if found is not None:
                claims.append((state, found))
    # An object that two resources of the program would be is nobody's.
    wanted = Counter((found.token, found.id) for _, found in claims)
    return [(state, found) for state, found in claims if wanted[found.token, found.id] == 1]


def identify(token: str, declared: Json, free: Sequence[Found], stack: str) -> Found | None:
    """The one object of that type that is what the program declares."""
    texts = {k: v for k, v in declared.items() if isinstance(v, str) and not k.startswith("__") and not is_hidden(v)}
    scored = []
    for found in free:
        if found.token != token or not _ours(declared, found.inputs, stack):
            continue
        agreeing = sum(found.inputs.get(k) == v for k, v in texts.items())
        if agreeing and same_object(token, found.inputs, declared):
            scored.append((agreeing, found))
    best = max((score for score, _ in scored), default=0)
    fitting = [found for score, found in scored if score == best]
    return fitting[0] if len(fitting) == 1 else None


def _ours(declared: Json, recorded: Json, stack: str) -> bool:
    """Whether no label says that the object is another stack's."""
    for name in ("labels", "tags"):
        there = recorded.get(name)
        here = declared.get(name)
        if not isinstance(there, dict):
            continue
        wanted = {"stack": stack} | (here if isinstance(here, dict) else {})
        if any(k in there and k in wanted and not is_hidden(wanted[k]) and there[k] != wanted[k] for k in OWNERSHIP):
            return False
    return True


def _provider(resources: list[Json], shells: Mapping[str, Json], state: Json) -> str | None:
    """The reference to the resource's provider, which is put into the state too where it is not there yet.

    One whose configuration is masked or not known yet cannot be: what it manages waits for another round, or for the
    `up` that creates the provider.
    """
    urn = str(state.get("provider") or "").rpartition("::")[0]
    present = next((r for r in resources if r["urn"] == urn and not r.get("delete")), None)
    if present is None:
        shell = shells.get(urn)
        if shell is None or is_hidden(shell.get("inputs") or {}):
            return None
        _add_shells(resources, shells, shell.get("parent"))
        inputs = shell.get("inputs") or {}
        outputs = {k: v for k, v in inputs.items() if k != "__internal"}
        present = {**_kept(shell), "id": str(uuid.uuid4()), "inputs": inputs, "outputs": outputs}
        insert(resources, present)
    return f"{urn}::{present['id']}"


def _add_shells(resources: list[Json], shells: Mapping[str, Json], urn: str | None) -> None:
    """Put the components above a resource into the state, from the stack down."""
    if urn is None or urn not in shells or any(r["urn"] == urn for r in resources):
        return
    _add_shells(resources, shells, shells[urn].get("parent"))
    insert(resources, _kept(shells[urn]))


def _kept(state: Json) -> Json:
    """A planned state without its values and without what only the engine knows."""
    return {k: v for k, v in state.items() if k not in _DROPPED}


def _connect(resources: list[Json]) -> None:
    """Leave out references to what is not in the state, or not before it: the engine takes no state that has any."""
    seen: set[str] = set()
    for resource in resources:
        for name in ("dependencies", "propertyDependencies"):
            named = resource.get(name)
            if isinstance(named, list):
                resource[name] = [urn for urn in named if urn in seen]
            elif isinstance(named, dict):
                resource[name] = {k: [urn for urn in urns or [] if urn in seen] for k, urns in named.items()}
        seen.add(resource["urn"])


def describe(adopted: Iterable[str]) -> list[str]:
    """What was adopted: a line each where they are few, else the first of them and how many more."""
    urns = list(adopted)
    lines = [f"adopted {short_name(u)} ({type_of(u)}): the cloud had it, the state did not" for u in urns[:SHOWN]]
    if len(urns) > SHOWN:
        lines.append(f"adopted {len(urns) - SHOWN} more resources that the cloud had and the state did not")
    return lines
