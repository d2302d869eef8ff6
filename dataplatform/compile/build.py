"""Definition → plan: what the definition means in one environment, with nothing left to decide.

Pure: the same definition and target give the same plan. What an engine could not run is a diagnostic at the place in
the definition that asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dataplatform.compile import airflow, workflows
from dataplatform.compile.plan import FusionRuns, Level, Operation, Parameter, Plan, Retry, Source, Step, Target, Thread
from dataplatform.config.domains import domain_of, executors_of
from dataplatform.config.gcp.composer import Composer
from dataplatform.config.options import Repeat, read_as
from dataplatform.config.pipeline import Definition, StepDef
from dataplatform.config.platform import Platform
from dataplatform.config.references import context_for, is_service, problems_of, resolve
from dataplatform.config.rules_fusion import resolve_fusion
from dataplatform.config.runners import parameters_of, problems_of_runs, runner_of
from dataplatform.diagnostics import Diagnostics, InputError, Position


def target_for(platform: Platform, file: str = "") -> Target:
    """The values of a stack that compiled pipelines need.

    Args:
        platform: The stack.
        file: The definition's, which says of which domain it is; the stack's own where left out.

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
    domain = domain_of(platform, file)
    executors, home = executors_of(gcp, platform, domain)
    project = executors.project or home
    region = executors.region or gcp.region
    return Target(
        project=project,
        region=region,
        intermediate_url=f"https://{region}-{project}.cloudfunctions.net/{executors.intermediate}",
        jobs_definitions_bucket=executors.jobs_definitions_bucket or f"{home}-jobs",
        references=tuple(sorted(context_for(platform).items())),
        external_workflows=tuple(sorted(platform.pipelines.external_workflows)) if platform.pipelines else (),
        run=executors.run,
        deferrable=_has_triggerer(_environment(platform, domain)),
    )


def build_plan(definition: Definition, target: Target, *, to_look: bool = False) -> Plan:
    """The plan of a definition that was checked.

    Args:
        definition: The checked definition.
        target: The environment's values.
        to_look: The plan is for a picture or a comparison, so the engines' limits do not matter.

    Raises:
        InputError: an engine the definition names cannot run it; the diagnostics give the figure and the limit.
    """
    problems, context = Diagnostics(), dict(target.references)
    for place, problem in [*problems_of(definition, context), *problems_of_runs(definition, target.run, context)]:
        problems.add(problem.code, place, problem.message, problem.remedy, path=problem.path)
    options = definition.options
    fusion = _fusion(definition, context, problems) if definition.fusion is not None else None
    plan = Plan(
        name=definition.name,
        engines=definition.engines,
        levels=tuple(
            Level(
                id=level.level_id,
                threads=tuple(
                    Thread(
                        id=thread.thread_id,
                        steps=tuple(_step(step, definition, target, context) for step in thread.steps),
                    )
                    for thread in level.threads
                ),
            )
            for level in definition.levels
        ),
        target=target,
        source=Source(file=definition.file, sha256=definition.sha256),
        description=options.description,
        owner=options.owner,
        tags=options.tags,
        schedule=options.schedule,
        parameters=_parameters(definition, context),
        on_failure=options.on_failure,
        fusion=fusion,
    )
    places = {step.job_name: step.position for step in definition.steps()}
    if "workflows" in plan.engines and not to_look and fusion is None:
        problems.extend(workflows.problems(plan, places).items)
    if "airflow" in plan.engines and not to_look:
        problems.extend(airflow.problems(plan, places).items)
    if problems:
        raise InputError(problems)
    return plan


def _fusion(definition: Definition, context: Mapping[str, str], problems: Diagnostics) -> FusionRuns:
    """What a definition of kind datafusion means in a stack; what is wrong is told at its place."""
    fusion = definition.fusion
    assert fusion is not None
    if "workflows" in definition.engines:
        message = "a definition of kind datafusion is compiled to an Airflow DAG, and Cloud Workflows has none"
        place = definition.positions.get("kind", Position(definition.file))
        problems.add("DP404", place, message, "compile it for Airflow, which is its engine", path="kind")
    found, wrong = resolve_fusion(fusion, context)
    places = definition.positions
    for path, code, message, remedy in wrong:
        place = places.get(path) or places.get(path.partition(".")[0]) or Position(definition.file)
        problems.add(code, place, message, remedy, path=path)
    return found


def _environment(platform: Platform, domain: str | None) -> Composer | None:
    """The environment of the stack that runs the DAGs; None where another one does, of which nothing is known."""
    gcp, pipelines = platform.gcp, platform.pipelines
    if gcp is None or (pipelines is not None and domain is not None and pipelines.domains[domain].airflow_bucket):
        return None
    if gcp.composer is not None and not gcp.composer.dags and gcp.previous_composer is not None:
        return gcp.previous_composer
    return gcp.composer


def _has_triggerer(composer: Composer | None) -> bool:
    """Whether deferred tasks would be woken.

    An environment whose sizes name no triggerer has none; one of no sizes has the service's default, which has one; of
    an environment from elsewhere nothing is known.
    """
    return composer is not None and (composer.workloads is None or composer.workloads.triggerer is not None)


def _operation(step: StepDef, definition: Definition, target: Target, context: Mapping[str, str]) -> Operation | None:
    if runner_of(step, definition, target.run) == "http":
        return None
    names = [parameter.name for parameter in definition.options.parameters]
    found = resolve(parameters_of(step), context, names, run=True)
    return Operation(
        executor=step.executor,
        arguments=tuple(sorted(found.value.items())),
        values=tuple(sorted(found.parameters, key=repr)),
        function=not is_service(step),
    )


def _step(step: StepDef, definition: Definition, target: Target, context: Mapping[str, str]) -> Step:
    names = [parameter.name for parameter in definition.options.parameters]
    service = is_service(step)
    found = resolve({} if service else step.step_properties, context, names)
    return Step(
        id=step.job_name,
        job_id=step.job_id,
        job_name=step.job_name,
        executor=step.executor,
        status_executor=step.status_executor,
        poll_interval=step.wait_time_seconds,
        timeout=step.timeout,
        continue_if_fail=step.continue_if_fail,
        properties=tuple(sorted(found.value.items())),
        retry=_retry(step.call_retry) or Retry(),
        kind=step.type,
        job_retry=_retry(step.retries),
        pool=step.pool,
        parameters=tuple(sorted(found.parameters, key=repr)),
        operation=_operation(step, definition, target, context),
    )


def _retry(repeat: Repeat | None) -> Retry | None:
    if repeat is None:
        return None
    return Retry(
        max_retries=repeat.count,
        initial_delay=repeat.delay_seconds,
        max_delay=repeat.max_delay_seconds,
        multiplier=repeat.multiplier,
    )


def _parameters(definition: Definition, context: Mapping[str, str]) -> tuple[Parameter, ...]:
    """The pipeline's parameters, with the stack's values for them in place of their defaults."""
    found = []
    for parameter in definition.options.parameters:
        text = context.get(f"parameter:{parameter.name}")
        value = None if text is None else read_as(parameter.type, text)
        found.append(parameter if value is None else replace(parameter, default=value))
    return tuple(found)
