"""A Data Factory trigger: a resource of our own provider, which is named in Pulumi.yaml under `plugins.providers`.

Not `azure_native.datafactory.Trigger`: that one can neither start a trigger nor change one that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


class DataFactoryTrigger(pulumi.CustomResource):
    """A trigger as a whole: stopped, written and started again on every change, and running only where it is active."""

    def __init__(
        self,
        name: str,
        *,
        factory_id: pulumi.Input[str],
        trigger_name: pulumi.Input[str],
        properties: pulumi.Input[Mapping[str, Any]],
        active: pulumi.Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # Under the provider's own names: a translation of names would reach into `properties`, which are the user's.
        inputs = {
            "factoryId": factory_id,
            "triggerName": trigger_name,
            "properties": properties,
            "active": active,
            "runtimeState": None,
        }
        super().__init__("dp-azure:datafactory:Trigger", name, inputs, opts)

    @property
    def factory_id(self) -> pulumi.Output[str]:
        """Resource id of the factory."""
        return self._output("factoryId")

    @property
    def trigger_name(self) -> pulumi.Output[str]:
        """Its name in the factory."""
        return self._output("triggerName")

    @property
    def properties(self) -> pulumi.Output[Mapping[str, Any]]:
        """The definition, as Data Factory exports it."""
        return self._output("properties")

    @property
    def active(self) -> pulumi.Output[bool]:
        """Whether it is to run."""
        return self._output("active")

    @property
    def runtime_state(self) -> pulumi.Output[str]:
        """`Started` or `Stopped`, as the service says."""
        return self._output("runtimeState")

    def _output(self, name: str) -> pulumi.Output[Any]:
        # `pulumi.get` reads what `CustomResource` keeps of inputs and outputs.
        found: pulumi.Output[Any] = pulumi.get(self, name)
        return found
