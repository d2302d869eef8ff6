"""Definitions and tables of answers, made at random from a seed.

A case is a definition as its user would have it in a file, read and compiled like any other, and for every step what
its calls are answered. The same seed gives the same case.
"""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan, Step, Target
from dataplatform.compile.reference import LOST, REFUSED, Answer, Outcome
from dataplatform.config.check import load_definition

TARGET = Target(
    project="acme-data-dev",
    region="europe-west1",
    intermediate_url="https://europe-west1-acme-data-dev.cloudfunctions.net/orch-framework-intermediate",
    jobs_definitions_bucket="acme-data-dev-jobs",
)
EXECUTORS = ("dataform-tag-executor", "bq-saved-query-executor", "dataproc-serverless-job-executor")
MAX_LEVELS, MAX_THREADS, MAX_STEPS = 8, 15, 8

# fmt: off
HOSTILE = (
    "class", "end", "yes", "no", "null", "true", "~", "-", "init", "finish", "main", "run_step", "level_1", "t1",
    "run", "done", "1", "0o17", "1e3", "1st", "a.b", "a-b", "A_B", "x.md", "größe", "ジョブ", "😀", "ü", "{{ti}}",
    "{{ti}}{%raw%}", "${x}", "a${b}c${d", "}${", "%{x}", "\"\"\"", "'''", "\\", "\\\"", "a\\n", "$", "#", ":", "a:b",
    "#c", "&", "*", "!", "|", "@", "`", "error", "load_error_log", "exception", "success", "running",
    "__import__('os').abort()", "');import/os;#", 'a\xa0b', "İ", "ﬁle", "ΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩ",
)
# fmt: on
LONG = "x" * 1300
TEXTS = (
    "",
    "no",
    'Exception : Exception("FAILED")',
    '{"error": "KeyError", "message": "\'x\'"}',
    "${sys.now()}",
    "größe ジョブ 😀",
    'a "quoted" text',
    "two\nlines",
    LONG,
)
ERRORS = ('{"error": "KeyError", "message": "no"}', ' {"a": 1, "error": ["${x}"]}', '{"error": ""}')
TEXTS_OF_SUCCESS = (
    "done",
    "",
    "aef_1",
    '{"rows": 7}',
    '{"error": null}',
    '["error"]',
    '{"a": {"error": 1}}',
    '{"error": NaN}',
)
WORDS = ("cancelled", "FAILED", "", "Success", "success ", "success\n", '"success"', "SUCCEEDED", "None", LONG)
NO_IDS = ("42", "", "Aef_1", "aef", "my_aef_1", " aef_1", '{"error": "x"}', LONG)


@dataclasses.dataclass(frozen=True)
class Case:
    """One generated definition, compiled, and what its steps' calls are answered."""

    seed: int
    plan: Plan
    outcomes: dict[str, Outcome]


def case(seed: int, folder: Path, *, wire: bool = False, most: int = 40) -> Case:
    """The case of a seed. `wire`: only answers that a server in real time can give. `most`: steps, about."""
    rng = random.Random(f"meaning {seed} {wire} {most}")
    file = folder / f"case_{seed}.json"
    file.write_text(json.dumps(_definition(rng, most, wire)), encoding="utf-8")
    definition, problems = load_definition(file, root=folder)
    assert definition is not None, f"seed {seed}: {problems.render()}"
    plan = build_plan(dataclasses.replace(definition, engines=("workflows", "airflow")), TARGET)
    # Most runs must get far: a pipeline of many steps of which each fails now and then would never reach its end.
    trouble = rng.choice((0.0, 0.0, 0.02, 0.05, 0.15, 0.4))
    answers = _Answers(rng, trouble, wire)
    return Case(seed, plan, {step.id: answers.outcome(step) for step in plan.steps()})


def _definition(rng: random.Random, most: int, wire: bool) -> dict[str, Any]:
    names = _Names(rng)
    keys = _Keys(rng, wire)
    extreme = rng.randrange(12)
    count = MAX_LEVELS if extreme == 0 else min(rng.choice((1, 1, 2, 2, 3, 3, 4, rng.randint(1, MAX_LEVELS))), most)
    budget = most
    levels = []
    for number in range(count):
        widest = max(1, min(MAX_THREADS, budget - (count - number - 1)))
        width = min(
            widest, MAX_THREADS if extreme == 1 else rng.choice((1, 1, 2, 2, 3, 4, rng.randint(1, MAX_THREADS)))
        )
        threads = []
        for index in range(width):
            longest = max(1, min(MAX_STEPS, budget - (width - index - 1) - (count - number - 1)))
            length = min(longest, MAX_STEPS if extreme == 2 else rng.choice((1, 1, 2, 2, 3, rng.randint(1, MAX_STEPS))))
            budget -= length
            threads.append(
                {"THREAD_ID": _thread_id(rng, index), "STEPS": [_step(rng, names, keys) for _ in range(length)]}
            )
        levels.append({"LEVEL_ID": str(number + 1), "THREADS": threads})
    return {"engine": rng.choice(("cloud_workflows", "composer")), "definition": levels, **keys.top}


def _thread_id(rng: random.Random, index: int) -> str:
    return str(index + 1) if rng.random() < 0.8 else f"{rng.choice(HOSTILE)} {index + 1}"


class _Names:
    """Names of jobs, each once."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.used: set[str] = set()
        self.number = 0

    def __call__(self) -> str:
        self.number += 1
        name = f"job_{self.number}"
        if self.rng.random() < 0.3:
            words = [self.rng.choice(HOSTILE) for _ in range(self.rng.choice((1, 1, 2)))]
            hostile = self.rng.choice((" ", "", "_")).join(words)
            name = hostile if hostile not in self.used else f"{hostile} {self.number}"
        self.used.add(name)
        return name


class _Keys:
    """The keys that steps of one definition have beside AEF's, and those of the definition itself."""

    def __init__(self, rng: random.Random, wire: bool) -> None:
        self.wire = wire
        self.top: dict[str, Any] = {}
        self.policies: list[dict[str, Any]] = [{}]
        if rng.random() < 0.5:
            for _ in range(3):
                call = {
                    "count": rng.randint(0, 6),
                    "delay_seconds": rng.randint(1, 20),
                    "max_delay_seconds": rng.randint(1, 90),
                    "multiplier": rng.randint(1, 4),
                }
                job = {
                    "count": rng.randint(1, 3),
                    "delay_seconds": rng.choice((0, 1, rng.randint(1, 300))),
                    "max_delay_seconds": rng.randint(0, 600),
                    "multiplier": rng.randint(1, 4),
                }
                policy = {"CALL_RETRY": call, "RETRIES": job}
                self.policies.append({key: value for key, value in policy.items() if rng.random() < 0.7})
        self.parameters: list[str] = []
        if rng.random() < 0.2:
            values: tuple[tuple[str, Any], ...] = (
                *(("string", text) for text in (*TEXTS, *HOSTILE, '"$parameter:p1"', 'x"$parameter:p2', "$p")),
                ("integer", rng.randint(-9, 9)), ("number", 1.5), ("boolean", True),
            )  # fmt: skip
            chosen = [rng.choice(values) for _ in range(3)]
            self.top["parameters"] = {f"p{n}": {"type": t, "default": v} for n, (t, v) in enumerate(chosen)}
            self.parameters = list(self.top["parameters"])
            self.policies = self.policies[:2]
        if rng.random() < 0.2:
            self.top["schedule"] = {"cron": "30 4 * * MON-FRI", "timezone": "Europe/Berlin"}
            self.top |= {"owner": rng.choice(HOSTILE), "tags": ["b", "a"], "description": rng.choice(HOSTILE)}


def _step(rng: random.Random, names: _Names, keys: _Keys) -> dict[str, Any]:
    def number(value: int) -> int | str:
        return value if rng.random() < 0.3 else str(value)

    wait = rng.choice((1, 5, 20, 30, 60, rng.randint(1, 120)))
    executor = rng.choice(EXECUTORS)
    kind = rng.choice(("async",) * 7 + ("sync", "async" if keys.wire else "workflows"))
    step: dict[str, Any] = {"JOB_ID": f"J{names.number + 1:03}", "JOB_NAME": names(), "TYPE": kind}
    if any(word in step["JOB_NAME"].lower() for word in ("error", "exception")) and executor == EXECUTORS[1]:
        executor = EXECUTORS[0]  # names that this executor's jobs cannot have: DP330
    step |= rng.choice(keys.policies)
    timeout = wait * rng.choice((1, 2, rng.randint(1, 12), rng.randint(4, 12))) + rng.choice((0, 0, rng.randint(0, 30)))
    if kind == "sync":
        step[rng.choice(("FUNCTION_NAME", "FUNCTION_ID_NAME", "COMPOSER_STEP"))] = executor
        step["TIMEOUT_SECONDS"] = number(max(60, timeout))
    else:
        step["WAIT_TIME_SECONDS"] = number(wait)
        if kind == "workflows":
            step.pop("CALL_RETRY", None)
            step["workflows_name"] = f"child_{names.number}"
        elif rng.random() < 0.3:
            step["COMPOSER_STEP"] = executor
        else:
            step["FUNCTION_ID_NAME"] = executor
            step["FUNCTION_STATUS_NAME"] = rng.choice((executor, executor, *EXECUTORS))
        if rng.random() < 0.2:
            step["ASYNC_TIMEOUT_LOOP_IN_MINUTES"] = number(-(-timeout // 60))
        else:
            step["TIMEOUT_SECONDS"] = number(timeout)
    if rng.random() < 0.25:
        step["CONTINUE_IF_FAIL"] = rng.choice((True, "True", "true"))
    if rng.random() < 0.15 or (keys.parameters and rng.random() < 0.5):
        properties: dict[str, Any] = {
            rng.choice(HOSTILE): [rng.choice(HOSTILE), 1, 1.5, None, {"k": rng.choice(HOSTILE)}]
        }
        if keys.parameters:
            used = rng.sample(keys.parameters, 2)
            properties |= {"a": f"$parameter:{used[0]}", "b": {"$parameter:p0": [1, f"$parameter:{used[1]}"]}}
            properties |= {"text": 'x"$$parameter:p0'}
        step["STEP_PROPERTIES"] = properties if rng.random() < 0.5 else json.dumps(properties)
    return step


def properties_of(plan: Plan, step: Step) -> dict[str, Any]:
    """The properties that an executor must get, every parameter at its default."""
    values = {parameter.name: parameter.default for parameter in plan.parameters}
    merged: Any = json.loads(json.dumps(dict(step.properties)))
    for path, name in step.parameters:
        below = merged
        for part in path[:-1]:
            below = below[part]
        below[path[-1]] = values[name]
    bucket = {} if step.kind == "workflows" else {"jobs_definitions_bucket": plan.target.jobs_definitions_bucket}
    return {**bucket, **merged}


class _Answers:
    """Makes what calls are answered. `trouble` is the share of steps that fail, about."""

    def __init__(self, rng: random.Random, trouble: float, wire: bool) -> None:
        self.rng = rng
        self.trouble = trouble
        self.wire = wire

    def outcome(self, step: Step) -> Outcome:
        """The answers to one step."""
        rng = self.rng
        if step.job_retry is None or rng.random() < 0.3:
            return self._job(step)
        # The first runs of the job fail, the last one ends as any does.
        trouble, runs = self.trouble, []
        for _ in range(rng.randint(0, step.job_retry.max_retries)):
            self.trouble = 1.0
            runs.append(self._job(step))
            self.trouble = trouble
        runs.append(self._job(step))
        return Outcome(
            starts=tuple(answer for run in runs for answer in run.starts),
            statuses=tuple(answer for run in runs for answer in run.statuses),
        )

    def _job(self, step: Step) -> Outcome:
        rng = self.rng
        if step.kind != "async":
            return self._other(step)
        starts = [*self._burst(step, (429, 503), lost=False), self._start()]
        statuses: list[Answer] = []
        most = max(0, (step.timeout - 1) // step.poll_interval)
        if rng.random() >= self.trouble:
            most //= 2
        for _ in range(min(most, rng.choice((0, 0, 1, 1, 2, 3, rng.randint(0, 9))))):
            statuses += [*self._burst(step, (429, 502, 503, 504), lost=True), Answer(text="running")]
        statuses += [*self._burst(step, (429, 502, 503, 504), lost=True), self._end()]
        slow = not self.wire and rng.random() < 0.25

        def late(answer: Answer) -> Answer:
            return dataclasses.replace(answer, seconds=rng.randint(0, 20)) if slow and answer.sent else answer

        return Outcome(starts=tuple(map(late, starts)), statuses=tuple(map(late, statuses)))

    def _other(self, step: Step) -> Outcome:
        """The answers to one call, or of a pipeline, of which Airflow itself tells and no network."""
        rng = self.rng
        fails = rng.random() < self.trouble
        if step.kind == "sync":
            if fails and rng.random() < 0.4:
                end = self._start_trouble()
            else:
                end = Answer(text=rng.choice(ERRORS if fails else (*TEXTS_OF_SUCCESS, *HOSTILE)))
            return Outcome(starts=(*self._burst(step, (429, 503), lost=False), end))
        running = [Answer(text="running")] * rng.randint(0, max(0, (step.timeout - 1) // step.poll_interval))
        ended = Answer(text=rng.choice(("failed", "running")) if fails else "success")
        return Outcome(starts=(Answer(text=f"run{rng.randint(1, 9)}"),), statuses=(*running, ended))

    def _burst(self, step: Step, statuses: tuple[int, ...], *, lost: bool) -> list[Answer]:
        """Answers after which the call is repeated; in some of the troubled steps one more than it is repeated."""
        rng, most = self.rng, step.retry.max_retries
        if rng.random() < 0.92:
            return []
        passing: list[Answer] = [Answer(status=rng.choice(statuses), text=rng.choice(TEXTS)) for _ in range(3)]
        if lost:
            passing.append(LOST)
        if not self.wire:
            passing.append(REFUSED)
        length = most + 1 if rng.random() < self.trouble else min(most, rng.choice((1, 1, 2, rng.randint(0, most))))
        return [rng.choice(passing) for _ in range(length)]

    def _start(self) -> Answer:
        rng = self.rng
        if rng.random() >= self.trouble / 2:
            return Answer(text=f"aef{rng.choice('_-')}{rng.choice((*HOSTILE, '1', 'error'))}")
        if rng.random() < 0.3:
            return Answer(text=rng.choice(NO_IDS))
        return self._start_trouble()

    def _start_trouble(self) -> Answer:
        rng = self.rng
        if rng.random() < 0.3:
            return LOST
        return Answer(status=rng.choice((400, 403, 404, 500, 502, 504)), text=rng.choice(TEXTS))

    def _end(self) -> Answer:
        rng = self.rng
        if rng.random() >= self.trouble:
            return Answer(text="success")
        kind = rng.random()
        if kind < 0.3:
            return Answer(text="running")
        if kind < 0.6:
            return Answer(text=rng.choice(WORDS))
        return Answer(status=rng.choice((400, 401, 403, 404, 500, 500, 500)), text=rng.choice(TEXTS))
