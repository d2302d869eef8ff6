"""Rules the providers keep in code, where no schema shows them (`customizeDiff` in the tables).

Each rule takes the plain inputs, the plain old inputs (None on create) and the provider's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localcloud.rules.failures import Failure
from localcloud.rules.paths import get, parse
from localcloud.rules.wire import is_unknown

Rule = Callable[[dict[str, Any], dict[str, Any] | None], Iterator[Failure]]

# The place whose configuration each hook or URL of the table takes from the provider where the resource has none.
_PLACES = ("project", "region", "zone")

_ONLY_3 = (
    "config.nodeConfig.composerNetworkAttachment",
    "config.nodeConfig.composerInternalIpv4CidrBlock",
    "config.nodeConfig.trafficRoutingConfig",
    "config.softwareConfig.webServerPluginsMode",
    "config.enablePrivateEnvironment",
    "config.enablePrivateBuildsOnly",
    "config.workloadsConfig.dagProcessor",
)
_NOT_3 = (
    "config.nodeConfig.maxPodsPerNode",
    "config.nodeConfig.enableIpMasqAgent",
    "config.privateEnvironmentConfig",
    "config.masterAuthorizedNetworksConfig",
)
IMAGE_VERSION = parse("config.softwareConfig.imageVersion")

_IGNORED_SERVICES = (
    "dataproc-control.googleapis.com",
    "source.googleapis.com",
    "stackdriverprovisioning.googleapis.com",
    "bigquery-json.googleapis.com",
)


def check(token: str, value: dict[str, Any], olds: dict[str, Any] | None) -> Iterator[Failure]:
    """All rules in code for one resource."""
    rule = _RULES.get(token)
    if rule is not None:
        yield from rule(value, olds)


def is_composer_3(image_version: object) -> bool:
    """Whether an image version is of the third generation, as the provider asks: by a part of its text."""
    return isinstance(image_version, str) and "composer-3" in image_version


def _composer(value: dict[str, Any], olds: dict[str, Any] | None) -> Iterator[Failure]:
    version = get(value, IMAGE_VERSION)
    old = get(olds, IMAGE_VERSION) if olds else None
    if is_unknown(version):
        return
    third = is_composer_3(version)
    if isinstance(old, str) and old and not is_unknown(old) and not is_composer_3(old) and third:
        yield Failure("config.softwareConfig.imageVersion", "upgrade to composer 3 is not yet supported")
    wrong, words = (
        (_NOT_3, "should not be used in Composer 3") if third else (_ONLY_3, "should only be used in Composer 3")
    )
    for path in wrong:
        found = get(value, parse(path))
        # A false or empty value counts as not set, as in the provider.
        if found not in (None, False, "", 0, [], {}):
            yield Failure(path, f"error in configuration, {path} {words}")


def _scheduler_job(value: dict[str, Any], _olds: dict[str, Any] | None) -> Iterator[Failure]:
    target = value.get("httpTarget")
    if isinstance(target, dict) and target.get("oauthToken") and target.get("oidcToken"):
        yield Failure(
            "httpTarget", "Error in http_target: only one of oauth_token or oidc_token can be specified, but not both."
        )


def _bucket_object(value: dict[str, Any], _olds: dict[str, Any] | None) -> Iterator[Failure]:
    seen: set[str] = set()
    customs = get(value, ("contexts", "customs"))
    for index, entry in enumerate(customs if isinstance(customs, list) else []):
        key = entry.get("key") if isinstance(entry, dict) else None
        if isinstance(key, str) and not is_unknown(key):
            if key in seen:
                yield Failure(f"contexts.customs[{index}].key", f"duplicate key found in contexts.custom: {key}")
            seen.add(key)


def _firewall(value: dict[str, Any], _olds: dict[str, Any] | None) -> Iterator[Failure]:
    """Ingress must come from somewhere (`resourceComputeFirewallSourceFieldsCustomizeDiff`)."""
    sources = ("sourceTags", "sourceRanges", "sourceServiceAccounts")
    if value.get("direction", "INGRESS") == "INGRESS" and not any(value.get(name) for name in sources):
        yield Failure(
            "sourceRanges",
            "one of source_tags, source_ranges, or source_service_accounts must be defined",
        )


def _project_service(value: dict[str, Any], _olds: dict[str, Any] | None) -> Iterator[Failure]:
    if value.get("service") in _IGNORED_SERVICES:
        listed = " ".join(f'"{name}"' for name in _IGNORED_SERVICES)
        yield Failure("service", f"expected service to not be any of [{listed}], got {value['service']}")


def _databricks_job(value: dict[str, Any], _olds: dict[str, Any] | None) -> Iterator[Failure]:
    runs = value.get("maxConcurrentRuns")
    several = isinstance(runs, (int, float)) and runs > 1
    if value.get("alwaysRunning") is True and several:
        yield Failure("alwaysRunning", "`always_running` must be specified only with `max_concurrent_runs = 1`")
    if value.get("controlRunState") is True:
        if value.get("continuous") is None:
            yield Failure("controlRunState", "`control_run_state` must be specified only with `continuous`")
        if several:
            yield Failure(
                "controlRunState", "`control_run_state` must be specified only with `max_concurrent_runs = 1`"
            )


_RULES: Mapping[str, Rule] = {
    "gcp:composer/environment:Environment": _composer,
    "gcp:cloudscheduler/job:Job": _scheduler_job,
    "gcp:compute/firewall:Firewall": _firewall,
    "gcp:storage/bucketObject:BucketObject": _bucket_object,
    "gcp:projects/service:Service": _project_service,
    "databricks:index/job:Job": _databricks_job,
}


def places(
    token: str, properties: Mapping[str, Any], id_format: str | None, value: dict[str, Any], config: Mapping[str, str]
) -> Iterator[Failure]:
    """project, region and zone must come from the resource or from the provider's configuration."""
    if not token.startswith("gcp:"):
        return
    for place in _PLACES:
        prop = properties.get(place)
        needed = place == "project" or (id_format is not None and f"{{{{{place}}}}}" in id_format)
        if prop is None or prop.required or not prop.computed or prop.output_only or not needed:
            continue
        if value.get(place) or config.get(place) or (place == "region" and _region_of(value, config)):
            continue
        if _in_parent(token, place, value):
            continue
        yield Failure(place, f"Failed to retrieve {place}, pid: , err: {place}: required field is not set")


def _in_parent(token: str, place: str, value: dict[str, Any]) -> bool:
    """An IAM resource reads its project off the full name of what it grants on; an unknown name may hold it."""
    if "iam" not in token.rsplit(":", 1)[-1].lower():
        return False
    return any(is_unknown(item) or (isinstance(item, str) and f"{place}s/" in item) for item in value.values())


def _region_of(value: dict[str, Any], config: Mapping[str, str]) -> str:
    """A region can also be read off a zone."""
    zone = value.get("zone") or config.get("zone") or ""
    return str(zone).rpartition("-")[0]
