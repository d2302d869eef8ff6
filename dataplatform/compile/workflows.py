"""Plan → the text of a Cloud Workflows definition.

Levels are steps of `main`, one after the other; the threads of a level are the branches of one `parallel` step; a step
is a call of the shared subworkflow `run_step` (see `workflows_library`). A level with more threads than `parallel` may
have branches becomes a parallel loop over its threads as data, which is not bounded by their number.

The text is data that was dumped, never a template that was filled. A `${` in what a user wrote stays what they wrote.

Deliberately absent: splitting a pipeline that exceeds a limit of the service; see `workflows_parts`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dataplatform.compile import workflows_library as library
from dataplatform.compile import workflows_services as services
from dataplatform.compile.names import Unique, ascii_words, stable_id
from dataplatform.compile.plan import Level, Plan, Step, Thread
from dataplatform.compile.workflows_library import Variant
from dataplatform.compile.yaml_text import Inline, dump
from dataplatform.diagnostics import Diagnostics, Position

# Limits of the service: https://cloud.google.com/workflows/quotas
MAX_SOURCE_BYTES = 128 * 1000
"""The page says 128 KB; read the smaller way, so that no text is refused by the service that passed here."""
MAX_BRANCHES = 10
MAX_CONCURRENT = 20
"""Branches or iterations that run at the same time; the service lets the others wait for a place."""
MAX_EXPRESSION = 400
MAX_EXECUTED_STEPS = 100_000
MAX_VARIABLES = 512 * 1000
"""Bytes of all variables of an execution."""
MAX_SECONDS = 31_536_000
"""A year, the longest that an execution may last and that a connector may wait for one."""
MAX_ID = 64

Data = dict[str, object]


def workflow_id(plan: Plan) -> str:
    """The workflow's id: the pipeline's name where that is one, else made from it (see `names.stable_id`)."""
    return _id_of(plan.name)


def _id_of(name: str) -> str:
    wanted = stable_id(name, keep="_-", longest=255, prefix="pipeline")
    return wanted if wanted[0].isascii() and wanted[0].isalpha() else stable_id(f"p_{name}", longest=255)


def render(plan: Plan) -> str:
    """The source of the workflow a pipeline is run by: YAML in ASCII, the same bytes for the same plan.

    Raises:
        InputError: the pipeline exceeds a limit of the service that no split meets.
    """
    from dataplatform.compile.workflows_parts import render_all

    return render_all(plan)[0].text


def problems(plan: Plan, places: Mapping[str, Position]) -> Diagnostics:
    """What of this plan the service would refuse or could not run. `places` has the position of each job name."""
    from dataplatform.compile import workflows_parts

    return workflows_parts.problems(plan, places)


def literal(text: str) -> str:
    """`text` as a value of the workflow: itself, or an expression that evaluates to it where it holds `${`."""
    if "${" not in text:
        return text
    pieces = text.split("${")
    parts = [pieces[0] + "$", *("{" + piece + "$" for piece in pieces[1:-1]), "{" + pieces[-1]]
    joined = "${" + " + ".join(_quoted(part) for part in parts) + "}"
    if len(joined) <= MAX_EXPRESSION:
        return joined
    # Many `${`: another character stands for each dollar, and is replaced once.
    stand = next(char for char in map(chr, range(0x21, 0x3000)) if char not in text and char not in '"$\\{}')
    return f'${{text.replace_all({_quoted(text.replace("$", stand))}, {_quoted(stand)}, "$")}}'


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def properties_text(plan: Plan, step: Step) -> str:
    """The step's properties with the bucket of the job parameter files, as JSON text. The step's own value wins.

    In JSON, `$` may be written as an escape, so that no `${` stands in the text whatever the properties hold.
    """
    merged = dict(step.properties)
    if step.kind != "workflows":
        merged = {"jobs_definitions_bucket": plan.target.jobs_definitions_bucket, **merged}
    if step.parameters:
        # A reference is known by standing there with a plain `$`; that of any other text is written as an escape.
        for number, (path, _) in enumerate(step.parameters):
            merged = _replaced(merged, path, f"\0{number}\0")
        text = json.dumps(merged, sort_keys=True, ensure_ascii=True).replace("$", "\\u0024")
        for number, (_, name) in enumerate(step.parameters):
            text = text.replace(f'"\\u0000{number}\\u0000"', f'"$parameter:{name}"')
        return text
    return json.dumps(merged, sort_keys=True, ensure_ascii=True).replace("${", "\\u0024{")


def _replaced(data: Any, path: tuple[str | int, ...], value: str) -> Any:
    """A copy of JSON data with another value at a path."""
    if not path:
        return value
    copy: Any = dict(data) if isinstance(data, Mapping) else list(data)
    copy[path[0]] = _replaced(data[path[0]], path[1:], value)
    return copy


def variant_of(step: Step) -> Variant:
    """Which `run_step` a step needs."""
    operation = services.service_of(step)
    if operation is not None:
        return services.variant_of(step, operation)
    return Variant(step.retry, step.kind, step.job_retry, bool(step.parameters))


def run_steps(plan: Plan) -> dict[Variant, str]:
    """The names of the subworkflows that run the plan's steps, by what they differ in."""
    variants = tuple(dict.fromkeys(variant_of(step) for step in plan.steps()))
    return {variant: "run_step" if n == 0 else f"run_step_{n + 1}" for n, variant in enumerate(variants)}


def subworkflows(names: Mapping[Variant, str]) -> Data:
    """Those subworkflows, and what they call."""
    found: Data = {name: run_step_of(variant) for variant, name in names.items()}
    if any(variant.jobs for variant in names):
        found["job_is_over"] = library.job_is_over()
    return found


def run_step_of(variant: Variant) -> Data:
    """The subworkflow that runs such steps."""
    return services.run_step(variant) if isinstance(variant, services.ServiceVariant) else library.run_step(variant)


def text_of(plan: Plan) -> str:
    """The workflow that runs the whole plan, whatever its size."""
    names = run_steps(plan)
    return "".join([*whole_head(plan), *level_texts(plan, names), *whole_tail(plan, names)])


def whole_head(plan: Plan) -> list[str]:
    """What stands before the levels in the workflow that runs all of them."""
    widest = max((len(level.threads) for level in plan.levels if len(level.threads) <= MAX_BRANCHES), default=0)
    return [heading(plan), routine_head("main", ["args"]), dump(opening(plan, widest, labels()), STEP_INDENT)]


def whole_tail(plan: Plan, names: Mapping[Variant, str]) -> list[str]:
    """What stands after them."""
    workflow = subworkflows(names)
    if plan.parameters:
        workflow["read_parameters"] = library.read_parameters()
    if any(len(level.threads) > MAX_BRANCHES for level in plan.levels):
        workflow["run_thread"] = library.run_thread(dict(enumerate(names.values())))
    workflow["end_level"] = library.end_level(plan.on_failure)
    return [dump([closing()], STEP_INDENT), dump(workflow), tail(len(plan.steps()))]


def tail(steps: int) -> str:
    """What every workflow of a pipeline of so many steps ends with."""
    return dump({"explain": library.explain(), "shown": library.shown(library.error_text(steps))})


STEP_INDENT = 4
"""Columns before the steps of a routine."""


def routine_head(name: str, params: list[str]) -> str:
    """A routine up to its steps, which follow as the text of a list."""
    return f"{name}:\n{dump({'params': params}, 2)}  steps:\n"


def level_texts(plan: Plan, names: Mapping[Variant, str]) -> tuple[str, ...]:
    """The steps of each level as text, the same in every workflow that has them."""
    unique = labels()
    opening(plan, 0, unique)
    return tuple(dump(level_steps(plan, level, names, unique), STEP_INDENT) for level in plan.levels)


def heading(plan: Plan) -> str:
    """What every text of a pipeline begins with."""
    origin = f"# Compiled from {json.dumps(plan.source.file)}\n# SHA-256 {json.dumps(plan.source.sha256)}\n"
    return f"{origin}# Changes belong into the definition: this text is overwritten.\n"


def labels() -> Unique:
    """Names of steps that are taken: none may be given twice in a workflow."""
    unique = Unique()
    for reserved in ("init", "finish", "end", "continue", "break"):
        unique(reserved)
    return unique


def opening(plan: Plan, widest: int, unique: Unique) -> list[Data]:
    """The first steps of a pipeline: its run's values, `t1` to `t<widest>` for threads, and its parameters."""
    steps: list[Data] = [{"init": {"assign": _init(plan, widest)}}]
    if plan.parameters:
        unique("parameters")
        unique("parameters_end")
        args = Inline(
            kinds=Inline({parameter.name: parameter.type for parameter in plan.parameters}),
            values="${json.decode(defaults)}",
            given='${default(map.get(given, "parameters"), nothing)}',
        )
        steps.append({"parameters": {"call": "read_parameters", "args": args, "result": "texts"}})
        steps.append({"parameters_end": {"assign": [{"run.parameters": "${texts}"}]}})
    return steps


def closing() -> Data:
    """The last step of a pipeline: what it tells."""
    result = {
        "pipeline": "${run.pipeline}",
        "state": "success",
        "failures": "${done.failures}",
        "steps": "${done.steps}",
    }
    return {"finish": {"return": result}}


def _init(plan: Plan, widest: int) -> list[Data]:
    """The run's values. Each part of the argument may be left out, as may the argument itself."""
    functions = plan.target.intermediate_url.rsplit("/", 1)[0] + "/"
    only_bucket = json.dumps({"jobs_definitions_bucket": plan.target.jobs_definitions_bucket})
    pairs: list[tuple[str, object]] = [
        ("nothing", {}),
        ("pipeline", literal(plan.name)),
        ("given", "${default(args, nothing)}"),
        ("query", '${default(map.get(given, "query_variables"), nothing)}'),
        # The day before the run and the day of the run, in UTC, where the argument names no dates.
        ("yesterday", "${text.substring(time.format(sys.now() - 86400), 0, 10)}"),
        ("today", "${text.substring(time.format(sys.now()), 0, 10)}"),
        (
            "dates",
            Inline(
                start_date='${default(map.get(query, "start_date"), yesterday)}',
                end_date='${default(map.get(query, "end_date"), today)}',
            ),
        ),
        (
            "run",
            {
                "pipeline": "${pipeline}",
                "workflow_name": '${default(map.get(given, "workflow_name"), pipeline)}',
                "execution_id": '${sys.get_env("GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID")}',
                "query_variables": "${map.merge(query, dates)}",
                "workflow_properties": '${default(map.get(given, "workflow_properties"), nothing)}',
                "intermediate": plan.target.intermediate_url,
                "functions": functions,
                "properties": only_bucket.replace("${", "\\u0024{"),
            },
        ),
        *((("run.nothing", "${nothing}"),) if any(step.kind == "workflows" for step in plan.steps()) else ()),
        *((("defaults", _defaults(plan)),) if plan.parameters else ()),
        ("fresh", Inline(failed=False, steps=[])),
        ("done", Inline(failures=[], steps=[])),
        *((f"t{number}", None) for number in range(1, widest + 1)),
    ]
    return [{name: value} for name, value in pairs]


def _defaults(plan: Plan) -> str:
    values = {parameter.name: parameter.default for parameter in plan.parameters}
    return json.dumps(values, ensure_ascii=True).replace("$", "\\u0024")


def level_steps(plan: Plan, level: Level, names: Mapping[Variant, str], unique: Unique) -> list[Data]:
    """The steps of one level: its threads, and their end."""
    label = unique(f"level_{ascii_words(level.id) or 'x'}")
    count = len(level.threads)
    if count > MAX_BRANCHES:
        return _wide_level(plan, level, names, label, unique)
    end: Data = {
        "call": "end_level",
        "args": Inline(run="${run}", done="${done}", threads=[f"${{t{n + 1}}}" for n in range(count)]),
        "result": "done",
    }
    branches = []
    for number, thread in enumerate(level.threads, start=1):
        calls: list[Data] = []
        for step in thread.steps:
            before = f"${{t{number}}}" if calls else "${fresh}"
            calls.append(step_call(plan, level, thread, step, names, before, f"t{number}", unique))
        branches.append((unique(f"{label}_thread_{ascii_words(thread.id) or 'x'}"), calls))
    end_step: Data = {unique(f"{label}_end"): end}
    if count == 1:
        return [*branches[0][1], end_step]
    parallel = {
        "shared": [f"t{n + 1}" for n in range(count)],
        "branches": [{name: {"steps": calls}} for name, calls in branches],
    }
    return [{label: {"parallel": parallel}}, end_step]


def step_call(
    plan: Plan,
    level: Level,
    thread: Thread,
    step: Step,
    names: Mapping[Variant, str],
    before: str,
    result: str,
    unique: Unique,
) -> Data:
    """The call that runs one step; `before` is the expression for its thread's outcome so far."""
    body: Data = {
        "call": names[variant_of(step)],
        "args": Inline(
            run="${run}",
            level=literal(level.id),
            thread=literal(thread.id),
            **_step_data(plan, step),
            before=before,
        ),
        "result": result,
    }
    return {unique(_step_name(step)): body}


def _wide_level(plan: Plan, level: Level, names: Mapping[Variant, str], label: str, unique: Unique) -> list[Data]:
    """A level with more threads than a parallel step may have branches."""
    threads = [thread_data(plan, thread, index, names) for index, thread in enumerate(level.threads)]
    end_args = Inline(run="${run}", done="${done}", threads="${outcomes}")
    loop = thread_loop(level, label, unique)
    return [
        {unique(f"{label}_threads"): {"assign": [{"outcomes": [None] * len(threads)}, {"threads": threads}]}},
        loop,
        {unique(f"{label}_end"): {"call": "end_level", "args": end_args, "result": "done"}},
    ]


def thread_data(plan: Plan, thread: Thread, index: int, names: Mapping[Variant, str]) -> Data:
    """A thread as data: what `run_thread` takes."""
    policies = list(names)
    steps = []
    for step in thread.steps:
        data = _step_data(plan, step)
        if policies.index(variant_of(step)):
            data["policy"] = policies.index(variant_of(step))
        steps.append(Inline(data))
    return {"index": index, "id": literal(thread.id), "steps": steps}


def thread_loop(level: Level, label: str, unique: Unique) -> Data:
    """The loop that runs the `threads` of a level at the same time and has what they did in `outcomes`."""
    arguments = Inline(run="${run}", level=literal(level.id), thread="${thread}")
    loop = {
        "value": "thread",
        "in": "${threads}",
        "steps": [
            {unique(f"{label}_thread"): {"call": "run_thread", "args": arguments, "result": "outcome"}},
            {unique(f"{label}_thread_end"): {"assign": [{"outcomes[thread.index]": "${outcome}"}]}},
        ],
    }
    return {label: {"parallel": {"shared": ["outcomes"], "concurrency_limit": MAX_CONCURRENT, "for": loop}}}


def _step_data(plan: Plan, step: Step) -> Data:
    start = step.executor
    if step.kind == "workflows" and start not in plan.target.external_workflows:
        start = _id_of(start)
    data: Data = {"job": literal(step.job_name), "start": literal(start)}
    if step.status_executor != step.executor:
        data["status"] = literal(step.status_executor)
    data["wait"] = step.poll_interval
    data["timeout"] = step.timeout
    operation = services.service_of(step)
    if operation is not None:
        data["properties"] = services.properties(plan, operation, literal)
    elif step.properties:
        data["properties"] = properties_text(plan, step)
    if step.continue_if_fail:
        data["may_fail"] = True
    return data


def _step_name(step: Step) -> str:
    words = ascii_words(step.id, longest=60)
    return words if words[:1].isalpha() else f"step_{words}".rstrip("_")


def executed_steps(plan: Plan) -> int:
    """The most steps a run can execute when every job ends just before its deadline, retried calls aside."""
    total = 20 + 6 * len(plan.levels) + 8 * len(plan.parameters)
    for step in plan.steps():
        polls = 0 if step.kind == "sync" else -(-step.timeout // max(step.poll_interval, 1))
        once = polls * library.STEPS_PER_POLL + library.STEPS_PER_RUN_STEP
        total += _tries(step) * once + (3 * len(plan.parameters) if step.parameters else 0)
    return total


def longest(plan: Plan) -> int:
    """Seconds that a run takes when every job ends just before its deadline, and its calls are answered at once."""
    total = 0
    for level in plan.levels:
        threads = [sum(_seconds(step) for step in thread.steps) for thread in level.threads]
        # What has no place at once waits for one, at the worst for all before it in turn.
        turns = -(-len(threads) // MAX_CONCURRENT)
        total += max(threads, default=0) * turns
    return total


def _seconds(step: Step) -> int:
    pauses = step.job_retry.max_retries * step.job_retry.max_delay if step.job_retry else 0
    return _tries(step) * step.timeout + pauses


def _tries(step: Step) -> int:
    return 1 + (step.job_retry.max_retries if step.job_retry else 0)


def name_problems(plan: Plan, places: Mapping[str, Position]) -> Diagnostics:
    """What the service would refuse about names; a split does not help."""
    found = Diagnostics()
    whole = Position(plan.source.file)
    if len(workflow_id(plan)) > MAX_ID:
        found.add(
            "DP402",
            whole,
            f"the workflow's name would have {len(workflow_id(plan))} characters, and Cloud Workflows takes {MAX_ID}",
            "give the file a shorter name",
        )
    if longest(plan) > MAX_SECONDS:
        found.add(
            "DP401",
            whole,
            f"steps that take their whole timeout add up to {longest(plan) // 86_400:,} days, and Cloud Workflows ends"
            f" an execution after {MAX_SECONDS // 86_400}",
            "shorten the timeouts, or make several pipelines of it",
        )
    for expression in _expressions(plan):
        where, value = expression
        if len(value) > MAX_EXPRESSION:
            found.add(
                "DP401",
                places.get(where, whole),
                f"a name that holds '${{' becomes an expression of {len(value)} characters, and Cloud Workflows takes"
                f" {MAX_EXPRESSION}",
                "use a shorter name, or one without '${'",
            )
    return found


def _expressions(plan: Plan) -> list[tuple[str, str]]:
    """Job name and text of the expressions that stand for user data."""
    named = [("", literal(plan.name)), *(("", literal(t.id)) for level in plan.levels for t in level.threads)]
    for step in plan.steps():
        named.extend((step.job_name, literal(name)) for name in (step.job_name, step.executor, step.status_executor))
    return [(where, value) for where, value in named if value.startswith("${")]
