"""A Data Fusion instance on demand → the texts of two Airflow DAGs, valid on Airflow 2.11 and 3: make it, delete it.

create_instance → wait_for_instance → grant_access makes it, or adopts what is there; delete_instance deletes it. Pure:
the same instance gives the same bytes. Whoever composes a stack knows the instance only when keys and accounts have
their names, so the body comes as data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataplatform.compile.python_text import literal, string

_OWNER = ("environment", "managed-by", "stack")
"""Labels that say whose an instance is."""
_RETRY_MINUTES = 10
_DELETE_RETRIES = 5
"""How often a deletion is tried again, for pipelines may still run."""


@dataclass(frozen=True, kw_only=True)
class OnDemandPlan:
    """An instance, and when it is made and deleted."""

    name: str
    """Of the instance."""
    project: str
    region: str
    body: Mapping[str, Any]
    """As the API of Data Fusion wants it; its labels say whose it is."""
    grants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Role → members, on the instance."""
    create_schedule: str | None = None
    delete_schedule: str | None = None
    timezone: str = "UTC"
    timeout_seconds: int = 5400
    poll_seconds: int = 30
    deferrable: bool = False
    owner: str = "data-platform"


def dag_ids(name: str) -> tuple[str, str]:
    """Ids of the two DAGs of an instance: of the one that makes it, and of the one that deletes it."""
    return f"data_fusion_create_{name}", f"data_fusion_delete_{name}"


def render_create(plan: OnDemandPlan) -> str:
    """The DAG that makes the instance: Python in ASCII."""
    operators = ["CreateInstance", *(["GrantOnInstance"] if plan.grants else []), "WaitForInstance"]
    place = _place(plan)
    seconds = str(plan.timeout_seconds)
    limit = f"timedelta(seconds={plan.timeout_seconds + 600})"
    lines = [
        *_task(
            "create_instance",
            "CreateInstance",
            [
                *place,
                ("body", literal(_sorted(plan.body), 8, 5)),
                ("timeout_seconds", seconds),
                ("execution_timeout", limit),
            ],
        ),
        *_task(
            "wait_for_instance",
            "WaitForInstance",
            [*place, ("timeout_seconds", seconds), ("deferrable", str(plan.deferrable)), ("execution_timeout", limit)],
        ),
    ]
    order = ["create_instance", "wait_for_instance"]
    if plan.grants:
        grants = {role: sorted(members) for role, members in sorted(plan.grants.items())}
        lines += _task(
            "grant_access",
            "GrantOnInstance",
            [*place, ("grants", literal(grants, 8, 7)), ("execution_timeout", "timedelta(minutes=10)")],
        )
        order.append("grant_access")
    words = f"Makes the Data Fusion instance {plan.name} and waits until it can be used; one that is there is adopted."
    return _dag(plan, dag_ids(plan.name)[0], words, plan.create_schedule, operators, 2, [*lines, _chain(order)])


def render_delete(plan: OnDemandPlan) -> str:
    """The DAG that deletes the instance: Python in ASCII."""
    labels = plan.body.get("labels") or {}
    owner = {key: labels[key] for key in _OWNER if key in labels}
    lines = _task(
        "delete_instance",
        "DeleteInstance",
        [
            *_place(plan),
            ("labels", literal(owner, 8, 7)),
            ("timeout_seconds", str(plan.timeout_seconds)),
            ("execution_timeout", f"timedelta(seconds={plan.timeout_seconds + 600})"),
        ],
    )
    words = f"Deletes the Data Fusion instance {plan.name}, with everything in it, when no pipeline runs on it."
    return _dag(
        plan,
        dag_ids(plan.name)[1],
        words,
        plan.delete_schedule,
        ["DeleteInstance"],
        _DELETE_RETRIES,
        [*lines, "    delete_instance"],
    )


def _place(plan: OnDemandPlan) -> list[tuple[str, str]]:
    return [
        ("project_id", string(plan.project)),
        ("location", string(plan.region)),
        ("instance_name", string(plan.name)),
        ("poll_seconds", str(plan.poll_seconds)),
    ]


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def _task(name: str, operator: str, arguments: Sequence[tuple[str, str]]) -> list[str]:
    head = [f"    {name} = {operator}(", f"        task_id={string(name)},"]
    return [*head, *(f"        {key}={value}," for key, value in arguments), "    )"]


def _chain(order: Sequence[str]) -> str:
    return f"    {' >> '.join(order)}"


def _dag(
    plan: OnDemandPlan,
    dag_id: str,
    words: str,
    schedule: str | None,
    operators: Sequence[str],
    retries: int,
    body: Sequence[str],
) -> str:
    two = ["    from airflow.models.dag import DAG"]
    two += ["    from airflow.timetables.trigger import CronTriggerTimetable"] if schedule else []
    timetable = f"CronTriggerTimetable({string(schedule)}, timezone={string(plan.timezone)})" if schedule else "None"
    three = "DAG, CronTriggerTimetable" if schedule else "DAG"
    # Two looks at an instance, its creation and its grants: each may use its own time up.
    whole = (len(operators) * (plan.timeout_seconds + 600) + retries * _RETRY_MINUTES * 60) // 60 + 60
    lines = [
        f"# Made from the stack's data_fusion.on_demand, for {json.dumps(plan.name)}.",
        "# Changes belong into the stack file: this text is overwritten.",
        "from datetime import datetime, timedelta, timezone",
        "",
        "try:  # Airflow 3",
        f"    from airflow.sdk import {three}",
        "except ImportError:  # Airflow 2",
        *two,
        "",
        f"from dataplatform_runtime.data_fusion_instances import {', '.join(operators)}",
        "",
        "with DAG(",
        f"    dag_id={string(dag_id)},",
        f"    description={string(words)},",
        f"    schedule={timetable},",
        # Nothing is caught up, so any fixed day does; one that moves would change the DAG at every parse.
        "    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),",
        "    catchup=False,",
        "    max_active_runs=1,",
        f"    dagrun_timeout=timedelta(minutes={whole}),",
        "    default_args={",
        f'        "owner": {string(plan.owner)},',
        f'        "retries": {retries},',
        f'        "retry_delay": timedelta(minutes={_RETRY_MINUTES}),',
        "    },",
        '    tags=["data-platform", "data-fusion"],',
        "):",
        *body,
    ]
    text = "\n".join(lines) + "\n"
    compile(text, "dag.py", "exec", dont_inherit=True)
    return text
