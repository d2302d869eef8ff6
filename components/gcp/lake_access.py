"""Who may read and write the lake: whole zones, and prefixes of them by managed folders.

Additive, as everywhere. It comes after the identities of the stack that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import storage

READER = "roles/storage.objectViewer"
WRITER = "roles/storage.objectUser"
"""To read, write and delete objects; neither policies nor the bucket."""

Members = Mapping[str, pulumi.Input[str]]
"""IAM members by names that are stable."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Readers and writers of one place."""

    readers: Members = field(default_factory=dict)
    writers: Members = field(default_factory=dict)

    def grants(self) -> list[tuple[str, str, pulumi.Input[str]]]:
        """Part of a logical name, role and member of each."""
        return [
            (f"{word}-{label}", role, member)
            for word, role, members in (("reader", READER, self.readers), ("writer", WRITER, self.writers))
            for label, member in sorted(members.items())
        ]


@dataclass(frozen=True, kw_only=True)
class ZoneAccess:
    """Of one zone, and of prefixes in it."""

    bucket: pulumi.Input[str]
    whole: Access
    folders: Mapping[str, Access]
    """By the prefix, without the slash at its end."""


@dataclass(frozen=True, kw_only=True)
class LakeAccessArgs:
    """The zones that have any."""

    zones: Mapping[str, ZoneAccess]
    depends_on: Sequence[pulumi.Resource]


class LakeAccess(pulumi.ComponentResource):
    """The grants on buckets, and the managed folders with theirs."""

    folders: Mapping[str, pulumi.Output[str]]
    """Name of each managed folder (`orders/`), by `<zone>/<path>`."""

    def __init__(self, name: str, args: LakeAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:LakeAccess", name, {}, opts)
        folders: dict[str, pulumi.Output[str]] = {}
        child = pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on))
        for zone, access in sorted(args.zones.items()):
            for label, role, member in access.whole.grants():
                storage.BucketIAMMember(
                    f"{name}-{zone}-{label}", bucket=access.bucket, role=role, member=member, opts=child
                )
            for path, inside in sorted(access.folders.items()):
                folder = storage.ManagedFolder(
                    f"{name}-{zone}/{path}",
                    bucket=access.bucket,
                    name=f"{path}/",
                    # Deleting a managed folder deletes grants, not objects: they stay where they are.
                    force_destroy=True,
                    opts=child,
                )
                for label, role, member in inside.grants():
                    storage.ManagedFolderIamMember(
                        f"{name}-{zone}/{path}-{label}",
                        bucket=folder.bucket,
                        managed_folder=folder.name,
                        role=role,
                        member=member,
                        opts=pulumi.ResourceOptions(parent=self),
                    )
                folders[f"{zone}/{path}"] = folder.name
        self.folders = folders
        self.register_outputs({"folders": dict(folders)})
