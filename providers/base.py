"""A small base for Pulumi providers written in Python.

A provider is a mapping of type tokens to `Resource`s and a call of `serve`. A resource works on plain values: secrets
are taken off before it is asked and put back on what it answers, by place; values not known in a preview are
`UNKNOWN`. It tells of a mistake in its inputs by `Failure`s, of a refusal by `ProviderError`, and of an object that is
there but not as it should be by `PartialError`, which makes the next `up` repair it.

Nothing is raised out of a call: the engine would retry for seconds and then show a traceback. Left out: functions
(Invoke), components (Construct) and parameterisation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from providers.wire import UNKNOWN, Path, Unknown, changed_paths, has_unknown, path_text

__all__ = [
    "UNKNOWN",
    "Diff",
    "Failure",
    "PartialError",
    "ProviderError",
    "Resource",
    "State",
    "Unknown",
    "Values",
    "diff_values",
    "has_unknown",
    "serve",
]

Values = dict[str, Any]
"""Properties of a resource, plain."""


class ProviderError(Exception):
    """Raised when the service refuses, or cannot be reached. Its text is what the user reads: one sentence."""


class PartialError(ProviderError):
    """Raised when an object was written but is not as it should be: the engine keeps it, and the next `up` updates it.

    Args:
        message: What went wrong, one sentence.
        id: Of the object that is there.
        outputs: As it is now.
    """

    def __init__(self, message: str, *, id: str, outputs: Values) -> None:  # noqa: A002 - the field's word
        super().__init__(message)
        self.id = id
        self.outputs = outputs


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A mistake in one input."""

    property: str
    """The input, `endpoint` or `properties.type`; empty for the resource as a whole."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class State:
    """A resource as the engine or the service knows it."""

    id: str
    inputs: Values
    outputs: Values


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What changed. No difference where `changed` is empty."""

    changed: Mapping[Path, str] = field(default_factory=dict)
    """Place → `add`, `delete` or `update`."""
    replaces: Collection[Path] = ()
    """Those of them that cannot be changed in place."""
    delete_before_replace: bool = False


class Resource(Protocol):
    """One type of resource. Values may hold `UNKNOWN` in `check`, in `diff` and wherever `preview` is true."""

    def check(self, news: Values, olds: Values) -> tuple[Values, Sequence[Failure]]:
        """The inputs with what they leave out filled in, and what is wrong with them. `olds` is empty at first."""
        ...

    def diff(self, id: str, olds: State, news: Values) -> Diff:  # noqa: A002
        """What changes from a state to checked inputs; `diff_values` does the usual."""
        ...

    def create(self, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        """Make it; returns its id and outputs. In a preview the id is ignored and nothing may be changed."""
        ...

    def read(self, id: str, inputs: Values, outputs: Values) -> State | None:  # noqa: A002
        """What is there now, or None. `inputs` is empty on an import."""
        ...

    def update(self, id: str, olds: State, news: Values, *, preview: bool) -> Values:  # noqa: A002
        """Change it in place; returns its outputs."""
        ...

    def delete(self, id: str, outputs: Values) -> None:  # noqa: A002
        """Remove it. One that is not there is removed already."""
        ...


def diff_values(
    olds: Mapping[str, Any], news: Mapping[str, Any], *, replace: Collection[str] = (), delete_first: bool = False
) -> Diff:
    """The difference of two sets of inputs.

    Args:
        olds: Before.
        news: After.
        replace: Top-level inputs that cannot be changed in place.
        delete_first: Whether the old one must go before the new one comes, as under one name it must.
    """
    changed = dict(changed_paths(olds, news))
    replaces = [path for path in changed if path[0] in replace]
    return Diff(changed=changed, replaces=replaces, delete_before_replace=bool(replaces) and delete_first)


def detailed(found: Diff) -> dict[str, str]:
    """A difference in the engine's words: place → kind, `update`, `add-replace` and so on."""
    replaces = set(found.replaces)
    kinds = {path: kind + ("-replace" if path in replaces else "") for path, kind in found.changed.items()}
    kinds |= {path: "update-replace" for path in replaces if path not in kinds}
    return {path_text(path): kind for path, kind in kinds.items()}


def serve(
    name: str,
    version: str,
    resources: Mapping[str, Resource],
    *,
    configure: Callable[[Values], None] | None = None,
    secret_outputs: Collection[str] = (),
) -> int:
    """Serve a provider to the engine that started this process, until the engine ends; returns the exit status.

    Args:
        name: The package, the first part of every token.
        version: Of the provider.
        resources: Token (`package:module:Type`) → resource.
        configure: Given the provider's configuration (`package:key` of the stack) before anything is made; raises
            ProviderError where it is wrong.
        secret_outputs: Names of outputs that are always secret; one is secret too where the input of its place is.
    """
    from providers.protocol import Provider, run

    return run(Provider(name, version, resources, configure=configure, secret_outputs=secret_outputs))
