"""The lake on Azure Data Lake Storage Gen2."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from dataplatform.config.model import Model
from dataplatform.config.types import Name

FilesystemName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$")]
"""Name of a filesystem, which is a blob container: 3 to 63 characters, lower case, digits, single hyphens."""


DirectoryPath = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_=-]([A-Za-z0-9_.=-]*[A-Za-z0-9_=-])?(/[A-Za-z0-9_=-]([A-Za-z0-9_.=-]*[A-Za-z0-9_=-])?)*$",
        max_length=500,
    ),
]
"""Path of a directory below a filesystem, such as data/lnd."""


class AzureLifecycleRule(Model):
    """What happens to a file some days after it was last changed."""

    age_days: Annotated[int, Field(ge=0, le=36525)]
    action: Literal["delete", "cool", "cold", "archive"]
    prefix: str = ""
    """Path below the filesystem that it holds for; empty is all of it."""


class Filesystem(Model):
    """One filesystem of the account."""

    directories: list[DirectoryPath] = []
    """Directories that are made in it, such as data/lnd. Who deploys needs a role on the data: Storage Blob Data
    Contributor, as a writer or on the group."""
    lifecycle: dict[Name, AzureLifecycleRule] = {}
    readers: list[str] = []
    """Principals that may read it, `$<name>` of `azure.identities` or an object id."""
    writers: list[str] = []
    """Principals that may read and write it."""


class AzureLake(Model):
    """An Azure Data Lake Storage Gen2 account with hierarchical namespace."""

    replication: Literal["LRS", "ZRS", "GRS", "GZRS", "RAGRS", "RAGZRS"] = "LRS"
    filesystems: dict[FilesystemName, Filesystem] = {"datalake": Filesystem()}
    shared_keys: bool = False
    """Let account keys and signatures made with them be used. Off: only Entra identities get in."""
    public_network: bool = True
    """Whether the account answers on its public address; its network rules decide to whom."""
    allowed_ips: list[Annotated[str, Field(min_length=7, max_length=18)]] = []
    """Addresses or ranges that may reach it; with any, all others are denied."""
    soft_delete_days: Annotated[int, Field(ge=1, le=365)] = 7
    """Days that deleted files and filesystems can be restored."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{3,24}$")] | None = None
    """Name of the account, for one that exists or must be called so; made from prefix and environment otherwise."""
