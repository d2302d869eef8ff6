"""The base stack that environments share: a vault for QA, and data for integration tests."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from dataplatform.config.azure.lake import FilesystemName
from dataplatform.config.model import Model

StackName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


class Base(Model):
    """What of the base stack this stack uses; it is brought up before."""

    stack: StackName = "base"
    """The base stack, of this project: `Pulumi.<stack>.yaml`."""
    test_data: FilesystemName = "testdata"
    """Filesystem of its lake that holds the data of integration tests."""
    readers: list[str] = []
    """Principals that may read these data and the secrets of its vault: `$<name>` of `azure.identities`, or an object
    id."""
