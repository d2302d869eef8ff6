"""The lake on Cloud Storage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Duration, Name

StorageClass = Literal["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"]
FolderPath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*$", max_length=1000)
]
TopicPath = Annotated[
    str,
    Field(
        pattern=r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$",
    ),
]
"""A Pub/Sub topic that is there already, by its full name."""
ObjectPrefix = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\r\n]*$")]


class LifecycleRule(Model):
    """What happens to an object for which all the conditions hold; at least one must be given."""

    action: Literal["delete", "nearline", "coldline", "archive", "abort_incomplete_uploads"]
    age_days: Annotated[int, Field(ge=1, le=36525)] | None = None
    noncurrent_days: Annotated[int, Field(ge=1, le=36525)] | None = None
    """Days since the version was replaced by a newer one."""
    newer_versions: Annotated[int, Field(ge=1, le=100)] | None = None
    """How many newer versions there are at least."""
    state: Literal["live", "archived", "any"] | None = None
    """Of the version: the current one, an older one, or either."""
    prefixes: list[ObjectPrefix] = []
    suffixes: list[ObjectPrefix] = []


class Autoclass(Model):
    """Cloud Storage chooses each object's class by how it is used."""

    terminal_class: Literal["NEARLINE", "ARCHIVE"] = "NEARLINE"
    """The coldest class it goes to."""


class Folder(Model):
    """A managed folder: a prefix of a zone with readers and writers of its own."""

    readers: list[str] = []
    writers: list[str] = []


class Notification(Model):
    """Messages about objects of a zone, to a topic of the stack or to one that is there."""

    topic: TopicPath | None = None
    """A topic that is there; left out, the stack makes one, encrypted with its key."""
    events: list[Literal["finalize", "metadata_update", "delete", "archive"]] = ["finalize"]
    prefix: ObjectPrefix | None = None
    attributes: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,255}$")], str] = {}


class Zone(Model):
    """One zone of the lake: a Cloud Storage bucket."""

    storage_class: StorageClass = "STANDARD"
    versioning: bool = True
    retention: Duration | None = None
    lock_retention: bool = False
    """Lock the retention policy: it can then never be shortened or taken away, by nobody."""
    soft_delete: Duration | None = None
    """How long deleted objects can be restored, `P7D` to `P90D`; `PT0S` switches it off.

    Left out: the service's 7 days."""
    autoclass: Autoclass | None = None
    lifecycle: dict[Name, LifecycleRule] = {}
    force_destroy: bool = False
    """Let `pulumi destroy` delete the bucket with its objects. Only for stacks that hold no data anyone needs."""
    readers: list[str] = []
    """Who may read all of the zone: members, or identities of the stack such as `$composer`."""
    writers: list[str] = []
    """Who may read, write and delete in all of the zone."""
    folders: dict[FolderPath, Folder] = {}
    notifications: dict[Name, Notification] = {}


class Lake(Model):
    """Cloud Storage by zone. The location is the stack's region unless a multi-region is named."""

    location: Annotated[str, Field(pattern=r"^[A-Za-z]+(-[a-z]+[0-9]{1,2})?$")] | None = None
    zones: dict[Name, Zone] = {"landing": Zone(), "curated": Zone(), "consumption": Zone()}
