"""What an instance holds, as the real engine deploys it: previews, drift, deletion, protection, kills.

Each test brings up a stack of its own, an instance of the embedded cloud with a namespace in it, and goes through steps
that build on each other: an `up` costs seconds.
"""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_gcp import datafusion, projects

from components.gcp.data_fusion_objects import DataFusionObjects, DataFusionObjectsArgs
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.layout import normalised
from dataplatform.datafusion.model import Json, Key, Kind
from localcloud.cdap.beside import Server
from localcloud.cdap.doors import DataFusionDoors
from localcloud.cdap.http import Reply, Request
from localcloud.cdap.server import LostReply
from localcloud.world import World
from tests.datafusion.pipelines import pipeline
from tests.engine_support import ROOT, EngineFailedError, EngineStack, Sandbox

pytestmark = pytest.mark.engine

PROJECT = "acme-fusion"
HOST = f"core-{PROJECT}-dot-ew1.datafusion.googleusercontent.com"
VALUE = "CANARY-of-the-database"
SCHEDULED: Json = {"pipeline": "orders", "name": "dataPipelineSchedule", "status": "SCHEDULED"}


def orders(table: str = "orders", cron: str = "0 1 */1 * *") -> Json:
    body = pipeline("orders", table, schedule=cron)
    body["artifact"]["version"] = "6.11.1"
    body["config"]["stages"][0]["plugin"]["properties"]["password"] = "${secure(db)}"
    return body


def lines(version: str = "1") -> Json:
    body = pipeline(f"lines {version}", "lines", schedule=None)
    body["name"] = "lines"
    body["artifact"]["version"] = "6.11.1"
    body["config"]["description"] = version
    return body


def counts(summary: Mapping[Any, int]) -> dict[str, int]:
    """What a command of the engine did, by the name of the operation."""
    return {str(getattr(op, "value", op)): number for op, number in summary.items()}


class Doors(DataFusionDoors):
    """The instances, with somebody at the door who kills the provider after a certain call."""

    def __init__(self, world: World, home: Path) -> None:
        super().__init__(world, token=None)
        self.home = home
        self.at = ""
        """Method and path of the call, without `/v3/`."""
        self.killed: list[int] = []

    def answer(self, request: Request) -> Reply:
        if not self.at or f"{request.method} {request.path.partition('/v3/')[2]}" != self.at:
            return super().answer(request)
        self.at = ""
        super().answer(request)
        for process in providers_of(self.home):
            os.kill(process, signal.SIGKILL)
            self.killed.append(process)
        raise LostReply


def providers_of(home: Path) -> list[int]:
    """Processes of the provider that were started for this sandbox."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            command, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if b"providers/data_fusion" in command and str(home).encode() in environment:
            found.append(int(entry.name))
    return found


@dataclass
class Lab:
    """A stack, the world it is in, and the instance's own API."""

    sandbox: Sandbox
    doors: Doors
    server: Server
    world: World
    export: dict[Key, Json] = field(default_factory=dict)

    def say(self, *bodies: Json, schedule: Json | None = SCHEDULED) -> None:
        """What git says."""
        self.export = {Key(namespace="sales", kind=Kind.NAMESPACE): {"name": "sales", "description": "", "config": {}}}
        self.export[Key(namespace="sales", kind=Kind.PREFERENCES)] = {"preferences": {"bucket": "b"}}
        for body in bodies:
            self.export[Key(namespace="sales", kind=Kind.PIPELINE, name=body["name"])] = normalised(Kind.PIPELINE, body)
        if schedule is not None:
            key = Key(namespace="sales", kind=Kind.SCHEDULE, name="orders", part="dataPipelineSchedule")
            self.export[key] = normalised(Kind.SCHEDULE, copy.deepcopy(schedule))

    def stack(self, *, protect: bool = False, title: str = "Core") -> EngineStack:
        export = dict(self.export)

        def program() -> None:
            api = projects.Service("api", project=PROJECT, service="datafusion.googleapis.com")
            instance = datafusion.Instance(
                "core",
                project=PROJECT,
                region="europe-west1",
                name="core",
                type="DEVELOPER",
                version="6.11.1",
                display_name=title,
                opts=pulumi.ResourceOptions(depends_on=[api]),
            )
            DataFusionObjects(
                "objects",
                DataFusionObjectsArgs(
                    endpoint=instance.api_endpoint,
                    export=export,
                    jars={},
                    secure_keys={("sales", "db"): pulumi.Output.secret(VALUE)},
                    protect=protect,
                    instance=instance,
                ),
            )

        return self.sandbox.stack(program)

    def client(self) -> Client:
        return Client(f"{self.server.url}/datafusion/{HOST}/api")

    def app(self, name: str = "orders") -> Json:
        found: Json = self.client().get("namespaces", "sales", "apps", name)
        return found

    def table(self) -> str:
        stages = json.loads(self.app()["configuration"])["stages"]
        return str(next(s for s in stages if s["name"] == "Read")["plugin"]["properties"]["name"])

    def schedule(self) -> Json:
        found: Json = self.client().get("namespaces", "sales", "apps", "orders", "schedules", "dataPipelineSchedule")
        return found

    def versions(self) -> int:
        return len(self.client().get("namespaces", "sales", "apps", "orders", "versions"))

    def writes(self) -> list[str]:
        """The calls since the last look that could have changed something."""
        calls = [json.loads(line) for line in self.world.log.read_text("utf-8").splitlines()]
        self.world.log.write_text("", "utf-8")
        return [f"{c['method']} {c['id']}" for c in calls if c["type"].startswith("cdap:") and c["method"] != "GET"]

    def killing(self, call: str) -> None:
        """Kill the provider when that call is done, before it hears of it."""
        self.doors.at, self.doors.killed = call, []

    def in_the_ui(self, table: str) -> None:
        """Somebody changes and deploys the pipeline in the user interface."""
        body = orders(table)
        self.client().call("PUT", ("namespaces", "sales", "apps", "orders"), body=body)
        own = ("schedules", "dataPipelineSchedule")
        self.client().call("POST", ("namespaces", "sales", "apps", "orders", *own, "enable"))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    home = tmp_path
    (home / "Pulumi.yaml").write_text(
        "name: sandbox\nruntime: python\nplugins:\n  providers:\n    - name: dp-cdap\n"
        f"      path: {ROOT / 'providers' / 'data_fusion'}\n",
        "utf-8",
    )
    world = World(home / "cloud")
    doors = Doors(world, home)
    with Server(doors) as server:
        sandbox = Sandbox(home, {"DP_CDAP_ENDPOINT": server.url})
        sandbox.project(PROJECT)
        yield Lab(sandbox, doors, server, world)


def made(lab: Lab) -> None:
    """A stack is previewed without its instance, and then made."""
    lab.say(orders())
    assert lab.stack().preview() == {"create": 9}
    assert lab.stack().up() == {"create": 9}
    assert (lab.table(), lab.schedule()["status"], lab.versions()) == ("orders", "SCHEDULED", 1)
    assert lab.client().get("namespaces", "sales", "preferences") == {"bucket": "b"}
    assert lab.client().call("GET", ("namespaces", "sales", "securekeys", "db")).body.decode() == VALUE


def secret(lab: Lab) -> None:
    """A secure key is in the state as a digest, and encrypted."""
    (file,) = (lab.sandbox.home / "state").rglob("dev.json")
    state = json.loads(file.read_text("utf-8"))["checkpoint"]["latest"]
    key = next(r for r in state["resources"] if r["type"].endswith(":SecureKey"))
    assert "CANARY" not in json.dumps(state)
    assert "ciphertext" in key["inputs"]["value"]
    assert "ciphertext" in key["outputs"]["value"]
    assert len(key["outputs"]["digest"]) == 48


def changed(lab: Lab) -> None:
    """A changed pipeline is one update, and its schedule goes on."""
    lab.writes()
    lab.say(orders("orders_v2"))
    assert lab.stack().up() == {"same": 8, "update": 1}
    assert lab.writes() == ["PUT /v3/namespaces/sales/apps/orders"]
    assert (lab.table(), lab.schedule()["status"], lab.versions()) == ("orders_v2", "SCHEDULED", 2)


def drifted(lab: Lab) -> None:
    """A change in the user interface is drift, and never overwritten unseen."""
    assert counts(lab.stack().stack.preview(refresh=True).change_summary) == {"same": 9}
    lab.in_the_ui("theirs")
    told = lab.stack().stack.preview(refresh=True, diff=True)
    assert counts(told.change_summary) == {"same": 8, "update": 1}
    assert '"theirs" => "orders_v2"' in told.stdout
    # Nobody looked: what they did is not lost.
    lab.say(orders("orders_v3"))
    with pytest.raises(EngineFailedError, match="was changed on the instance since the stack last saw it"):
        lab.stack().up()
    assert lab.table() == "theirs"
    # Somebody looked, and git is to hold.
    lab.stack().refresh()
    assert lab.stack().up() == {"same": 8, "update": 1}
    assert (lab.table(), lab.schedule()["status"]) == ("orders_v3", "SCHEDULED")


def killed_in_an_update(lab: Lab) -> None:
    """A provider killed between its calls is made good by the next up."""
    app, move = "PUT namespaces/sales/apps/orders", "POST namespaces/sales/apps/orders/schedules/dataPipelineSchedule/"
    for number, call in enumerate((f"{move}update", app)):
        before = lab.versions()
        lab.say(orders(f"killed_{number}", f"{number} 4 * * *"))
        lab.killing(call)
        with pytest.raises(EngineFailedError):
            lab.stack().up()
        assert lab.doors.killed, "the provider was not there to be killed"
        assert lab.schedule()["status"] == "SCHEDULED", "whatever happens, it goes on"
        assert lab.stack().up() == {"same": 7, "update": 2}
        assert (lab.table(), lab.schedule()["status"]) == (f"killed_{number}", "SCHEDULED")
        assert lab.schedule()["trigger"]["cronExpression"] == f"{number} 4 * * *"
        assert lab.versions() == before + 1, "no version more than were meant"


def killed_in_a_create(lab: Lab) -> None:
    """The pipeline of a killed provider is adopted."""
    lab.say(orders("killed_1", "1 4 * * *"), lines())
    lab.killing("PUT namespaces/sales/apps/lines")
    with pytest.raises(EngineFailedError):
        lab.stack().up()
    assert lab.doors.killed
    made = lab.app("lines")["appVersion"]
    assert lab.stack(protect=True).up()["create"] == 1
    assert lab.app("lines")["appVersion"] == made


def protected_and_deleted(lab: Lab) -> None:
    """A file that is gone deletes its pipeline, unless it is protected."""
    lab.say(orders("killed_1", "1 4 * * *"))
    with pytest.raises(EngineFailedError, match="protect"):
        lab.stack(protect=True).up()
    assert lab.app("lines")
    lab.say(orders("killed_1", "1 4 * * *"), lines())
    lab.stack().up()  # no longer protected
    lab.say(orders("killed_1", "1 4 * * *"))
    lab.writes()
    assert lab.stack().up() == {"same": 9, "delete": 1}
    assert lab.writes() == ["DELETE /v3/namespaces/sales/apps/lines"]


def replaced(lab: Lab) -> None:
    """An instance that is replaced gets everything again."""
    lab.writes()
    assert lab.stack(title="Another").up()["replace"] == 6
    assert (lab.table(), lab.schedule()["status"], lab.versions()) == ("orders", "SCHEDULED", 1)
    gone = [call.rpartition("/namespaces/")[2] for call in lab.writes()][:5]
    assert gone[0] == "sales/apps/orders/schedules/dataPipelineSchedule/disable"
    assert gone[1] == "sales/apps/orders"
    assert sorted(gone[2:4]) == ["sales/preferences", "sales/securekeys/db"]
    assert gone[4] == "sales"


def destroyed(lab: Lab) -> None:
    """What is in an instance goes with it."""
    assert lab.stack(title="Another").destroy()["delete"] == 9
    assert lab.writes() == []


def test_a_stack_deploys_what_git_says(lab: Lab) -> None:
    made(lab)
    secret(lab)
    changed(lab)
    drifted(lab)


def test_what_is_interrupted_is_made_good_and_what_is_deleted_is_guarded(lab: Lab) -> None:
    lab.say(orders())
    lab.stack().up()
    killed_in_an_update(lab)
    killed_in_a_create(lab)
    protected_and_deleted(lab)


def test_an_instance_takes_what_is_in_it_along(lab: Lab) -> None:
    lab.say(orders())
    lab.stack().up()
    replaced(lab)
    destroyed(lab)
