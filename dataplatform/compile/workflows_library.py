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

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dataplatform.compile.plan import Kind, Retry
from dataplatform.compile.yaml_text import Inline

START_CALL_SECONDS = 540
"""Longest wait for the answer to a start call: the longest that a first-generation Cloud Function may run."""
STATUS_CALL_SECONDS = 120
"""Longest wait for the answer to a status call."""
MAX_ERROR_TEXT = 1000
"""Characters of an error that are kept; a whole run's states must fit into 512 KB of variables."""
LEAST_ERROR_TEXT = 40
"""As many are kept in any case."""
ERRORS_BYTES = 380_000
"""Of those 512 KB, what the states of a run may take if all of its steps fail."""

STEPS_PER_POLL = 6
"""Executed steps of one turn of run_step's loop, of the 100,000 that the service allows an execution."""
STEPS_PER_RUN_STEP = 24
"""Executed steps of run_step beside its polls, retries aside."""

EXECUTIONS = "https://workflowexecutions.googleapis.com/v1/"
"""The API that runs workflows."""

Data = dict[str, object]


@dataclass(frozen=True)
class Variant:
    """What run_step subworkflows differ in. A pipeline has one for each combination that its steps use."""

    retry: Retry
    kind: Kind = "async"
    jobs: Retry | None = None
    fill: bool = False
    """Whether values of the run's parameters belong into the properties."""


def _step(name: str, body: Data) -> Data:
    return {name: body}


def _assign(name: str, *pairs: tuple[str, object]) -> Data:
    return _step(name, {"assign": [{key: value} for key, value in pairs]})


def _call(name: str, function: str, args: Data, result: str | None = None) -> Data:
    body: Data = {"call": function, "args": args}
    if result:
        body["result"] = result
    return _step(name, body)


def _post(name: str, result: str, timeout: object, predicate: str, retry: Retry) -> Data:
    """A call of the intermediate function, repeated while the predicate holds for its error."""
    args: Data = {
        "url": "${run.intermediate}",
        "auth": Inline(type="OIDC"),
        "timeout": timeout,
        "body": "${body}",
    }
    return _http(name, "http.post", args, result, predicate, retry)


def _http(name: str, function: str, args: Data, result: str, predicate: str, retry: Retry) -> Data:
    return _step(
        name,
        {
            "try": {"call": function, "args": args, "result": result},
            "retry": {
                "predicate": "${" + predicate + "}",
                "max_retries": retry.max_retries,
                "backoff": Inline(
                    initial_delay=retry.initial_delay, max_delay=retry.max_delay, multiplier=retry.multiplier
                ),
            },
        },
    )


def run_step(variant: Variant) -> Data:
    """The subworkflow that runs one step and returns `{failed, steps}` of its thread up to and with this step."""
    jobs, kind = variant.jobs, variant.kind
    attempt = {"async": _attempt, "sync": _one_call, "workflows": _pipeline}[kind](variant.retry)
    describe: list[tuple[str, object]] = [
        ("state", Inline(level="${level}", thread="${thread}", step="${job}", state="skipped", polls=0)),
        ("place", '${"pipeline " + run.pipeline + ", level " + level + ", thread " + thread + ", step " + job}'),
    ]
    prepare: list[tuple[str, object]] = [("phase", "start"), ("started", "${int(sys.now())}"), ("waited", 0)]
    if jobs is not None:
        describe += [("tries", 0), ("delay", min(jobs.initial_delay, jobs.max_delay))]
        prepare += [("tries", "${tries + 1}"), ("state.tries", "${tries}")]
    if kind == "workflows":
        prepare.append(("given", '${json.decode(default(properties, "{}"))}'))
    else:
        text = "${json.decode(filled)}" if variant.fill else "${json.decode(default(properties, run.properties))}"
        body: Data = {
            "call_type": "get_id",
            "workflow_name": "${run.workflow_name}",
            "execution_id": "${run.execution_id}",
            "job_name": "${job}",
            "function_url_to_call": "${run.functions + start}",
            "query_variables": "${run.query_variables}",
            "workflow_properties": "${run.workflow_properties}",
            "step_properties": text,
        }
        prepare.append(("body", body))
    if variant.fill and kind == "workflows":
        prepare[-1] = ("given", "${json.decode(filled)}")
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
            _assign("describe", *describe),
            _step(
                "after_failure",
                {"switch": [{"condition": "${before.failed}", "next": "skip"}], "next": "prepare"},
            )
            if not variant.fill
            else _step(
                "after_failure",
                {"switch": [{"condition": "${before.failed}", "next": "skip"}], "next": "fill_begin"},
            ),
            _assign("skip", ("skipped", Inline(failed=True, steps="${list.concat(before.steps, state)}"))),
            _step("skip_end", {"return": "${skipped}"}),
            *(_fill() if variant.fill else []),
            _assign("prepare", *prepare),
            _step("attempt", {"try": {"steps": attempt}, "except": {"as": "e", "steps": _failure(jobs)}}),
            *(_again(jobs) if jobs is not None else []),
        ],
    }


def _fill() -> list[Data]:
    """Put the values of the run's parameters, as JSON, where the text of the properties has their references."""
    replaced = '${text.replace_all(filled, "\\"$parameter:" + name + "\\"", map.get(run.parameters, name))}'
    return [
        _assign("fill_begin", ("filled", "${properties}")),
        _step(
            "fill",
            {
                "for": {
                    "value": "name",
                    "in": "${keys(run.parameters)}",
                    "steps": [_assign("fill_one", ("filled", replaced))],
                }
            },
        ),
    ]


def _again(jobs: Retry) -> list[Data]:
    """Wait, and run the job again from its start."""
    longer = _assign("longer", ("delay", f"${{math.min(delay * {jobs.multiplier}, {jobs.max_delay})}}"))
    body = longer["longer"]
    assert isinstance(body, dict)
    body["next"] = "prepare"
    return [_call("pause_before_job", "sys.sleep", {"seconds": "${delay}"}), longer]


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
        *_pause(),
        _post("poll", "status_now", STATUS_CALL_SECONDS, "http.default_retry_predicate", retry),
        _step(
            "judge",
            {
                "switch": [
                    {"condition": '${get_type(status_now.body) != "string"}', "next": "refuse_status"},
                    {"condition": '${status_now.body == "success"}', "next": "succeeded"},
                    {"condition": '${status_now.body != "running"}', "next": "refuse_status"},
                    {"condition": _IN_TIME, "next": "measure"},
                ],
                "next": "too_late",
            },
        ),
        _too_late("begun.body"),
        _call("refuse_status", "shown", {"value": "${status_now.body}"}, "answer"),
        _step("refuse_status_end", {"raise": '${"the status call answered " + answer}'}),
        *_success(),
    ]


def _one_call(retry: Retry) -> list[Data]:
    """One call that does the work. Its answer is success unless it is a JSON object with an `error`."""
    refuse = '${"the start call answered " + answer + ", which is an error"}'
    return [
        _post("start_job", "begun", "${timeout}", "http.default_retry_predicate_non_idempotent", retry),
        _assign("read_answer", ("said", "${begun.body}")),
        _step(
            "is_text",
            {"switch": [{"condition": '${get_type(said) == "string"}', "next": "decode"}], "next": "judge"},
        ),
        _step(
            "decode",
            {
                "try": {"assign": [{"said": "${json.decode(said)}"}]},
                "except": {"as": "no_json", "steps": [_assign("no_data", ("said", None))]},
            },
        ),
        _step(
            "judge",
            {
                "switch": [
                    {"condition": '${get_type(said) != "map"}', "next": "succeeded"},
                    {"condition": '${map.get(said, "error") == null}', "next": "succeeded"},
                ],
                "next": "refuse",
            },
        ),
        _call("refuse", "shown", {"value": "${begun.body}"}, "answer"),
        _step("refuse_end", {"raise": refuse}),
        *_success(),
    ]


def _pipeline(retry: Retry) -> list[Data]:
    """Run another workflow and poll its execution to the end."""
    argument = (
        "${json.encode_to_string({"
        '"query_variables": run.query_variables, "workflow_properties": map.merge(handed, given)})}'
    )
    here = '"projects/" + sys.get_env("GOOGLE_CLOUD_PROJECT_ID") + "/locations/" + sys.get_env("GOOGLE_CLOUD_LOCATION")'
    auth = Inline(type="OAuth2")
    post: Data = {
        "url": f'${{"{EXECUTIONS}" + target + "/executions"}}',
        "auth": auth,
        "timeout": STATUS_CALL_SECONDS,
        "body": {"argument": argument},
    }
    get: Data = {"url": f'${{"{EXECUTIONS}" + begun.body.name}}', "auth": auth, "timeout": STATUS_CALL_SECONDS}
    return [
        _assign("inherit", ("handed", "${default(run.workflow_properties, run.nothing)}"), ("target", "${start}")),
        _step(
            "handed_is_text",
            {"switch": [{"condition": '${get_type(handed) == "string"}', "next": "decode"}], "next": "is_external"},
        ),
        _assign("decode", ("handed", "${json.decode(handed)}")),
        _step(
            "is_external",
            {
                "switch": [{"condition": '${text.match_regex(start, "^projects/")}', "next": "start_job"}],
                "next": "is_ours",
            },
        ),
        _assign("is_ours", ("target", f'${{{here} + "/workflows/" + start}}')),
        _http("start_job", "http.post", post, "begun", "http.default_retry_predicate_non_idempotent", retry),
        _assign("started_job", ("phase", "status"), ("state.job_id", "${begun.body.name}")),
        *_pause(),
        _http("poll", "http.get", get, "status_now", "http.default_retry_predicate", retry),
        _step(
            "judge",
            {
                "switch": [
                    {"condition": '${status_now.body.state == "SUCCEEDED"}', "next": "succeeded"},
                    {
                        "condition": '${not (status_now.body.state in ["ACTIVE", "QUEUED"])}',
                        "next": "ended_otherwise",
                    },
                    {"condition": _IN_TIME, "next": "measure"},
                ],
                "next": "too_late",
            },
        ),
        _too_late("begun.body.name"),
        _step("ended_otherwise", {"raise": '${"the pipeline ended as " + text.to_lower(status_now.body.state)}'}),
        *_success(),
    ]


_IN_TIME = "${math.max(waited, int(sys.now()) - started) < timeout}"


def _too_late(job: str) -> Data:
    words = f'${{"no success within " + string(timeout) + " seconds: job " + {job} + " was still running"}}'
    return _step("too_late", {"raise": words})


def _pause() -> list[Data]:
    return [
        _assign(
            "measure",
            ("pause", "${math.min(wait, timeout - math.max(waited, int(sys.now()) - started))}"),
            ("pause", "${math.max(pause, 0)}"),
            ("waited", "${waited + pause}"),
            ("state.polls", "${state.polls + 1}"),
        ),
        _call("pause_before_poll", "sys.sleep", {"seconds": "${pause}"}),
    ]


def _success() -> list[Data]:
    return [
        _assign(
            "succeeded",
            ("state.state", "success"),
            ("outcome", Inline(failed=False, steps="${list.concat(before.steps, state)}")),
        ),
        _step("succeeded_end", {"return": "${outcome}"}),
    ]


def _failure(jobs: Retry | None = None) -> list[Data]:
    """Record why, log it, and return; `may_fail` lets the thread go on. With `jobs`, fall through to run it again."""
    again: list[Data] = []
    if jobs is not None:
        again = [
            _call("ask_again", "job_is_over", {"e": "${e}", "phase": "${phase}"}, "over"),
            _step(
                "choose",
                {
                    "switch": [{"condition": f"${{over and tries <= {jobs.max_retries}}}", "next": "log_repeat"}],
                    "next": "failed",
                },
            ),
        ]
    return [
        _call("explain_failure", "explain", {"e": "${e}", "phase": "${phase}"}, "reason"),
        *again,
        _assign(
            "failed",
            ("state.state", "failed"),
            ("state.error", '${place + ": " + reason}'),
            ("outcome", Inline(failed="${not may_fail}", steps="${list.concat(before.steps, state)}")),
        ),
        _call("log_failure", "sys.log", {"text": "${state.error}", "severity": "ERROR"}),
        _step("failed_end", {"return": "${outcome}"}),
        *(
            [
                _call(
                    "log_repeat",
                    "sys.log",
                    {
                        "text": '${place + ": " + reason + "; the job is run again in " + string(delay) + " seconds"}',
                        "severity": "WARNING",
                    },
                )
            ]
            if jobs is not None
            else []
        ),
    ]


def job_is_over() -> Data:
    """The subworkflow that tells whether, after an error, the job has surely ended or was surely not started.

    A job that timed out, or whose start or state got no clear answer, may be running: running it again would run it
    twice, and no call can stop it.
    """
    refused = '${phase == "start" and e.code != 502 and e.code != 504}'
    return {
        "params": ["e", "phase"],
        "steps": [
            _step(
                "judge",
                {
                    "switch": [
                        {
                            "condition": '${get_type(e) == "string"}',
                            "return": '${not text.match_regex(e, "^no success within ")}',
                        },
                        {"condition": '${get_type(e) != "map"}', "return": False},
                        {"condition": '${get_type(map.get(e, "code")) == "integer"}', "next": "status"},
                        {"condition": '${phase == "start" and get_type(map.get(e, "tags")) == "list"}', "next": "tags"},
                    ],
                    "next": "unsure",
                },
            ),
            _step("unsure", {"return": False}),
            _step(
                "status",
                {
                    "switch": [
                        {"condition": refused, "return": True},
                        {"condition": '${phase == "status" and e.code == 500}', "return": True},
                    ],
                    "next": "unsure",
                },
            ),
            _step("tags", {"return": '${"ConnectionFailedError" in e.tags}'}),
        ],
    }


def read_parameters() -> Data:
    """The subworkflow that gives every parameter of the run its value as JSON text, `$` escaped.

    `$` is escaped for the values are put into the text of properties one after the other: none may look like the
    reference to another.
    """
    kinds = '${get_type(value) == "integer" and kind == "number"}'
    return {
        "params": ["kinds", "values", "given"],
        "steps": [
            _assign("begin", ("texts", {})),
            _step(
                "each_given",
                {
                    "for": {
                        "value": "name",
                        "in": "${keys(given)}",
                        "steps": [
                            _step(
                                "known",
                                {
                                    "switch": [
                                        {
                                            "condition": "${not (name in kinds)}",
                                            "raise": '${"the pipeline has no parameter " + name}',
                                        }
                                    ]
                                },
                            )
                        ],
                    }
                },
            ),
            _step(
                "each_parameter",
                {
                    "for": {
                        "value": "name",
                        "in": "${keys(kinds)}",
                        "steps": [
                            _assign(
                                "value_of",
                                ("value", "${default(map.get(given, name), map.get(values, name))}"),
                                ("kind", "${map.get(kinds, name)}"),
                            ),
                            _step(
                                "is_of_kind",
                                {
                                    "switch": [
                                        {"condition": "${get_type(value) == kind}", "next": "keep"},
                                        {"condition": kinds, "next": "keep"},
                                        {
                                            "condition": '${get_type(value) == "double" and kind == "number"}',
                                            "next": "keep",
                                        },
                                    ],
                                    "next": "refuse",
                                },
                            ),
                            _step("refuse", {"raise": '${"the parameter " + name + " must be of the type " + kind}'}),
                            _assign(
                                "keep",
                                ("texts[name]", '${text.replace_all(json.encode_to_string(value), "$", "\\\\u0024")}'),
                            ),
                        ],
                    }
                },
            ),
            _step("parameters_end", {"return": "${texts}"}),
        ],
    }


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


def error_text(steps: int) -> int:
    """How many characters of an error are kept in a pipeline of so many steps, all of which may fail.

    A step's entry is there up to three times while a level is gathered, and its error up to five times.
    """
    return max(LEAST_ERROR_TEXT, min(MAX_ERROR_TEXT, (ERRORS_BYTES // max(steps, 1) - 480) // 5 - 150))


def shown(longest: int = MAX_ERROR_TEXT) -> Data:
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
                            "condition": f"${{len(whole) > {longest}}}",
                            "return": f"${{text.substring(whole, 0, {longest})}}",
                        }
                    ]
                },
            ),
            _step("whole_end", {"return": "${whole}"}),
        ],
    }


def notify(function: str) -> list[Data]:
    """Tell a function that the run has failed. A failure of that call is logged and changes nothing."""
    return [
        _step(
            "notify",
            {
                "try": {
                    "call": "http.post",
                    "args": {
                        "url": f"${{run.functions + {json.dumps(function)}}}",
                        "auth": Inline(type="OIDC"),
                        "timeout": STATUS_CALL_SECONDS,
                        "body": {
                            "pipeline": "${run.pipeline}",
                            "execution_id": "${run.execution_id}",
                            "state": "failed",
                            "message": "${message}",
                        },
                    },
                },
                "except": {
                    "as": "e",
                    "steps": [
                        _call("explain_notify", "explain", {"e": "${e}", "phase": "on_failure"}, "problem"),
                        _call("log_notify", "sys.log", {"text": "${problem}", "severity": "ERROR"}),
                    ],
                },
            },
        )
    ]


def end_level(on_failure: str | None = None) -> Data:
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
            *(notify(on_failure) if on_failure else []),
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


def run_thread(names: Mapping[int, str]) -> Data:
    """The subworkflow that runs a thread given as data, for levels that have more threads than `parallel` has branches.

    `names[i]` is the run_step subworkflow that a step with `policy: i` wants; only those that are wanted are there.
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
        (only,) = names.values()
        inner = _call("call_step", only, arguments, "outcome")
    else:
        inner = _step(
            "choose_policy",
            {
                "switch": [
                    {
                        "condition": f'${{default(map.get(step, "policy"), 0) == {number}}}',
                        "steps": [_call(f"call_step_{number}", name, arguments, "outcome")],
                    }
                    for number, name in names.items()
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
