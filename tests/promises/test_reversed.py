"""Every dependency that means something to a cloud, reversed: the embedded cloud refuses what comes too early.

Each stack is brought up in this process. Then, for one dependency of each kind and pair of types, what it waits for is
made without the one thing, and the create is sent: it must be refused. What a cloud accepts all the same is listed with
its reason, and the list holds nothing else.
"""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Final

import pytest

from localcloud.services import google
from localcloud.world import World
from tests.promises.bringup import RefusedError, Run, Stack, behind, bring_up, bring_up_again, create_again, taken_back
from tests.promises.edges import AGENT, API, KEY, PEERING, ROLE, Edge, edges, short
from tests.promises.stacks import STACKS

# pulumi_gcp.storage warns of a misspelt function of its own when it is imported.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(r"ignore:gcp\.\S+ has been deprecated:DeprecationWarning")]

ACCEPTED: Final = json.loads(Path(__file__).with_name("accepted.json").read_text("utf-8"))
"""Label of an edge, as a pattern → why no cloud refuses it."""


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stack, Run, World]:
    """A stack, what brought it up, and a world in which it is not."""
    folder = tmp_path_factory.mktemp("reversed")
    made = STACKS[request.param](folder / "project")
    up, empty = made.fresh(folder / "up"), made.fresh(folder / "empty")
    run = bring_up(made, up)
    with empty.transaction() as tx:
        # Numbers go on elsewhere, so that no id of the one world is by chance another thing's in the other.
        counted = [(row["name"], row["value"] + 1000) for row in up.connect().execute("SELECT * FROM sequences")]
        tx.executemany("INSERT OR REPLACE INTO sequences VALUES (?, ?)", counted)
    return made, run, empty


def without(run: Run, edge: Edge, world: World) -> str | None:
    """The words in which the second create is refused where the first is missing; None: it is made."""
    base = {u for u in behind(run.created, edge.then.urn) if u != edge.first.urn}
    with taken_back(world):
        renamed = bring_up_again(world, run, base)
        try:
            create_again(world, edge.then, renamed)
        except RefusedError as error:
            return error.words
    return None


def test_what_comes_too_early_is_refused(stack: tuple[Stack, Run, World]) -> None:
    _, run, world = stack
    of_label: dict[tuple[str, str, str], list[Edge]] = {}
    for edge in edges(run):
        of_label.setdefault(edge.label, []).append(edge)
    assert of_label
    made: list[str] = []
    for label, found in of_label.items():
        text = " | ".join(label)
        words = without(run, found[0], world)
        accepted = _there_anyway(found[0]) or any(fnmatch.fnmatchcase(text, pattern) for pattern in ACCEPTED)
        if words is None and not accepted:
            made.append(text)
        if words is not None:
            assert text not in ACCEPTED, f"the cloud does refuse it: {text}: {words}"
            assert _about(found[0], words), f"{text} is refused for another reason: {words}"
    assert not made, "the embedded cloud made these though what they need was not there: " + "\n".join(made)


def _there_anyway(edge: Edge) -> bool:
    """Whether a project has it without being asked: an API from its beginning, a service agent with its API."""
    service = str(edge.first.inputs.get("service"))
    if edge.kind == API:
        return service in google.DEFAULT_APIS
    return edge.kind == AGENT and service.partition(".")[0] in google.AGENTS_AT_ENABLEMENT


def _about(edge: Edge, words: str) -> bool:
    """Whether a refusal is about what was missing."""
    if edge.kind == KEY:
        return "key" in words.lower() or "kms" in words.lower()
    if edge.kind == AGENT:
        return "does not exist" in words
    if edge.kind == PEERING:
        return "network" in words.lower()
    if edge.kind == ROLE:
        return "role" in words or "permission" in words.lower()
    return True


def test_what_uses_an_api_is_refused_where_it_is_not_enabled(stack: tuple[Stack, Run, World]) -> None:
    """One of each type, with all it needs there but the API taken away."""
    _, run, world = stack
    seen: set[str] = set()
    for one in run.created.values():
        api = google.api_of(one.token) if one.token.startswith("gcp:") else None
        if api is None or one.token in seen or one.token == "gcp:projects/service:Service":
            continue
        seen.add(one.token)
        with taken_back(world):
            renamed = bring_up_again(world, run, behind(run.created, one.urn))
            world.connect().execute("DELETE FROM apis WHERE service = ?", (api,))
            with pytest.raises(RefusedError) as refused:
                create_again(world, one, renamed)
            assert "has not been used in project" in refused.value.words, one.token
    assert seen or not any(one.token.startswith("gcp:") for one in run.created.values())


def test_the_kinds_of_dependency_are_all_there(stack: tuple[Stack, Run, World]) -> None:
    """Each stack shows those it is there for, so that a change of the graph cannot empty the tests above."""
    made, run, _ = stack
    kinds = {edge.kind for edge in edges(run)}
    if any(short(one) == "gcp:kms:CryptoKey" for one in run.created.values()):
        assert KEY in kinds, made.name
    if any(short(one) == "gcp:servicenetworking:Connection" for one in run.created.values()):
        assert PEERING in kinds, made.name
