"""Definition → plan: what the definition means in one environment, with nothing left to decide.

Pure: the same definition and target give the same plan. What an engine could not run is a diagnostic at the place in
the definition that asks for it.
"""

from __future__ import annotations

from dataplatform.compile import airflow, workflows
from dataplatform.compile.plan import Level, Plan, Source, Step, Target, Thread
from dataplatform.config.pipeline import Definition, StepDef
from dataplatform.config.platform import Platform
from dataplatform.diagnostics import Diagnostics, InputError, Position


def target_for(platform: Platform) -> Target:
    """The values of a stack that compiled pipelines need.

    Raises:
        InputError: the stack has nothing on Google Cloud, so there are no executors to call.
    """
    gcp = platform.gcp
    if gcp is None:
        problems = Diagnostics()
        problems.add(
            "DP403",
            Position(f"Pulumi.{platform.environment}.yaml"),
            "the stack has no Google Cloud project, so there are no step executors to call",
            "add `gcp` with a project and a region, or compile for another stack with --stack",
            path="platform.gcp",
        )
        raise InputError(problems)
    project = gcp.executors.project or gcp.project
    region = gcp.executors.region or gcp.region
    return Target(
        project=project,
        region=region,
        intermediate_url=f"https://{region}-{project}.cloudfunctions.net/{gcp.executors.intermediate}",
        jobs_definitions_bucket=gcp.executors.jobs_definitions_bucket or f"{gcp.project}-jobs",
    )


def build_plan(definition: Definition, target: Target) -> Plan:
    """The plan of a definition that was checked.

    Raises:
        InputError: an engine the definition names cannot run it; the diagnostics give the figure and the limit.
    """
    plan = Plan(
        name=definition.name,
        engines=definition.engines,
        levels=tuple(
            Level(
                id=level.level_id,
                threads=tuple(
                    Thread(id=thread.thread_id, steps=tuple(_step(step) for step in thread.steps))
                    for thread in level.threads
                ),
            )
            for level in definition.levels
        ),
        target=target,
        source=Source(file=definition.file, sha256=definition.sha256),
    )
    problems = Diagnostics()
    places = {step.job_name: step.position for step in definition.steps()}
    if "workflows" in plan.engines:
        problems.extend(workflows.problems(plan, places).items)
    if "airflow" in plan.engines:
        problems.extend(airflow.problems(plan).items)
    if problems:
        raise InputError(problems)
    return plan


def _step(step: StepDef) -> Step:
    return Step(
        id=step.job_name,
        job_id=step.job_id,
        job_name=step.job_name,
        executor=step.executor,
        status_executor=step.status_executor,
        poll_interval=step.wait_time_seconds,
        timeout=step.timeout,
        continue_if_fail=step.continue_if_fail,
        properties=tuple(sorted(step.step_properties.items())),
    )
