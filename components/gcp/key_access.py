"""Who may use the stack's keys besides the services' agents.

A component of its own because it comes late: the identities of the stack that it names encrypt what they run on with
these very keys, so the keys are there before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import kms

from components.gcp.kms import EncryptionKey
from dataplatform.config.gcp.kms import KeyUse

ROLES: Mapping[KeyUse, str] = {
    "encrypt_decrypt": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    "encrypt": "roles/cloudkms.cryptoKeyEncrypter",
    "decrypt": "roles/cloudkms.cryptoKeyDecrypter",
    "sign": "roles/cloudkms.signer",
    "sign_verify": "roles/cloudkms.signerVerifier",
    "verify": "roles/cloudkms.verifier",
    "public_key": "roles/cloudkms.publicKeyViewer",
}
"""What a use of a key needs."""


@dataclass(frozen=True, kw_only=True)
class KeyAccessArgs:
    """Keys, and who may use each how."""

    keys: Mapping[str, EncryptionKey]
    grants: Mapping[str, Mapping[KeyUse, Mapping[str, pulumi.Input[str]]]]
    """Name of a key in `keys` -> use -> member by a name that is stable."""
    depends_on: Sequence[pulumi.Resource]


class KeyAccess(pulumi.ComponentResource):
    """The additional grants on keys: additive, on the key and nothing wider."""

    def __init__(self, name: str, args: KeyAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:KeyAccess", name, {}, opts)
        for key, uses in sorted(args.grants.items()):
            for use, members in sorted(uses.items()):
                for label, member in sorted(members.items()):
                    kms.CryptoKeyIAMMember(
                        f"{name}-{key}-{use.replace('_', '-')}-{label}",
                        crypto_key_id=args.keys[key].id,
                        role=ROLES[use],
                        member=member,
                        opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
                    )
        self.register_outputs({})
