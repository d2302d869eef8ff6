"""What runs come to, by request: slow ones, failing ones, ones that are not found at first.

An outcome is kept in the world until it has been used up. `add` keeps one; over HTTP, `POST /sandbox/outcomes` does,
with the fields of `Outcome` as JSON, `GET` lists them and `DELETE` forgets them. The paths are ours: no CDAP has
them.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from localcloud.cdap import gsonlike, runs
from localcloud.cdap.http import OK, CdapError, Json, Reply, Request, json_reply
from localcloud.cdap.instance import Instance

_KIND = "outcome"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the next runs that match come to."""

    namespace: str = "*"
    app: str = "*"
    """Patterns, as in a shell."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Runtime arguments the run must have been started with."""
    end: str = "COMPLETED"
    """COMPLETED, FAILED, KILLED or REJECTED (which comes before anything has run)."""
    seconds: float | None = runs.RUNNING_SECONDS
    """How long it runs, before the instance's time scale; None: until it is stopped."""
    pending: float = runs.PENDING_SECONDS
    starting: float = runs.STARTING_SECONDS
    hidden: int = 0
    """How many times a request for the run by its id is answered with 404 first, as happens right after a start."""
    times: int | None = 1
    """For how many runs it holds; None: for all."""
    message: str = ""
    """What the log says of a failure."""


def read(body: Json) -> Outcome:
    """An outcome from JSON. Raises CdapError 400 where it is none."""
    known = {f.name for f in fields(Outcome)}
    strange = sorted(set(body) - known)
    if strange:
        raise CdapError(400, f"unknown field '{strange[0]}'; expected one of: {', '.join(sorted(known))}")
    try:
        found = Outcome(**body)
    except TypeError as error:
        raise CdapError(400, str(error)) from None
    if found.end not in runs.ENDED:
        raise CdapError(400, f"unknown end '{found.end}'; expected one of: {', '.join(runs.ENDED)}")
    for name in ("seconds", "pending", "starting", "hidden", "times"):
        value = getattr(found, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise CdapError(400, f"'{name}' is a number that is not negative")
    return found


def add(api: Instance, outcome: Outcome) -> None:
    """Keep an outcome; of several that match, the oldest counts."""
    with api.world.transaction():
        name = str(api.world.next_value(f"cdap-outcome:{api.name}"))
        api.shelf.put(_KIND, "", name, asdict(outcome))


def take(api: Instance, namespace: str, app: str, arguments: Mapping[str, str]) -> Outcome | None:
    """The outcome of a run that starts now; it is used up by one. Call it inside a transaction."""
    for name, body in api.shelf.items(_KIND, ""):
        found = Outcome(**body)
        if (
            fnmatch.fnmatchcase(namespace, found.namespace)
            and fnmatch.fnmatchcase(app, found.app)
            and all(arguments.get(key) == value for key, value in found.arguments.items())
        ):
            if found.times is not None:
                if found.times <= 1:
                    api.shelf.delete(_KIND, "", name)
                else:
                    api.shelf.put(_KIND, "", name, {**body, "times": found.times - 1})
            return found
    return None


def list_all(api: Instance, request: Request) -> Reply:
    """The outcomes that are still waiting."""
    return json_reply([body for _, body in api.shelf.items(_KIND, "")])


def post(api: Instance, request: Request) -> Reply:
    """Keep one, or a list of them."""
    try:
        body: Any = gsonlike.plain(gsonlike.parse(request.text))
    except gsonlike.GsonError as error:
        raise CdapError(400, error.message) from None
    items = body if isinstance(body, list) else [body]
    if not all(isinstance(item, dict) for item in items):
        raise CdapError(400, "expected an object with the fields of an outcome, or a list of such")
    for outcome in [read(item) for item in items]:
        add(api, outcome)
    return OK


def clear(api: Instance, request: Request) -> Reply:
    """Forget all of them."""
    api.shelf.delete_below(_KIND, "")
    for name, _ in api.shelf.items(_KIND, ""):
        api.shelf.delete(_KIND, "", name)
    return OK
