"""A Data Factory and what its exported folder holds, each artefact as it is, apart from what the stack changes by name.

Deliberately absent: the typed resources of pipelines, datasets and so on. They drop every key they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import datafactory, monitor, resources

from components.azure.data_factory_trigger import DataFactoryTrigger
from components.azure.monitoring import send_logs
from components.azure.roles import assign
from components.azure.tags import Tags
from dataplatform.compile.data_factory import API_VERSION, FactoryObject, FactoryPlan
from dataplatform.config.azure.data_factory import DataFactory as DataFactoryConfig

_NAMESPACE = "Microsoft.DataFactory"
_NETWORK = "managed_virtual_network"


@dataclass(frozen=True, kw_only=True)
class FactoryRole:
    """A role that the factory's own identity gets."""

    key: str
    """Part of the assignment's logical name."""
    scope: pulumi.Input[str]
    scope_name: str
    """The scope in physical names."""
    role: str
    """A key of `components.azure.roles.ROLES`."""


@dataclass(frozen=True, kw_only=True)
class DataFactoryArgs:
    """The factory, what is in it, and what it reaches."""

    config: DataFactoryConfig
    plan: FactoryPlan
    subscription: str
    resource_group: pulumi.Input[str]
    location: str
    factory_name: str
    """Physical name, from infra.azure_names."""
    identities: Mapping[str, pulumi.Input[str]]
    """Resource ids of the user-assigned identities it may use, by how the stack file calls them."""
    roles: Sequence[FactoryRole]
    needs: Sequence[pulumi.Resource]
    """What must be there before its artefacts, and is not told by a value in them: notebooks."""
    workspace_id: pulumi.Input[str] | None
    """Log Analytics workspace that runs are logged to."""
    action_group_id: pulumi.Input[str] | None
    """Who is told of a run that failed."""
    tags: Tags
    protect: bool


class DataFactory(pulumi.ComponentResource):
    """One factory with its artefacts."""

    factory_id: pulumi.Output[str]
    name: pulumi.Output[str]
    principal_id: pulumi.Output[str]
    """Object id of its own identity."""

    def __init__(self, name: str, args: DataFactoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:DataFactory", name, {}, opts)
        factory = self._factory(name, args)
        self.principal_id = factory.identity.apply(lambda identity: identity.principal_id if identity else "")
        reached = [
            assign(
                f"{name}-{role.key}",
                parent=self,
                scope=role.scope,
                scope_name=role.scope_name,
                role=role.role,
                principal_id=self.principal_id,
                principal=args.factory_name,
                subscription=args.subscription,
            )
            for role in args.roles
        ]
        self._artefacts(name, args, factory, reached)
        if args.workspace_id is not None:
            send_logs(
                f"{name}-logs", parent=self, resource_id=factory.id, workspace_id=args.workspace_id, own_tables=True
            )
        if args.action_group_id is not None and args.config.alert_on_failed_runs:
            self._alert(name, args, factory)
        self.factory_id = factory.id
        self.name = factory.name
        self.register_outputs({"factory_id": self.factory_id, "name": self.name})

    def _factory(self, name: str, args: DataFactoryArgs) -> datafactory.Factory:
        key = args.config.encryption
        ids = [args.identities[who] for who in sorted(args.identities)]
        kind = datafactory.FactoryIdentityType
        return datafactory.Factory(
            f"{name}-factory",
            resource_group_name=args.resource_group,
            factory_name=args.factory_name,
            location=args.location,
            identity=datafactory.FactoryIdentityArgs(
                type=kind.SYSTEM_ASSIGNED_USER_ASSIGNED if ids else kind.SYSTEM_ASSIGNED,
                # The API's form: a map from id to nothing.
                user_assigned_identities=pulumi.Output.all(*ids).apply(lambda known: {one: {} for one in known})
                if ids
                else None,
            ),
            encryption=datafactory.EncryptionConfigurationArgs(
                vault_base_url=key.vault,
                key_name=key.key,
                key_version=key.version,
                identity=datafactory.CMKIdentityDefinitionArgs(user_assigned_identity=args.identities[key.identity]),
            )
            if key is not None
            else None,
            global_parameters={
                parameter: datafactory.GlobalParameterSpecificationArgs(type=one["type"], value=one["value"])
                for parameter, one in sorted(args.plan.global_parameters.items())
            },
            public_network_access="Enabled" if args.config.public_network_access else "Disabled",
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )

    def _artefacts(
        self, name: str, args: DataFactoryArgs, factory: datafactory.Factory, reached: Sequence[pulumi.Resource]
    ) -> None:
        made: dict[str, pulumi.Resource] = {}
        if args.config.managed_virtual_network and not any(one.kind == _NETWORK for one in args.plan.objects):
            made[f"{_NETWORK}:default"] = self._generic(
                f"{name}-managed-network", args, factory, "managedVirtualNetworks", "default", {}, []
            )
        # Those of the folder's edges that are: what a managed network's members need is told by their names alone.
        network = made.get(f"{_NETWORK}:default")
        for one in args.plan.objects:
            needs: list[pulumi.Resource] = [made[key] for key in one.depends_on if key in made]
            if network is not None and one.kind in ("integration_runtime", "managed_private_endpoint"):
                needs.append(network)
            logical = f"{name}-{one.kind.replace('_', '-')}-{one.name.replace('/', '-')}"
            if one.kind == "trigger":
                # Read-only: that it ran in the factory it was exported from is no wish of this stack's.
                wished = {key: value for key, value in one.body["properties"].items() if key != "runtimeState"}
                made[one.key] = DataFactoryTrigger(
                    logical,
                    factory_id=factory.id,
                    trigger_name=one.name,
                    properties=wished,
                    active=one.name in args.plan.active_triggers,
                    # What it starts must be able to reach what it works on.
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[*needs, *reached]),
                )
                continue
            needs += [*args.needs] if one.kind == "pipeline" else []
            made[one.key] = self._object(logical, args, factory, one, needs)

    def _object(
        self,
        logical: str,
        args: DataFactoryArgs,
        factory: datafactory.Factory,
        one: FactoryObject,
        needs: Sequence[pulumi.Resource],
    ) -> resources.Resource:
        kind = one.api_type.removeprefix(f"{_NAMESPACE}/factories/")
        return self._generic(logical, args, factory, kind, one.name, one.body["properties"], needs)

    def _generic(
        self,
        logical: str,
        args: DataFactoryArgs,
        factory: datafactory.Factory,
        kind: str,
        named: str,
        properties: object,
        needs: Sequence[pulumi.Resource],
    ) -> resources.Resource:
        """An artefact through the generic resource, which hands every key on.

        Each is deleted by itself, and not left to go with the factory: a destroy that ends half-way would forget what
        is still there. Only a managed network cannot be deleted by itself.
        """
        above, _, own = named.rpartition("/")
        parents, _, last = kind.rpartition("/")
        below = f"/{parents}/{above}" if above else ""
        return resources.Resource(
            logical,
            resource_group_name=args.resource_group,
            resource_provider_namespace=_NAMESPACE,
            parent_resource_path=pulumi.Output.concat("factories/", factory.name, below),
            resource_type=last,
            resource_name_=own,
            api_version=API_VERSION,
            properties=properties,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(needs),
                retain_on_delete=kind == "managedVirtualNetworks" or None,
            ),
        )

    def _alert(self, name: str, args: DataFactoryArgs, factory: datafactory.Factory) -> None:
        assert args.action_group_id is not None
        monitor.MetricAlert(
            f"{name}-failed-runs",
            resource_group_name=args.resource_group,
            rule_name=f"{args.factory_name}-failed-runs",
            # A metric alert is in no region. The provider would write the resource group's, which Azure refuses.
            location="global",
            description="At least one run of a pipeline has failed",
            enabled=True,
            severity=1,
            scopes=[factory.id],
            evaluation_frequency="PT1M",
            window_size="PT5M",
            criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
                odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                all_of=[
                    monitor.MetricCriteriaArgs(
                        criterion_type="StaticThresholdCriterion",
                        name="failed-runs",
                        metric_namespace=f"{_NAMESPACE}/factories",
                        metric_name="PipelineFailedRuns",
                        operator="GreaterThan",
                        threshold=0,
                        time_aggregation="Total",
                    )
                ],
            ),
            actions=[monitor.MetricAlertActionArgs(action_group_id=args.action_group_id)],
            tags=args.tags.as_dict(),
            opts=pulumi.ResourceOptions(parent=self),
        )
