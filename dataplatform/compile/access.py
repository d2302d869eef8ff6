"""Which rights the identities of a stack need for its pipelines: read out of their plans, step by step.

A right is a role on a resource for an identity, because of a step. Nothing is asked of a cloud, and the same plans
give the same rights. Roles and their sources are those of the registry of executors; this module says which of them a
step really uses and on what: a function, a dataset, a job, a bucket, where the service has a policy there, else the
project.

What a definition cannot say is said to be so (`Untold`): the datasets of a query that only a run knows. Rights in
places that know no identity of Google (Databricks, Data Factory) are told with the identity that needs them, the one
of the Airflow connection, and nobody here grants them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from dataplatform.compile.plan import Engine, FusionRuns, Plan, Step, Target
from dataplatform.compile.query_tables import tables
from dataplatform.config.executors import REGISTRY, Executor, Grant

ScopeKind = Literal[
    "project", "service", "function", "job", "bucket", "dataset", "instance", "repository", "service_account", "other"
]

RUN_INVOKER = "roles/run.invoker"
FUNCTIONS_INVOKER = "roles/cloudfunctions.invoker"
INVOKERS = (FUNCTIONS_INVOKER, RUN_INVOKER)
"""To call a function: of the first generation of Cloud Functions, and of the second, which is a Cloud Run service."""
ON_FAILURE = "on failure"
"""Stands for a step where a right is needed to tell of a failed run."""
SCHEDULE = "schedule"
"""Stands for a step where a right is needed to start a pipeline when it is due."""
PARTS = "parts"
"""Stands for a step where a right is needed because the pipeline is too large for one workflow."""

_CALL_SOURCE = "https://cloud.google.com/run/docs/authenticating/service-to-service"
_CALL_SOURCE_1 = "https://cloud.google.com/functions/docs/reference/iam/roles"
_EXECUTE_SOURCE = "https://cloud.google.com/workflows/docs/access-control"
_BIGQUERY_SOURCE = "https://cloud.google.com/bigquery/docs/access-control"
_RBAC_SOURCE = "https://cloud.google.com/data-fusion/docs/concepts/rbac-roles-and-permissions"


@dataclass(frozen=True, kw_only=True, order=True)
class On:
    """What a role is granted on."""

    kind: ScopeKind
    project: str
    name: str = ""
    location: str = ""

    @property
    def path(self) -> str:
        """Its name, as the embedded cloud and IAM's own answers write it; a bucket is `b/<name>`."""
        home = f"projects/{self.project}"
        match self.kind:
            case "project":
                return home
            case "bucket":
                return f"b/{self.name}"
            case "dataset":
                return f"{home}/datasets/{self.name}"
            case "service_account":
                return f"{home}/serviceAccounts/{self.name}"
            case "repository":
                return f"{home}/locations/{self.location}/repositories/{self.name}"
            case "other":
                return self.name
            case kind:
                return f"{home}/locations/{self.location}/{kind}s/{self.name}"


@dataclass(frozen=True, kw_only=True, order=True)
class Right:
    """A role on something."""

    role: str
    on: On


@dataclass(frozen=True, kw_only=True, order=True)
class Needed:
    """A right that an identity needs, and the step it needs it for."""

    identity: str
    """`workflows`, `composer`, `triggers`, `function:<name>`, or `connection:<id>` of Airflow's."""
    right: Right
    because: tuple[str, str]
    """Pipeline and step."""
    why: str
    source: str
    elsewhere: bool = False
    """Whether somebody else grants it, so that the stack must not."""


@dataclass(frozen=True, kw_only=True, order=True)
class Untold:
    """A right that is needed and that no definition tells."""

    identity: str
    because: tuple[str, str]
    what: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What of a stack decides on rights beside its plans."""

    engines: tuple[Engine, ...]
    """What the stack runs its pipelines on."""
    project: str
    """The stack's own."""
    region: str
    generation: Literal[1, 2] = 2
    """Of Cloud Functions, that the executors are of."""
    grant: Literal["project", "function", "none"] = "project"
    """On what the right to call them is granted."""
    rbac: frozenset[str] = frozenset()
    """Paths of Data Fusion instances that have role-based access."""
    deployed: frozenset[str] = frozenset()
    """Paths of functions that the stack makes itself: the right to call one of these is on it."""
    triggers: bool = False
    """Whether an account of the stack's own, `triggers`, starts the workflows of pipelines that have a schedule."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """All that was found out."""

    needed: frozenset[Needed] = frozenset()
    untold: frozenset[Untold] = frozenset()

    def rights(self, identity: str) -> tuple[Right, ...]:
        """What the stack grants an identity, in a stable order."""
        return tuple(sorted({n.right for n in self.needed if n.identity == identity and not n.elsewhere}))

    def __or__(self, other: Access) -> Access:
        return Access(needed=self.needed | other.needed, untold=self.untold | other.untold)


def derive(plans: Iterable[Plan], about: Surroundings, *, split: Iterable[str] = ()) -> Access:
    """The rights that the plans need.

    Args:
        plans: Of all definitions of the stack.
        about: The stack.
        split: Names of the pipelines that Cloud Workflows runs in several workflows.
    """
    found: list[Needed | Untold] = []
    large = set(split)
    for plan in plans:
        if "workflows" in about.engines:
            found.extend(_on_workflows(plan, about, large=plan.name in large))
        if "airflow" in about.engines:
            found.extend(_on_airflow(plan, about))
    return Access(
        needed=frozenset(item for item in found if isinstance(item, Needed)),
        untold=frozenset(item for item in found if isinstance(item, Untold)),
    )


def function_of(name: str, target: Target, generation: Literal[1, 2]) -> On:
    """The function as what a role is granted on; one of the second generation is a service of Cloud Run."""
    if generation == 1:
        return On(kind="function", project=target.project, location=target.region, name=name)
    return On(kind="service", project=target.project, location=target.region, name=name.lower().replace("_", "-"))


def _on_workflows(plan: Plan, about: Surroundings, *, large: bool) -> Iterator[Needed | Untold]:
    who = "workflows"
    for step in plan.steps():
        if step.kind == "workflows":
            yield _execute(plan, about, step.id, "run another pipeline's workflow")
        elif step.operation is not None and not step.operation.function:
            yield from _service(who, plan, step, about, "rest")
        else:
            yield _call(who, plan, about, step.id, _intermediate(plan))
    if plan.schedule is not None and about.triggers:
        yield replace(_execute(plan, about, SCHEDULE, "start the workflow when it is due"), identity="triggers")
    if large:
        yield _execute(plan, about, PARTS, "run the workflows that a large pipeline is split into")
    if plan.on_failure:
        yield _call(who, plan, about, ON_FAILURE, plan.on_failure)


def _on_airflow(plan: Plan, about: Surroundings) -> Iterator[Needed | Untold]:
    who = "composer"
    if plan.fusion is not None:
        yield from _fusion(who, plan, plan.fusion, about)
    for step in plan.steps():
        if step.operation is not None:
            yield from _service(who, plan, step, about, "operators")
        elif step.kind != "workflows":
            # A step that runs another pipeline triggers its DAG in Airflow itself.
            yield _call(who, plan, about, step.id, _intermediate(plan))
    if plan.on_failure:
        yield _call(who, plan, about, ON_FAILURE, plan.on_failure)


def _fusion(who: str, plan: Plan, fusion: FusionRuns, about: Surroundings) -> Iterator[Needed | Untold]:
    """What the DAG of a definition of kind datafusion asks of BigQuery and of Data Fusion."""
    project = On(kind="project", project=fusion.project_id)
    dataset = On(kind="dataset", project=fusion.project_id, name=fusion.bq_dataset_id)
    tables: list[tuple[str, str, str, On]] = []
    if fusion.bq_output_table:
        tables.append(("truncate_table", "roles/bigquery.dataEditor", "empty the output table", dataset))
    elif not fusion.cdf_pipeline_run_arguments:
        tables.append(("get_configuration", "roles/bigquery.dataViewer", "read the configuration", dataset))
    if tables:
        tables.append((tables[0][0], "roles/bigquery.jobUser", "run statements", project))
    for step, role, why, on in tables:
        right = Right(role=role, on=on)
        yield Needed(identity=who, right=right, because=(plan.name, step), why=why, source=_BIGQUERY_SOURCE)
    given = {
        "instance_name": fusion.cdf_instance,
        "project_id": fusion.project_id,
        "location": fusion.cdf_location,
    }
    because = (plan.name, "start_pipelines.run")
    yield from rights_of(who, because, REGISTRY["data-fusion-pipeline"], given, plan.target, about)
    if fusion.variables:
        yield Untold(identity=who, because=because, what="the tables and the instance that Airflow variables name")


def _intermediate(plan: Plan) -> str:
    return plan.target.intermediate_url.rpartition("/")[2]


def _call(who: str, plan: Plan, about: Surroundings, step: str, function: str) -> Needed:
    on = function_of(function, plan.target, about.generation)
    if about.grant == "project" and on.path not in about.deployed:
        on = On(kind="project", project=plan.target.project)
    return Needed(
        identity=who,
        right=Right(role=FUNCTIONS_INVOKER if about.generation == 1 else RUN_INVOKER, on=on),
        because=(plan.name, step),
        why=f"call the function {function}",
        source=_CALL_SOURCE_1 if about.generation == 1 else _CALL_SOURCE,
        elsewhere=about.grant == "none",
    )


def _execute(plan: Plan, about: Surroundings, step: str, why: str) -> Needed:
    # Not narrower: a workflow has no policy of its own.
    right = Right(role="roles/workflows.invoker", on=On(kind="project", project=about.project))
    return Needed(identity="workflows", right=right, because=(plan.name, step), why=why, source=_EXECUTE_SOURCE)


def _service(
    who: str, plan: Plan, step: Step, about: Surroundings, runner: Literal["operators", "rest"]
) -> Iterator[Needed | Untold]:
    operation = step.operation
    assert operation is not None
    executor = REGISTRY[operation.executor]
    run = {path[0] for path, _ in operation.values if path}
    given = {key: value for key, value in operation.arguments if key not in run}
    yield from rights_of(who, (plan.name, step.id), executor, given, plan.target, about, runner)


def rights_of(
    who: str,
    because: tuple[str, str],
    executor: Executor,
    given: Mapping[str, Any],
    target: Target,
    about: Surroundings,
    runner: Literal["operators", "rest"] = "operators",
) -> Iterator[Needed | Untold]:
    """What an identity needs to run a job of an executor itself.

    Args:
        who: The identity: of a workflow, of Composer's tasks, or of the executor's function.
        because: Pipeline and step.
        executor: Of the registry.
        given: What the job is told, without values that only a run has.
        target: Where it runs if it is not told.
        about: The stack.
        runner: Whose roles: a function does what an operator does.
    """
    for grant in executor.roles.get(runner, ()):
        if grant.scope in ("workspace", "factory"):
            connection = str(
                given.get(f"{_CONNECTIONS[grant.scope]}_conn_id") or f"{_CONNECTIONS[grant.scope]}_default"
            )
            on = On(kind="other", project="", name=f"{grant.scope} of the connection {connection}")
            right = Right(role=grant.role, on=on)
            identity = f"connection:{connection}"
            yield Needed(
                identity=identity, right=right, because=because, why=grant.why, source=grant.source, elsewhere=True
            )
            continue
        for role, on, source in _scoped(executor.name, grant, given, target, about):
            right = Right(role=role, on=on)
            yield Needed(identity=who, right=right, because=because, why=grant.why, source=source)
    if any(grant.scope == "dataset" for grant in executor.roles.get(runner, ())):
        query = given.get("query")
        if not isinstance(query, str) or not tables(query, target.project).complete:
            yield Untold(identity=who, because=because, what="the datasets of a query that only the run knows")


_CONNECTIONS: Mapping[str, str] = {"workspace": "databricks", "factory": "azure_data_factory"}


def _scoped(
    executor: str, grant: Grant, given: Mapping[str, Any], target: Target, about: Surroundings
) -> Iterator[tuple[str, On, str]]:
    """The roles that a grant of the registry comes to for one job, and what they are on."""
    project = str(_first(given, "project_id", *_PROJECTS) or target.project)
    location = str(_first(given, "location", *_LOCATIONS) or target.region)
    role = grant.role
    match executor, grant.scope:
        case _, "dataset":
            for name, dataset in _datasets(given, project):
                yield name, dataset, _BIGQUERY_SOURCE
        case _, "job":
            if role == "roles/run.jobsExecutorWithOverrides" and not {"args", "env", "task_count"} & set(given):
                role = "roles/run.jobsExecutor"
            if role == "roles/run.viewer":
                # The execution is asked after by its operation, which belongs to the project and to no job.
                yield role, On(kind="project", project=project), grant.source
            else:
                name = str(given["cloud_run_job"])
                yield role, On(kind="job", project=project, location=location, name=name), grant.source
        case "data-fusion-pipeline", _:
            instance = On(kind="instance", project=project, location=location, name=str(given["instance_name"]))
            if instance.path in about.rbac:
                # With role-based access a viewer may not run pipelines, and the instance has a policy of its own.
                yield "roles/datafusion.operator", instance, _RBAC_SOURCE
            else:
                yield role, On(kind="project", project=project), grant.source
        case "dataform-tag-executor", _:
            name = str(given["repository_name"])
            yield role, On(kind="repository", project=project, location=location, name=name), grant.source
        case _, "bucket":
            yield role, On(kind="bucket", project=project, name=str(given["dataflow_temp_bucket"])), grant.source
        case _, "service_account":
            yield role, _account(str(given.get("dataproc_service_account") or ""), project), grant.source
        case _:
            yield role, On(kind="project", project=project), grant.source


_PROJECTS = ("dataform_project_id", "dataflow_project_id", "dataproc_serverless_project_id")
_LOCATIONS = ("dataform_location", "dataflow_location", "dataproc_serverless_region")

DEFAULT_COMPUTE = "{number}-compute@developer.gserviceaccount.com"
"""The account that workers run as where a job names none; `{number}` is the project's."""


def _account(email: str, project: str) -> On:
    email = email.rpartition("/")[2] or DEFAULT_COMPUTE
    domain = email.partition("@")[2]
    owner = domain.removesuffix(".iam.gserviceaccount.com") if domain.endswith(".iam.gserviceaccount.com") else project
    return On(kind="service_account", project=owner, name=email)


def _first(given: Mapping[str, Any], *keys: str) -> object:
    return next((given[key] for key in keys if given.get(key)), None)


def _datasets(given: Mapping[str, Any], project: str) -> Iterator[tuple[str, On]]:
    query = given.get("query")
    found = tables(query, project) if isinstance(query, str) else tables("", project)
    written = set(found.written)
    destination = given.get("destination_table")
    if isinstance(destination, str) and destination.count(".") == 2:
        owner, dataset, _ = destination.split(".")
        written.add((owner, dataset))
    for owner, dataset in sorted(written):
        yield "roles/bigquery.dataEditor", On(kind="dataset", project=owner, name=dataset)
    for owner, dataset in sorted(found.read - written):
        yield "roles/bigquery.dataViewer", On(kind="dataset", project=owner, name=dataset)
