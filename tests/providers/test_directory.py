"""Directories of a lake: the resource's own rules, against the embedded cloud's accounts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud import store
from localcloud.arm import ArmDoor
from localcloud.arm_server import Server
from localcloud.world import World
from providers.azure.directory import Directory
from providers.base import UNKNOWN, ProviderError, State
from providers.dfs import Dfs, DfsError
from tests.localcloud.client import Client

SUBSCRIPTION = "00000000-0000-4000-8000-00000000da7a"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/acmelake"
FILESYSTEM = f"{ACCOUNT}/blobServices/default/containers/datalake"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "cloud")
    yield found
    found.close()


@pytest.fixture
def azure(world: World) -> Client:
    client = Client("azure-native", world, {"location": "westeurope", "subscriptionId": SUBSCRIPTION})
    client.create("azure-native:resources:ResourceGroup", {"resourceGroupName": "rg"})
    return client


def lake(azure: Client, **more: Any) -> None:
    held = {"accountName": "acmelake", "resourceGroupName": "rg"}
    told = {**held, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "isHnsEnabled": True}
    azure.create("azure-native:storage:StorageAccount", {**told, **more})
    azure.create("azure-native:storage:BlobContainer", {**held, "containerName": "datalake"})


@pytest.fixture
def directory(world: World) -> Iterator[Directory]:
    with Server(ArmDoor(world)) as server:
        yield Directory(Dfs({"DP_ARM_ENDPOINT": server.url}, sleep=lambda _: None), sleep=lambda _: None)


def inputs(path: str = "data/lnd") -> dict[str, Any]:
    return {"filesystemId": FILESYSTEM, "path": path}


def there(world: World) -> set[str]:
    with world.transaction() as tx:
        return {row.id.partition("/directories/")[2] for row in store.below(tx, f"{FILESYSTEM}/directories")}


def test_it_is_made_read_and_removed(azure: Client, directory: Directory, world: World) -> None:
    lake(azure)
    id_, outputs = directory.create(inputs(), preview=False)
    assert id_ == f"{FILESYSTEM}/directories/data/lnd"
    assert there(world) == {"data", "data/lnd"}
    found = directory.read(id_, {}, {})
    assert found is not None
    assert found.inputs == inputs() == outputs
    directory.delete(id_, outputs)
    assert there(world) == {"data"}
    assert directory.read(id_, {}, {}) is None
    directory.delete(id_, outputs)


def test_one_that_is_there_is_taken_over(azure: Client, directory: Directory, world: World) -> None:
    lake(azure)
    directory.create(inputs("data/lnd"), preview=False)
    # Made as the parent of another one, and then by its own name; and once more, as after a run that was killed.
    for path in ("data", "data/lnd"):
        directory.create(inputs(path), preview=False)
    with world.transaction() as tx:
        assert {row.origin for row in store.below(tx, f"{FILESYSTEM}/directories")} == {"user"}


def test_what_is_in_it_is_not_deleted(azure: Client, directory: Directory, world: World) -> None:
    lake(azure)
    directory.create(inputs("data/lnd/sensors"), preview=False)
    id_, outputs = directory.create(inputs("data/lnd"), preview=False)
    with pytest.raises(ProviderError, match="data/lnd of acmelake is not empty, and what is in it is never deleted"):
        directory.delete(id_, outputs)
    assert "data/lnd/sensors" in there(world)


def test_a_filesystem_takes_its_directories_along(azure: Client, directory: Directory, world: World) -> None:
    lake(azure)
    id_, outputs = directory.create(inputs(), preview=False)
    held = azure.read("azure-native:storage:BlobContainer", FILESYSTEM)
    assert held is not None
    azure.delete("azure-native:storage:BlobContainer", held)
    assert there(world) == set()
    assert directory.read(id_, {}, {}) is None
    directory.delete(id_, outputs)
    with pytest.raises(DfsError, match="specified filesystem does not exist"):
        directory.create(inputs(), preview=False)


def test_a_private_account_answers_through_its_endpoint(azure: Client, directory: Directory) -> None:
    lake(azure, publicNetworkAccess="Disabled")
    with pytest.raises(ProviderError, match="network rules do not let this machine in"):
        directory.create(inputs(), preview=False)
    link = {"name": "dfs", "privateLinkServiceId": ACCOUNT, "groupIds": ["dfs"]}
    azure.create(
        "azure-native:network:PrivateEndpoint",
        {
            "privateEndpointName": "lake",
            "resourceGroupName": "rg",
            "subnet": {
                "id": "/subscriptions/x/resourceGroups/others/providers/Microsoft.Network/virtualNetworks/n/subnets/s"
            },
            "privateLinkServiceConnections": [link],
        },
    )
    directory.create(inputs(), preview=False)


class Denying(Dfs):
    """An account that a role does not hold for yet."""

    def __init__(self, times: int, code: str = "AuthorizationPermissionMismatch") -> None:
        self.times, self.code, self.calls = times, code, 0

    def call(self, method: str, account: str, path: str, **_: Any) -> dict[str, str]:
        self.calls += 1
        if self.calls <= self.times:
            raise DfsError(403, self.code, "This request is not authorized to perform this operation.")
        return {"x-ms-resource-type": "directory"}


def test_a_new_role_is_waited_for_and_a_missing_one_is_told() -> None:
    pauses: list[float] = []
    patient = Denying(3)
    Directory(patient, sleep=pauses.append).create(inputs(), preview=False)
    assert pauses == [5.0, 10.0, 20.0]
    with pytest.raises(ProviderError, match="give it Storage Blob Data Contributor"):
        Directory(Denying(99), sleep=pauses.append, patience=60).create(inputs(), preview=False)


class Filed(Denying):
    """A file where a directory is to be."""

    def call(self, method: str, account: str, path: str, **_: Any) -> dict[str, str]:
        if method == "PUT":
            raise DfsError(409, "PathAlreadyExists", "The specified path already exists.")
        return {"x-ms-resource-type": "file"}


def test_a_file_of_that_name_is_told() -> None:
    with pytest.raises(ProviderError, match="datalake/data/lnd of acmelake is a file"):
        Directory(Filed(0)).create(inputs(), preview=False)


@pytest.mark.parametrize("path", ["/data", "data/", "a//b", "../up", "a/..", "ends.", "", None, 3])
def test_a_path_is_below_its_filesystem(path: Any) -> None:
    _, failures = Directory().check({"filesystemId": FILESYSTEM, "path": path}, {})
    assert [failure.property for failure in failures] == ["path"]


def test_inputs_and_ids_are_judged() -> None:
    made = Directory()
    assert made.check({"filesystemId": UNKNOWN, "path": "data"}, {})[1] == []
    assert [f.property for f in made.check({"filesystemId": "datalake", "path": "data"}, {})[1]] == ["filesystemId"]
    assert made.create({"filesystemId": UNKNOWN, "path": "data"}, preview=True)[0] == ""
    held = State(id="x", inputs=inputs("data"), outputs=inputs("data"))
    assert made.diff("x", held, inputs("data")).changed == {}
    assert made.diff("x", held, inputs("lnd")).replaces
    with pytest.raises(ProviderError, match="is not the id of a directory"):
        made.read("data/lnd", {}, {})
