"""Configurations of real programs, and what the cloud they were written for does with them.

Each says where it was read. The files are facts in our own words: the shape of an input, the words of a refusal.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import store
from localcloud.services.google import DEFAULT_APIS
from localcloud.world import World
from tests.localcloud.client import Client
from tests.localcloud.configurations.cases import Case, Stack, load, stems

_APIS = (
    "artifactregistry bigquery bigqueryconnection bigquerydatatransfer biglake cloudbuild cloudfunctions cloudkms"
    " cloudresourcemanager cloudscheduler composer compute container dataflow dataform datafusion dataplex dataproc dns"
    " eventarc iam logging metastore monitoring pubsub run secretmanager servicenetworking sqladmin storage vpcaccess"
    " workflows"
)
CASES = [case for stem in stems() for case in load(stem)]
SETTINGS = {"project": "acme-dev", "region": "us-central1"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with every API a case may need, made once."""
    home = tmp_path_factory.mktemp("prepared") / "cloud"
    world = World(home)
    with world.transaction() as tx:
        store.create_project(tx, "acme-dev", DEFAULT_APIS)
    Client("gcp", world, SETTINGS).enable(*_APIS.split())
    world.close()
    return home


@pytest.fixture
def cloud(prepared: Path, tmp_path: Path) -> Iterator[World]:
    """A copy of it, for one case."""
    world = World(Path(shutil.copytree(prepared, tmp_path / "cloud")))
    yield world
    world.close()


def test_every_case_has_a_name_of_its_own_and_a_source() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 0
    assert all(case.source for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_configuration(cloud: World, case: Case) -> None:
    number = store.project_number(cloud.connect(), "acme-dev")
    assert number is not None
    stack = Stack(Client("gcp", cloud, SETTINGS), case, number)
    stack.create()
    wrong = [*stack.outputs(), *stack.again()]
    wrong += [said for step in case.steps if (said := stack.step(step))]
    wrong += stack.destroy()
    assert not wrong, "\n".join(wrong)
