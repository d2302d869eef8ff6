"""Cloud Storage: buckets, objects as files, managed folders, notifications."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
import time
from collections.abc import Mapping
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules.wire import UNKNOWN, is_unknown
from localcloud.services import assets, buckets, checks, files, synthesis
from localcloud.services.base import Call, State
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

BUCKET = "gcp:storage/bucket:Bucket"
_NO_KEY = ApiError(
    403,
    "forbidden",
    "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to"
    " use this key.",
)
_IP = re.compile(r"^\d+\.\d+\.\d+\.\d+$")


def bucket_name_problem(name: str) -> str | None:
    """Why Cloud Storage refuses the name, None where it does not (cloud.google.com/storage/docs/buckets#naming)."""
    longest = 222 if "." in name else 63
    parts = name.split(".")
    wrong = (
        not 3 <= len(name) <= longest
        or not re.fullmatch(r"[a-z0-9][a-z0-9._-]*[a-z0-9]", name)
        or any(not 1 <= len(part) <= 63 for part in parts)
        or _IP.match(name)
        or name.startswith("goog")
        or re.search(r"google|g00gle|go0gle|g0ogle", name)
    )
    return f"Invalid bucket name: '{name}'" if wrong else None


class Bucket(GoogleResource):
    """A bucket: a name unique in the world, and a folder under `buckets/`."""

    def known_at_plan(self, call: Call, values: dict[str, Any]) -> dict[str, Any]:
        """The provider writes locations in capitals."""
        location = values.get("location")
        return {"location": location.upper()} if isinstance(location, str) and not is_unknown(location) else {}

    def key(self, values: Mapping[str, Any], resource_id: str) -> str:
        """One namespace for everybody."""
        return f"bucket|{values['name']}"

    def conflict(self, values: Any, resource_id: str) -> ApiError:
        """The words of Cloud Storage."""
        return ApiError(
            409,
            "conflict",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system."
            " Please select a different name and try again.",
        )

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The id is the name."""
        name = str(values.get("name", ""))
        project = checks.require_project(call, values.get("project"))
        checks.require_api(call, project, self.api)
        problem = bucket_name_problem(name)
        if problem:
            raise ApiError(400, "invalid", problem)
        return name, {**values, "project": project}

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Location, storage class, log bucket, key."""
        self._admit_common(call, values, str(values["project"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """The same as at creation, and what a lock forbids."""
        self._admit_common(call, values, str(row.project))
        buckets.admit_lock(row.id, row.outputs.get("retentionPolicy"), values.get("retentionPolicy"))

    def _admit_common(self, call: Call, values: dict[str, Any], project: str) -> None:
        location = str(values["location"])
        if not re.fullmatch(r"[A-Z]+(-[A-Z]+\d{1,2})?|[A-Z]{3,4}\d|ASIA1|EUR4|NAM4", location):
            raise ApiError(400, "invalid", f"The specified location constraint is not valid: '{location}'.")
        known = {
            "STANDARD",
            "NEARLINE",
            "COLDLINE",
            "ARCHIVE",
            "MULTI_REGIONAL",
            "REGIONAL",
            "DURABLE_REDUCED_AVAILABILITY",
        }
        if str(values.get("storageClass", "STANDARD")) not in known:
            raise ApiError(400, "invalid", f"Invalid storage class: '{values['storageClass']}'.")
        buckets.admit_settings(values)
        # The agent exists from the project's first bucket on.
        email = checks.make_agent(call, project, "storage")
        key = (values.get("encryption") or {}).get("defaultKmsKeyName")
        if key:
            checks.require_key(call, str(key), location=location, email=email, refusal=_NO_KEY)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """What Cloud Storage fills in."""
        project = old.project if old is not None else str(values["project"])
        made: dict[str, Any] = {
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{resource_id}",
            "url": f"gs://{resource_id}",
            "projectNumber": store.project_number(call.tx, str(project)),
        }
        made["publicAccessPrevention"] = values.get("publicAccessPrevention") or "inherited"
        made["uniformBucketLevelAccess"] = values.get("uniformBucketLevelAccess", False)
        made["softDeletePolicy"] = values.get("softDeletePolicy") or {
            "retentionDurationSeconds": 604800,
            "effectiveTime": synthesis.timestamp(old.created if old is not None else time.time()),
        }
        if "rpo" in values or len(str(values["location"]).split("-")) == 1:
            made["rpo"] = values.get("rpo") or "DEFAULT"
        return made

    def settle(self, call: Call, row: Row, old: Row | None) -> None:
        """A new bucket has the project's convenience grants and its folder."""
        if old is None:
            for role, member in (("legacyBucketOwner", "projectOwner"), ("legacyBucketReader", "projectViewer")):
                store.bind(
                    call.tx,
                    row.id,
                    f"roles/storage.{role}",
                    f"{member}:{row.project}",
                    origin="storage.googleapis.com",
                    project=row.project,
                )

    def admit_delete(self, call: Call, row: Row) -> None:
        """A bucket with objects goes only when it was last applied with `forceDestroy`, and none is to be kept."""
        if buckets.retained(call, row):
            raise ApiError(
                403,
                "retentionPolicyNotMet",
                f"Bucket {row.id} contains objects that have not met the retention period yet and cannot be deleted.",
            )
        if files.names(call, row.id) and row.outputs.get("forceDestroy") is not True:
            raise ApiError(
                409, "conflict", f"Error trying to delete bucket {row.id} without `force_destroy` set to true"
            )

    def withdraw(self, call: Call, row: Row) -> None:
        """Its objects, folders and notifications go with it."""
        for child in store.below(call.tx, row.id):
            store.remove(call.tx, child)
        for name in files.names(call, row.id):
            files.delete(call, row.id, name)
        for found in store.everything(call.tx):
            if found.token == BucketObject.TOKEN and found.outputs.get("bucket") == row.id:
                store.remove(call.tx, found)
        store.remove(call.tx, row)
        if (call.world.buckets / row.id).is_dir():
            call.world.record_move(row.id, None)


class AccessList(GoogleResource):
    """`storage.BucketACL` and `storage.DefaultObjectACL`, which a bucket with uniform access has not."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The bucket's kind of access."""
        row = store.find(call.tx, BUCKET, str(values.get("bucket")))
        if row is not None and row.outputs.get("uniformBucketLevelAccess") is True:
            raise ApiError(
                400,
                "invalid",
                "Cannot use ACL API to update bucket policy when uniform bucket-level access is enabled. Read more at"
                " https://cloud.google.com/storage/docs/uniform-bucket-level-access",
            )


class BucketObject(GoogleResource):
    """An object: its bytes are the file, the rest is its row."""

    TOKEN = "gcp:storage/bucketObject:BucketObject"  # noqa: S105 - a resource type

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """The id and links are known after the upload."""
        planned = super().plan(call, inputs, old)
        if old is None and not is_unknown(inputs.get("content", "")) and "content" in inputs:
            planned["contentType"] = inputs.get("contentType", UNKNOWN)
        return planned

    def changing(self, inputs: dict[str, Any], old: dict[str, Any]) -> tuple[str, ...]:
        """A new upload has new digests and a new generation."""
        content = inputs.get("content")
        known = isinstance(content, str) and not is_unknown(content)
        same = known and files.md5(str(content).encode()) == old.get("md5hash")
        return () if same else ("md5hash", "crc32c", "generation", "md5hexhash")

    def key(self, values: Mapping[str, Any], resource_id: str) -> str:
        """Bucket and name."""
        return f"object|{values['bucket']}|{values['name']}"

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The bucket must exist; the name is nearly free."""
        bucket, name = str(values.get("bucket", "")), str(values.get("name", ""))
        row = store.find(call.tx, BUCKET, bucket)
        if row is None:
            raise ApiError(404, "notFound", "The specified bucket does not exist.")
        checks.require_api(call, str(row.project), self.api)
        if (
            not 1 <= len(name.encode("utf-8", "surrogatepass")) <= 1024
            or re.search(r"[\r\n]", name)
            or name in (".", "..")
        ):
            raise ApiError(400, "invalid", f"Invalid object name: '{name[:80]}'")
        key = values.get("kmsKeyName")
        if key:
            email = checks.make_agent(call, str(row.project), "storage")
            checks.require_key(call, str(key), location=str(row.outputs["location"]), email=email, refusal=_NO_KEY)
        return f"{bucket}-{name}", values

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Upload. An object that is there already is overwritten, as in the cloud: no conflict."""
        values = self.resolve(call, inputs)
        resource_id, values = self.admitted(call, values)
        held = store.find_key(call.tx, self.key(values, resource_id))
        buckets.admit_removal(call, str(values["bucket"]), str(values["name"]))
        if held is not None:
            store.remove(call.tx, held)
        return super().create(call, inputs)

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Write the bytes where they changed; digests, links."""
        bucket, name = str(values["bucket"]), str(values["name"])
        content = assets.content_of(values)
        held = files.stat(call, bucket, name)
        if held is None or old is None or held.md5 != files.md5(content):
            held = files.write(call, bucket, name, content)
        quoted = name.replace("%", "%25").replace("/", "%2F").replace(" ", "%20")
        found = store.find(call.tx, BUCKET, bucket)
        made = {
            "md5hash": held.md5,
            "md5hexhash": binascii.hexlify(base64.b64decode(held.md5)).decode(),
            "crc32c": held.crc32c,
            "generation": held.generation,
            "outputName": name,
            "mediaLink": (
                f"https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/{quoted}"
                f"?generation={held.generation}&alt=media"
            ),
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{bucket}/o/{quoted}",
            "detectMd5hash": values.get("detectMd5hash") or held.md5,
            "storageClass": values.get("storageClass") or (found.outputs["storageClass"] if found else "STANDARD"),
            "kmsKeyName": values.get("kmsKeyName", ""),
        }
        guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
        made["contentType"] = values.get("contentType") or (
            "text/plain; charset=utf-8" if "content" in values else guessed
        )
        return made

    def observe(self, call: Call, row: Row) -> Row | None:
        """The file decides: removed by hand means gone, edited by hand means another content."""
        bucket, name = str(row.outputs["bucket"]), str(row.outputs["name"])
        held = files.stat(call, bucket, name)
        if held is None or store.find(call.tx, BUCKET, bucket) is None:
            store.remove(call.tx, row)
            return None
        if held.md5 == row.outputs["md5hash"]:
            return row
        outputs = {
            **row.outputs,
            "md5hash": held.md5,
            "detectMd5hash": held.md5,
            "md5hexhash": binascii.hexlify(base64.b64decode(held.md5)).decode(),
            "crc32c": held.crc32c,
            "generation": held.generation,
        }
        inputs = dict(row.inputs)
        if isinstance(inputs.get("content"), str):
            inputs["content"] = outputs["content"] = files.read(call, bucket, name).decode("utf-8", "replace")
        return Row(**{**row.__dict__, "inputs": inputs, "outputs": outputs})

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """A new content is a new object, which overwrites the old one."""
        bucket, name = str(row.outputs["bucket"]), str(row.outputs["name"])
        if files.md5(assets.content_of(values)) != row.outputs["md5hash"]:
            buckets.admit_removal(call, bucket, name)

    def admit_delete(self, call: Call, row: Row) -> None:
        """Not before its time."""
        buckets.admit_removal(call, str(row.outputs["bucket"]), str(row.outputs["name"]))

    def withdraw(self, call: Call, row: Row) -> None:
        """The file goes."""
        files.delete(call, str(row.outputs["bucket"]), str(row.outputs["name"]))
        store.remove(call.tx, row)

    def find(self, call: Call, resource_id: str) -> Row | None:
        """By id, or by `<bucket>/<name>` as `pulumi import` has it."""
        found = super().find(call, resource_id)
        if found is not None:
            return found
        bucket, _, name = resource_id.partition("/")
        return store.find_key(call.tx, f"object|{bucket}|{name}") if name else None


class ManagedFolder(GoogleResource):
    """A managed folder (or a folder of a hierarchical bucket): a prefix with grants of its own."""

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The bucket must exist; the name ends in a slash."""
        bucket, name = str(values.get("bucket", "")), str(values.get("name", ""))
        row = store.find(call.tx, BUCKET, bucket)
        if row is None:
            raise ApiError(404, "notFound", "The specified bucket does not exist.")
        checks.require_api(call, str(row.project), self.api)
        if not name.endswith("/") or name.startswith("/") or "//" in name:
            raise ApiError(400, "invalid", f"Invalid managed folder name: '{name}'")
        if row.outputs.get("uniformBucketLevelAccess") is not True:
            raise ApiError(
                412, "conditionNotMet", "Managed folders need uniform bucket-level access enabled on the bucket."
            )
        return f"{bucket}/{name}", values

    def admit_delete(self, call: Call, row: Row) -> None:
        """One that holds objects goes only with `forceDestroy`."""
        bucket, name = str(row.outputs["bucket"]), str(row.outputs["name"])
        inside = [n for n in files.names(call, bucket) if n.startswith(name)]
        if inside and row.outputs.get("forceDestroy") is not True:
            raise ApiError(409, "conflict", "The managed folder you tried to delete is not empty.")


class Notification(GoogleResource):
    """A Pub/Sub notification of a bucket; the agent must be allowed to publish."""

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Bucket, topic and grant must be there."""
        bucket = store.find(call.tx, BUCKET, str(values.get("bucket", "")))
        if bucket is None:
            raise ApiError(404, "notFound", "The specified bucket does not exist.")
        checks.require_api(call, str(bucket.project), self.api)
        topic = str(values.get("topic", "")).removeprefix("//pubsub.googleapis.com/")
        if "/" not in topic:
            topic = f"projects/{bucket.project}/topics/{topic}"
        if store.find(call.tx, "gcp:pubsub/topic:Topic", topic) is None:
            raise ApiError(404, "notFound", f"Resource '{topic}' was not found")
        email = checks.agent(call, str(bucket.project), "storage")
        if not checks.may_publish(call, topic, email, str(bucket.project)):
            raise ApiError(
                403,
                "forbidden",
                f"The service account '{email}' does not have permission to publish messages to the Cloud Pub/Sub topic"
                f" '//pubsub.googleapis.com/{topic}', or that topic does not exist.",
            )
        number = str(call.world.next_value(f"notification|{bucket.id}"))
        link = f"https://www.googleapis.com/storage/v1/b/{bucket.id}/notificationConfigs/{number}"
        return f"{bucket.id}/notificationConfigs/{number}", {**values, "notificationId": number, "selfLink": link}
