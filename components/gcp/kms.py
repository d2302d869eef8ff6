"""Cloud KMS: one key ring, a key for each service that encrypts, keys of the stack's own, and the agents' grants.

A key ring and its keys can never be deleted: destroying them drops them from the state and destroys the keys'
versions, and their names stay taken. So the ring's physical name carries a generation (infra.naming), and so do the
keys': raise one of them to start anew after a destroy. Or adopt what is there with `existing: true`: it is then
imported, protected, and left alone when the stack goes.

Deliberately absent: who else may use a key (`components.gcp.key_access`): those identities exist only later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pulumi
from pulumi_gcp import kms

from components.gcp.labels import Labels
from dataplatform.config.gcp.kms import Key
from dataplatform.config.gcp.kms import Kms as KmsConfig

ENCRYPTER_DECRYPTER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_SYMMETRIC = "GOOGLE_SYMMETRIC_ENCRYPTION"


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
    keys: Mapping[str, Key] = field(default_factory=dict)
    """Keys of the stack's own."""


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
    own_keys: Mapping[str, EncryptionKey]
    """The stack's own keys."""

    def __init__(self, name: str, args: KmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Kms", name, {}, opts)
        ring_id = f"projects/{args.project}/locations/{args.location}/keyRings/{args.key_ring_name}"
        ring = kms.KeyRing(
            f"{name}-ring",
            project=args.project,
            location=args.location,
            name=args.key_ring_name,
            opts=self._kept(args, ring_id, args.depends_on, adopt=args.config.existing),
        )
        keys: dict[str, EncryptionKey] = {}
        for service, agents in sorted(args.users.items()):
            settings = args.config.services.get(service)  # type: ignore[call-overload]
            own = Key(**settings.model_dump(exclude={"grants"}, exclude_none=True)) if settings else Key()
            key = self._key(f"{name}-{service}", args, ring, ring_id, service, own)
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
        self.own_keys = {
            key: EncryptionKey(id=self._key(f"{name}-key-{key}", args, ring, ring_id, key, own).id, grants=())
            for key, own in sorted(args.keys.items())
        }
        self.register_outputs(
            {
                "keys": {service: key.id for service, key in keys.items()},
                "own_keys": {key: found.id for key, found in self.own_keys.items()},
            }
        )

    def _key(self, logical: str, args: KmsArgs, ring: kms.KeyRing, ring_id: str, key: str, own: Key) -> kms.CryptoKey:
        config, symmetric = args.config, own.purpose == "encrypt_decrypt"
        physical = key_name(key, config.key_generation)
        level = (own.protection_level or config.protection_level).upper()
        template = None
        # Left to the service where it is what the service takes anyway: a template once given cannot be taken away.
        if level != "SOFTWARE" or own.algorithm is not None or not symmetric:
            template = kms.CryptoKeyVersionTemplateArgs(
                algorithm=own.algorithm or _SYMMETRIC,
                protection_level=level,
            )
        return kms.CryptoKey(
            logical,
            key_ring=ring.id,
            name=physical,
            purpose=own.purpose.upper(),
            # Only a symmetric key rotates by itself: with any other, what was made with a version needs that version.
            rotation_period=_seconds(own.rotation_period or config.rotation_period) if symmetric else None,
            destroy_scheduled_duration=_seconds(own.destroy_scheduled_duration or config.destroy_scheduled_duration),
            version_template=template,
            labels=args.labels.as_dict(),
            opts=self._kept(
                args,
                f"{ring_id}/cryptoKeys/{physical}",
                (),
                adopt=config.existing and config.existing_keys and key not in config.new_keys,
            ),
        )

    def _kept(
        self, args: KmsArgs, physical_id: str, depends_on: Sequence[pulumi.Resource], *, adopt: bool
    ) -> pulumi.ResourceOptions:
        """Options of a ring or a key. Adoption and protection travel together: what was there stays there."""
        if adopt:
            return pulumi.ResourceOptions(
                parent=self, protect=True, retain_on_delete=True, import_=physical_id, depends_on=list(depends_on)
            )
        return pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=list(depends_on))


def key_name(key: str, generation: int) -> str:
    """Physical name of a key."""
    return key if generation == 1 else f"{key}-g{generation}"


def _seconds(value: timedelta) -> str:
    return f"{int(value.total_seconds())}s"
