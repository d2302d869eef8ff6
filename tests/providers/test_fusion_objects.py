"""Each type of `dp-cdap`, made, read, changed, found changed by others, and removed, on an embedded CDAP."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.datafusion import normalise
from dataplatform.local.engine_env import engine_env
from localcloud.cdap.instance import Settings
from localcloud.cdap.server import serve
from localcloud.faults import add, make
from localcloud.world import World
from providers import companion
from providers.base import UNKNOWN, ProviderError, State
from providers.data_fusion.endpoints import Clients
from providers.data_fusion.forms import FORMS
from providers.data_fusion.resources import resources
from providers.data_fusion.secure_keys import digest_of
from tests.datafusion.pipelines import pipeline
from tests.engine_support import ROOT
from tests.providers.fusion_support import (
    ARGUMENTS,
    ARTIFACT,
    CONNECTION,
    NAMESPACE,
    PIPELINE,
    PREFERENCES,
    PROFILE,
    SCHEDULE,
    SECURE,
    Driver,
    Refused,
    pipeline_inputs,
)

NS = "/v3/namespaces/sales"
APP = f"{NS}/apps/orders"
NIGHT: dict[str, Any] = {
    "namespace": "sales",
    "pipeline": "orders",
    "name": "night",
    "schedule": {
        "description": "",
        "program": {"programName": "DataPipelineWorkflow", "programType": "WORKFLOW"},
        "properties": {},
        "trigger": {"type": "TIME", "cronExpression": "0 3 * * *"},
        "constraints": [],
        "timeoutMillis": 86400000,
    },
    "status": "SCHEDULED",
}
BIG: dict[str, Any] = {
    "namespace": "sales",
    "name": "big",
    "label": "Big",
    "description": "",
    "provisioner": {"name": "native", "properties": []},
    "status": "DISABLED",
}


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    world = World(tmp_path / "world")
    with serve(world, "core", settings=Settings(time_scale=0.01)) as server:
        yield Driver.of(server)


@pytest.fixture
def sales(driver: Driver) -> Driver:
    driver.create(NAMESPACE, namespace="sales", description="Sales", config={})
    return driver


def fault(driver: Driver, match: str, action: str, nth: int = 1) -> None:
    add(driver.server.instance.world, make("*", match, nth, action))


def by_hand(driver: Driver, method: str, *segments: str, body: Any = None) -> None:
    """What somebody does in the user interface."""
    driver.client.call(method, segments, body=body)


def redeploy(driver: Driver, table: str, **config: Any) -> None:
    body = pipeline("orders", table, **config)
    app = ("namespaces", "sales", "apps", "orders")
    by_hand(driver, "PUT", *app, body={**body, "app.deploy.update.schedules": False})


def table_of(driver: Driver) -> str:
    config = json.loads(driver.client.get("namespaces", "sales", "apps", "orders")["configuration"])
    return str(next(s for s in config["stages"] if s["name"] == "Read")["plugin"]["properties"]["name"])


def versions(driver: Driver) -> int:
    return len(driver.client.get("namespaces", "sales", "apps", "orders", "versions"))


# Pipelines ------------------------------------------------------------------------------------------------------------


def test_a_pipeline_lives(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    assert made.id == f"{sales.server.url}{APP}"
    assert made.outputs["appVersion"]
    assert sales.diff(PIPELINE, made, **pipeline_inputs()) == (set(), False)
    read = sales.refresh(PIPELINE, made)
    assert read == made, "1024 came back as 1024.0 and means the same"

    changed, replaced = sales.diff(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert changed == {"config.stages.Read.plugin.properties.name", "config.stages.Write.plugin.properties.name"}
    assert not replaced
    sales.writes()
    second = sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert sales.writes() == [f"PUT {APP}"]
    assert second.outputs["appVersion"] != made.outputs["appVersion"]
    assert sales.diff(PIPELINE, second, **pipeline_inputs("lines"))[1], "another name is another pipeline"

    sales.delete(PIPELINE, second)
    assert sales.refresh(PIPELINE, second) is None
    sales.delete(PIPELINE, second)


def test_a_preview_asks_nothing(driver: Driver) -> None:
    checked = driver.check(PIPELINE, {**pipeline_inputs(), "endpoint": UNKNOWN})
    id_, outputs = driver.types[PIPELINE].create(checked, preview=True)
    assert (id_, outputs["appVersion"], outputs["endpoint"]) == ("", UNKNOWN, UNKNOWN)
    assert outputs["config"] == pipeline_inputs()["config"]
    assert driver.writes() == []


def test_an_instance_that_is_made_anew_loses_its_pipelines(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    changed, replaced = sales.diff(PIPELINE, made, **pipeline_inputs(), endpoint=UNKNOWN)
    assert (changed, replaced) == ({"endpoint"}, True)


def test_drift_is_seen_and_then_may_be_overwritten(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    redeploy(sales, "from_the_ui")
    with pytest.raises(ProviderError) as told:
        sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert "pipeline sales/orders was changed on the instance since the stack last saw it" in str(told.value)
    assert "stage 'Read', property 'name'" in str(told.value)
    assert "dp datafusion pull --namespace sales" in str(told.value)
    assert table_of(sales) == "from_the_ui"

    seen = sales.refresh(PIPELINE, made)
    assert seen is not None
    changed, _ = sales.diff(PIPELINE, seen, **pipeline_inputs())
    assert changed == {"config.stages.Read.plugin.properties.name", "config.stages.Write.plugin.properties.name"}
    sales.update(PIPELINE, seen, **pipeline_inputs())
    assert table_of(sales) == "orders"


def test_a_save_that_changes_nothing_stands_in_nobodys_way(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    redeploy(sales, "orders")
    sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert table_of(sales) == "orders_v2"


def test_a_change_between_look_and_deployment_is_refused(sales: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    send = sales.client.send
    begun: list[str] = []

    def meddle(method: str, url: str, body: bytes | None, headers: Any) -> Any:
        if method == "PUT" and url.endswith(APP) and not begun:
            begun.append(url)
            redeploy(sales, "theirs")
        return send(method, url, body, headers)

    monkeypatch.setattr(sales.client, "send", meddle)
    with pytest.raises(ProviderError, match="was changed on the instance while it was deployed"):
        sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert table_of(sales) == "theirs"


def test_what_is_there_already_is_adopted_only_where_it_equals(sales: Driver) -> None:
    redeploy(sales, "orders")
    sales.writes()
    sales.create(PIPELINE, **pipeline_inputs())
    assert sales.writes() == []
    assert versions(sales) == 1
    with pytest.raises(ProviderError, match=r"pipeline sales/orders is there already, and not as the files have it"):
        sales.create(PIPELINE, **pipeline_inputs(table="other"))


@pytest.mark.parametrize("action", ["drop", "fail=503"])
def test_a_reply_that_is_lost_makes_no_second_version(sales: Driver, action: str) -> None:
    fault(sales, f"cdap:PUT {APP}", action)
    made = sales.create(PIPELINE, **pipeline_inputs())
    assert versions(sales) == 1
    fault(sales, f"cdap:PUT {APP}", action)
    sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert (versions(sales), table_of(sales)) == (2, "orders_v2")


def test_an_update_that_nobody_heard_of_is_adopted(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    sales.writes()
    sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert sales.writes() == []


def test_what_a_stack_deployed_itself_is_never_in_its_way(sales: Driver) -> None:
    """A state that was lost, or an `up` that was killed before the file was changed once more."""
    first = sales.create(PIPELINE, **pipeline_inputs())
    sales.update(PIPELINE, first, **pipeline_inputs(table="orders_v2"))
    sales.update(PIPELINE, first, **pipeline_inputs(table="orders_v3", schedule=None))
    assert table_of(sales) == "orders_v3"
    assert schedule_names(sales) == set()
    sales.create(PIPELINE, **pipeline_inputs(table="orders_v4"))
    assert table_of(sales) == "orders_v4"
    redeploy(sales, "theirs")
    with pytest.raises(ProviderError, match="is there already"):
        sales.create(PIPELINE, **pipeline_inputs(table="orders_v5"))


def test_a_pipeline_deleted_by_hand_is_made_again(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    by_hand(sales, "DELETE", "namespaces", "sales", "apps", "orders")
    assert sales.refresh(PIPELINE, made) is None
    sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert table_of(sales) == "orders_v2"


def test_a_running_pipeline_is_not_deleted(sales: Driver) -> None:
    sales.server.instance.settings = Settings(time_scale=1000.0)
    made = sales.create(PIPELINE, **pipeline_inputs())
    by_hand(sales, "POST", *APP.split("/")[2:], "workflows", "DataPipelineWorkflow", "start")
    with pytest.raises(ProviderError, match=r"cannot be deleted.*dp datafusion stop 'orders' --namespace sales"):
        sales.delete(PIPELINE, made)


def test_a_plugin_that_is_not_there_is_named(sales: Driver) -> None:
    inputs = pipeline_inputs()
    inputs["config"]["stages"]["Read"]["plugin"]["name"] = "KVTabel"
    with pytest.raises(ProviderError) as told:
        sales.create(PIPELINE, **inputs)
    assert "stage 'Read' of pipeline sales/orders needs the plugin KVTabel (batchsource)" in str(told.value)
    assert "did you mean 'KVTable'" in str(told.value)

    inputs = pipeline_inputs()
    inputs["artifact"]["version"] = "7.0.0"
    with pytest.raises(ProviderError, match=r"is made for CDAP 7\.0\.0, and the instance has 6\.11\.0"):
        sales.create(PIPELINE, **inputs)


def test_a_secure_key_that_is_not_there_is_named(sales: Driver) -> None:
    inputs = pipeline_inputs()
    inputs["config"]["stages"]["Read"]["plugin"]["properties"]["password"] = "${secure(db-password)}"
    with pytest.raises(ProviderError, match="uses the secure key 'db-password'"):
        sales.create(PIPELINE, **inputs)
    sales.create(SECURE, namespace="sales", name="db-password", value="opensesame")
    sales.create(PIPELINE, **inputs)


def test_a_secret_typed_into_the_ui_reaches_no_state(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    body = pipeline("orders")
    body["config"]["stages"][0]["plugin"]["properties"]["password"] = "CANARY-plain"
    by_hand(sales, "PUT", "namespaces", "sales", "apps", "orders", body=body)
    seen = sales.refresh(PIPELINE, made)
    assert seen is not None
    assert "CANARY" not in repr(seen)
    assert sales.diff(PIPELINE, seen, **pipeline_inputs())[0] == {"config.stages.Read.plugin.properties.password"}
    with pytest.raises(ProviderError) as told:
        sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    assert "CANARY" not in str(told.value)


def test_a_pipeline_is_imported_by_its_address(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    read = sales.types[PIPELINE].read(made.id, {}, {})
    assert read is not None
    assert read.inputs == made.inputs
    with pytest.raises(ProviderError, match="is no id of a pipeline"):
        sales.types[PIPELINE].read("orders", {}, {})


# Schedules ------------------------------------------------------------------------------------------------------------


def status(driver: Driver, name: str) -> str:
    return str(driver.client.get("namespaces", "sales", "apps", "orders", "schedules", name)["status"])


def schedule_names(driver: Driver) -> set[str]:
    return {s["name"] for s in driver.client.get("namespaces", "sales", "apps", "orders", "schedules")}


def own(cron: str = "0 1 */1 * *", state: str = "SCHEDULED") -> dict[str, Any]:
    """The schedule that comes with the pipeline, as a resource."""
    body = {"pipeline": "orders", "name": "dataPipelineSchedule", "status": state}
    whole = normalise.whole_schedule(body, {"schedule": cron, "maxConcurrentRuns": 1})
    return {
        "namespace": "sales",
        "pipeline": "orders",
        "name": "dataPipelineSchedule",
        "schedule": {k: v for k, v in whole.items() if k != "name"},
        "status": state,
    }


def test_an_active_schedule_goes_on_through_changes_of_its_pipeline(sales: Driver) -> None:
    made = sales.create(PIPELINE, **pipeline_inputs())
    night = sales.create(SCHEDULE, **NIGHT)
    mine = sales.create(SCHEDULE, **own())
    assert (status(sales, "night"), status(sales, "dataPipelineSchedule")) == ("SCHEDULED", "SCHEDULED")
    assert sales.refresh(SCHEDULE, night) == night
    assert sales.refresh(SCHEDULE, mine) == mine

    made = sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2"))
    made = sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2", schedule="0 5 * * *"))
    assert (status(sales, "night"), status(sales, "dataPipelineSchedule")) == ("SCHEDULED", "SCHEDULED")
    assert sales.diff(SCHEDULE, mine, **own("0 5 * * *"))[0] == {"schedule.trigger.cronExpression"}
    sales.writes()
    mine = sales.update(SCHEDULE, mine, **own("0 5 * * *"))
    assert sales.writes() == [], "the pipeline has moved it already"

    # A pipeline that has no schedule any more loses its own, and nobody else's.
    made = sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2", schedule=None))
    assert schedule_names(sales) == {"night"}
    made = sales.update(PIPELINE, made, **pipeline_inputs(table="orders_v2", schedule="0 6 * * *"))
    assert schedule_names(sales) == {"night", "dataPipelineSchedule"}
    assert (status(sales, "night"), status(sales, "dataPipelineSchedule")) == ("SCHEDULED", "SUSPENDED")


def test_a_schedule_lives(sales: Driver) -> None:
    sales.create(PIPELINE, **pipeline_inputs())
    night = sales.create(SCHEDULE, **NIGHT)
    by_hand(sales, "POST", *APP.split("/")[2:], "schedules", "night", "disable")
    seen = sales.refresh(SCHEDULE, night)
    assert seen is not None
    assert sales.diff(SCHEDULE, seen, **NIGHT)[0] == {"status"}
    sales.update(SCHEDULE, seen, **NIGHT)
    assert status(sales, "night") == "SCHEDULED"
    sales.delete(SCHEDULE, night)
    assert schedule_names(sales) == {"dataPipelineSchedule"}

    mine = sales.create(SCHEDULE, **own())
    sales.delete(SCHEDULE, mine)
    assert status(sales, "dataPipelineSchedule") == "SUSPENDED", "it stays with its pipeline, and does not run"


@pytest.mark.parametrize("match", [f"cdap:PUT {APP}/schedules/night", f"cdap:POST {APP}/schedules/night/enable"])
def test_a_schedule_cut_off_between_its_calls_is_completed(sales: Driver, match: str) -> None:
    sales.create(PIPELINE, **pipeline_inputs())
    for _ in range(6):
        fault(sales, match, "fail=500")
    with pytest.raises(ProviderError, match="schedule sales/orders/night: "):
        sales.create(SCHEDULE, **NIGHT)
    sales.server.instance.world.connect().execute("DELETE FROM faults")
    sales.create(SCHEDULE, **NIGHT)
    assert status(sales, "night") == "SCHEDULED"


# All others -----------------------------------------------------------------------------------------------------------


def test_a_namespace_goes_only_when_nothing_strange_is_in_it(driver: Driver) -> None:
    made = driver.create(NAMESPACE, namespace="sales", description="Sales", config={})
    assert driver.refresh(NAMESPACE, made) == made
    made = driver.update(NAMESPACE, made, namespace="sales", description="All sales", config={})
    assert driver.client.get("namespaces", "sales")["description"] == "All sales"
    redeploy(driver, "theirs")
    with pytest.raises(ProviderError, match="still holds what is not the stack's \\(pipeline orders\\)"):
        driver.delete(NAMESPACE, made)
    by_hand(driver, "DELETE", "namespaces", "sales", "apps", "orders")
    # With an enabled profile CDAP would refuse, after everything else has gone.
    driver.create(PROFILE, **{**BIG, "status": "ENABLED"})
    driver.delete(NAMESPACE, made)
    assert driver.refresh(NAMESPACE, made) is None
    driver.delete(NAMESPACE, made)


def test_a_namespace_that_is_there_is_adopted_and_default_is_never_deleted(driver: Driver) -> None:
    by_hand(driver, "PUT", "namespaces", "sales", body={"description": "old"})
    driver.create(NAMESPACE, namespace="sales", description="new", config={})
    assert driver.client.get("namespaces", "sales")["description"] == "new"
    default = driver.create(NAMESPACE, namespace="default", description="ours", config={})
    driver.delete(NAMESPACE, default)
    assert driver.refresh(NAMESPACE, default) is not None


def test_preferences_are_replaced_as_a_whole_and_never_over_others(sales: Driver) -> None:
    said = {"namespace": "sales", "preferences": {"a": "1", "b": "two"}}
    made = sales.create(PREFERENCES, **said)
    assert made.id == f"{sales.server.url}{NS}/preferences"
    by_hand(sales, "PUT", "namespaces", "sales", "preferences", body={"a": "1", "b": "two", "c": "theirs"})
    with pytest.raises(ProviderError, match=r"preferences of sales was changed .*\('c'\)"):
        sales.update(PREFERENCES, made, namespace="sales", preferences={"a": "2"})
    seen = sales.refresh(PREFERENCES, made)
    assert seen is not None
    assert sales.diff(PREFERENCES, seen, **said)[0] == {"preferences.c"}
    made = sales.update(PREFERENCES, seen, **said)
    sales.delete(PREFERENCES, made)
    assert sales.client.get("namespaces", "sales", "preferences") == {}
    by_hand(sales, "PUT", "namespaces", "sales", "preferences", body={"x": "theirs"})
    with pytest.raises(ProviderError, match="is there already"):
        sales.create(PREFERENCES, **said)


@pytest.mark.parametrize("pipeline_", ["", "orders"])
def test_preferences_of_the_instance_and_of_a_pipeline(sales: Driver, pipeline_: str) -> None:
    sales.create(PIPELINE, **pipeline_inputs())
    space = "sales" if pipeline_ else "system"
    made = sales.create(PREFERENCES, namespace=space, pipeline=pipeline_, preferences={"n": 5})
    path = ("namespaces", "sales", "apps", "orders", "preferences") if pipeline_ else ("preferences",)
    assert sales.client.get(*path) == {"n": "5"}
    assert sales.refresh(PREFERENCES, made) == made
    imported = sales.types[PREFERENCES].read(made.id, {}, {})
    assert imported is not None
    assert imported.inputs == made.inputs


def test_arguments_of_a_pipeline(sales: Driver) -> None:
    sales.create(PIPELINE, **pipeline_inputs())
    made = sales.create(ARGUMENTS, namespace="sales", pipeline="orders", arguments={"day": "today"})
    assert made.id.endswith(f"{APP}/workflows/DataPipelineWorkflow/runtimeargs")
    made = sales.update(ARGUMENTS, made, namespace="sales", pipeline="orders", arguments={"day": "yesterday"})
    assert sales.refresh(ARGUMENTS, made) == made
    imported = sales.types[ARGUMENTS].read(made.id, {}, {})
    assert imported is not None
    assert imported.inputs == made.inputs
    sales.delete(ARGUMENTS, made)
    read = sales.refresh(ARGUMENTS, made)
    assert read is None or read.inputs["arguments"] == {}


def test_a_profile_lives(sales: Driver) -> None:
    made = sales.create(PROFILE, **BIG)
    assert sales.client.get("namespaces", "sales", "profiles", "big")["status"] == "DISABLED"
    assert sales.refresh(PROFILE, made) == made
    made = sales.update(PROFILE, made, **{**BIG, "status": "ENABLED", "label": "Bigger"})
    by_hand(sales, "POST", "namespaces", "sales", "profiles", "big", "disable")
    seen = sales.refresh(PROFILE, made)
    assert seen is not None
    assert sales.diff(PROFILE, seen, **{**BIG, "status": "ENABLED", "label": "Bigger"})[0] == {"status"}
    made = sales.update(PROFILE, seen, **{**BIG, "status": "ENABLED", "label": "Bigger"})
    sales.delete(PROFILE, made)
    assert sales.refresh(PROFILE, made) is None


def test_a_profile_of_the_instance(driver: Driver) -> None:
    made = driver.create(PROFILE, **{**BIG, "namespace": "system"})
    assert made.id == f"{driver.server.url}/v3/profiles/big"
    imported = driver.types[PROFILE].read(made.id, {}, {})
    assert imported is not None
    assert imported.inputs == made.inputs


def test_a_secure_key_is_known_by_its_digest(sales: Driver) -> None:
    said = {"namespace": "sales", "name": "db-password", "value": "opensesame"}
    made = sales.create(SECURE, **said)
    digest = made.outputs["digest"]
    assert digest == digest_of(said, "opensesame")
    assert digest != digest_of({**said, "name": "other"}, "opensesame"), "the same value has another digest elsewhere"
    assert sales.refresh(SECURE, made) == made
    by_hand(sales, "PUT", "namespaces", "sales", "securekeys", "db-password", body={"data": "CANARY-other"})
    seen = sales.refresh(SECURE, made)
    assert seen is not None
    assert "CANARY" not in repr(seen)
    assert sales.diff(SECURE, seen, **said)[0] == {"value"}
    made = sales.update(SECURE, seen, **said)
    assert sales.client.call("GET", ("namespaces", "sales", "securekeys", "db-password")).body == b"opensesame"
    sales.delete(SECURE, made)
    assert sales.refresh(SECURE, made) is None
    sales.delete(SECURE, made)


def test_a_secure_key_that_outlived_its_namespace_is_taken_over(sales: Driver) -> None:
    by_hand(sales, "PUT", "namespaces", "sales", "securekeys", "k", body={"data": "old"})
    sales.create(SECURE, namespace="sales", name="k", value="new value")
    assert sales.client.call("GET", ("namespaces", "sales", "securekeys", "k")).body == b"new value"


def jar(folder: Path, text: str = "Manifest-Version: 1.0\n") -> dict[str, str]:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), text)
        archive.writestr(zipfile.ZipInfo("org/postgresql/Driver.class"), "")
    (folder / "driver.jar").write_bytes(data.getvalue())
    return {"jar": "driver.jar", "digest": hashlib.sha256(data.getvalue()).hexdigest()}


DRIVER: dict[str, Any] = {
    "namespace": "sales",
    "name": "driver",
    "version": "1.0.0",
    "parents": ["system:cdap-data-pipeline[6.0.0,7.0.0)"],
    "plugins": [{"type": "jdbc", "name": "postgresql", "className": "org.postgresql.Driver", "properties": {}}],
    "properties": {"owner": "us"},
}


def test_an_artifact_lives(sales: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    first = jar(tmp_path)
    made = sales.create(ARTIFACT, **DRIVER, **first)
    assert sales.refresh(ARTIFACT, made) == made
    assert sales.diff(ARTIFACT, made, **{**DRIVER, "properties": {}}, **first) == ({"properties.owner"}, False)
    made = sales.update(ARTIFACT, made, **{**DRIVER, "properties": {"owner": "them"}}, **first)

    second = jar(tmp_path, "Manifest-Version: 1.0\nX: y\n")
    assert sales.diff(ARTIFACT, made, **DRIVER, **second) == ({"digest", "properties.owner"}, True)
    with pytest.raises(ProviderError, match="is another file than when the program was run"):
        sales.create(ARTIFACT, **{**DRIVER, "name": "other"}, **first)
    with pytest.raises(ProviderError, match=r"there is no file gone\.jar"):
        sales.create(ARTIFACT, **{**DRIVER, "name": "other"}, **{**first, "jar": "gone.jar"})
    sales.delete(ARTIFACT, made)
    assert sales.refresh(ARTIFACT, made) is None


def test_the_jar_of_a_snapshot_is_put_over_the_old_one(
    sales: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = {**DRIVER, "version": "1.0.0-SNAPSHOT"}
    made = sales.create(ARTIFACT, **said, **jar(tmp_path))
    second = jar(tmp_path, "Manifest-Version: 1.0\nX: y\n")
    assert sales.diff(ARTIFACT, made, **said, **second) == ({"digest"}, False)
    sales.writes()
    sales.update(ARTIFACT, made, **said, **second)
    assert sales.writes()[0] == f"POST {NS}/artifacts/driver"


def test_an_artifact_cut_off_before_its_properties_is_completed(
    sales: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = jar(tmp_path)
    fault(sales, f"cdap:PUT {NS}/artifacts/driver/versions/1.0.0/properties", "fail=500")
    with pytest.raises(ProviderError, match=r"artifact sales/driver 1\.0\.0: "):
        sales.create(ARTIFACT, **DRIVER, **given)
    sales.create(ARTIFACT, **DRIVER, **given)
    assert sales.client.get("namespaces", "sales", "artifacts", "driver", "versions", "1.0.0", "properties") == {
        "owner": "us"
    }


def test_a_connection_lives(sales: Driver) -> None:
    plugin = {
        "category": "Files",
        "name": "File",
        "type": "connector",
        "properties": {},
        "artifact": {"name": "core-plugins", "version": "2.13.0", "scope": "SYSTEM"},
    }
    made = sales.create(CONNECTION, namespace="sales", name="Files of ours", description="", plugin=plugin)
    assert sales.refresh(CONNECTION, made) == made
    imported = sales.types[CONNECTION].read(made.id, {}, {})
    assert imported is not None
    assert imported.inputs == made.inputs
    made = sales.update(CONNECTION, made, namespace="sales", name="Files of ours", description="x", plugin=plugin)
    sales.delete(CONNECTION, made)
    assert sales.refresh(CONNECTION, made) is None


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "inputs", "words"),
    [
        (NAMESPACE, {"namespace": "a-b"}, "namespace: 'a-b' is no name of a namespace; use letters"),
        (NAMESPACE, {"namespace": "a", "endpoint": "core"}, "endpoint: give the instance's API endpoint"),
        (NAMESPACE, {"namespace": "a", "endpoint": "https://x/api/v3"}, "endpoint: give the instance's API endpoint"),
        (NAMESPACE, {"namespace": "a", "descripton": "x"}, "unknown input 'descripton'; known are"),
        (PIPELINE, {"namespace": "a", "name": "", "artifact": {}, "config": {}}, "name: give text"),
        (PIPELINE, {"namespace": "a", "name": "p", "artifact": "x", "config": []}, "artifact: give a mapping"),
        (PROFILE, {**BIG, "status": "ON"}, "status: 'ON' is no status of a profile; write ENABLED or DISABLED"),
        (PROFILE, {**BIG, "name": "a b"}, "name: 'a b' is no name of a profile"),
        (PIPELINE, pipeline_inputs("a/b"), "name: 'a/b' is no name of a pipeline"),
        (PIPELINE, pipeline_inputs(schedule="daily"), "config: 'daily' is no time of a schedule; write five fields"),
        (SCHEDULE, {**NIGHT, "status": "RUNNING"}, "status: 'RUNNING' is no status of a schedule"),
        (SECURE, {"namespace": "a", "name": "Key", "value": "x"}, "name: a secure key has lower-case letters"),
        (SECURE, {"namespace": "a", "name": "key", "value": ""}, "value: give its value"),
        (ARTIFACT, {"namespace": "a", "name": "x", "version": "1"}, "jar: give text"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(
    driver: Driver, token: str, inputs: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=words.replace("(", r"\(")):
        driver.check(token, inputs)
    assert driver.writes() == []


def test_an_instance_that_cannot_be_reached_is_one_sentence() -> None:
    clients = Clients({})
    types = resources(clients)
    client = clients.of("http://127.0.0.1:9")
    client.sleep = lambda _: None
    with pytest.raises(
        ProviderError, match=r"namespace sales: the instance at 127\.0\.0\.1:9 cannot be reached"
    ) as told:
        types[NAMESPACE].create(
            {"endpoint": "http://127.0.0.1:9", "namespace": "sales", "description": "", "config": {}}, preview=False
        )
    assert "\n" not in str(told.value)


def test_an_expired_token_and_a_basic_instance_are_one_sentence(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    with serve(world, "core", token="good", settings=Settings(edition="BASIC")) as server:
        driver = Driver.of(server)
        with pytest.raises(ProviderError, match="refused the access token"):
            driver.create(NAMESPACE, namespace="sales")
        server.door.token = None
        with pytest.raises(ProviderError, match="has only 'default'"):
            driver.create(NAMESPACE, namespace="sales")


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("https://elsewhere.example", "it is the embedded cloud's address"),
        ("run: /nowhere/cdap-server", "cannot run"),
        ("run: true", "gives no address"),
    ],
)
def test_what_stands_for_google_must_be_this_machine(named: str, words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        Clients({"DP_CDAP_ENDPOINT": named}).of("https://x-dot-euw1.datafusion.googleusercontent.com/api")


def test_other_endpoints_are_called_themselves() -> None:
    client = Clients({"DP_CDAP_ENDPOINT": "http://127.0.0.1:9"}).of("http://127.0.0.1:11015")
    assert client.endpoint == "http://127.0.0.1:11015"
    routed = Clients({"DP_CDAP_ENDPOINT": "http://127.0.0.1:9"}).of("https://h.datafusion.googleusercontent.com/api")
    assert routed.endpoint == "http://127.0.0.1:9/datafusion/h.datafusion.googleusercontent.com/api"


def test_names_of_all_kinds_come_through_an_id() -> None:
    form = next(f for f in FORMS if f.token == SCHEDULE)
    inputs = {"endpoint": "https://h/api", "namespace": "n", "pipeline": "a b/ü", "name": "x?y#z%"}
    assert form.of_id(form.id_of(inputs)) == inputs


def test_the_embedded_cloud_is_started_by_who_speaks_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `dp env` has it: a command, which serves the instances of the world and goes with this process."""
    monkeypatch.setenv("LOCALCLOUD_HOME", str(tmp_path / "cloud"))
    server = shlex.quote(str(ROOT / "localcloud" / "plugins" / "cdap-server"))
    clients = Clients({"DP_CDAP_ENDPOINT": f"run:{server}"})
    types = resources(clients)
    endpoint = "https://gone-dot-ew1.datafusion.googleusercontent.com/api"
    state = State(id=f"{endpoint}/v3/namespaces/sales", inputs={}, outputs={})
    assert types[NAMESPACE].read(state.id, {}, {}) is None
    with pytest.raises(ProviderError, match="there is no Data Fusion instance at gone-dot-ew1"):
        types[NAMESPACE].create(
            {"endpoint": endpoint, "namespace": "sales", "description": "", "config": {}}, preview=False
        )
    (held,) = (process for process in companion._held if process.args == [shlex.split(server)[0]])
    companion._held.remove(held)
    companion._started.cache_clear()
    assert held.stdin is not None
    assert held.stdout is not None
    held.stdin.close()
    assert held.wait(60) == 0, "it ends with its standard input"
    held.stdout.close()


def test_dp_env_names_the_embedded_cloud_unless_somebody_has(tmp_path: Path) -> None:
    found = engine_env(tmp_path, local=True, base={})
    assert found["DP_CDAP_ENDPOINT"] == f"run:{tmp_path}/localcloud/plugins/cdap-server"
    assert "DP_CDAP_ENDPOINT" not in engine_env(tmp_path, local=True, base={"DP_CDAP_ENDPOINT": "http://127.0.0.1:1"})
    assert "DP_CDAP_ENDPOINT" not in engine_env(tmp_path, local=False, base={})
