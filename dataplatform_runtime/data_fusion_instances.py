"""Operators of the DAGs that make a Data Fusion instance on demand and delete it.

`CreateInstance`, `WaitForInstance` and `GrantOnInstance` may each be run again at any time; `DeleteInstance` deletes
what the stack's labels name as its own, and not while a pipeline runs on it. What they do is in `cdap_instances`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dataplatform_runtime.cdap_instances import InstanceFailedError, Instances
from dataplatform_runtime.compat import BaseOperator, failed, fatal, leave_params_to_the_dag, sleep_trigger
from dataplatform_runtime.google_rest import RestError, time_scale

__all__ = ["CreateInstance", "DeleteInstance", "GrantOnInstance", "WaitForInstance"]


class _Instance(BaseOperator):  # type: ignore[misc]
    """What the operators here share: which instance, and errors in words."""

    template_fields: Sequence[str] = ()
    ui_color = "#e8f0fe"

    def __init__(
        self, *, project_id: str, location: str, instance_name: str, poll_seconds: int = 30, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        leave_params_to_the_dag(self)
        self.project_id = project_id
        self.location = location
        self.instance_name = instance_name
        self.poll_seconds = poll_seconds

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Do it."""
        instances = Instances(self.project_id, self.location, self.instance_name, say=self.log.info)
        try:
            return self.work(instances, context)
        except InstanceFailedError as error:
            raise fatal(str(error)) from error
        except RestError as error:
            raise failed(str(error)) from error

    def work(self, instances: Instances, context: Mapping[str, Any]) -> Any:
        """What an operator of its own does."""
        raise NotImplementedError


class CreateInstance(_Instance):
    """Begins to make an instance, or adopts the one that is there.

    Args:
        body: The instance, as the API wants it.
        timeout_seconds: How long one of that name may take to be deleted first.
        kwargs: What every operator takes.
    """

    def __init__(self, *, body: Mapping[str, Any], timeout_seconds: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.body = dict(body)
        self.timeout_seconds = timeout_seconds

    def work(self, instances: Instances, context: Mapping[str, Any]) -> bool:
        """Whether it was made now."""
        made = instances.create(self.body, gone_seconds=self.timeout_seconds, poll=self.poll_seconds)
        if made:
            self.log.info("%s is being made; that takes 10 to 30 minutes", self.instance_name)
        return made


class WaitForInstance(_Instance):
    """Waits until an instance can be used.

    Args:
        timeout_seconds: How long at most.
        deferrable: Whether the pauses are spent in the triggerer.
        kwargs: What every operator takes.
    """

    def __init__(self, *, timeout_seconds: int, deferrable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.timeout_seconds = timeout_seconds
        self.deferrable = deferrable

    def work(self, instances: Instances, context: Mapping[str, Any]) -> None:
        """Look, and look again."""
        self._look(instances, time.time() + self.timeout_seconds)

    def look(self, context: Mapping[str, Any], event: Any = None, until: float | None = None) -> None:
        """Woken: look, and defer again."""
        instances = Instances(self.project_id, self.location, self.instance_name, say=self.log.info)
        try:
            # What a task has kept is lost where Airflow plays a DAG in one process (`dag.test`).
            self._look(instances, until or time.time() + self.timeout_seconds)
        except InstanceFailedError as error:
            raise fatal(str(error)) from error
        except RestError as error:
            raise failed(str(error)) from error

    def _look(self, instances: Instances, until: float) -> None:
        while not instances.ready():
            if time.time() >= until:
                raise RestError(f"{self.instance_name} is not ready after {self.timeout_seconds} seconds", 0)
            pause = self.poll_seconds * time_scale()
            if self.deferrable:
                left = max(until - time.time(), 0) + pause + 600
                self.defer(
                    trigger=sleep_trigger(pause),
                    method_name="look",
                    kwargs={"until": until},
                    timeout=timedelta(seconds=left),
                )
            time.sleep(pause)
        self.log.info("%s is ready", self.instance_name)


class GrantOnInstance(_Instance):
    """Gives members roles on an instance, beside those that are there.

    Args:
        grants: Role and members.
        kwargs: What every operator takes.
    """

    def __init__(self, *, grants: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grants = {role: list(members) for role, members in grants.items()}

    def work(self, instances: Instances, context: Mapping[str, Any]) -> list[str]:
        """What was added."""
        added = instances.grant(self.grants)
        for grant in added:
            self.log.info("granted %s", grant)
        return added


class DeleteInstance(_Instance):
    """Deletes an instance of the stack's that nothing runs on, and waits until it is gone.

    Args:
        labels: What it must have, for it to be the stack's.
        timeout_seconds: How long that may take.
        kwargs: What every operator takes.
    """

    def __init__(self, *, labels: Mapping[str, str], timeout_seconds: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.labels = dict(labels)
        self.timeout_seconds = timeout_seconds

    def work(self, instances: Instances, context: Mapping[str, Any]) -> bool:
        """Whether there was anything to delete."""
        if not instances.delete(self.labels):
            self.log.info("%s is not there: nothing to do", self.instance_name)
            return False
        instances.gone(self.timeout_seconds, self.poll_seconds)
        self.log.info("%s is deleted", self.instance_name)
        return True
