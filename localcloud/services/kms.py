"""Cloud KMS: rings and keys, which stay for ever once made."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, synthesis
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

_ALGORITHMS = {
    "ENCRYPT_DECRYPT": r"GOOGLE_SYMMETRIC_ENCRYPTION$|EXTERNAL_SYMMETRIC_ENCRYPTION$",
    "RAW_ENCRYPT_DECRYPT": r"AES_(128|256)_(GCM|CBC|CTR)$",
    "ASYMMETRIC_SIGN": r"(EC|RSA|PQ)_SIGN_\w+$",
    "ASYMMETRIC_DECRYPT": r"RSA_DECRYPT_OAEP_\w+$",
    "MAC": r"HMAC_SHA\d+$",
}
"""Purposes, and what versions of each are made with ("Key purposes and algorithms", documentation of Cloud KMS)."""
_KEY_NAME = re.compile(r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$")


def _seconds(text: Any) -> float | None:
    return float(str(text).removesuffix("s")) if text else None


class KeyRing(GoogleResource):
    """A ring cannot be deleted: destroying it drops it from the state, and its name stays taken."""

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud KMS."""
        return ApiError(409, "alreadyExists", f"KeyRing {resource_id} already exists.")

    def withdraw(self, call: Call, row: Row) -> None:
        """The ring stays."""
        store.keep(call.tx, row)


class CryptoKey(GoogleResource):
    """A key. Destroying it destroys its versions; the key and its name stay."""

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud KMS."""
        return ApiError(409, "alreadyExists", f"CryptoKey {resource_id} already exists.")

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The ring is given by its full name."""
        ring = str(values.get("keyRing", ""))
        if not re.match(r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+$", ring):
            raise ApiError(400, "invalid", f"keyRing '{ring}' is not of the form projects/P/locations/L/keyRings/R")
        return super().admitted(call, values)

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Purpose, algorithm, rotation, waiting time."""
        purpose = str(values.get("purpose") or "ENCRYPT_DECRYPT")
        if purpose not in _ALGORITHMS:
            raise ApiError(400, "invalid", f"Invalid value for CryptoKey.purpose: {purpose}")
        wait = _seconds(values.get("destroyScheduledDuration"))
        if wait is not None and not 86400 <= wait <= 120 * 86400:
            raise ApiError(
                400, "invalid", "destroy_scheduled_duration must be between 24 hours and 120 days, inclusive."
            )
        self._admit_versions(values, purpose)

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """Versions to come."""
        self._admit_versions(values, str(row.outputs.get("purpose") or "ENCRYPT_DECRYPT"))

    def _admit_versions(self, values: dict[str, Any], purpose: str) -> None:
        template = values.get("versionTemplate") or {}
        algorithm = template.get("algorithm")
        if algorithm is None and purpose != "ENCRYPT_DECRYPT":
            raise ApiError(400, "invalid", f"version_template.algorithm is required for purpose {purpose}.")
        if algorithm is not None and not re.match(_ALGORITHMS[purpose], str(algorithm)):
            raise ApiError(400, "invalid", f"The algorithm {algorithm} does not fit the purpose {purpose}.")
        if template.get("protectionLevel", "SOFTWARE") not in ("SOFTWARE", "HSM", "EXTERNAL", "EXTERNAL_VPC"):
            raise ApiError(400, "invalid", f"Invalid protection level {template['protectionLevel']}.")
        if values.get("rotationPeriod") and purpose not in ("ENCRYPT_DECRYPT", "RAW_ENCRYPT_DECRYPT"):
            raise ApiError(400, "invalid", f"Rotation is not supported for keys of purpose {purpose}.")

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """The first version, unless it was skipped."""
        if old is not None:
            return {"primaries": old.outputs.get("primaries", [])}
        template = {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "SOFTWARE"}
        made: dict[str, Any] = {
            "versionTemplate": {**template, **(values.get("versionTemplate") or {})},
            "importOnly": values.get("importOnly", False),
            "destroyScheduledDuration": values.get("destroyScheduledDuration") or "2592000s",
            "cryptoKeyBackend": values.get("cryptoKeyBackend", ""),
            "primaries": [],
        }
        if (
            not values.get("skipInitialVersionCreation")
            and values.get("purpose", "ENCRYPT_DECRYPT") == "ENCRYPT_DECRYPT"
        ):
            made["primaries"] = [{"name": f"{resource_id}/cryptoKeyVersions/1", "state": "ENABLED"}]
        return made

    def withdraw(self, call: Call, row: Row) -> None:
        """The key stays, without a usable version."""
        store.replace(call.tx, row, row.inputs, {**row.outputs, "primaries": []}, row.secrets)
        store.keep(call.tx, row)


class CryptoKeyVersion(GoogleResource):
    """A further version of a key, by number. Destroying it leaves it there, to be destroyed for good later."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Add a version of the key's kind."""
        values = self.resolve(call, inputs)
        key = str(values["cryptoKey"])
        project = checks.require_project(call, key.split("/")[1] if _KEY_NAME.match(key) else None)
        checks.require_api(call, project, self.api)
        held = store.find(call.tx, "gcp:kms/cryptoKey:CryptoKey", key)
        if held is None:
            raise ApiError(404, "notFound", f"CryptoKey {key} not found.")
        first = 0 if held.inputs.get("skipInitialVersionCreation") else 1
        name = f"{key}/cryptoKeyVersions/{first + call.world.next_value(f'version|{key}|{held.created}')}"
        template, now = held.outputs.get("versionTemplate") or {}, time.time()
        outputs = {
            **values,
            "name": name,
            "state": values.get("state") or "ENABLED",
            "algorithm": template.get("algorithm", "GOOGLE_SYMMETRIC_ENCRYPTION"),
            "protectionLevel": template.get("protectionLevel", "SOFTWARE"),
            "generateTime": synthesis.timestamp(now),
            "attestations": [],
        }
        kind = f"{self.token}|{name}"
        row = Row(name, self.token, project, kind, inputs, outputs, call.secrets, "user", now, now)
        store.insert(call.tx, row)
        return State(name, inputs, outputs, call.secrets)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """What a version is stays; its state changes."""
        kept = ("name", "algorithm", "protectionLevel", "generateTime", "attestations")
        before = old.outputs if old is not None else {}
        return {**{name: before[name] for name in kept if name in before}, "state": values.get("state") or "ENABLED"}

    def withdraw(self, call: Call, row: Row) -> None:
        """Scheduled to be destroyed; gone for the program."""
        store.replace(call.tx, row, row.inputs, {**row.outputs, "state": "DESTROY_SCHEDULED"}, row.secrets)
        store.keep(call.tx, row)


class SecretCiphertext(GoogleResource):
    """`kms.SecretCiphertext`: no resource of the cloud, an encryption kept in the state. Needs a key that encrypts."""

    client_only: tuple[str, ...] = ("additionalAuthenticatedData", "plaintext")

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Encrypt; here the text is a digest of a fresh nonce and the value, which nothing decrypts."""
        key = str(inputs["cryptoKey"])
        project = checks.require_project(call, key.split("/")[1]) if _KEY_NAME.match(key) else None
        checks.require_api(call, str(project), self.api)
        row = store.find(call.tx, "gcp:kms/cryptoKey:CryptoKey", key)
        if row is None:
            raise ApiError(404, "notFound", f"CryptoKey {key} not found.")
        if row.outputs.get("purpose", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
            raise ApiError(
                400, "failedPrecondition", f"{key} has purpose {row.outputs['purpose']}, which does not encrypt."
            )
        if not checks.encrypts(row):
            raise ApiError(400, "failedPrecondition", f"{key} is not enabled, current state is: DESTROYED.")
        level = (row.outputs.get("versionTemplate") or {}).get("protectionLevel", "SOFTWARE")
        size, most = len(str(inputs["plaintext"]).encode()), 8192 if level == "HSM" else 65536
        if size > most:
            raise ApiError(400, "invalid", f"The plaintext has {size} bytes, at most {most} can be encrypted.")
        nonce = call.world.next_value(f"ciphertext|{key}")
        text = f"{key}#{nonce}#{inputs['plaintext']}#{inputs.get('additionalAuthenticatedData', '')}"
        outputs = {**_given(inputs), "ciphertext": base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}
        resource_id, now = f"{key}/{outputs['ciphertext']}", time.time()
        store.insert(
            call.tx,
            Row(
                resource_id,
                self.token,
                project,
                f"{self.token}|{resource_id}",
                inputs,
                outputs,
                call.secrets,
                "user",
                now,
                now,
            ),
        )
        return State(resource_id, inputs, outputs, call.secrets)

    def observe(self, call: Call, row: Row) -> Row | None:
        """The provider looks whether the key is there still."""
        held = store.find(call.tx, "gcp:kms/cryptoKey:CryptoKey", str(row.outputs["cryptoKey"]))
        return row if held is not None else None


def _given(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}
