"""The stacks that promises are proved on: the samples, and those of the tests that have what no sample has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from localcloud import shared_network
from localcloud.world import World
from tests.azure import stacks as azure
from tests.infra import lake_stack, network_stack, orchestration_stack
from tests.infra.inventory import ROOT
from tests.localcloud.client import Client
from tests.promises.bringup import Stack


def topics(world: World) -> None:
    """The topics of another team that the lake's stack refers to."""
    theirs = Client("gcp", world, {"project": "acme-topics", "region": "europe-west1"})
    theirs.enable("pubsub")
    for name in ("objects", "renewals"):
        theirs.create("gcp:pubsub/topic:Topic", {"name": name}, name)


def lake(folder: Path) -> Stack:
    """Keys, secrets, lake and BigQuery with everything."""
    root = lake_stack.stack(folder)
    return Stack(root=root, name="lak", projects=("acme-data-lak", "acme-topics"), around=topics)


def network(folder: Path) -> Stack:
    """A network of its own, Private Service Connect, peering, Cloud SQL over both."""
    parts = (network_stack.NETWORK, network_stack.PRIVATE, network_stack.SQL)
    return Stack(root=network_stack.stack(folder, *parts, secrets=True), name="net", projects=("acme-data-net",))


def host(world: World) -> None:
    """The network that another team keeps for the stack."""
    subnets = ["europe-west1/data=10.10.0.0/22"]
    shared_network.make(world, shared_network.described("acme-net-host", "shared", subnets, ["fusion=data"], None))


def shared(folder: Path) -> Stack:
    """Composer of generation 2 and Data Fusion in a Shared VPC, with the grants that their agents need there."""
    root = network_stack.stack(folder, network_stack.EXISTING, network_stack.PRIVATE_2)
    return Stack(root=root, name="net", projects=("acme-data-net",), around=host)


def composer(version: str, fusion: str) -> Callable[[Path], Stack]:
    """Composer of a generation and Data Fusion, with everything."""

    def stack(folder: Path) -> Stack:
        root = orchestration_stack.stack(folder, version, fusion)
        return Stack(root=root, name=orchestration_stack.NAME, projects=("acme-data-dev",))

    return stack


def databricks(folder: Path) -> Stack:
    """Azure's base, and a Databricks workspace with Unity Catalog."""
    return Stack(root=azure.write_files(azure.write_stack(folder, azure=azure.DATABRICKS)), name="dev", projects=())


def sample(name: str) -> Callable[[Path], Stack]:
    """A stack of this checkout."""
    return lambda folder: Stack(root=ROOT, name=name, projects=(f"acme-data-{name}",))


STACKS: Final[dict[str, Callable[[Path], Stack]]] = {
    "dev": sample("dev"),
    "prod": sample("prod"),
    "lake": lake,
    "network": network,
    "shared": shared,
    "composer 3": composer(orchestration_stack.COMPOSER_3, orchestration_stack.FUSION),
    "composer 2": composer(orchestration_stack.COMPOSER_2, orchestration_stack.FUSION_PEERED),
    "databricks": databricks,
}
