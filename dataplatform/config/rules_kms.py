"""Rules of Cloud KMS: how keys rotate, what they are for, which of them are there already.

Sources: Google's documentation of Cloud KMS, "Key purposes and algorithms", "Key rotation" and "Destroy and restore key
versions"; the google provider's check of a rotation period.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, get_args

from dataplatform.config.document import Path
from dataplatform.config.gcp.kms import Key, KeyPurpose, KeyService, KeyUse, ServiceKey
from dataplatform.config.members import check_members
from dataplatform.config.platform import Gcp
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_EC = ("EC_SIGN_P256_SHA256", "EC_SIGN_P384_SHA384", "EC_SIGN_SECP256K1_SHA256", "EC_SIGN_ED25519")
_RSA = tuple(
    f"RSA_SIGN_{padding}_{size}"
    for padding in ("PSS", "PKCS1")
    for size in ("2048_SHA256", "3072_SHA256", "4096_SHA256", "4096_SHA512")
)
_DECRYPT = tuple(
    f"RSA_DECRYPT_OAEP_{size}" for size in ("2048_SHA256", "3072_SHA256", "4096_SHA256", "4096_SHA512", "4096_SHA1")
)
ALGORITHMS: Final[dict[KeyPurpose, tuple[str, ...]]] = {
    "encrypt_decrypt": ("GOOGLE_SYMMETRIC_ENCRYPTION",),
    "asymmetric_sign": (*_EC, *_RSA),
    "asymmetric_decrypt": _DECRYPT,
    "mac": ("HMAC_SHA1", "HMAC_SHA224", "HMAC_SHA256", "HMAC_SHA384", "HMAC_SHA512"),
}
"""What a key of each purpose may be made with."""
_USES: Final[dict[KeyPurpose, tuple[KeyUse, ...]]] = {
    "encrypt_decrypt": ("encrypt_decrypt", "encrypt", "decrypt"),
    "asymmetric_sign": ("sign", "sign_verify", "public_key"),
    "asymmetric_decrypt": ("decrypt", "public_key"),
    "mac": ("sign", "sign_verify", "verify"),
}
_ONE_DAY, _LONGEST_WAIT = timedelta(days=1), timedelta(days=120)


def kms_rules(gcp: Gcp, findings: Findings) -> None:
    """The rules of the stack's keys."""
    at: Path = ("gcp", "kms")
    kms = gcp.kms
    whole = ServiceKey(rotation_period=kms.rotation_period, destroy_scheduled_duration=kms.destroy_scheduled_duration)
    _times(whole, at, findings)
    for service, settings in kms.services.items():
        here = (*at, "services", service)
        _times(settings, here, findings)
        _grants(gcp, settings, "encrypt_decrypt", here, findings)
    services = get_args(KeyService)
    for name, key in kms.keys.items():
        here = (*at, "keys", name)
        if name in services:
            message = f"{shown(name)} is the key of the service"
            findings.tell("DP261", here, message, "choose another name, or write it below services", key=True)
        _times(key, here, findings)
        _purpose(key, here, findings)
        _grants(gcp, key, key.purpose, here, findings)
    _adoption(gcp, at, findings)
    encrypted: set[str] = set()
    for name, secrets in kms.ciphertexts.items():
        _ciphertexts(gcp, name, secrets, encrypted, (*at, "ciphertexts", name), findings)


def _times(key: ServiceKey, at: Path, findings: Findings) -> None:
    if key.rotation_period is not None and key.rotation_period < _ONE_DAY:
        findings.tell(
            "DP125", (*at, "rotation_period"), "keys cannot rotate more often than daily", "write P1D or more"
        )
    wait = key.destroy_scheduled_duration
    if wait is not None and not _ONE_DAY <= wait <= _LONGEST_WAIT:
        findings.tell(
            "DP125",
            (*at, "destroy_scheduled_duration"),
            "a key version waits between 1 and 120 days before it is destroyed",
            "write P1D to P120D",
        )


def _purpose(key: Key, at: Path, findings: Findings) -> None:
    known, needs = ALGORITHMS[key.purpose], ((*at, "purpose"),)
    if key.algorithm is None:
        if key.purpose != "encrypt_decrypt":
            message = f"a key for {key.purpose} needs an algorithm"
            findings.tell("DP261", at, message, f"add algorithm: {known[0]}", needs=needs, key=True)
    elif key.algorithm not in known:
        message = f"a key for {key.purpose} is not made with {shown(key.algorithm)}"
        findings.tell("DP261", (*at, "algorithm"), message, nearest(key.algorithm, known), needs=needs)
    if key.purpose != "encrypt_decrypt" and key.rotation_period is not None:
        findings.tell(
            "DP261",
            (*at, "rotation_period"),
            f"a key for {key.purpose} does not rotate by itself: what was made with a version needs that version",
            "take it out",
            needs=needs,
        )


def _grants(gcp: Gcp, key: ServiceKey, purpose: KeyPurpose, at: Path, findings: Findings) -> None:
    for use, members in key.grants.items():
        here: Path = (*at, "grants", use)
        if use not in _USES[purpose]:
            message = f"a key for {purpose} cannot {use.replace('_', ' and ') if use != 'public_key' else use}"
            remedy = f"write one of: {', '.join(_USES[purpose])}"
            findings.tell("DP261", here, message, remedy, needs=((*at, "purpose"),), key=True)
        check_members(gcp, members, here, findings, public="would let everybody use the key")


def _adoption(gcp: Gcp, at: Path, findings: Findings) -> None:
    kms = gcp.kms
    if not kms.existing:
        for field, given in (("existing_keys", not kms.existing_keys), ("new_keys", bool(kms.new_keys))):
            if given:
                message = f"{field} is about a ring that is there, and the stack makes its own"
                remedy = "write existing: true, or take it out"
                findings.tell("DP261", (*at, field), message, remedy, needs=((*at, "existing"),), key=True)
        return
    if not kms.existing_keys and kms.new_keys:
        message = "with existing_keys: false all keys are new"
        findings.tell("DP261", (*at, "new_keys"), message, "take it out", needs=((*at, "existing_keys"),), key=True)
    known = [*get_args(KeyService), *kms.keys]
    for index, name in enumerate(kms.new_keys):
        if name not in known:
            message = f"the stack has no key {shown(name)}"
            findings.tell("DP261", (*at, "new_keys", index), message, nearest(name, known), needs=((*at, "keys"),))


def _ciphertexts(
    gcp: Gcp, name: str, secrets: Sequence[str], encrypted: set[str], at: Path, findings: Findings
) -> None:
    key = gcp.kms.keys.get(name)
    needs: tuple[Path, ...] = (("gcp", "kms", "keys"),)
    if key is None:
        remedy = nearest(name, gcp.kms.keys) if gcp.kms.keys else f"add gcp.kms.keys: {{{name}: {{}}}}"
        findings.tell("DP261", at, f"there is no key {shown(name)} in gcp.kms.keys", remedy, needs=needs, key=True)
    elif key.purpose != "encrypt_decrypt":
        message = f"the key {shown(name)} is for {key.purpose}, and does not encrypt values"
        findings.tell("DP261", at, message, "name a key for encrypt_decrypt", needs=needs, key=True)
    for index, secret in enumerate(secrets):
        here = (*at, index)
        if secret not in gcp.secrets:
            remedy = nearest(secret, gcp.secrets) if gcp.secrets else "declare it under gcp.secrets"
            message = f"{shown(secret)} is not a declared secret"
            findings.tell("DP218", here, message, remedy, needs=(("gcp", "secrets"),))
        elif secret in encrypted:
            findings.tell("DP261", here, f"{shown(secret)} is encrypted twice", "take one of them out")
        encrypted.add(secret)
