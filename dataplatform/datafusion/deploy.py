"""Deploying one pipeline, so that no change of somebody else's is lost and no running schedule stops.

What CDAP does by itself: every PUT makes a new version; a PUT without `change.parentVersion` overwrites whatever came
in between; and a redeployment suspends the schedule, unless told not to touch schedules, and then a new cron is not
applied. So the schedule is changed first, which keeps it running, and the pipeline is deployed after it without
touching it: cut off at any call, the schedule is never found suspended.
"""

from __future__ import annotations

from dataplatform.datafusion import normalise
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.errors import (
    ApiError,
    ConflictError,
    DataFusionError,
    NotFoundError,
    UnreachableError,
)
from dataplatform.datafusion.model import DEFAULT_SCHEDULE, Json
from dataplatform.datafusion.plan import Step

_SNAPSHOT = "-SNAPSHOT"
"""The version of every pipeline before CDAP 6.8, which kept no history."""


def deploy(client: Client, step: Step, message: str = "") -> None:
    """Create or update a pipeline."""
    path = ("namespaces", step.key.namespace, "apps", step.key.name)
    request: Json = {"artifact": step.body["artifact"], "config": step.body["config"]}
    change = {"description": message} if message else {}
    if step.action == "update":
        if step.parent not in ("", _SNAPSHOT):
            change["parentVersion"] = step.parent
        keep = step.schedule == "same" or (step.schedule == "moved" and _move(client, path, step.body["config"]))
        if keep:
            request["app.deploy.update.schedules"] = False
    if change:
        request["change"] = change
    for attempt in range(1, client.attempts + 1):
        try:
            client.call("PUT", path, body=request, retry=False)
            return
        except ConflictError as problem:
            if _is_there(client, path, step):
                return  # an earlier try of ours, whose answer was lost
            raise DataFusionError(
                f"{step.key} was changed on the instance since it was read; see dp datafusion diff, then push again"
            ) from problem
        except (UnreachableError, ApiError) as problem:
            # Two pipelines that make the same dataset at the same moment: the second finds it, and may try again.
            passing = isinstance(problem, UnreachableError) or problem.code in (502, 503, 504) or _met(problem)
            if not passing:
                raise
            if attempt == client.attempts:
                raise
            client.sleep(0.2 * 2.0 ** (attempt - 1))
            # The answer may have been lost after the work was done: a second PUT would make a second version.
            if _is_there(client, path, step):
                return


def _met(problem: ApiError) -> bool:
    return problem.code == 400 and "due to conflict" in problem.text and "already exists" in problem.text


def _move(client: Client, path: tuple[str, ...], config: Json) -> bool:
    """Give the pipeline's own schedule its new time; False where there is no such schedule to keep."""
    at = (*path, "schedules", DEFAULT_SCHEDULE)
    try:
        now = client.get(*at)
    except NotFoundError:
        return False
    derived = normalise.derived_schedule(config)
    wanted = {k: v for k, v in now.items() if k not in ("namespace", "application", "status", "lastUpdateTime")}
    wanted |= {k: derived[k] for k in ("trigger", "constraints") if k in derived}
    if normalise.schedule(wanted) == normalise.schedule({k: v for k, v in now.items() if k != "status"}):
        return True
    client.call("POST", (*at, "update"), body=wanted, retry=True)
    if now["status"] == "SCHEDULED" and client.get(*at)["status"] != "SCHEDULED":
        client.call("POST", (*at, "enable"), retry=True)
    return True


def _is_there(client: Client, path: tuple[str, ...], step: Step) -> bool:
    """Whether the instance has the pipeline as we want it, in a version of its own."""
    try:
        detail = client.get(*path)
        return detail["appVersion"] != step.parent and normalise.pipeline(detail) == step.body
    except (NotFoundError, ValueError):
        return False
