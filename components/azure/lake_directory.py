"""A directory in a filesystem of the lake: a resource of our own provider, `dp-azure`.

Not azure-native's: Resource Manager knows a filesystem, which is a container, and nothing in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi


class LakeDirectory(pulumi.CustomResource):
    """A directory and those above it."""

    def __init__(
        self, name: str, *, filesystem_id: pulumi.Input[str], path: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("dp-azure:storage:Directory", name, {"filesystemId": filesystem_id, "path": path}, opts)


@dataclass(frozen=True, kw_only=True)
class LakeDirectoriesArgs:
    """Which directories, and where."""

    directories: Mapping[str, Sequence[str]]
    """Paths by filesystem."""
    filesystems: Mapping[str, pulumi.Resource]
    """The containers."""
    filesystem_ids: Mapping[str, pulumi.Input[str]]
    depends_on: Sequence[pulumi.Resource]
    """Roles on the data, and endpoints that the account is reached by."""


class LakeDirectories(pulumi.ComponentResource):
    """The zones of a lake as directories."""

    def __init__(self, name: str, args: LakeDirectoriesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:azure:LakeDirectories", name, {}, opts)
        for filesystem, paths in sorted(args.directories.items()):
            made: dict[str, LakeDirectory] = {}
            for path in sorted(set(paths)):
                # One above another is made first: it is then found by its own name, not as somebody's parent.
                above = [one for other, one in made.items() if path.startswith(f"{other}/")]
                made[path] = LakeDirectory(
                    f"{name}-{filesystem}/{path}",
                    filesystem_id=args.filesystem_ids[filesystem],
                    path=path,
                    opts=pulumi.ResourceOptions(
                        parent=self,
                        depends_on=[*args.depends_on, *above],
                        # With its filesystem goes all that is in it, and nothing of it is asked for.
                        deleted_with=args.filesystems[filesystem],
                    ),
                )
        self.register_outputs({})
