"""The same resources on a real CDAP: what the embedded one was taken from must agree with what they rely on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dataplatform.datafusion import normalise
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.errors import DataFusionError
from providers.base import ProviderError, State, Values
from providers.data_fusion.endpoints import Clients
from providers.data_fusion.resources import resources
from tests.datafusion.pipelines import pipeline
from tests.providers.fusion_support import (
    ARGUMENTS,
    NAMESPACE,
    PIPELINE,
    PREFERENCES,
    PROFILE,
    SCHEDULE,
    SECURE,
    pipeline_inputs,
)

pytestmark = pytest.mark.cdap
SPACE = "resources_on_cdap"


@dataclass
class Stack:
    """Resources in the order they were made; they go in the reverse order, as the engine does it."""

    endpoint: str
    client: Client
    types: dict[str, Any]
    made: dict[str, tuple[str, State]] = field(default_factory=dict)

    def put(self, as_: str, token: str, **inputs: Any) -> State:
        """Create it, or update it where it was made before."""
        checked, failures = self.types[token].check({"endpoint": self.endpoint, "namespace": SPACE, **inputs}, {})
        assert not failures
        if as_ in self.made:
            state = self.made[as_][1]
            outputs: Values = self.types[token].update(state.id, state, checked, preview=False)
            id_ = state.id
        else:
            id_, outputs = self.types[token].create(checked, preview=False)
        state = State(id=id_, inputs=checked, outputs=outputs)
        self.made[as_] = (token, state)
        return state

    def assert_no_drift(self) -> None:
        for token, state in self.made.values():
            assert self.types[token].read(state.id, state.inputs, state.outputs) == state

    def delete_all(self) -> None:
        for token, state in reversed(self.made.values()):
            self.types[token].delete(state.id, state.outputs)
            read = self.types[token].read(state.id, state.inputs, state.outputs)
            assert read is None or token in (SCHEDULE, PREFERENCES, ARGUMENTS)
        self.made.clear()

    def schedules(self) -> dict[str, str]:
        listed = self.client.get("namespaces", SPACE, "apps", "orders", "schedules")
        return {one["name"]: one["status"] for one in listed}


@pytest.fixture
def stack() -> Iterator[Stack]:
    from tests.datafusion.real import real_endpoint

    endpoint = real_endpoint()
    made = Stack(endpoint, Client(endpoint, timeout=120.0), dict(resources(Clients({}))))
    yield made
    with contextlib.suppress(DataFusionError):  # the test has deleted it
        made.client.call("DELETE", ("unrecoverable", "namespaces", SPACE))


def test_a_stack_lives_on_a_real_cdap(stack: Stack) -> None:
    inputs = {**pipeline_inputs(namespace=SPACE), "namespace": SPACE}
    derived = normalise.derived_schedule({"schedule": "0 1 */1 * *", "maxConcurrentRuns": 1})
    whole = {k: v for k, v in derived.items() if k != "name"}
    night = {**whole, "description": "", "constraints": [], "trigger": {"type": "TIME", "cronExpression": "0 3 * * *"}}
    own = {"pipeline": "orders", "name": "dataPipelineSchedule", "schedule": whole, "status": "SCHEDULED"}

    stack.put("namespace", NAMESPACE, description="Ours", config={})
    stack.put("key", SECURE, name="db-password", value="opensesame")
    stack.put("profile", PROFILE, name="big", provisioner={"name": "native", "properties": []}, status="DISABLED")
    stack.put("preferences", PREFERENCES, preferences={"a": "1", "b": "two"})
    stack.put("orders", PIPELINE, **inputs)
    stack.put("of orders", PREFERENCES, pipeline="orders", preferences={"c": "3"})
    stack.put("arguments", ARGUMENTS, pipeline="orders", arguments={"day": "today"})
    stack.put("own", SCHEDULE, **own)
    stack.put("night", SCHEDULE, pipeline="orders", name="night", schedule=night, status="SCHEDULED")
    stack.assert_no_drift()
    assert stack.schedules() == {"dataPipelineSchedule": "SCHEDULED", "night": "SCHEDULED"}

    def orders(**config: Any) -> None:
        stack.put("orders", PIPELINE, **{**pipeline_inputs(table="orders_v2", **config), "namespace": SPACE})

    orders()
    orders(schedule="0 5 * * *")
    assert stack.schedules() == {"dataPipelineSchedule": "SCHEDULED", "night": "SCHEDULED"}
    moved = {**whole, "trigger": {"type": "TIME", "cronExpression": "0 5 * * *"}}
    stack.put("own", SCHEDULE, **{**own, "schedule": moved})
    stack.put("profile", PROFILE, name="big", provisioner={"name": "native", "properties": []}, status="ENABLED")
    stack.put("preferences", PREFERENCES, preferences={"a": "2"})
    stack.assert_no_drift()

    # Somebody deploys in the user interface.
    app = ("namespaces", SPACE, "apps", "orders")
    body = {**pipeline("orders", "theirs"), "app.deploy.update.schedules": False}
    stack.client.call("PUT", app, body=body)
    with pytest.raises(ProviderError, match="was changed on the instance since the stack last saw it"):
        orders(schedule="0 6 * * *")
    token, state = stack.made["orders"]
    seen = stack.types[token].read(state.id, state.inputs, state.outputs)
    stack.made["orders"] = (token, seen)
    orders(schedule=None)
    assert stack.schedules() == {"night": "SCHEDULED"}
    del stack.made["own"]
    orders(schedule="0 6 * * *")
    assert stack.schedules() == {"dataPipelineSchedule": "SUSPENDED", "night": "SCHEDULED"}

    token, state = stack.made["namespace"]
    with pytest.raises(ProviderError, match="still holds what is not the stack's"):
        stack.types[token].delete(state.id, state.outputs)
    stack.delete_all()
    assert SPACE not in {space["name"] for space in stack.client.get("namespaces")}
