"""`dp-azure:datafactory:Trigger`: a trigger as a whole, its definition and whether it runs.

Every change is: stop it if it runs, write it, start it again if it is to run. Each step may be done twice. A run that
ends between them leaves a trigger that is stopped or written already, and since the engine records no success (or a
half one, with `runtimeState` as it is), the next `up` does the whole again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from providers.arm import Arm, ArmError
from providers.base import (
    UNKNOWN,
    Diff,
    Failure,
    PartialError,
    ProviderError,
    State,
    Values,
    diff_values,
    has_unknown,
)

TOKEN: Final = "dp-azure:datafactory:Trigger"  # noqa: S105 - a type token
API: Final = "2018-06-01"

STARTED: Final = "Started"
STOPPED: Final = "Stopped"

_INPUTS = ("factoryId", "triggerName", "properties", "active")
_FACTORY = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.DataFactory/factories/[^/]+", re.IGNORECASE
)
_ID = re.compile(rf"(?P<factory>{_FACTORY.pattern})/triggers/(?P<name>[^/]+)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_][^<>*#.%&:\\+?/]{0,259}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?")

_FIXED: Final = {
    "TumblingWindowTrigger": ("frequency", "interval", "startTime"),
}
"""Keys of `typeProperties` that the service never changes: a change replaces the trigger.
TumblingWindowTriggerStartTimeUpdateNotAllowed, and what azurerm replaces on."""

_EMPTY: Final[tuple[Any, ...]] = (None, [], {}, "")

_BUSY: Final = ("provisioning",)
"""Words of a refusal that passes: an event trigger cannot be started just after it was written."""


class Trigger:
    """Data Factory triggers."""

    def __init__(
        self,
        arm: Arm | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = 180.0,
    ) -> None:
        self._given = arm
        self._sleep = sleep
        self._patience = patience

    @property
    def _arm(self) -> Arm:
        # Made when first used: a preview of a new trigger asks nothing of Azure and needs no credentials.
        if self._given is None:
            self._given = Arm()
        return self._given

    def check(self, news: Values, olds: Values) -> tuple[Values, Sequence[Failure]]:
        """Types and names, and what would be refused or ignored."""
        failures: list[Failure] = []

        def tell(place: str, reason: str) -> None:
            failures.append(Failure(property=place, reason=reason))

        inputs = {"active": False, **news}
        for unknown in sorted(set(inputs) - set(_INPUTS)):
            tell(unknown, f"unknown input '{unknown}'; known are {', '.join(_INPUTS)}")
        factory, name, properties = inputs.get("factoryId"), inputs.get("triggerName"), inputs.get("properties")
        if factory is not UNKNOWN and not (isinstance(factory, str) and _FACTORY.fullmatch(factory)):
            tell("factoryId", "give the factory's resource id, /subscriptions/…/Microsoft.DataFactory/factories/…")
        if name is not UNKNOWN and not (isinstance(name, str) and _NAME.fullmatch(name)):
            tell("triggerName", "give a name of 1 to 260 characters without < > * # . % & : \\ + ? /")
        if inputs["active"] is not UNKNOWN and not isinstance(inputs["active"], bool):
            tell("active", "give true or false")
        if properties is not UNKNOWN:
            if not isinstance(properties, dict) or not isinstance(properties.get("type"), str | type(UNKNOWN)):
                tell("properties", "give the trigger's properties with their type, as Data Factory exports them")
            else:
                # Read-only: what the export says of the state at that time is not a wish.
                inputs["properties"] = {key: value for key, value in properties.items() if key != "runtimeState"}
                if inputs["active"] is True and properties.get("pipelines") == []:
                    tell("active", "a trigger without a pipeline cannot run; give it one, or leave it stopped")
        return inputs, failures

    def diff(self, id: str, olds: State, news: Values) -> Diff:  # noqa: A002
        """What changed; besides the inputs, a trigger that does not run although it is to, or the reverse."""
        found = diff_values(olds.inputs, news, replace=("factoryId", "triggerName"), delete_first=True)
        changed = {path: kind for path, kind in found.changed.items() if not _same_time(path, olds.inputs, news)}
        old, new = olds.inputs.get("properties"), news.get("properties")
        fixed: set[tuple[str | int, ...]] = {("properties", "type")}
        if isinstance(old, dict) and isinstance(new, dict):
            kind = str(new.get("type"))
            fixed |= {("properties", "typeProperties", key) for key in _FIXED.get(kind, ())}
        replaces = [path for path in changed if path[0] in ("factoryId", "triggerName") or path[:3] in fixed]
        wanted = news.get("active")
        if not changed and isinstance(wanted, bool) and (olds.outputs.get("runtimeState") == STARTED) is not wanted:
            changed = {("runtimeState",): "update"}
        return Diff(changed=changed, replaces=replaces, delete_before_replace=bool(replaces))

    def create(self, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        """Write it. One of that name that is there already, as after a run that was killed, is taken over."""
        if preview:
            return "", {**inputs, "runtimeState": _wished(inputs)}
        id_ = f"{inputs['factoryId']}/triggers/{inputs['triggerName']}"
        return id_, self._apply(id_, inputs)

    def read(self, id: str, inputs: Values, outputs: Values) -> State | None:  # noqa: A002
        """What is there. Its inputs are told in the form the program wrote them, where they mean the same."""
        match = _ID.fullmatch(id)
        if match is None:
            raise ProviderError(f"'{id}' is not the id of a trigger: /subscriptions/…/factories/<name>/triggers/<name>")
        found = self._get(id)
        if found is None:
            return None
        live = dict(found.get("properties") or {})
        state = str(live.pop("runtimeState", STOPPED))
        told = inputs.get("properties")
        now = {
            "factoryId": inputs.get("factoryId", match["factory"]),
            "triggerName": inputs.get("triggerName", match["name"]),
            "properties": _in_form(told, live) if isinstance(told, dict) else live,
            "active": state == STARTED,
        }
        return State(id=id, inputs=now, outputs={**now, "runtimeState": state})

    def update(self, id: str, olds: State, news: Values, *, preview: bool) -> Values:  # noqa: A002
        """Stop, write, start."""
        if preview:
            return {**news, "runtimeState": _wished(news)}
        return self._apply(id, news)

    def delete(self, id: str, outputs: Values) -> None:  # noqa: A002
        """Stop it and remove it."""
        if self._stop(id, self._get(id)) is not None:
            self._ignoring_absence("DELETE", id)

    # The three steps --------------------------------------------------------------------------------------------

    def _apply(self, id_: str, inputs: Values) -> Values:
        if has_unknown(inputs):
            raise ProviderError("a value of this trigger is still unknown")
        self._stop(id_, self._get(id_))
        body = {"properties": inputs["properties"]}
        self._until_ready(lambda: self._arm.call("PUT", id_, version=API, body=body))
        outputs = {**inputs, "runtimeState": STOPPED}
        if inputs["active"]:
            try:
                self._until_ready(lambda: self._arm.call("POST", f"{id_}/start", version=API))
                self._wait(id_, STARTED)
            except ProviderError as error:
                words = f"the trigger {inputs['triggerName']} is written but not started: {error}"
                raise PartialError(words, id=id_, outputs=outputs) from None
            outputs["runtimeState"] = STARTED
        return outputs

    def _get(self, id_: str) -> dict[str, Any] | None:
        try:
            return self._arm.call("GET", id_, version=API).body
        except ArmError as error:
            if error.status == 404:
                return None
            raise

    def _stop(self, id_: str, found: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Stop it where it runs; returns it, or None where it is not there."""
        if found is not None and (found.get("properties") or {}).get("runtimeState") != STOPPED:
            self._until_ready(lambda: self._arm.call("POST", f"{id_}/stop", version=API))
            self._wait(id_, STOPPED)
        return found

    def _ignoring_absence(self, method: str, id_: str) -> None:
        try:
            self._until_ready(lambda: self._arm.call(method, id_, version=API))
        except ArmError as error:
            if error.status != 404:
                raise

    def _until_ready(self, call: Callable[[], object]) -> None:
        """Make a call again while the service says that it is still at the one before."""
        end = time.monotonic() + self._patience
        pause = 1.0
        while True:
            try:
                call()
            except ArmError as error:
                busy = error.status in (400, 409) and any(word in str(error).lower() for word in _BUSY)
                if not busy or time.monotonic() + pause > end:
                    raise
            else:
                return
            self._sleep(pause)
            pause = min(pause * 2, 15.0)

    def _wait(self, id_: str, state: str) -> None:
        """Wait until it is in a state: start and stop of an event trigger go on after they are answered."""
        end = time.monotonic() + self._patience
        pause = 0.5
        while True:
            found = self._get(id_) or {}
            now = (found.get("properties") or {}).get("runtimeState")
            if now == state:
                return
            if time.monotonic() + pause > end:
                raise ProviderError(f"it is still {now or 'gone'} and not {state} after {self._patience:.0f} seconds")
            self._sleep(pause)
            pause = min(pause * 2, 10.0)


def _wished(inputs: Values) -> Any:
    active = inputs.get("active")
    return active if active is UNKNOWN else STARTED if active else STOPPED


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def _same_time(path: tuple[str | int, ...], olds: Any, news: Any) -> bool:
    """Whether what differs at a place is one moment written in two ways: `…:00Z`, `…:00.000Z`."""
    for part in path:
        try:
            olds, news = olds[part], news[part]
        except (KeyError, IndexError, TypeError):
            return False
    old, new = _instant(olds), _instant(news)
    return old is not None and old == new


def _in_form(told: Any, live: Any, *, service: bool = False) -> Any:
    """What is there, in the program's words where they mean the same.

    Left out are empty values that only one side has, and what the service adds below `typeProperties`.
    """
    if isinstance(told, dict) and isinstance(live, dict):
        merged = {
            key: _in_form(value, live[key], service=service or key == "typeProperties") if key in live else value
            for key, value in told.items()
            if key in live or value in _EMPTY
        }
        added = {} if service else {key: value for key, value in live.items() if key not in told}
        return {**merged, **{key: value for key, value in added.items() if value not in _EMPTY}}
    if isinstance(told, list) and isinstance(live, list) and len(told) == len(live):
        return [_in_form(a, b, service=service) for a, b in zip(told, live, strict=True)]
    if (instant := _instant(told)) is not None and instant == _instant(live):
        return told
    return live
