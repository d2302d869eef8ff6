"""Definition → plan, and what a stack's values become in it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.plan import Plan
from dataplatform.config.gcp.executors import Executors
from dataplatform.config.pipeline import Definition, LevelDef, StepDef, ThreadDef
from dataplatform.config.platform import Gcp, Platform
from dataplatform.diagnostics import InputError, Position


def definition(*steps: StepDef, engine: Any = "workflows", name: str = "orders") -> Definition:
    return Definition(
        name=name,
        engines=(engine,),
        levels=(LevelDef(level_id="1", threads=(ThreadDef(thread_id="A", steps=steps),)),),
        file=f"pipelines/{name}.json",
        sha256="ab" * 32,
    )


def step(**changes: Any) -> StepDef:
    base = StepDef(job_id="J01", job_name="load", executor="starter", status_executor="reporter")
    return dataclasses.replace(base, **changes)


def test_every_value_of_a_step_arrives(make: Any) -> None:
    written = step(
        wait_time_seconds=20,
        async_timeout_loop_in_minutes=12,
        continue_if_fail=True,
        step_properties={"b": 1, "a": {"x": [None]}},
    )
    plan = build_plan(definition(written), make.target)
    (found,) = plan.steps()
    assert (found.id, found.job_id, found.job_name) == ("load", "J01", "load")
    assert (found.executor, found.status_executor) == ("starter", "reporter")
    assert (found.poll_interval, found.timeout, found.continue_if_fail) == (20, 720, True)
    assert found.properties == (("a", {"x": [None]}), ("b", 1))
    assert (plan.name, plan.engines, plan.levels[0].threads[0].id) == ("orders", ("workflows",), "A")
    assert (plan.source.file, plan.source.sha256, plan.target) == ("pipelines/orders.json", "ab" * 32, make.target)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [({}, 3600), ({"timeout_seconds": 90}, 90), ({"async_timeout_loop_in_minutes": 2}, 120)],
)
def test_timeouts(make: Any, changes: dict[str, Any], seconds: int) -> None:
    assert build_plan(definition(step(**changes)), make.target).steps()[0].timeout == seconds


def test_limits_of_the_engine_it_names_are_diagnostics(make: Any) -> None:
    busy = step(wait_time_seconds=1, timeout_seconds=40_000)
    with pytest.raises(InputError, match="DP401"):
        build_plan(definition(busy), make.target)
    assert build_plan(definition(busy, engine="airflow"), make.target).steps()[0].timeout == 40_000


def test_a_limit_that_one_step_exceeds_is_shown_at_the_step(make: Any) -> None:
    place = Position("pipelines/orders.json", 7, 15)
    with pytest.raises(InputError) as caught:
        build_plan(definition(step(job_name="${" + "x" * 395, position=place)), make.target)
    assert {found.position for found in caught.value.diagnostics.items} == {place}


def test_samples_name_their_engines(sample: Plan) -> None:
    assert sample.engines == (("airflow",) if sample.name == "demo_pipeline_composer" else ("workflows",))
    assert sample.source.file.endswith(f"{sample.name}.json")
    assert len(sample.source.sha256) == 64


def platform(**executors: Any) -> Platform:
    gcp = Gcp(project="acme-data-dev", region="europe-west1", executors=Executors(**executors))
    return Platform(environment="dev", protect=False, gcp=gcp)


def test_target_from_the_stack() -> None:
    target = target_for(platform())
    assert (
        target.intermediate_url == "https://europe-west1-acme-data-dev.cloudfunctions.net/orch-framework-intermediate"
    )
    assert target.jobs_definitions_bucket == "acme-data-dev-jobs"


def test_target_of_executors_elsewhere() -> None:
    target = target_for(
        platform(project="acme-orch", region="us-central1", intermediate="between", jobs_definitions_bucket="my-jobs")
    )
    assert (target.project, target.region) == ("acme-orch", "us-central1")
    assert target.intermediate_url == "https://us-central1-acme-orch.cloudfunctions.net/between"
    assert target.jobs_definitions_bucket == "my-jobs"


def test_a_stack_without_google_cloud_has_no_executors() -> None:
    with pytest.raises(InputError, match=r"Pulumi\.dev\.yaml:1:1: error: platform\.gcp: the stack has no Google Cloud"):
        target_for(Platform(environment="dev", protect=False))
