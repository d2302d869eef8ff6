"""Cloud KMS: rings and keys, which stay for ever once made."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import synthesis
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

_KEY_NAME = re.compile(r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$")


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


class SecretCiphertext(GoogleResource):
    """`kms.SecretCiphertext`: no resource of the cloud, an encryption kept in the state. Needs a key that encrypts."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Encrypt; here the text is a digest, which nothing decrypts."""
        key = str(inputs["cryptoKey"])
        if not _KEY_NAME.match(key) or store.find(call.tx, "gcp:kms/cryptoKey:CryptoKey", key) is None:
            raise ApiError(404, "notFound", f"CryptoKey {key} not found.")
        digest = hashlib.sha256(str(inputs["plaintext"]).encode()).digest()
        outputs = {**inputs, "ciphertext": base64.b64encode(digest).decode()}
        resource_id = f"{key}/{synthesis.timestamp(time.time())}"
        now = time.time()
        store.insert(
            call.tx,
            Row(
                resource_id,
                self.token,
                None,
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
