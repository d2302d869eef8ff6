"""What is derived from plans, and what is read out of queries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dataplatform.compile.access import Needed, On, Right, derive, rights_of
from dataplatform.compile.build import build_plan, target_for
from dataplatform.compile.query_tables import tables
from dataplatform.config.executors import REGISTRY
from dataplatform.show.access import compare, lines
from infra.access import surroundings
from localcloud.sql_names import datasets_of
from tests.access.stack import COMPOSER, HOME, PIPELINES, PROJECT, Made, made, stack_file

QUERIES: list[tuple[str, set[str], set[str]]] = [
    ("select * from sales.orders where day = @d", {"sales"}, set()),
    ("-- from x.y\nselect 'from a.b' from `q.d.t` a, d2.t2 b join d3.t3 using (x)", {"q:d", "d2", "d3"}, set()),
    ("insert into d.t (a) select a from e.u", {"e"}, {"d"}),
    ("insert d.t select * from a.b", {"a"}, {"d"}),
    ("merge into d.t t using (select * from e.s) s on s.a = t.a when not matched then insert values (1)", {"e"}, {"d"}),
    ("merge d.t using e.s on true when matched then update set x = 1", {"e"}, {"d"}),
    ("delete from d.t where x in (select x from e.v)", {"e"}, {"d"}),
    ("create or replace table d.t as with w as (select 1 from z.y) select * from w", {"z"}, {"d"}),
    ("create table if not exists d.t (x int64)", set(), {"d"}),
    ("truncate table d.t; call d2.proc(1)", {"d2"}, {"d"}),
    ("update d.t set a = 1 from e.s where true", {"e"}, {"d"}),
    ("select extract(day from t.ts) from d.t t", {"d"}, set()),
    ("select 1 from d.t as t, t.arr x, unnest(t.b)", {"d"}, set()),
    ("select a is distinct from b.c from d.t", {"d"}, set()),
    ("select * from ml.predict(model d.m, table e.t)", {"d", "e"}, set()),
    ("create or replace model d.m options (x = 1) as select 1 from e.t", {"e"}, {"d"}),
    ("select 1 from `q`.d.INFORMATION_SCHEMA.TABLES", {"q:d"}, set()),
    ("select 1 from `region-eu`.INFORMATION_SCHEMA.JOBS", set(), set()),
    ("select * from my-proj.d.t_2", {"my-proj:d"}, set()),
    ("select * from cte", set(), set()),
    ("select '''from d.t''', r\"from e.t\" /* from f.t */ # from g.t\n", set(), set()),
    ("", set(), set()),
]


def _as_pairs(names: set[str]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (name.partition(":")[0], name.partition(":")[2]) if ":" in name else ("me", name) for name in names
    )


@pytest.mark.parametrize(("query", "read", "written"), QUERIES)
def test_datasets_of_a_query(query: str, read: set[str], written: set[str]) -> None:
    found = tables(query, "me")
    assert (found.read, found.written, found.complete) == (_as_pairs(read), _as_pairs(written), True)
    # The embedded cloud reads them for itself, in its own way.
    assert datasets_of(query, "me") == (set(_as_pairs(read)), set(_as_pairs(written)))


@pytest.mark.parametrize(
    "query", ["from `", "select 'x", "((((", ")))", "`.`.`", "from ,,,", "/*", "a" * 5000, "from\x00a.b"]
)
def test_odd_queries_are_read_too(query: str) -> None:
    assert tables(query, "me").complete
    datasets_of(query, "me")


def test_what_only_the_run_knows_is_said() -> None:
    assert not tables("execute immediate 'select 1'", "me").complete


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(tmp_path_factory.mktemp("derive") / "project", PIPELINES, stack_file(composer=COMPOSER))


def _needed(stack: Made, identity: str, pipeline: str) -> set[tuple[str, str, str]]:
    found = [n for n in stack.access.needed if n.identity == identity and n.because[0] == pipeline]
    return {(n.because[1], n.right.role, n.right.on.path) for n in found}


def test_each_step_needs_what_it_uses_and_where_it_is(stack: Made) -> None:
    project = f"projects/{PROJECT}"
    service = f"{HOME}/services/orch-framework-intermediate"
    assert _needed(stack, "workflows", "functions") == {
        ("tagged", "roles/run.invoker", service),
        ("once", "roles/run.invoker", service),
    }
    assert _needed(stack, "workflows", "queries") == {
        ("load", "roles/bigquery.jobUser", project),
        ("load", "roles/bigquery.dataEditor", f"{project}/datasets/mart"),
        ("load", "roles/bigquery.dataViewer", f"{project}/datasets/ref"),
        ("load", "roles/bigquery.dataViewer", f"{project}/datasets/sales"),
    }
    assert _needed(stack, "workflows", "containers") == {
        ("plain", "roles/run.jobsExecutor", f"{HOME}/jobs/plain"),
        ("plain", "roles/run.viewer", project),
        ("with-args", "roles/run.jobsExecutorWithOverrides", f"{HOME}/jobs/with-args"),
        ("with-args", "roles/run.viewer", project),
    }
    assert _needed(stack, "workflows", "integrations") == {
        ("ingest", "roles/datafusion.operator", f"{HOME}/instances/dev-core")
    }
    assert _needed(stack, "workflows", "parent") == {("child", "roles/workflows.invoker", project)}
    # Airflow triggers a DAG by itself.
    assert _needed(stack, "composer", "parent") == set()
    assert ("on failure", "roles/run.invoker", f"{HOME}/services/tell-somebody") in _needed(stack, "composer", "told")


def test_every_right_has_a_source_and_none_is_a_basic_role(stack: Made) -> None:
    for needed in stack.access.needed:
        assert needed.source.startswith("https://"), needed
        assert needed.why
        assert needed.right.role not in ("roles/owner", "roles/editor", "roles/viewer")


def test_the_stack_grants_what_is_derived_and_nothing_else(stack: Made) -> None:
    report = compare(stack.decided, stack.resources)
    assert report.exact, list(lines(report))
    assert {row.state for row in report.rows} == {"derived", "component"}
    derived = {(row.identity, row.role, row.on) for row in report.rows if row.state == "derived"}
    assert derived == {(n.identity, n.right.role, n.right.on.path) for n in stack.access.needed}


def test_a_grant_too_few_or_too_many_is_told(stack: Made) -> None:
    gone = [r for r in stack.resources if r.name != "workflows-executors-run-invoker-orch-framework-intermediate"]
    assert len(gone) == len(stack.resources) - 1
    report = compare(stack.decided, gone)
    assert [(row.identity, row.state) for row in report.rows if row.state == "missing"] == [("workflows", "missing")]
    fewer = type(stack.decided.pipelines)(
        access=type(stack.access)(needed=frozenset(n for n in stack.access.needed if n.because[0] != "functions"))
    )
    pipelines = type(stack.decided)(**{**stack.decided.__dict__, "pipelines": fewer})
    told = compare(pipelines, stack.resources)
    assert not [row for row in told.rows if row.state == "extra" and "tell-somebody" in row.on]
    assert {row.role for row in told.rows if row.state == "extra"} <= {"roles/run.invoker"}
    assert report.exact is False


@pytest.mark.parametrize(
    ("grant", "generation", "role", "on"),
    [
        ("project", 2, "roles/run.invoker", On(kind="project", project=PROJECT)),
        (None, 2, "roles/run.invoker", On(kind="project", project=PROJECT)),
        ("project", 1, "roles/cloudfunctions.invoker", On(kind="project", project=PROJECT)),
        ("function", 1, "roles/cloudfunctions.invoker",
         On(kind="function", project=PROJECT, location="europe-west1", name="orch-framework-intermediate")),
        ("none", 2, "roles/run.invoker",
         On(kind="service", project=PROJECT, location="europe-west1", name="orch-framework-intermediate")),
    ],
)  # fmt: skip
def test_calls_are_granted_as_the_stack_says(
    tmp_path: Path, grant: str | None, generation: int, role: str, on: On
) -> None:
    text = stack_file(grant).replace("executors:\n", f"executors:\n        generation: {generation}\n", 1)
    stack = made(tmp_path / "project", {"functions": PIPELINES["functions"]}, text)
    needed = sorted(stack.access.needed)
    assert {(n.right.role, n.right.on) for n in needed} == {(role, on)}
    assert all(n.elsewhere == (grant == "none") for n in needed)
    report = compare(stack.decided, stack.resources)
    assert report.exact, list(lines(report))
    assert {row.state for row in report.rows if row.because} == {"elsewhere" if grant == "none" else "derived"}
    kinds = {r.type for r in stack.resources if r.inputs.get("role") == role}
    wanted = {"project": "projects/iAMMember", "function": "cloudfunctions/functionIamMember"}
    assert kinds == ({f"gcp:{wanted[grant or 'project']}:{_kind(grant)}"} if grant != "none" else set())


def _kind(grant: str | None) -> str:
    return "FunctionIamMember" if grant == "function" else "IAMMember"


def test_a_query_that_only_the_run_knows_is_told(tmp_path: Path) -> None:
    step = {"JOB_ID": "a", "JOB_NAME": "a", "FUNCTION_ID_NAME": "bigquery-query",
            "STEP_PROPERTIES": {"query": "$parameter:query"}}  # fmt: skip
    pipeline = {
        "parameters": {"query": {"type": "string", "default": "select 1"}},
        "definition": [{"LEVEL_ID": 1, "THREADS": [{"THREAD_ID": 1, "STEPS": [step]}]}],
    }
    stack = made(tmp_path / "project", {"free": pipeline}, stack_file())
    (untold,) = stack.access.untold
    assert (untold.identity, untold.because) == ("workflows", ("free", "a"))
    report = compare(stack.decided, stack.resources)
    assert any("free/a: not known: the datasets" in line for line in lines(report))
    assert all(isinstance(n, Needed) for n in stack.access.needed)


def test_a_right_on_a_dataset_of_the_stack_waits_for_it(tmp_path: Path) -> None:
    datasets = {
        "mart": {"id": "mart"},
        "sales": {"id": "sales", "readers": ["$workflows"]},
    }
    text = stack_file(bigquery={"datasets": datasets, "job_users": ["$workflows"]}, composer=COMPOSER)
    stack = made(tmp_path / "project", {"queries": PIPELINES["queries"]}, text)
    report = compare(stack.decided, stack.resources)
    assert report.exact, list(lines(report))
    grants = [r for r in stack.resources if r.type.endswith("DatasetIamMember")]
    assert {(r.name, r.parent.rpartition("::")[2]) for r in grants} == {
        ("access-composer-runner-bigquery-dataEditor-mart", "access"),
        ("access-composer-runner-bigquery-dataViewer-sales", "access"),
        ("access-workflows-runner-bigquery-dataEditor-mart", "access"),
        ("bigquery-sales-reader-workflows", "bigquery"),
        ("composer-runner-bigquery-dataViewer-ref", "composer"),
        ("workflows-runner-bigquery-dataViewer-ref", "workflows"),
    }
    made_here = {r.urn for r in stack.resources if r.type == "gcp:bigquery/dataset:Dataset"}
    for grant in grants:
        if grant.parent.endswith("::access"):
            assert made_here & set(grant.dependencies), grant.name
    dags = [r for r in stack.resources if r.name == "dags-queries"]
    waits = {r.urn: set(r.dependencies) for r in stack.resources}
    (dag,) = dags
    reached, queue = set(), list(dag.dependencies)
    while queue:
        urn = queue.pop()
        if urn not in reached:
            reached.add(urn)
            queue.extend(waits.get(urn, ()))
    assert {g.urn for g in grants if "composer-runner" in g.name} <= reached


def test_triggers_and_parts_of_large_pipelines_need_to_start_workflows(stack: Made, tmp_path: Path) -> None:
    pipeline = {**PIPELINES["queries"], "schedule": {"cron": "0 5 * * *"}}
    found = made(tmp_path / "project", {"queries": pipeline}, stack_file(composer=COMPOSER))
    target = target_for(found.decided.loaded.platform)
    plans = [build_plan(definition, target) for definition in found.decided.loaded.definitions]
    gcp = found.decided.loaded.platform.gcp
    assert gcp is not None
    about = replace(surroundings(found.decided.loaded.platform, gcp), triggers=True)
    access = derive(plans, about, split=["queries"])
    right = Right(role="roles/workflows.invoker", on=On(kind="project", project=PROJECT))
    assert access.rights("triggers") == (right,)
    assert right in access.rights("workflows")
    assert {n.because[1] for n in access.needed if n.right == right} == {"schedule", "parts"}
    assert not derive(plans, replace(about, triggers=False)).rights("triggers")


def test_a_function_needs_what_an_operator_would(stack: Made) -> None:
    platform = stack.decided.loaded.platform
    assert platform.gcp is not None
    told = {"query": "select 1 from s.t", "location": "EU"}
    about, executor = surroundings(platform, platform.gcp), REGISTRY["bq-saved-query-executor"]
    found = rights_of(f"function:{executor.name}", ("p", "s"), executor, told, target_for(platform), about)
    assert {(n.identity, n.right.role, n.right.on.path) for n in found if isinstance(n, Needed)} == {
        ("function:bq-saved-query-executor", "roles/bigquery.jobUser", f"projects/{PROJECT}"),
        ("function:bq-saved-query-executor", "roles/bigquery.dataViewer", f"projects/{PROJECT}/datasets/s"),
    }
