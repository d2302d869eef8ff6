"""`dp-azure:storage:Directory`: a directory in a filesystem of Data Lake Storage Gen2.

Resource Manager has containers and nothing in them, so this asks the account itself, as the identity that deploys. That
one needs a role on the data (Storage Blob Data Contributor), which no role of Resource Manager includes; one that was
given just now takes minutes to hold, so a refusal for want of it is waited out.

What is in a directory is never deleted: one that is taken out of the program goes where it is empty, and else it is an
error that says so. With its filesystem it goes as everything in it does, without being asked for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from providers.base import UNKNOWN, Diff, Failure, ProviderError, State, Values, diff_values, has_unknown
from providers.dfs import Dfs, DfsError

TOKEN: Final = "dp-azure:storage:Directory"  # noqa: S105 - a type token
_INPUTS: Final = ("filesystemId", "path")
_FILESYSTEM: Final = re.compile(
    r"(?P<account>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/(?P<name>[^/]+))"
    r"/blobServices/default/containers/(?P<container>[^/]+)",
    re.IGNORECASE,
)
_ID: Final = re.compile(rf"(?P<filesystem>{_FILESYSTEM.pattern})/directories/(?P<path>.+)", re.IGNORECASE)
_NOT_YET: Final = ("AuthorizationPermissionMismatch",)
"""What an account answers while a role does not hold yet, or is not there at all."""
_PATIENCE: Final = 600.0
"""Seconds that a role may take: Azure names ten minutes."""


class Directory:
    """The resource."""

    def __init__(
        self,
        dfs: Dfs | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        patience: float = _PATIENCE,
    ) -> None:
        self._given = dfs
        self._sleep = sleep
        self._patience = patience

    @property
    def _dfs(self) -> Dfs:
        # Made when first used: a preview asks nothing of Azure and needs no credentials.
        if self._given is None:
            self._given = Dfs()
        return self._given

    def check(self, news: Values, olds: Values) -> tuple[Values, Sequence[Failure]]:
        """A filesystem's id and a path below it."""
        del olds
        wrong: list[Failure] = []
        filesystem, path = news.get("filesystemId"), news.get("path")
        if filesystem is not UNKNOWN and not (isinstance(filesystem, str) and _FILESYSTEM.fullmatch(filesystem)):
            wrong.append(Failure(property="filesystemId", reason="give the resource id of a container"))
        if path is not UNKNOWN and not _is_path(path):
            wrong.append(Failure(property="path", reason="give a path such as data/lnd, without '/' first or last"))
        return {name: value for name, value in news.items() if name in _INPUTS}, wrong

    def diff(self, id: str, olds: State, news: Values) -> Diff:  # noqa: A002
        """Another path is another directory."""
        del id
        return diff_values(olds.inputs, news, replace=_INPUTS)

    def create(self, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        """Make it with the directories above it. One that is there already is taken over."""
        if preview:
            return "", inputs
        if has_unknown(inputs):
            raise ProviderError("a value of this directory is still unknown")
        id_ = f"{inputs['filesystemId']}/directories/{inputs['path']}"
        account, path = _place(id_)
        try:
            self._patiently(
                lambda: self._dfs.call("PUT", account, path, query={"resource": "directory"}, only_new=True)
            )
        except DfsError as error:
            if error.status != 409 or error.code != "PathAlreadyExists":
                raise
            if not self._is_directory(account, path):
                raise ProviderError(
                    f"{path} of {account} is a file, so no directory can be made of that name"
                ) from None
        return id_, inputs

    def read(self, id: str, inputs: Values, outputs: Values) -> State | None:  # noqa: A002
        """Whether it is there."""
        del inputs, outputs
        match = _ID.fullmatch(id)
        if match is None:
            raise ProviderError(
                f"'{id}' is not the id of a directory: <id of the container>/directories/<path>, such as "
                "/subscriptions/…/containers/datalake/directories/data/lnd"
            )
        account, path = _place(id)
        try:
            there = self._is_directory(account, path)
        except DfsError as error:
            if error.status == 404:
                return None
            raise
        found = {"filesystemId": match["filesystem"], "path": match["path"]}
        return State(id=id, inputs=found, outputs=found) if there else None

    def update(self, id: str, olds: State, news: Values, *, preview: bool) -> Values:  # noqa: A002
        """Every change replaces."""
        del id, olds, preview
        return news

    def delete(self, id: str, outputs: Values) -> None:  # noqa: A002
        """Remove it where it is empty."""
        del outputs
        account, path = _place(id)
        try:
            self._patiently(lambda: self._dfs.call("DELETE", account, path, query={"recursive": "false"}))
        except DfsError as error:
            if error.status == 404:
                return
            if error.code == "DirectoryNotEmpty":
                raise ProviderError(
                    f"the directory {path} of {account} is not empty, and what is in it is never deleted: empty it, or "
                    "let it go with pulumi state delete"
                ) from None
            raise

    def _is_directory(self, account: str, path: str) -> bool:
        found = self._patiently(lambda: self._dfs.call("HEAD", account, path))
        return bool(found.get("x-ms-resource-type", "") == "directory")

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Make a call again while a role does not hold yet."""
        waited, pause = 0.0, 5.0
        while True:
            try:
                return call()
            except DfsError as error:
                if error.status == 403 and error.code == "AuthorizationFailure":
                    raise ProviderError(
                        f"{error}: the account's network rules do not let this machine in; deploy from where they do "
                        "(allowed_ips, or a network that has its private endpoints)"
                    ) from None
                if error.status != 403 or error.code not in _NOT_YET:
                    raise
                if waited >= self._patience:
                    raise ProviderError(
                        f"{error}: the identity that deploys has no role on the data; give it Storage Blob Data "
                        "Contributor on the account or its group"
                    ) from None
            self._sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 30.0)


def _is_path(path: object) -> bool:
    return (
        isinstance(path, str)
        and 0 < len(path) <= 1024
        and not path.startswith("/")
        and all(part not in ("", ".", "..") and not part.endswith(".") for part in path.split("/"))
    )


def _place(id_: str) -> tuple[str, str]:
    """Account, and the path with its filesystem."""
    match = _ID.fullmatch(id_)
    assert match is not None, f"an id of ours is not one: {id_}"
    return match["name"], f"{match['container']}/{match['path']}"
