"""The lake of a stack."""

from __future__ import annotations

from components.azure.lake import Lake, LakeArgs
from components.azure.lake_directory import LakeDirectories, LakeDirectoriesArgs
from infra.azure.composition import Composition
from infra.azure.network import connect


def lake(c: Composition) -> None:
    """The account and its filesystems."""
    config = c.azure.lake
    if config is None:
        return
    assert c.names.lake is not None
    made = Lake(
        "azure-lake",
        LakeArgs(
            config=config,
            subscription=c.azure.subscription,
            resource_group=c.group,
            location=c.azure.location,
            account_name=c.names.lake,
            principals=c.known_principals(
                who for filesystem in config.filesystems.values() for who in (*filesystem.readers, *filesystem.writers)
            ),
            workspace_id=c.workspace_id,
            tags=c.tags,
            protect=c.protect,
        ),
        c.opts,
    )
    c.lake = made
    c.lake_endpoints = connect(c, "lake", made.account_id)
    directories = {key: one.directories for key, one in config.filesystems.items() if one.directories}
    if directories:
        LakeDirectories(
            "azure-lake-directories",
            LakeDirectoriesArgs(
                directories=directories,
                filesystems=made.containers,
                filesystem_ids=made.filesystem_ids,
                # The one that deploys may be among the writers, and reach the account by its endpoints only.
                depends_on=[*made.grants, *c.lake_endpoints],
            ),
            c.opts,
        )
    c.outputs |= {"lake_account": made.account_name, "filesystems": dict(made.filesystems)}
    c.outputs["filesystem_ids"] = dict(made.filesystem_ids)
