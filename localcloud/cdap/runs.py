"""A run's life as a function of the time since its start: no thread runs, nothing is lost when the server ends."""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.cdap.http import Json

ACTIVE = ("PENDING", "STARTING", "RUNNING", "STOPPING")
ENDED = ("COMPLETED", "FAILED", "KILLED", "REJECTED")
PENDING_SECONDS = 0.4
STARTING_SECONDS = 0.4
RUNNING_SECONDS = 1.2
STOPPING_SECONDS = 0.4
TERMINATE_SECONDS = 300
"""How long CDAP lets a stopped run end by itself."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A run at some moment: its status and the moments it has passed (seconds since 1970)."""

    status: str
    start: float | None = None
    stopping: float | None = None
    end: float | None = None


def state(run: Json, now: float) -> State:
    """How the run stands. `run` has what `programs` keeps of it."""
    begun = run["starting"]
    plan = run["plan"]
    scale = run["scale"]
    started = begun + (plan["pending"] + plan["starting"]) * scale
    ends_early = plan["end"] == "REJECTED" or plan.get("provisions") is False
    seconds = plan["running"]
    end = begun + plan["pending"] * scale if ends_early else None
    if not ends_early and seconds is not None:
        end = started + seconds * scale
    stopped = run.get("stopped")
    if stopped is not None and (end is None or stopped < end):
        return _stopped(run, now, stopped, started)
    if end is not None and now >= end:
        return State(status=plan["end"], start=None if ends_early else started, end=end)
    if now >= started and not ends_early:
        return State(status="RUNNING", start=started)
    return State(status="STARTING" if now >= begun + plan["pending"] * scale and not ends_early else "PENDING")


def _stopped(run: Json, now: float, stopped: float, started: float) -> State:
    over = stopped + STOPPING_SECONDS * run["scale"]
    start = started if stopped >= started else None
    if now < over:
        return State(status="STOPPING", start=start, stopping=stopped)
    return State(status="KILLED", start=start, stopping=stopped, end=over)


def record(run: Json, now: float) -> Json:
    """The run as the API shows it."""
    at = state(run, now)
    shown: Json = {"runid": run["runid"], "starting": int(run["starting"])}
    if at.start is not None:
        shown["start"] = int(at.start)
    if at.end is not None:
        shown["end"] = int(at.end)
    if at.stopping is not None:
        shown |= {"stopping": int(at.stopping), "terminate": int(at.stopping) + TERMINATE_SECONDS}
    properties: Json = {"runtimeArgs": run["arguments"]}
    if at.start is not None and run.get("phase"):
        properties["phase-1"] = run["phase"]
    shown |= {"status": at.status, "properties": properties, "cluster": _cluster(run, at)}
    return shown | {"profile": run["profile"], "version": run["version"]}


def _cluster(run: Json, at: State) -> Json:
    if at.end is not None:
        shown: Json = {"status": "DEPROVISIONED", "end": int(at.end)}
        return shown if run["plan"].get("provisions") is False else shown | {"numNodes": 0}
    if at.status == "PENDING" or (at.status == "STOPPING" and at.start is None):
        return {"status": "PROVISIONING"}
    return {"status": "PROVISIONED", "numNodes": 0}


def program_status(at: State) -> str:
    """What a program with such a run is said to be."""
    if at.status in ("RUNNING", "STOPPING"):
        return "RUNNING"
    return "STARTING" if at.status in ("PENDING", "STARTING") else "STOPPED"
