"""Values of secrets encrypted with Cloud KMS: configuration that may lie in plain sight.

Whoever may decrypt with the key reads the value at run time; everybody else sees the ciphertext. The encryption is made
once and kept in the state, where the plaintext is a secret: encrypting again would give another text each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import kms

from components.gcp.kms import EncryptionKey


@dataclass(frozen=True, kw_only=True)
class Plaintext:
    """One value and the key that encrypts it."""

    value: pulumi.Output[str]
    """Secret output."""
    key: EncryptionKey


@dataclass(frozen=True, kw_only=True)
class CiphertextsArgs:
    """The values by name."""

    values: Mapping[str, Plaintext]
    depends_on: Sequence[pulumi.Resource]


class Ciphertexts(pulumi.ComponentResource):
    """The encrypted values."""

    ciphertexts: Mapping[str, pulumi.Output[str]]
    """Base64 text of each value, as `gcloud kms decrypt` and the decrypt call take it."""

    def __init__(self, name: str, args: CiphertextsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Ciphertexts", name, {}, opts)
        self.ciphertexts = {
            key: kms.SecretCiphertext(
                f"{name}-{key}",
                crypto_key=plaintext.key.id,
                plaintext=plaintext.value,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[*args.depends_on, *plaintext.key.grants]),
            ).ciphertext
            for key, plaintext in sorted(args.values.items())
        }
        self.register_outputs({"ciphertexts": dict(self.ciphertexts)})
