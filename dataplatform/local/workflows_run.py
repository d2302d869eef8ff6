"""A workflow in the embedded cloud: deployed and executed through the service's own REST API.

Where the stack is up and holds this very text, that workflow is executed. Else the text is deployed into a world that
exists for this run only, so that nothing appears in the embedded cloud that no stack knows.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataplatform.compile import workflows
from dataplatform.compile.plan import Plan
from dataplatform.compile.workflows_parts import render_all
from dataplatform.local.engine_env import cloud_home
from dataplatform.local.errors import ToolError
from dataplatform.local.run import Execution

Json = dict[str, Any]


class WorkflowsExecution(Execution):
    """One execution of one workflow."""

    def __init__(self, root: Path, plan: Plan, address: str, time_scale: float, others: Sequence[Plan] = ()) -> None:
        from localcloud.workflows.server import serve
        from localcloud.world import World

        texts = {text.workflow_id: text.text for one in (plan, *others) for text in render_all(one)}
        self._scratch: Path | None = None
        # All functions are beside the intermediate: it, and the one that is told of failures.
        routes = {f"{plan.target.intermediate_url.rpartition('/')[0]}/": f"{address}/"}
        parent = f"projects/{plan.target.project}/locations/{plan.target.region}"
        workflow = f"{parent}/workflows/{workflows.workflow_id(plan)}"

        home = cloud_home(root)
        self._server = None
        if home.is_dir():
            self._server = serve(World(home), routes=routes, time_scale=time_scale)
            if any(self._deployed(f"{parent}/workflows/{name}") != text for name, text in texts.items()):
                self._server.close()
                self._server = None
        if self._server is None:
            runs = root / ".dp" / "runs"
            runs.mkdir(parents=True, exist_ok=True)
            self._scratch = Path(tempfile.mkdtemp(prefix="cloud-", dir=runs))
            self._server = serve(
                _scratch_world(self._scratch, plan.target.project), routes=routes, time_scale=time_scale
            )
            for name, text in texts.items():
                self._deploy(parent, name, text)
        self._name = self._call("POST", f"{workflow}/executions", {"argument": json.dumps({})})["name"]

    def poll(self) -> tuple[str, str] | None:
        """None while the execution is active."""
        found = self._call("GET", self._name)
        match found["state"]:
            case "ACTIVE" | "QUEUED":
                return None
            case "SUCCEEDED":
                return "succeeded", ""
            case "CANCELLED":
                return "cancelled", "the execution was cancelled"
            case _:
                error = found.get("error") or {}
                return "failed", str(error.get("payload") or error.get("context") or found["state"])[:500]

    def states(self) -> Mapping[str, str]:
        """State of each step of the ended execution, as the workflow itself tells it."""
        found = self._call("GET", self._name)
        told = found.get("result") or (found.get("error") or {}).get("payload") or "null"
        with contextlib.suppress(ValueError):
            document = json.loads(told)
            if isinstance(document, dict):
                return {str(step["step"]): str(step["state"]) for step in document.get("steps") or []}
        return {}

    def _deploy(self, parent: str, name: str, text: str) -> None:
        operation = self._call("POST", f"{parent}/workflows?workflowId={name}", {"sourceContents": text})
        while not operation.get("done"):
            time.sleep(0.02)
            operation = self._call("GET", operation["name"])
        if "error" in operation:
            raise ToolError(f"Cloud Workflows refuses the compiled text: {operation['error'].get('message')}")

    def close(self) -> None:
        """Cancel what still runs and stop serving."""
        if self._server is None:
            return
        with contextlib.suppress(ToolError, KeyError):
            if self.poll() is None:
                self._call("POST", f"{self._name}:cancel", {})
        self._server.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _deployed(self, workflow: str) -> str | None:
        """The source of the deployed workflow, None where there is none."""
        try:
            return str(self._call("GET", workflow).get("sourceContents"))
        except ToolError:
            return None

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        assert self._server is not None
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._server.port}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=60) as response:
                answer: Json = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(said)["error"]["message"]
            raise ToolError(
                f"Cloud Workflows answered {error.code} to {method} {path.partition('?')[0]}: {said}"
            ) from None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _scratch_world(home: Path, project: str) -> Any:
    """A world with one project in which the workflows' API is enabled."""
    from localcloud.world import World

    world = World(home)
    with world.transaction() as connection:
        connection.execute(
            "INSERT INTO projects(id, number, created) VALUES (?, ?, ?)", (project, 100000000001, time.time())
        )
        for service in ("workflows.googleapis.com", "workflowexecutions.googleapis.com"):
            connection.execute("INSERT INTO apis(project, service, origin) VALUES (?, ?, 'user')", (project, service))
    return world
