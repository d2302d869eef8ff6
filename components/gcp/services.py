"""The APIs a project needs, enabled once, and the service agents of those services.

Everything that needs an API depends on its resource here: a call before the API is on is answered with 403.
Deliberately absent: disabling an API when the stack goes. Others in the project may use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import bigquery, organizations, projects, storage


@dataclass(frozen=True, kw_only=True)
class ProjectServicesArgs:
    """Which APIs, and of which services the agent must exist before the service is used."""

    project: str
    apis: frozenset[str]
    """Short names: `storage` is `storage.googleapis.com`."""
    agents: frozenset[str]
    """Those of `apis` whose service agent is granted something."""


class ProjectServices(pulumi.ComponentResource):
    """The enabled APIs of one project and the identities of its service agents."""

    apis: Mapping[str, projects.Service]
    """The resource of each API, by short name."""
    agents: Mapping[str, pulumi.Output[str]]
    """IAM member (`serviceAccount:…`) of each service agent, by the API's short name."""

    def __init__(self, name: str, args: ProjectServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:ProjectServices", name, {}, opts)
        self.apis = {
            api: projects.Service(
                f"{name}-{api}",
                project=args.project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for api in sorted(args.apis)
        }
        self.agents = {agent: self._agent(name, args.project, agent) for agent in sorted(args.agents)}
        self.register_outputs({"agents": dict(self.agents)})

    def needs(self, *apis: str) -> list[pulumi.Resource]:
        """What a resource that calls these APIs depends on."""
        return [self.apis[api] for api in apis]

    def _agent(self, name: str, project: str, api: str) -> pulumi.Output[str]:
        """Make sure the service's agent exists and tell its member.

        Three services have no call that makes their agent: Cloud Storage and BigQuery make it when it is first asked
        for, Compute Engine when its API is enabled.
        """
        if api == "storage":
            asked = storage.get_project_service_account_output(
                project=project, opts=pulumi.InvokeOutputOptions(parent=self, depends_on=self.needs("storage"))
            )
            return asked.apply(lambda account: f"serviceAccount:{account.email_address}")
        if api == "compute":
            known = organizations.get_project_output(
                project_id=project,
                opts=pulumi.InvokeOutputOptions(parent=self, depends_on=self.needs("cloudresourcemanager", "compute")),
            )
            return known.apply(lambda p: f"serviceAccount:service-{p.number}@compute-system.iam.gserviceaccount.com")
        if api == "cloudservices":
            # Not an API: the agent that makes the machines of managed instance groups, a cluster's nodes among them.
            known = organizations.get_project_output(
                project_id=project,
                opts=pulumi.InvokeOutputOptions(parent=self, depends_on=self.needs("cloudresourcemanager", "compute")),
            )
            return known.apply(lambda p: f"serviceAccount:{p.number}@cloudservices.gserviceaccount.com")
        if api == "bigquery":
            default = bigquery.get_default_service_account_output(
                project=project, opts=pulumi.InvokeOutputOptions(parent=self, depends_on=self.needs("bigquery"))
            )
            return default.apply(lambda account: f"serviceAccount:{account.email}")
        identity = projects.ServiceIdentity(
            f"{name}-{api}-agent",
            project=project,
            service=f"{api}.googleapis.com",
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.needs(api)),
        )
        return identity.member
