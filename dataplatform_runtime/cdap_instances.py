"""A Data Fusion instance of a name: make or adopt it, look at it, grant on it, delete it. Plain HTTP, without Airflow.

Everything may be done again at any time: an instance that is there is adopted, a grant that is there stays, and nobody
else's grant is touched. One that ended as FAILED is an error, never a success.

Google's credentials are refreshed by its own library for every call, so a wait may take longer than a token lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dataplatform_runtime.google_rest import Rest, RestError, data_fusion_url, instance_url, time_scale

__all__ = ["InstanceFailedError", "Instances"]

READY = frozenset({"ACTIVE", "RUNNING"})
"""What v1 and v1beta1 call an instance that can be used."""
UNSEEN_SECONDS = 120
"""How long an instance whose creation had no answer is looked for."""
GRANT_TRIES = 6
_PROGRAM = "DataPipelineWorkflow"
_BATCH = 200


class InstanceFailedError(Exception):
    """Raised when an instance is not, and will not become, what was asked for: trying again would not help."""


class Instances:
    """One instance of that name, there or not. Plain HTTP, without Airflow.

    Args:
        project: Its project.
        region: Its region.
        name: The instance.
        rest: What calls are made with.
        say: Gets a line for the task's log.
        clock: Seconds since 1970.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        project: str,
        region: str,
        name: str,
        *,
        rest: Rest | None = None,
        say: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.parent = f"projects/{project}/locations/{region}"
        self.name = name
        self._rest = rest or Rest(sleep)
        self._say = say
        self._clock = clock
        self._sleep = sleep

    def _url(self, verb: str = "") -> str:
        return f"{data_fusion_url()}/v1/{quote(f'{self.parent}/instances/{self.name}')}{verb}"

    def get(self) -> dict[str, Any] | None:
        """The instance; None where there is none."""
        try:
            found: dict[str, Any] = self._rest.call("GET", self._url())
        except RestError as error:
            if error.status == 404:
                return None
            raise
        return found

    def create(self, body: Mapping[str, Any], *, gone_seconds: float, poll: float) -> bool:
        """Begin to make it, where it is not there; whether it was made now. One that is being deleted is waited for.

        Raises:
            InstanceFailedError: it is there as something else, or ended as FAILED.
            RestError: it could not be asked for.
        """
        found = self.get()
        if found is not None and found.get("state") == "DELETING":
            self._say(f"{self.name} is being deleted; it is made again when it is gone")
            self.gone(gone_seconds, poll)
            found = None
        if found is None:
            try:
                url = f"{data_fusion_url()}/v1/{quote(self.parent)}/instances"
                self._rest.call("POST", url, dict(body), query={"instanceId": self.name}, safe=False)
                return True
            except RestError as error:
                if error.status != 409 and not error.unsure:
                    raise
                self._say(f"the creation was not answered as wished ({error}); looking whether it is there")
            found = self._seen()
        self._judge(found, body)
        return False

    def _seen(self) -> dict[str, Any]:
        until = self._clock() + UNSEEN_SECONDS * time_scale()
        while True:
            found = self.get()
            if found is not None:
                return found
            if self._clock() >= until:
                raise RestError("the creation had no answer, and there is no instance; the next try asks again", 0)
            self._sleep(5 * time_scale())

    def _judge(self, found: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """What is adopted must be what was asked for, in what cannot be changed."""
        if found.get("state") == "FAILED":
            raise InstanceFailedError(f"{self.name} is there as FAILED{_told(found)}: delete it, then make it again")
        for key in ("type", "privateInstance"):
            if body.get(key) and found.get(key) != body[key]:
                raise InstanceFailedError(
                    f"{self.name} is there with {key} {found.get(key)}, and the stack says {body[key]}: "
                    "delete it, or correct the stack"
                )
        if body.get("version") and found.get("version") != body["version"]:
            self._say(f"{self.name} has version {found.get('version')}, and the stack says {body['version']}")
        self._say(f"{self.name} is there already; it is adopted")

    def ready(self) -> bool:
        """Whether it can be used.

        Raises:
            InstanceFailedError: it is not there, FAILED, or on its way out.
        """
        found = self.get()
        if found is None:
            raise InstanceFailedError(f"{self.name} is not there any more")
        state = str(found.get("state"))
        if state in ("FAILED", "DELETING", "DISABLED"):
            raise InstanceFailedError(f"{self.name} is {state}{_told(found)}")
        return state in READY

    def grant(self, grants: Mapping[str, Sequence[str]]) -> list[str]:
        """Add members to roles on the instance; what was added. Nothing is taken from anybody.

        Raises:
            RestError: the policy could not be read or written, or others kept changing it.
        """
        for attempt in range(GRANT_TRIES):
            policy: dict[str, Any] = self._rest.call(
                "GET", self._url(":getIamPolicy"), query={"options.requestedPolicyVersion": "3"}
            )
            bindings = [dict(binding) for binding in policy.get("bindings") or []]
            added = []
            for role, members in sorted(grants.items()):
                # A grant with a condition is another one.
                mine = next((b for b in bindings if b.get("role") == role and not b.get("condition")), None)
                have = list(mine.get("members") or []) if mine is not None else []
                new = [member for member in dict.fromkeys(members) if member not in have]
                if new and mine is None:
                    bindings.append({"role": role, "members": new})
                elif new and mine is not None:
                    mine["members"] = [*have, *new]
                added += [f"{role} for {member}" for member in new]
            if not added:
                return []
            try:
                # With its etag the call is refused where somebody has changed the policy since.
                changed = {**policy, "bindings": bindings}
                self._rest.call("POST", self._url(":setIamPolicy"), {"policy": changed}, safe=True)
                return added
            except RestError as error:
                if error.status != 409 or attempt == GRANT_TRIES - 1:
                    raise
                self._say("somebody else changed the policy meanwhile; reading it again")
                self._sleep((1 + attempt) * time_scale())
        raise AssertionError("the last try returns or raises")

    def running(self, found: Mapping[str, Any]) -> list[str]:
        """Pipelines that run on it, as `<namespace>/<pipeline>`."""
        base = f"{instance_url(str(found['apiEndpoint']))}/v3/namespaces"
        busy = []
        for space in self._rest.call("GET", base):
            here = f"{base}/{quote(str(space['name']))}"
            apps = [str(app["name"]) for app in self._rest.call("GET", f"{here}/apps")]
            for first in range(0, len(apps), _BATCH):
                asked = [
                    {"appId": app, "programType": "Workflow", "programId": _PROGRAM}
                    for app in apps[first : first + _BATCH]
                ]
                answers = self._rest.call("POST", f"{here}/status", asked, safe=True)
                # What is no batch pipeline has no such program: 404.
                busy += [
                    f"{space['name']}/{answer['appId']}"
                    for answer in answers
                    if answer.get("statusCode") == 200 and answer.get("status") != "STOPPED"
                ]
        return sorted(busy)

    def delete(self, owner: Mapping[str, str]) -> bool:
        """Begin to delete it; whether there was anything to delete.

        Args:
            owner: Labels that it must have.

        Raises:
            InstanceFailedError: it is somebody else's.
            RestError: it could not be asked for, or is in use: the next try may find it free.
        """
        found = self.get()
        if found is None:
            return False
        labels = found.get("labels") or {}
        strange = sorted(key for key, value in owner.items() if labels.get(key) != value)
        if strange:
            said = ", ".join(f"{key}={labels.get(key, '(none)')}" for key in strange)
            raise InstanceFailedError(f"{self.name} is not this stack's ({said}): it stays")
        state = str(found.get("state"))
        if state == "DELETING":
            return True
        if state in READY:
            busy = self.running(found)
            if busy:
                raise RestError(f"{len(busy)} pipelines run on {self.name}: {', '.join(busy[:10])}", 0)
        elif state != "FAILED":
            raise RestError(f"{self.name} is {state}, and cannot be deleted yet", 0)
        try:
            self._rest.call("DELETE", self._url(), safe=True)
        except RestError as error:
            if error.status != 404:
                raise
        return True

    def gone(self, seconds: float, poll: float) -> None:
        """Wait until it is not there.

        Raises:
            InstanceFailedError: its deletion failed.
            RestError: it is there still.
        """
        until = self._clock() + seconds
        while True:
            found = self.get()
            if found is None:
                return
            if found.get("state") not in ("DELETING", *READY):
                raise InstanceFailedError(f"{self.name} was not deleted, and is {found.get('state')}{_told(found)}")
            if self._clock() >= until:
                raise RestError(f"{self.name} is {found.get('state')} after {seconds:g} seconds", 0)
            self._sleep(poll * time_scale())


def _told(found: Mapping[str, Any]) -> str:
    words = " ".join(str(found.get("stateMessage") or "").split())[:500]
    return f" ({words})" if words else ""
