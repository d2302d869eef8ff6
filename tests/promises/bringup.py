"""A stack brought up on the embedded cloud in this process: its own program, the plugins' own code, no engine.

What the engine adds (parallelism, state, replacement) is left out; what remains is each create with the inputs it gets
in life, and what each waits for. So a test can make them in another order and see what the cloud says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataplatform.local.plan_recorder import RecordedResource, record
from dataplatform.local.plan_state import State
from localcloud import store
from localcloud.protocol import pb
from localcloud.services.checks import walk
from localcloud.services.google import DEFAULT_APIS
from localcloud.values import strip, to_dict, to_struct
from localcloud.world import World
from tests.localcloud.client import Client, RefusedError

SERVED = ("gcp", "azure-native", "databricks", "azuread")
"""Packages whose plugins are the embedded cloud's; those of our own providers speak to it over HTTP."""


@dataclass(frozen=True, kw_only=True)
class Created:
    """One create that went well, and what it waited for."""

    urn: str
    token: str
    name: str
    id: str
    inputs: Mapping[str, Any]
    """As the plugin got them: checked, secrets in their envelope."""
    outputs: Mapping[str, Any]
    config: Mapping[str, Any]
    """Of the provider it was made with."""
    needs: frozenset[str] = frozenset()
    """URNs of the creates it names itself: by `dependsOn`, or because an input comes from there."""


@dataclass
class Engine(State):
    """Answers registrations as an engine would that creates at once."""

    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    world: World | None = None
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, Created] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)
    """Functions that were called: token, arguments, the provider's configuration."""

    def register(
        self,
        urn: str,
        token: str,
        custom: bool,
        inputs: Mapping[str, Any],
        depends: Mapping[str, Iterable[str]],
        aliases: Iterable[str] = (),
    ) -> tuple[str, Mapping[str, Any]]:
        """Create it; returns its id and outputs."""
        assert self.world is not None
        package = token.partition(":")[0]
        if token.startswith("pulumi:providers:"):
            self.configs[token.rpartition(":")[2]] = to_dict(to_struct(dict(inputs)))
            return "provider", inputs
        if not custom or package not in SERVED:
            return (f"id-of-{urn}", inputs) if custom else ("", {})
        config = self.configs.get(package, {})
        name = urn.rpartition("::")[2]
        made = Client(package, self.world, config).create(token, dict(inputs), name)
        self.made[urn] = Created(
            urn=urn, token=token, name=name, id=made.id, inputs=made.inputs, outputs=made.outputs, config=config
        )
        return made.id, {**dict(inputs), **made.raw}

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Ask the plugin."""
        assert self.world is not None
        config = self.configs.get(token.partition(":")[0], {})
        self.asked.append((token, dict(arguments), config))
        return ask(self.world, token, arguments, config)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A project folder, one of its stacks, and what of the cloud is not the stack's."""

    root: Path
    name: str
    projects: tuple[str, ...]
    around: Callable[[World], None] = lambda world: None
    """Makes what the stack refers to and others own."""

    def fresh(self, home: Path) -> World:
        """A world as it is before the stack comes up."""
        world = World(home)
        with world.transaction() as tx:
            for project in self.projects:
                store.create_project(tx, project, DEFAULT_APIS)
        self.around(world)
        return world


@dataclass(frozen=True, kw_only=True)
class Run:
    """What bringing a stack up did."""

    created: Mapping[str, Created]
    """By URN, in their order."""
    asked: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any]], ...]
    """Functions that were called: token, arguments, the provider's configuration. Some make a service agent."""


def bring_up(stack: Stack, world: World) -> Run:
    """All creates of the stack, each with what it needs."""
    engine = Engine(world=world)
    recorded = {r.urn: r for r in record(stack.root, stack.name, engine)}
    created = {urn: replace(one, needs=_needs(recorded, engine.made, urn)) for urn, one in engine.made.items()}
    return Run(created=created, asked=tuple(engine.asked))


def ask(world: World, token: str, arguments: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Call a provider's function."""
    return Client(token.partition(":")[0], world, dict(config)).invoke(token, dict(arguments))


def bring_up_again(world: World, run: Run, urns: Iterable[str]) -> dict[str, str]:
    """Some of the creates of a run, in its order, in another world; returns what is called otherwise there.

    An id that a cloud draws is another one in another world.
    """
    wanted, asked, renamed = frozenset(urns), False, dict[str, str]()
    for urn, one in run.created.items():
        if urn in wanted:
            if not asked and not one.token.endswith(":Service"):
                asked = True
                for token, arguments, config in run.asked:
                    # Of a service that is not enabled here nobody can ask.
                    with suppress(RefusedError):
                        ask(world, token, arguments, config)
            made = create_again(world, one, renamed)
            before, after = dict(walk({"id": one.id, **one.outputs})), dict(walk({"id": made[0], **made[1]}))
            renamed |= {old: after[at] for at, old in before.items() if at in after and after[at] != old != ""}
    return renamed


def _needs(recorded: Mapping[str, RecordedResource], made: Mapping[str, Created], urn: str) -> frozenset[str]:
    """The creates a resource waits for; what its provider waits for too."""
    resource = recorded[urn]
    provider = recorded.get(resource.provider)
    named = {*resource.dependencies, *(provider.dependencies if provider is not None else ())}
    return frozenset(named & made.keys())


def behind(created: Mapping[str, Created], urn: str) -> frozenset[str]:
    """All that a create waits for, also behind others."""
    found: set[str] = set()
    waiting = [*created[urn].needs]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(created[one].needs)
    return frozenset(found)


def create_again(world: World, one: Created, renamed: Mapping[str, str] | None = None) -> tuple[str, dict[str, Any]]:
    """The same create in another world, where some things have other names; returns its id and outputs.

    Raises:
        RefusedError: with the cloud's words.
    """
    plugin = Client(one.token.partition(":")[0], world, _renamed(dict(one.config), renamed or {}))
    inputs = _renamed(dict(one.inputs), renamed or {})
    request = pb.CreateRequest(
        urn=plugin.urn(one.token, one.name), properties=to_struct(inputs), name=one.name, type=one.token
    )
    answer = plugin.provider.Create(request, plugin.context)
    return str(answer.id), strip(to_dict(answer.properties))[0]


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


class _TakenBackError(Exception):
    """Ends what `taken_back` brackets."""


@contextmanager
def taken_back(world: World) -> Iterator[None]:
    """Undo at the end what is made inside."""
    try:
        with world.transaction():
            yield
            raise _TakenBackError
    except _TakenBackError:
        pass


__all__ = [
    "SERVED",
    "Created",
    "RefusedError",
    "Run",
    "Stack",
    "behind",
    "bring_up",
    "bring_up_again",
    "create_again",
    "taken_back",
]
