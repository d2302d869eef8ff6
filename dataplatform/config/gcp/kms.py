"""Cloud KMS."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Duration, Name, SecretName

KeyService = Literal[
    "bigquery",
    "cloudfunctions",
    "cloudsql",
    "composer",
    "datafusion",
    "pubsub",
    "secretmanager",
    "storage",
    "workflows",
]
KeyUse = Literal["encrypt_decrypt", "encrypt", "decrypt", "sign", "sign_verify", "verify", "public_key"]
KeyPurpose = Literal["encrypt_decrypt", "asymmetric_decrypt", "asymmetric_sign", "mac"]
ProtectionLevel = Literal["software", "hsm"]
Algorithm = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{2,60}$")]


class ServiceKey(Model):
    """What the key of one service says otherwise than the rest."""

    protection_level: ProtectionLevel | None = None
    rotation_period: Duration | None = None
    destroy_scheduled_duration: Duration | None = None
    grants: dict[KeyUse, list[str]] = {}
    """Who may use it besides the services' agents: members, or identities of the stack such as `$data_fusion`."""


class Key(ServiceKey):
    """A key of the stack's own, in the region's ring."""

    purpose: KeyPurpose = "encrypt_decrypt"
    algorithm: Algorithm | None = None
    """Of its versions; what the purpose usually has where it is left out. A key that signs must name one."""


class Kms(Model):
    """Cloud KMS: key rings, a key for each service that encrypts with it, and keys of the stack's own."""

    key_ring: Name = "data-platform"
    rotation_period: Duration = timedelta(days=90)
    destroy_scheduled_duration: Duration = timedelta(days=30)
    protection_level: ProtectionLevel = "software"
    """Where the keys are kept: `hsm` in a hardware module. It cannot be changed for a key that is there."""
    generation: Annotated[int, Field(ge=1, le=9999)] = 1
    """Part of the key ring's name. Rings and keys can never be deleted: raise it to start anew after a destroy."""
    key_generation: Annotated[int, Field(ge=1, le=9999)] = 1
    """Part of the keys' names: new keys in the same ring, where those of the earlier generation were destroyed."""
    existing: bool = False
    """Adopt the ring and the keys that are there instead of creating them; they are protected then, never deleted."""
    existing_keys: bool = True
    """With `existing`: whether the keys are there too. False adopts the ring alone and makes the keys in it."""
    new_keys: list[Name] = []
    """With `existing`: keys that the ring does not have yet, by service or by their names in `keys`."""
    services: dict[KeyService, ServiceKey] = {}
    keys: dict[Name, Key] = {}
    ciphertexts: dict[Name, list[SecretName]] = {}
    """By key of `keys`: secrets of the stack whose values it encrypts, given out as the output `ciphertexts`."""
