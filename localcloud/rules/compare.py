"""Loose comparison: when two different texts are the same value to the provider.

The tables name the provider's function (`diffSuppress`, `stateFunc`); each is written anew here, by what it is known to
accept. Comparison is symmetric, because what is compared are two inputs, not an input and what the server made of it.

Names in `STRICT` are compared exactly: their rule was not read (mostly comparisons with server state that two inputs
cannot differ in).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.rules.paths import child
from localcloud.rules.tables import Property
from localcloud.rules.validators import rfc3339

Same = Callable[[Any, Any, Property], bool]
"""(old, new, property) -> the same to the provider; None is an absent value."""


def _text(function: Callable[[str, str], bool]) -> Same:
    """A comparison of two texts that are both there."""

    def same(old: Any, new: Any, _prop: Property) -> bool:
        return isinstance(old, str) and isinstance(new, str) and function(old, new)

    return same


def _by(normal: Callable[[str], Any]) -> Same:
    """Two texts are the same when they have the same normal form (None has none)."""

    def function(old: str, new: str) -> bool:
        form = normal(old)
        return form is not None and form == normal(new)

    return _text(function)


def _relative(text: str) -> str:
    """A resource's name without the host and API version of its self link."""
    match = re.search(r"(?:^|/)(projects/.+|organizations/.+|folders/.+)$", text)
    return match.group(1) if match else re.sub(r"^https?://[^/]+/", "", text)


def _last(text: str) -> str:
    return text.rstrip("/").rsplit("/", 1)[-1]


def _link_or_name(old: str, new: str) -> bool:
    if "/" not in old or "/" not in new:
        return _last(old) == _last(new)
    return _relative(old) == _relative(new)


def _partial_link(old: str, new: str) -> bool:
    """A shorter path (`global/networks/n`) is the same as a longer one that ends in it."""
    left, right = _relative(old), _relative(new)
    return left == right or left.endswith(f"/{right}") or right.endswith(f"/{left}")


def _without_version(text: str) -> str:
    return re.sub(r"/cryptoKeyVersions/[^/]+$", "", _relative(text))


def _without_project(text: str) -> str:
    return re.sub(r"^projects/[^/]+/", "", _relative(text))


def _key_ring(text: str) -> tuple[str, ...]:
    """`projects/p/locations/l/keyRings/r`, `p/l/r` and `l/r` name the same ring; the project may be missing."""
    parts = [part for part in _relative(text).split("/") if part not in ("projects", "locations", "keyRings")]
    return tuple(parts[-3:])


def _key_rings(old: str, new: str) -> bool:
    left, right = _key_ring(old), _key_ring(new)
    size = min(len(left), len(right))
    return size >= 2 and left[-size:] == right[-size:]


def _member(text: str) -> str:
    """An IAM member: e-mail like kinds are compared without case, principals of pools with it."""
    kind, colon, rest = text.partition(":")
    if kind.lower() in ("principal", "principalset") or rest.startswith("//"):
        return text
    return f"{kind.lower()}{colon}{rest.lower()}"


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float | None:
    """A Go-style duration (`1h30m`, `86400s`, `30d`) in seconds."""
    found = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)", text)
    if not found or "".join(number + unit for number, unit in found) != text.strip():
        return None
    return float(sum(float(number) * _UNITS[unit] for number, unit in found))


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return json.dumps(value, sort_keys=True)


def _policy(text: str) -> Any:
    """An IAM policy's JSON: the order of bindings and of their members is nothing."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    for binding in value.get("bindings", []) if isinstance(value, dict) else []:
        if isinstance(binding, dict) and isinstance(binding.get("members"), list):
            binding["members"] = sorted({_member(str(member)) for member in binding["members"]})
    if isinstance(value, dict) and isinstance(value.get("bindings"), list):
        value["bindings"] = sorted(value["bindings"], key=lambda binding: json.dumps(binding, sort_keys=True))
    return json.dumps(value, sort_keys=True)


def _address(text: str) -> Any:
    try:
        return str(ipaddress.ip_network(text, strict=False)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _cidr_or_size(old: str, new: str) -> bool:
    """`/20` is the same as any range of that size."""
    return (new.startswith("/") and old.endswith(new)) or (old.startswith("/") and new.endswith(old))


def _port_range(text: str) -> str:
    low, dash, high = text.partition("-")
    return low if not dash or low == high else text


def _bucket(text: str) -> str:
    return text.removeprefix("gs://").removeprefix("b/").rstrip("/")


def _email(text: str) -> str:
    return _last(text)


def image_versions(old: str, new: str) -> bool:
    """Composer's aliases: a shorter version is the same as any fuller one, `latest` as any."""
    pattern = re.compile(r"composer-([^-]+(?:-preview\.\d+)?)-airflow-(.+)")
    left, right = pattern.search(old), pattern.search(new)
    if left is None or right is None:
        return False
    composer = "latest" in (left.group(1), right.group(1)) or _prefix_versions(left.group(1), right.group(1))
    return composer and _prefix_versions(left.group(2), right.group(2))


def _prefix_versions(old: str, new: str) -> bool:
    """`2`, `2.9` and `2.9.3` are the same as far as both say something."""
    left, right = re.split(r"[.-]", old), re.split(r"[.-]", new)
    size = min(len(left), len(right))
    return left[:size] == right[:size]


def _spaces(text: str) -> str:
    return " ".join(text.split())


def _workspace_path(text: str) -> str:
    return text.removeprefix("/Workspace").rstrip("/")


# Server defaults of the properties that compare "empty or default" without the table holding the default.
_EMPTY_OR = {
    "attemptDeadline": "180s",
    "ipVersion": "IPV4",
    "addressType": "EXTERNAL",
    "stage": "GA",
    "type": "BUILT_IN",
    "crossSeriesReducer": "REDUCE_NONE",
    "loadBalancerType": "none",
    "minCpuPlatform": "Automatic",
    "performanceMonitoringUnit": "STANDARD",
}


def _empty_or_default(old: Any, new: Any, prop: Property) -> bool:
    """An empty or absent value is the same as the default."""
    default = prop.default if prop.has_default else _EMPTY_OR.get(prop.name)
    return (old or default or None) == (new or default or None)


def _absent_or_empty(old: Any, new: Any, _prop: Property) -> bool:
    """An absent block is the same as one that says nothing: nothing set, or everything off."""
    return _says_nothing(old) and _says_nothing(new)


def _says_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_says_nothing(item) for item in value.values())
    if isinstance(value, list):
        return all(_says_nothing(item) for item in value)
    return value in (None, False, "", 0)


def _removed(old: Any, new: Any, _prop: Property) -> bool:
    """What the program no longer gives stays as it is."""
    return new in (None, "", [], {})


def _always(_old: Any, _new: Any, _prop: Property) -> bool:
    return True


def _any_order(old: Any, new: Any, _prop: Property) -> bool:
    return isinstance(old, list) and isinstance(new, list) and sorted(map(str, old)) == sorted(map(str, new))


def _records(old: Any, new: Any, _prop: Property) -> bool:
    """DNS records: neither order nor case nor quotes of a text matter."""
    if not isinstance(old, list) or not isinstance(new, list):
        return False
    return sorted(str(item).lower().strip('"') for item in old) == sorted(str(item).lower().strip('"') for item in new)


_TO_TRUE = (False, None)


def _switched_on(old: Any, new: Any, _prop: Property) -> bool:
    """A switch of the client alone: turning it on changes nothing on the server."""
    return (old in _TO_TRUE and new is True) or (not old and not new)


_SECURITY_MODES = {"DATA_SECURITY_MODE_STANDARD": "USER_ISOLATION", "DATA_SECURITY_MODE_DEDICATED": "SINGLE_USER"}


def _security_mode(old: Any, new: Any, _prop: Property) -> bool:
    """Two pairs of names for one mode each; what is left out or automatic is the server's choice."""
    left, right = (_SECURITY_MODES.get(str(value), str(value)) for value in (old, new))
    return not new or new == "DATA_SECURITY_MODE_AUTO" or left == right


def _options(ignored: frozenset[str]) -> Same:
    """A map in which the server adds keys of its own: their absence in the program says nothing."""

    def same(old: Any, new: Any, _prop: Property) -> bool:
        if not all(isinstance(value, (dict, type(None))) for value in (old, new)):
            return False
        left, right = old or {}, new or {}
        kept = {key: value for key, value in left.items() if key in right or key not in ignored}
        return kept == right

    return same


# Keys the accelerators of a Data Fusion instance add to its options.
_ACCELERATOR_OPTIONS = frozenset(
    {
        "delta.default.checkpoint.directory",
        "ui.feature.cdc",
        "healthcare.datafusion.enabled",
        "ui.feature.cloud.acceleration.enabled",
    }
)
_SPARK_KEYS = frozenset({"spark.databricks.delta.preview.enabled"})

_SQL_TYPES = {
    "integer": "int",
    "long": "bigint",
    "short": "smallint",
    "byte": "tinyint",
    "real": "float",
    "dec": "decimal",
    "numeric": "decimal",
}

_fold = _by(str.lower)
_json_same = _by(_json)
_slash = _by(lambda text: text.rstrip("/"))
_times = _by(rfc3339)
_durations = _by(seconds)

# Keyed by the function's last name, or its full one where that is ambiguous.
_FUNCTIONS: Mapping[str, Same] = {
    "AddressIpCollectionDiffSuppress": _text(_partial_link),
    "AlwaysDiffSuppress": _always,
    "CaseDiffSuppress": _fold,
    "CaseDifference": _fold,
    "CidrOrSizeDiffSuppress": _text(_cidr_or_size),
    "CloudDataprocBatchRuntimeConfigVersionDiffSuppress": _text(_prefix_versions),
    "CompareCryptoKeyVersions": _by(_without_version),
    "CompareIpAddressOrSelfLinkOrResourceName": _text(_link_or_name),
    "CompareProjectName": _by(lambda text: text.removeprefix("projects/")),
    "CompareResourceNames": _by(_last),
    "CompareSelfLinkOrResourceName": _text(_link_or_name),
    "CompareSelfLinkRelativePaths": _text(_partial_link),
    "CompareSelfLinkRelativePathsIgnoreProjectId": _by(_without_project),
    "DataSecurityModeDiffSuppressFunc": _security_mode,
    "DataprocImageVersionDiffSuppress": _text(_prefix_versions),
    "DiskImageDiffSuppress": _text(_link_or_name),
    "DurationDiffSuppress": _durations,
    "EmptyOrUnsetBlockDiffSuppress": _absent_or_empty,
    "EqualFoldDiffSuppress": _fold,
    "InternalIpDiffSuppress": _by(lambda text: text.split("/")[0]),
    "IpCidrRangeDiffSuppress": _text(_cidr_or_size),
    "IpCollectionDiffSuppress": _text(_partial_link),
    "IpDiffSuppress": _by(_address),
    "LastSlashDiffSuppress": _slash,
    "LocationDiffSuppress": _by(lambda text: _relative(text).replace("/regions/", "/locations/")),
    "OptionalSurroundingSpacesSuppress": _by(str.strip),
    "ParseFolderId": _by(lambda text: text.removeprefix("folders/")),
    "PortRangeDiffSuppress": _by(_port_range),
    "ResourceDataflowJobTemplateGcsPathDiffSuppress": _by(_bucket),
    "SparkConfDiffSuppressFunc": _options(_SPARK_KEYS),
    "StorageBucketDiffSuppress": _by(_bucket),
    "SuppressDiffWhitespaceChange": _by(_spaces),
    "SuppressGcpSAKeyDiff": _removed,
    "WorkspaceOrEmptyPathPrefixDiffSuppress": _by(_workspace_path),
    "WorkspacePathPrefixDiffSuppress": _by(_workspace_path),
    "applicationDiffSuppress": _absent_or_empty,
    "bigQueryTableConnectionIdSuppress": _by(
        lambda text: (
            _relative(text)
            .replace("projects/", "")
            .replace("locations/", "")
            .replace("connections/", "")
            .replace("/", ".")
        )
    ),
    "bigQueryTableSchemaDiffSuppress": _json_same,
    "caseDiffDashSuppress": _by(lambda text: text.lower().replace("-", "_")),
    "compareServiceAccountEmailToLink": _by(_email),
    "comparePubsubSubscriptionExpirationPolicy": _durations,
    "composerImageVersionDiffSuppress": _text(image_versions),
    "crossSeriesReducerDiffSuppress": _empty_or_default,
    "diffSuppressIamUserName": _by(lambda text: re.sub(r"\.gserviceaccount\.com$", "", text.lower())),
    "directoryPathSuppressDiff": _slash,
    "durationDiffSuppress": _durations,
    "emptyMavenConfigDiffSuppress": _absent_or_empty,
    "experimentNameSuppressDiff": _by(_workspace_path),
    "gscBucketNameDiffSuppress": _by(_bucket),
    "hierachicalNamespaceDiffSuppress": _absent_or_empty,
    "iamMemberCaseDiffSuppress": _by(_member),
    "instanceOptionsDiffSuppress": _options(_ACCELERATOR_OPTIONS),
    "ipv6RepresentationDiffSuppress": _by(_address),
    "jsonPolicyDiffSuppress": _by(_policy),
    "jwksJsonDiffSuppress": _json_same,
    "kmsCryptoKeyRingsEquivalent": _text(_key_rings),
    "lbTypeNoneDiffSuppress": _empty_or_default,
    "monitoringDashboardDiffSuppress": _json_same,
    "resourceBigQueryDatasetAccessIamMemberDiffSuppress": _by(_member),
    "resourceMonitoringUptimeCheckConfigHttpCheckPathDiffSuppress": _by(lambda text: "/" + text.removeprefix("/")),
    "rrdatasDnsDiffSuppress": _records,
    "servicePrincipalDiffSuppress": _absent_or_empty,
    "stringListDiffSuppress": _any_order,
    "suppressStorageDiff": lambda old, new, _prop: not new and str(old).startswith("dbfs:/pipelines/"),
    "ucDirectoryPathSlashAndEmptySuppressDiff": _by(lambda text: text.rstrip("/")),
    "ucDirectoryPathSlashOnlySuppressDiff": _slash,
    # Named by place in the source, not by what they do.
    "bigquery.ResourceBigQueryRoutine.func1": _json_same,
    "bigquery.ResourceBigQueryRoutine.func2": _json_same,
    "bigquery.ResourceBigQueryRoutine.func3": _json_same,
    "bigquery.ResourceBigQueryRoutine.func4": _json_same,
    "bigquery.ResourceBigQueryTable.func2": _json_same,
    "bigquery.ResourceBigQueryTable.func3": _json_same,
    "monitoring.ResourceMonitoringDashboard.func1": _json_same,
    "storage.ResourceStorageBucket.func2": _by(str.upper),
    "storage.ResourceStorageBucket.func3": _absent_or_empty,
    "storage.ResourceStorageBucket.func4": _absent_or_empty,
    "storage.ResourceStorageBucket.func5": _absent_or_empty,
    "storage.ResourceStorageBucket.func7": _absent_or_empty,
    "catalog.SqlTableInfo.CustomizeSchema.func1": lambda old, new, prop: not new or _fold(old, new, prop),
    "catalog.SqlTableInfo.CustomizeSchema.func2": _by(lambda text: _SQL_TYPES.get(text.lower(), text.lower())),
    "catalog.ResourceExternalLocation.func1.1": _switched_on,
    "catalog.adjustDataAccessSchema.func1": _switched_on,
    "catalog.init.func1.1": _switched_on,
    "aws.ResourceInstanceProfile.func1.1": _switched_on,
    "clusters.ClusterSpec.CustomizeSchemaResourceSpecific.func1": lambda old, new, _prop: not old and not new,
    "clusters.ClusterSpec.CustomizeSchemaResourceSpecific.func2": _switched_on,
    "sql.ResourceSqlEndpoint.func1.1": _switched_on,
    "catalog.ResourceMetastore.func1.1": _text(
        lambda old, new: old.startswith(new.rstrip("/") + "/") or old.rstrip("/") == new.rstrip("/")
    ),
    "common.conditionalDiffSuppressor.func1": _removed,
    "common.(*CustomizableSchema).SetSuppressDiffWithDefault.func1": _empty_or_default,
    "jobs.jobSettingsSchema.func1": _options(_SPARK_KEYS),
}

# Families with a number at the end that differs per property.
_PATTERNS: tuple[tuple[re.Pattern[str], Same], ...] = (
    (re.compile(r"\.EmptyOrDefaultStringSuppress\.func\d+$"), _empty_or_default),
    (re.compile(r"\.TimestampDiffSuppress\.func\d+$"), _times),
    (re.compile(r"\.IgnoreMissingKeyInMap\.func\d+$"), _options(frozenset({"x-goog-version"}))),
)

STRICT = frozenset(
    {
        "artifactregistry.upstreamPoliciesDiffSuppress",
        "bigquery.resourceBigQueryDatasetAccessRoleDiffSuppress",
        "catalog.suppressComputedFields",
        "cloudfunctions2.environmentVariablesDiffSuppress",
        "cloudrunv2.cloudRunV2ServiceResourceLimitsDiffSuppress",
        "cloudscheduler.authHeaderDiffSuppress",
        "compute.ComparePartnerMetadataDiff",
        "compute.ComputeInstanceMinCpuPlatformEmptyOrAutomaticDiffSuppress",
        "compute.DisksForceAttachDiffSuppress",
        "compute.diffSuppressEnableLogging",
        "compute.diffSuppressSourceRanges",
        "compute.serviceAccountDiffSuppress",
        "compute.sourceDiskDiffSuppress",
        "dashboards.customDiffDashboardContent",
        "dataproc.resourceDataprocPropertyDiffSuppress",
        "dataprocmetastore.dataprocMetastoreServiceOverrideSuppress",
        "logging.enableAnalyticsBackwardsChangeDiffSuppress",
        "monitoring.resourceMonitoringUptimeCheckConfigMonitoredResourceLabelsDiffSuppress",
        "pools.ResourceInstancePool.func1.1",
        "pools.ResourceInstancePool.func1.2",
        "serving.suppressRouteModelEntityNameDiff",
        "sharing.recepientPropertiesSuppressDiff",
        "sql.EnhancedBackupManagerDiffSuppressFunc",
        "sql.areDRReplicaNamesEqual",
        "sql.databaseVersionDiffSuppress",
        "sql.entraidDiffSuppressFunc",
        "sql.maintenanceVersionDiffSuppress",
        "sql.serverCertificateRotationModeDiffSuppress",
        "sql.sqlNetworkArchitectureDiffSuppress",
        "storage.ResourceStorageBucketObject.func1",
        "workspace.FileContentSchemaWithoutPath.func1",
        "workspace.ResourceGlobalInitScript.func1",
        "access.ResourceSqlPermissions.func1.1",
    }
)


def function(name: str) -> Same | None:
    """The comparison a table's function name stands for, None where it is compared exactly."""
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    for pattern, same in _PATTERNS:
        if pattern.search(name):
            return same
    return _FUNCTIONS.get(name.rsplit(".", 1)[-1])


def same(old: Any, new: Any, prop: Property | None) -> bool:
    """Whether two plain values of a property are the same to the provider, None being absent."""
    if old == new:
        return True
    if prop is None:
        return False
    for key in ("stateFunc", "diffSuppress"):
        name = prop.facts.get(key)
        compare = None if name is None else function(str(name))
        if compare is None:
            continue
        if compare(old, new, prop):
            return True
        # Terraform asks the function for each element of a list and each value of a map.
        if (
            isinstance(old, (list, dict))
            and type(old) is type(new)
            and not prop.type.endswith("<object>")
            and _each(compare, old, new, prop)
        ):
            return True
    return False


def _each(compare: Same, old: Any, new: Any, prop: Property) -> bool:
    keys = range(max(len(old), len(new))) if isinstance(old, list) else {**old, **new}
    if isinstance(old, dict) and prop.type == "object":
        return False
    pairs = [(child(old, key), child(new, key)) for key in keys]
    return all(left == right or compare(left, right, prop) for left, right in pairs)
