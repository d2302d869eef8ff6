"""Ids of Google resources: how they are built, which shapes there are, what a string refers to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from localcloud.rules.paths import camel
from localcloud.rules.tables import known, table, tokens

ID_FORMATS = {
    "gcp:dataflow/flexTemplateJob:FlexTemplateJob": "{{job_id}}",
    "gcp:dataflow/job:Job": "{{job_id}}",
    "gcp:dataproc/cluster:Cluster": "projects/{{project}}/regions/{{region}}/clusters/{{name}}",
    "gcp:dataproc/job:Job": "projects/{{project}}/regions/{{region}}/jobs/{{number}}",
    "gcp:dataproc/workflowTemplate:WorkflowTemplate": (
        "projects/{{project}}/locations/{{location}}/workflowTemplates/{{name}}"
    ),
    "gcp:compute/networkPeering:NetworkPeering": "{{network}}/{{name}}",
    "gcp:kms/cryptoKeyVersion:CryptoKeyVersion": "{{crypto_key}}/cryptoKeyVersions/{{number}}",
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": (
        "projects/{{project}}/locations/{{location}}/buckets/{{bucket_id}}"
    ),
    "gcp:logging/projectSink:ProjectSink": "projects/{{project}}/sinks/{{name}}",
    "gcp:monitoring/alertPolicy:AlertPolicy": "projects/{{project}}/alertPolicies/{{number}}",
    "gcp:monitoring/dashboard:Dashboard": "projects/{{project}}/dashboards/{{number}}",
    "gcp:monitoring/notificationChannel:NotificationChannel": "projects/{{project}}/notificationChannels/{{number}}",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": "projects/{{project}}/uptimeCheckConfigs/{{number}}",
    "gcp:bigquery/dataTransferConfig:DataTransferConfig": (
        "projects/{{project}}/locations/{{location}}/transferConfigs/{{number}}"
    ),
    "gcp:organizations/folder:Folder": "folders/{{number}}",
    "gcp:organizations/project:Project": "projects/{{project_id}}",
    "gcp:servicenetworking/connection:Connection": "{{network}}:{{service}}",
    "gcp:sql/user:User": "{{name}}/{{host}}/{{instance}}",
    "gcp:storage/bucket:Bucket": "{{name}}",
    "gcp:storage/bucketACL:BucketACL": "{{bucket}}-acl",
    "gcp:storage/defaultObjectACL:DefaultObjectACL": "{{bucket}}-default-acl",
    "gcp:storage/hmacKey:HmacKey": "projects/{{project}}/hmacKeys/{{access_id}}",
    "gcp:storage/notification:Notification": "{{bucket}}/notificationConfigs/{{number}}",
}
"""Ids the provider builds in code, so that the table has no format. `number` is given by the service."""

IMPORTS = {
    "gcp:kms/cryptoKey:CryptoKey": (
        "{project}/{location}/{ring}/{name}",
        "{location}/{ring}/{name}",
    ),
    "gcp:storage/bucket:Bucket": ("{project}/{name}",),
    "gcp:sql/user:User": ("{project}/{instance}/{host}/{name}", "{project}/{instance}/{name}"),
    "gcp:bigquery/table:Table": ("{project}/{dataset_id}/{table_id}", "{dataset_id}/{table_id}"),
}
"""Shorter ids some types are imported by, which the provider parses in code."""

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_URL = re.compile(r"^(https?://[^/]+/(compute|storage|[a-z]+)/v\d[a-z0-9]*/|//[a-z.]+\.googleapis\.com/)")
_WHOLE = frozenset({"key_ring", "crypto_key", "email", "project_id"})


def id_format(token: str) -> str:
    """The id's format in Terraform's names, `{{…}}`."""
    return (
        ID_FORMATS.get(token)
        or table(token).id_format
        or "projects/{{project}}/" + token.split("/")[-1].split(":")[0] + "/{{name}}"
    )


def slots(token: str) -> tuple[str, ...]:
    """The properties an id is made of, in Pulumi's names."""
    return tuple(camel(name) for name in _SLOT.findall(id_format(token)))


def last(value: str) -> str:
    """The last segment of a name, path or URL."""
    return value.rstrip("/").rpartition("/")[2]


def relative(value: str) -> str:
    """A self link or full resource name without its scheme, host and version."""
    return _URL.sub("", value)


def build_id(token: str, values: Mapping[str, Any]) -> str:
    """The id for these values; a slot with nothing in it becomes empty, as in the provider."""
    text = id_format(token)
    if "ring" in values and "keyRing" not in values:
        ring = "projects/{project}/locations/{location}/keyRings/{ring}".format_map(values)
        values = {**values, "keyRing": ring}

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        value = relative(str(values.get(camel(name)) or ""))
        if name in _WHOLE or match.start() == 0 or (name == "name" and text.startswith("{{bucket}}")):
            return value
        return last(value) if value else ""

    return _SLOT.sub(fill, text)


@lru_cache(maxsize=1)
def shapes() -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """Collections of ids (`projects`, `*`, `locations`, `*`, `keyRings`, `*`) -> the resource types that have them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for token in tokens("gcp"):
        text = id_format(token)
        text = text.replace("{{key_ring}}/", "projects/{{project}}/locations/{{location}}/keyRings/{{key_ring}}/")
        text = text.replace(
            "{{crypto_key}}/", "projects/{{project}}/locations/{{location}}/keyRings/{{ring}}/cryptoKeys/{{key}}/"
        )
        if not text.startswith("projects/") or (table(token).facts.get("idFormat") is None and token not in ID_FORMATS):
            continue
        shape = tuple("*" if part.startswith("{{") else part for part in text.split("/"))
        # The last part must be a name; IAM resources and ids ending in two names have no collection of their own.
        if len(shape) >= 4 and shape[-1] == "*" and shape[-2] != "*":
            found.setdefault(shape, []).append(token)
    found[("projects", "*", "secrets", "*", "versions", "*")] = ["gcp:secretmanager/secretVersion:SecretVersion"]
    return {shape: tuple(types) for shape, types in found.items()}


def shape_of(path: str) -> tuple[str, ...] | None:
    """The collection a relative resource name belongs to, None where it is none of the served ones."""
    parts = path.split("/")
    if len(parts) < 4 or parts[0] != "projects":
        return None
    for shape in shapes():
        if len(shape) == len(parts) and all(s in ("*", p) and p for s, p in zip(shape, parts, strict=True)):
            return shape
    return None


def ancestors(resource_id: str) -> list[str]:
    """Ids of the resources above this one, nearest first."""
    parts = resource_id.split("/")
    above = ["/".join(parts[:n]) for n in range(len(parts) - 2, 3, -1)]
    return [path for path in above if shape_of(path) is not None]


def import_values(token: str, text: str) -> dict[str, str] | None:
    """What an id given to `pulumi import` says about the resource, by the provider's import formats; None: no match."""
    if not known(token):
        return None
    formats = [id_format(token).replace("{{", "{").replace("}}", "}"), *table(token).facts.get("importFormats", ())]
    formats += IMPORTS.get(token, ())
    own = _SLOT.findall(id_format(token))
    # The shorter forms every generated resource accepts: without the project, and the bare name.
    formats += ["/".join("{" + name + "}" for name in own[-count:]) for count in range(len(own), 0, -1)]
    for pattern in formats:
        expression = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        match = re.fullmatch(expression.replace(r"\ ", r"\s"), text)
        if match:
            return {camel(name): value for name, value in match.groupdict().items()}
    return None
