"""The subworkflows that every compiled workflow shares, as data.

`run_step` is the executors' contract in the language of Cloud Workflows: start, check the id, poll until the job has
ended or the deadline has passed, and say how it went. It never raises: it takes what its thread has done so far and
returns that with one more state. After a failure the following steps of the thread are thereby recorded as skipped
without a branch in the caller, every thread of a level runs to its end, and a step costs its caller one call.

The deadline counts the seconds slept as well as the clock's, whichever is more, so that the number of polls does not
depend on how fast a clock runs beside it (an emulator's may run faster).

Deliberately absent: cancelling a job whose step has timed out. The contract has no such call.
"""

from __future__ import annotations

from dataplatform.compile.plan import Retry
from dataplatform.compile.yaml_text import Inline

START_CALL_SECONDS = 540
"""Longest wait for the answer to a start call: the longest that a first-generation Cloud Function may run."""
STATUS_CALL_SECONDS = 120
"""Longest wait for the answer to a status call."""
MAX_ERROR_TEXT = 1000
"""Characters of an error that are kept; a whole run's states must fit into 512 KB of variables."""

STEPS_PER_POLL = 6
"""Executed steps of one turn of run_step's loop, of the 100,000 that the service allows an execution."""
STEPS_PER_RUN_STEP = 24
"""Executed steps of run_step beside its polls, retries aside."""

Data = dict[str, object]


def _step(name: str, body: Data) -> Data:
    return {name: body}


def _assign(name: str, *pairs: tuple[str, object]) -> Data:
    return _step(name, {"assign": [{key: value} for key, value in pairs]})


def _call(name: str, function: str, args: Data, result: str | None = None) -> Data:
    body: Data = {"call": function, "args": args}
    if result:
        body["result"] = result
    return _step(name, body)


def _post(name: str, result: str, timeout: int, predicate: str, retry: Retry) -> Data:
    """A call of the intermediate function, repeated while the predicate holds for its error."""
    return _step(
        name,
        {
            "try": {
                "call": "http.post",
                "args": {
                    "url": "${run.intermediate}",
                    "auth": Inline(type="OIDC"),
                    "timeout": timeout,
                    "body": "${body}",
                },
                "result": result,
            },
            "retry": {
                "predicate": "${" + predicate + "}",
                "max_retries": retry.max_retries,
                "backoff": Inline(
                    initial_delay=retry.initial_delay, max_delay=retry.max_delay, multiplier=retry.multiplier
                ),
            },
        },
    )


def run_step(retry: Retry) -> Data:
    """The subworkflow that runs one step and returns `{failed, steps}` of its thread up to and with this step."""
    return {
        "params": [
            "run",
            "level",
            "thread",
            "job",
            "start",
            "wait",
            "timeout",
            "before",
            {"status": None},
            {"properties": None},
            {"may_fail": False},
        ],
        "steps": [
            _assign(
                "describe",
                ("state", Inline(level="${level}", thread="${thread}", step="${job}", state="skipped", polls=0)),
                (
                    "place",
                    '${"pipeline " + run.pipeline + ", level " + level + ", thread " + thread + ", step " + job}',
                ),
            ),
            _step(
                "after_failure",
                {"switch": [{"condition": "${before.failed}", "next": "skip"}], "next": "prepare"},
            ),
            _assign("skip", ("skipped", Inline(failed=True, steps="${list.concat(before.steps, state)}"))),
            _step("skip_end", {"return": "${skipped}"}),
            _assign(
                "prepare",
                ("phase", "start"),
                ("started", "${int(sys.now())}"),
                ("waited", 0),
                (
                    "body",
                    {
                        "call_type": "get_id",
                        "workflow_name": "${run.workflow_name}",
                        "execution_id": "${run.execution_id}",
                        "job_name": "${job}",
                        "function_url_to_call": "${run.functions + start}",
                        "query_variables": "${run.query_variables}",
                        "workflow_properties": "${run.workflow_properties}",
                        "step_properties": "${json.decode(default(properties, run.properties))}",
                    },
                ),
            ),
            _step("attempt", {"try": {"steps": _attempt(retry)}, "except": {"as": "e", "steps": _failure()}}),
        ],
    }


def _attempt(retry: Retry) -> list[Data]:
    """Start, then poll to the end. Raises a string that says what is wrong, or lets an HTTP error through."""
    return [
        # A start is not idempotent: it is repeated only where the service says that it was not carried out.
        _post("start_job", "begun", START_CALL_SECONDS, "http.default_retry_predicate_non_idempotent", retry),
        _step(
            "check_id",
            {
                "switch": [
                    {"condition": '${get_type(begun.body) != "string"}', "next": "refuse_id"},
                    {"condition": '${not text.match_regex(begun.body, "^aef[_-]")}', "next": "refuse_id"},
                ],
                "next": "started_job",
            },
        ),
        _call("refuse_id", "shown", {"value": "${begun.body}"}, "answer"),
        _step("refuse_id_end", {"raise": '${"the start call answered " + answer + ", which is no job id"}'}),
        _assign(
            "started_job",
            ("phase", "status"),
            ("state.job_id", "${begun.body}"),
            ("body.call_type", "get_status"),
            ("body.function_url_to_call", "${run.functions + default(status, start)}"),
            ("body.async_job_id", "${begun.body}"),
        ),
        _assign(
            "measure",
            ("pause", "${math.min(wait, timeout - math.max(waited, int(sys.now()) - started))}"),
            ("pause", "${math.max(pause, 0)}"),
            ("waited", "${waited + pause}"),
            ("state.polls", "${state.polls + 1}"),
        ),
        _call("pause_before_poll", "sys.sleep", {"seconds": "${pause}"}),
        _post("poll", "status_now", STATUS_CALL_SECONDS, "http.default_retry_predicate", retry),
        _step(
            "judge",
            {
                "switch": [
                    {"condition": '${get_type(status_now.body) != "string"}', "next": "refuse_status"},
                    {"condition": '${status_now.body == "success"}', "next": "succeeded"},
                    {"condition": '${status_now.body != "running"}', "next": "refuse_status"},
                    {
                        "condition": "${math.max(waited, int(sys.now()) - started) < timeout}",
                        "next": "measure",
                    },
                ],
                "next": "too_late",
            },
        ),
        _step(
            "too_late",
            {
                "raise": '${"no success within " + string(timeout) + " seconds: job " + begun.body'
                ' + " was still running"}'
            },
        ),
        _call("refuse_status", "shown", {"value": "${status_now.body}"}, "answer"),
        _step("refuse_status_end", {"raise": '${"the status call answered " + answer}'}),
        _assign(
            "succeeded",
            ("state.state", "success"),
            ("outcome", Inline(failed=False, steps="${list.concat(before.steps, state)}")),
        ),
        _step("succeeded_end", {"return": "${outcome}"}),
    ]


def _failure() -> list[Data]:
    """Record why, log it, and return; `may_fail` lets the thread go on."""
    return [
        _call("explain_failure", "explain", {"e": "${e}", "phase": "${phase}"}, "reason"),
        _assign(
            "failed",
            ("state.state", "failed"),
            ("state.error", '${place + ": " + reason}'),
            ("outcome", Inline(failed="${not may_fail}", steps="${list.concat(before.steps, state)}")),
        ),
        _call("log_failure", "sys.log", {"text": "${state.error}", "severity": "ERROR"}),
        _step("failed_end", {"return": "${outcome}"}),
    ]


def explain() -> Data:
    """The subworkflow that turns an error of any kind into one text."""
    return {
        "params": ["e", "phase"],
        "steps": [
            _assign("begin", ("head", '${"the " + phase + " call failed: "}')),
            _step(
                "kind",
                {
                    "switch": [
                        {"condition": '${get_type(e) == "string"}', "return": "${e}"},
                        {"condition": '${get_type(e) != "map"}', "next": "other"},
                        {"condition": '${get_type(map.get(e, "code")) == "integer"}', "next": "http_status"},
                        {"condition": '${get_type(map.get(e, "message")) == "string"}', "next": "message"},
                    ],
                    "next": "other",
                },
            ),
            _call("other", "shown", {"value": "${e}"}, "text_of_error"),
            _step("other_end", {"return": "${head + text_of_error}"}),
            _call("message", "shown", {"value": "${e.message}"}, "text_of_message"),
            _step("message_end", {"return": "${head + text_of_message}"}),
            _call("http_status", "shown", {"value": '${map.get(e, "body")}'}, "text_of_body"),
            _step("http_status_end", {"return": '${head + "HTTP status " + string(e.code) + ": " + text_of_body}'}),
        ],
    }


def shown() -> Data:
    """The subworkflow that gives the beginning of any value as text: a string as it is, anything else as JSON."""
    return {
        "params": ["value"],
        "steps": [
            _assign("begin", ("whole", "${value}")),
            _step("kind", {"switch": [{"condition": '${get_type(value) == "string"}', "next": "cut"}]}),
            _assign("as_json", ("whole", "${json.encode_to_string(value)}")),
            _step(
                "cut",
                {
                    "switch": [
                        {
                            "condition": f"${{len(whole) > {MAX_ERROR_TEXT}}}",
                            "return": f"${{text.substring(whole, 0, {MAX_ERROR_TEXT})}}",
                        }
                    ]
                },
            ),
            _step("whole_end", {"return": "${whole}"}),
        ],
    }


def end_level() -> Data:
    """The subworkflow that gathers the threads of a level and raises where one of them has failed."""
    return {
        "params": ["run", "done", "threads"],
        "steps": [
            _assign("begin", ("failed", False), ("message", '${"pipeline " + run.pipeline + " failed"}')),
            _step(
                "each_thread",
                {
                    "for": {
                        "value": "thread",
                        "in": "${threads}",
                        "steps": [
                            _assign("thread_outcome", ("failed", "${failed or thread.failed}")),
                            _step(
                                "each_step",
                                {
                                    "for": {
                                        "value": "state",
                                        "in": "${thread.steps}",
                                        "steps": [
                                            _assign("gather", ("done.steps", "${list.concat(done.steps, state)}")),
                                            _step("had_error", {"switch": [_gather_error()]}),
                                        ],
                                    }
                                },
                            ),
                        ],
                    }
                },
            ),
            _step("judge", {"switch": [{"condition": "${not failed}", "return": "${done}"}]}),
            _step(
                "fail",
                {
                    "raise": {
                        "message": "${message}",
                        "pipeline": "${run.pipeline}",
                        "state": "failed",
                        "failures": "${done.failures}",
                        "steps": "${done.steps}",
                    }
                },
            ),
        ],
    }


def _gather_error() -> Data:
    return {
        "condition": '${state.state == "failed"}',
        "steps": [
            _assign(
                "gather_error",
                ("done.failures", "${list.concat(done.failures, state.error)}"),
                ("message", '${message + "; " + state.error}'),
            )
        ],
    }


def run_thread(names: tuple[str, ...]) -> Data:
    """The subworkflow that runs a thread given as data, for levels that have more threads than `parallel` has branches.

    `names[i]` is the run_step subworkflow that a step with `policy: i` wants.
    """
    arguments = Inline(
        run="${run}",
        level="${level}",
        thread="${thread.id}",
        job="${step.job}",
        start="${step.start}",
        wait="${step.wait}",
        timeout="${step.timeout}",
        before="${outcome}",
        status='${map.get(step, "status")}',
        properties='${map.get(step, "properties")}',
        may_fail='${default(map.get(step, "may_fail"), false)}',
    )
    if len(names) == 1:
        inner = _call("call_step", names[0], arguments, "outcome")
    else:
        inner = _step(
            "choose_policy",
            {
                "switch": [
                    {
                        "condition": f'${{default(map.get(step, "policy"), 0) == {number}}}',
                        "steps": [_call(f"call_step_{number}", name, arguments, "outcome")],
                    }
                    for number, name in enumerate(names)
                ]
            },
        )
    return {
        "params": ["run", "level", "thread"],
        "steps": [
            _assign("begin", ("outcome", Inline(failed=False, steps=[]))),
            _step("each_step", {"for": {"value": "step", "in": "${thread.steps}", "steps": [inner]}}),
            _step("thread_end", {"return": "${outcome}"}),
        ],
    }
