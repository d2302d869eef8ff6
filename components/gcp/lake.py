"""The lake: a Cloud Storage bucket for each zone, closed to the public and encrypted with our key.

Deliberately absent: who may read or write. The component that owns an identity grants it what it needs, and
`components.gcp.lake_access` what the stack file says beyond that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import storage

from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.config.gcp.lake import Lake as LakeConfig
from dataplatform.config.gcp.lake import LifecycleRule, Zone

_ACTIONS = {"delete": "Delete", "abort_incomplete_uploads": "AbortIncompleteMultipartUpload"}


@dataclass(frozen=True, kw_only=True)
class LakeArgs:
    """The zones and the key that encrypts them."""

    config: LakeConfig
    project: str
    location: str
    bucket_names: Mapping[str, str]
    """Physical name of each zone's bucket, from infra.naming."""
    key: EncryptionKey
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]


class Lake(pulumi.ComponentResource):
    """The buckets of the lake."""

    buckets: Mapping[str, pulumi.Output[str]]
    """Name of each zone's bucket, by zone."""

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:Lake", name, {}, opts)
        self.buckets = {
            zone: self._bucket(f"{name}-{zone}", args, zone, config).name
            for zone, config in sorted(args.config.zones.items())
        }
        self.register_outputs({"buckets": dict(self.buckets)})

    def _bucket(self, logical: str, args: LakeArgs, zone: str, config: Zone) -> storage.Bucket:
        retention = None
        if config.retention is not None:
            retention = storage.BucketRetentionPolicyArgs(
                retention_period=str(int(config.retention.total_seconds())), is_locked=config.lock_retention
            )
        soft_delete = None
        if config.soft_delete is not None:
            soft_delete = storage.BucketSoftDeletePolicyArgs(
                retention_duration_seconds=int(config.soft_delete.total_seconds())
            )
        autoclass = None
        if config.autoclass is not None:
            autoclass = storage.BucketAutoclassArgs(
                enabled=True, terminal_storage_class=config.autoclass.terminal_class
            )
        return storage.Bucket(
            logical,
            project=args.project,
            name=args.bucket_names[zone],
            location=args.location,
            storage_class=config.storage_class,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning=storage.BucketVersioningArgs(enabled=config.versioning),
            encryption=storage.BucketEncryptionArgs(default_kms_key_name=args.key.id),
            lifecycle_rules=[_lifecycle(rule) for _, rule in sorted(config.lifecycle.items())] or None,
            retention_policy=retention,
            soft_delete_policy=soft_delete,
            autoclass=autoclass,
            force_destroy=config.force_destroy,
            labels={**args.labels.as_dict(), "zone": zone},
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=[*args.depends_on, *args.key.grants]
            ),
        )


def _lifecycle(rule: LifecycleRule) -> storage.BucketLifecycleRuleArgs:
    condition = storage.BucketLifecycleRuleConditionArgs(
        age=rule.age_days,
        days_since_noncurrent_time=rule.noncurrent_days,
        num_newer_versions=rule.newer_versions,
        with_state=rule.state.upper() if rule.state is not None else None,
        matches_prefixes=list(rule.prefixes) or None,
        matches_suffixes=list(rule.suffixes) or None,
    )
    if rule.action in _ACTIONS:
        action = storage.BucketLifecycleRuleActionArgs(type=_ACTIONS[rule.action])
    else:
        action = storage.BucketLifecycleRuleActionArgs(type="SetStorageClass", storage_class=rule.action.upper())
    return storage.BucketLifecycleRuleArgs(action=action, condition=condition)
