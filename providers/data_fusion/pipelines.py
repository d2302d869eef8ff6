"""Pipelines: deployed so that no change of somebody else's is lost, and no schedule stops that nobody stopped."""

from __future__ import annotations

from pathlib import Path

from dataplatform.datafusion import normalise
from dataplatform.datafusion.checks import Checks
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.deploy import deploy
from dataplatform.datafusion.errors import ApiError, ConflictError, DataFusionError, NotFoundError
from dataplatform.datafusion.files import Loaded
from dataplatform.datafusion.macros import Environment, functions_in, names_in
from dataplatform.datafusion.model import DEFAULT_SCHEDULE, Json, Key
from dataplatform.datafusion.objects import Found, find
from dataplatform.datafusion.plan import Step
from dataplatform.datafusion.read import Snapshot
from providers.base import ProviderError

MESSAGE = "deployed by data-platform"
"""What a stack says of each version it deploys: a version of somebody else's says something else, or nothing."""


def write(client: Client, key: Key, body: Json, live: Found | None, before: Json) -> str:
    """Bring a pipeline to the instance; returns the version that is there then.

    Args:
        client: Of the instance.
        key: Which pipeline.
        body: As it is to be.
        live: As it is there; known to be nobody else's work.
        before: As it was when the stack last wrote or saw it.
    """
    if functions_in(body, "secure"):
        _explain(client, key, body)
    if live is None:
        _deploy(client, key, body, Step(key=key, action="create", body=body))
    elif live.body != body:
        old, new = (normalise.derived_schedule(one["config"]) for one in (live.body, body))
        moved = "trigger" in old and "trigger" in new and old != new
        step = Step(key=key, action="update", body=body, parent=live.version, schedule="moved" if moved else "same")
        _deploy(client, key, body, step)
    if live is not None:
        _schedule(client, key, (before, live.body), body)
        if live.body == body:
            return live.version
    found = find(client, key)
    return found.version if found is not None else ""


def _deploy(client: Client, key: Key, body: Json, step: Step) -> None:
    try:
        deploy(client, step, MESSAGE)
    except ApiError as error:
        if error.code in (400, 404):
            _explain(client, key, body)
        raise
    except DataFusionError as error:
        if isinstance(error.__cause__, ConflictError):
            raise ProviderError(
                f"{key} was changed on the instance while it was deployed; look at it with a refresh, then run this"
                " again"
            ) from None
        raise


def _explain(client: Client, key: Key, body: Json) -> None:
    """Say what the instance lacks for it, where that is what is wrong: the checks that a push makes.

    Raises:
        InputError: with everything that is missing.
    """
    snapshot = Snapshot(version=str(client.get("version")["version"]), namespaces=[key.namespace])
    every = Environment(runtime=frozenset(names_in(body["config"])))
    loaded = Loaded(export={key: body}, places={}, folder=Path())
    Checks(client, snapshot, loaded, {key: body}, every).run([Step(key=key, action="update", body=body)])


def _schedule(client: Client, key: Key, before: tuple[Json, ...], body: Json) -> None:
    """Make or remove the schedule that the configuration asks for.

    A deployment that does so by itself would also take away every other schedule and trigger of the pipeline.
    """
    new = normalise.derived_schedule(body["config"])
    olds = [normalise.derived_schedule(one["config"]) for one in before]
    if all(("trigger" in old) is ("trigger" in new) for old in olds):
        return
    path = ("namespaces", key.namespace, "apps", key.name, "schedules", DEFAULT_SCHEDULE)
    if "trigger" not in new:
        try:
            client.call("DELETE", path)
        except NotFoundError:
            return
        return
    try:
        client.get(*path)
    except NotFoundError:
        client.call("PUT", path, body=new, retry=False)


def ours(live: Found) -> bool:
    """Whether nobody has deployed the pipeline since a stack did: then nothing of anybody's can be lost."""
    return live.change == MESSAGE


def switch(client: Client, schedule: Key, *, on: bool) -> None:
    """Enable or disable a schedule; one that is so already, or not there, is no error."""
    path = ("namespaces", schedule.namespace, "apps", schedule.name, "schedules", schedule.part)
    try:
        client.call("POST", (*path, "enable" if on else "disable"), retry=True)
    except NotFoundError:
        return
    except ConflictError as error:
        if "already" not in error.text.lower():
            raise


def delete(client: Client, key: Key) -> None:
    """Delete a pipeline."""
    try:
        client.call("DELETE", ("namespaces", key.namespace, "apps", key.name))
    except NotFoundError:
        return
    except ConflictError as error:
        raise ProviderError(
            f"{key} cannot be deleted: {error.text} (409); stop it first with dp datafusion stop '{key.name}' "
            f"--namespace {key.namespace}"
        ) from None
