"""Secret Manager: the stack's secrets, kept in the stack's region and encrypted with our key.

The value comes from the stack's secure configuration and is a secret output from there on. Replication names the one
region: automatic replication would want a key in `global`, and would keep the data anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import secretmanager

from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels


@dataclass(frozen=True, kw_only=True)
class SecretSpec:
    """One secret."""

    secret_id: str
    """Physical name, from infra.naming."""
    value: pulumi.Output[str]
    """Secret output."""
    accessors: Mapping[str, pulumi.Input[str]]
    """IAM members that may read it, by a name that is stable."""


@dataclass(frozen=True, kw_only=True)
class SecretsArgs:
    """The secrets of the stack, by name."""

    project: str
    region: str
    secrets: Mapping[str, SecretSpec]
    key: EncryptionKey
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]


class Secrets(pulumi.ComponentResource):
    """The secrets, each with its current value and the grants to read it."""

    secret_ids: Mapping[str, pulumi.Output[str]]
    """Physical id of each secret, by name."""

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Secrets", name, {}, opts)
        self.secret_ids = {
            key: self._secret(f"{name}-{key}", args, spec).secret_id for key, spec in sorted(args.secrets.items())
        }
        self.register_outputs({"secret_ids": dict(self.secret_ids)})

    def _secret(self, logical: str, args: SecretsArgs, spec: SecretSpec) -> secretmanager.Secret:
        secret = secretmanager.Secret(
            logical,
            project=args.project,
            secret_id=spec.secret_id,
            replication=secretmanager.SecretReplicationArgs(
                user_managed=secretmanager.SecretReplicationUserManagedArgs(
                    replicas=[
                        secretmanager.SecretReplicationUserManagedReplicaArgs(
                            location=args.region,
                            customer_managed_encryption=(
                                secretmanager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs(
                                    kms_key_name=args.key.id
                                )
                            ),
                        )
                    ]
                )
            ),
            deletion_protection=args.protect,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=[*args.depends_on, *args.key.grants]
            ),
        )
        secretmanager.SecretVersion(
            f"{logical}-version",
            secret=secret.id,
            secret_data=spec.value,
            opts=pulumi.ResourceOptions(parent=self),
        )
        for accessor, member in sorted(spec.accessors.items()):
            secretmanager.SecretIamMember(
                f"{logical}-{accessor}",
                project=args.project,
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        return secret
