"""What the registry says of an executor: how each engine runs it, what it is told, and what its runs may do.

Pure data. An executor is run in one of three ways: `http`, over the executors' contract (start and status calls through
the intermediate function); `operators`, with an operator of an Airflow provider; `rest`, by calls that a workflow makes
to the service's own API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

KeyType = Literal["text", "number", "list", "object", "flag", "value"]
"""What a key of an executor's parameters holds; `number` may be written as text, `value` is anything."""

Runner = Literal["http", "operators", "rest"]
"""How a step's job is started and watched."""

Scope = Literal["project", "service_account", "bucket", "dataset", "job", "factory", "workspace"]
"""What a role is granted on."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One parameter of an executor."""

    type: KeyType = "text"
    required: bool = True
    choices: tuple[str, ...] = ()
    """The words it may hold; any where empty."""
    pattern: str = ""
    """A regular expression that it fits, where it is text; `about` then says the form."""
    fixed: bool = False
    """Whether it is part of a name that is made when the pipeline is compiled, so that no run can have its own."""
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A role that the identity which runs the job needs."""

    role: str
    scope: Scope
    why: str
    source: str
    """The page that says so."""


@dataclass(frozen=True, kw_only=True)
class Executor:
    """One executor."""

    name: str
    function: bool = True
    """Whether a function of this name speaks the executors' HTTP contract."""
    operator: bool = False
    """Whether an operator of an Airflow provider can do the same."""
    rest: bool = False
    """Whether a workflow can do the same by calls of the service's API."""
    keys: Mapping[str, Key] | None = None
    """Its parameters, in a job parameter file or in STEP_PROPERTIES; None where nothing is known of them."""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of keys of which exactly one is given."""
    apis: tuple[str, ...] = ()
    """Services of Google Cloud that have to be enabled where the job runs."""
    roles: Mapping[Runner, tuple[Grant, ...]] = field(default_factory=dict)
    """What the identity of the run needs, for each way to run it: the intermediate's caller for `http`, the
    environment's service account for `operators`, the workflow's for `rest`."""

    @property
    def runs_on(self) -> Mapping[str, tuple[Runner, ...]]:
        """Engine → the ways it can run the job, the one it takes unasked first."""
        http: tuple[Runner, ...] = ("http",) if self.function else ()
        return {
            "airflow": (*http, "operators") if self.operator else http,
            "workflows": (*http, "rest") if self.rest else http,
        }


OPTIONAL = Key(required=False)
