"""Identities that workloads run as: user-assigned managed identities. No password is made or stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import managedidentity

from components.azure.tags import Tags
from dataplatform.config.azure.identities import Identity


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Somebody who may be granted a role."""

    name: str
    """Physical name, or the object id of one that is not ours."""
    object_id: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class IdentitiesArgs:
    """The identities by the stack file's names."""

    config: Mapping[str, Identity]
    resource_group: pulumi.Input[str]
    location: str
    names: Mapping[str, str]
    """Physical name of each, from infra.azure_names."""
    tags: Tags


class Identities(pulumi.ComponentResource):
    """The identities of a stack."""

    principals: Mapping[str, Principal]
    """By the stack file's names."""
    ids: Mapping[str, pulumi.Output[str]]
    """Resource ids, which a workload is given to run as one."""

    def __init__(self, name: str, args: IdentitiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:Identities", name, {}, opts)
        made = {
            key: managedidentity.UserAssignedIdentity(
                f"{name}-{key}",
                resource_group_name=args.resource_group,
                resource_name_=args.names[key],
                location=args.location,
                tags=args.tags.as_dict(),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for key in sorted(args.config)
        }
        for key, identity in made.items():
            # One after the other: Azure refuses two credentials written to one identity at the same time.
            before: list[pulumi.Resource] = []
            for credential, config in sorted(args.config[key].federated_credentials.items()):
                written = managedidentity.FederatedIdentityCredential(
                    f"{name}-{key}-{credential}",
                    resource_group_name=args.resource_group,
                    resource_name_=identity.name,
                    federated_identity_credential_resource_name=credential,
                    issuer=config.issuer,
                    subject=config.subject,
                    audiences=[config.audience],
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(before)),
                )
                before = [written]
        self.principals = {
            key: Principal(name=args.names[key], object_id=identity.principal_id) for key, identity in made.items()
        }
        self.ids = {key: identity.id for key, identity in made.items()}
        self.register_outputs({"ids": dict(self.ids)})
