"""What runs wrote: the first lines and the last one of each."""

from __future__ import annotations

import time

from localcloud.cdap import gsonlike, programs, runs
from localcloud.cdap.http import TEXT, Json, Reply, Request, json_reply
from localcloud.cdap.instance import Instance


def get(api: Instance, request: Request, namespace: str, app: str, type_: str, program: str, run: str = "") -> Reply:
    """What a run wrote; of a program, what its runs did."""
    programs.category(type_)
    if run:
        found = [programs.run_of(api, namespace, app, type_, program, run)]
    else:
        programs.referenced(api, namespace, app, type_, program)
        found = [body for _, body in api.shelf.items("run", programs.scope_of(namespace, app, type_, program))]
    lines = [line for body in found for line in _lines(api, app, program, body)]
    if request.query.get("format") == "json":
        return json_reply(
            [
                {
                    "log": {"timestamp": int(at * 1000), "logLevel": level, "message": text},
                    "offset": f"0.{int(at * 1000)}",
                }
                for at, level, text in lines
            ]
        )
    text = "".join(f"{_moment(at)} - {level:5} [WorkflowDriver:SmartWorkflow] - {said}\n" for at, level, said in lines)
    return Reply(body=text.encode(), content_type=TEXT)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)) + f",{int(at * 1000) % 1000:03}"


def _lines(api: Instance, app: str, program: str, run: Json) -> list[tuple[float, str, str]]:
    at = runs.state(run, api.clock())
    found: list[tuple[float, str, str]] = []
    if at.start is not None:
        given = ", ".join(f"{k}={v}" for k, v in gsonlike.plain(gsonlike.parse(run["arguments"])).items())
        started = f"Pipeline '{app}' is started by user '{api.settings.user}' with arguments {{{given}}}"
        workflow = f"Starting workflow execution for '{program}' with Run id '{run['runid']}'"
        found += [
            (at.start, "INFO", started),
            (at.start, "INFO", f"Pipeline '{app}' running"),
            (at.start, "INFO", workflow),
        ]
    if at.end is not None and at.status == "COMPLETED":
        found.append((at.end, "INFO", f"Pipeline '{app}' succeeded."))
    elif at.end is not None:
        found.append((at.end, "ERROR", run["message"] or f"Pipeline '{app}' {at.status.lower()}."))
    return found
