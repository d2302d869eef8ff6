"""Cloud KMS: one key ring, a key for each service that encrypts, and the grants its agents need to use it.

A key ring and its keys can never be deleted: destroying them drops them from the state and destroys the keys'
versions, and their names stay taken. So the ring's physical name carries a generation (infra.naming): raise it to
start anew after a destroy. Or adopt what is there with `existing: true`: ring and keys are then imported, protected,
and left alone when the stack goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import kms

from components.gcp.labels import Labels
from dataplatform.config.gcp.kms import Kms as KmsConfig

ENCRYPTER_DECRYPTER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


@dataclass(frozen=True, kw_only=True)
class KmsArgs:
    """A ring in one location and who uses which key."""

    config: KmsConfig
    project: str
    location: str
    """Of the ring: it must be that of what the keys encrypt."""
    key_ring_name: str
    users: Mapping[str, Mapping[str, pulumi.Input[str]]]
    """Service the key is for -> service agent -> its IAM member."""
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]


@dataclass(frozen=True, kw_only=True)
class EncryptionKey:
    """A key as another component takes it."""

    id: pulumi.Output[str]
    """`projects/…/cryptoKeys/…`."""
    grants: tuple[pulumi.Resource, ...]
    """What must exist before a service can encrypt with the key: depend on them."""


class Kms(pulumi.ComponentResource):
    """A key ring with a key per service."""

    keys: Mapping[str, EncryptionKey]
    """The key of each service, by the name it has in the arguments."""

    def __init__(self, name: str, args: KmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Kms", name, {}, opts)
        ring_id = f"projects/{args.project}/locations/{args.location}/keyRings/{args.key_ring_name}"
        ring = kms.KeyRing(
            f"{name}-ring",
            project=args.project,
            location=args.location,
            name=args.key_ring_name,
            opts=self._kept(args, ring_id, args.depends_on),
        )
        keys: dict[str, EncryptionKey] = {}
        for service, agents in sorted(args.users.items()):
            key = kms.CryptoKey(
                f"{name}-{service}",
                key_ring=ring.id,
                name=service,
                purpose="ENCRYPT_DECRYPT",
                rotation_period=f"{int(args.config.rotation_period.total_seconds())}s",
                destroy_scheduled_duration=f"{int(args.config.destroy_scheduled_duration.total_seconds())}s",
                labels=args.labels.as_dict(),
                opts=self._kept(args, f"{ring_id}/cryptoKeys/{service}", ()),
            )
            grants = tuple(
                kms.CryptoKeyIAMMember(
                    f"{name}-{service}-{agent}",
                    crypto_key_id=key.id,
                    role=ENCRYPTER_DECRYPTER,
                    member=member,
                    opts=pulumi.ResourceOptions(parent=self),
                )
                for agent, member in sorted(agents.items())
            )
            keys[service] = EncryptionKey(id=key.id, grants=grants)
        self.keys = keys
        self.register_outputs({"keys": {service: key.id for service, key in keys.items()}})

    def _kept(self, args: KmsArgs, physical_id: str, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        """Options of a ring or a key. Adoption and protection travel together: what was there stays there."""
        if args.config.existing:
            return pulumi.ResourceOptions(
                parent=self, protect=True, retain_on_delete=True, import_=physical_id, depends_on=list(depends_on)
            )
        return pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=list(depends_on))
