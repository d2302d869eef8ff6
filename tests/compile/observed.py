"""What an engine was seen to do, put into the words of the reference interpreter."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dataplatform.compile.plan import Plan, Step
from dataplatform.compile.reference import (
    Answer,
    Call,
    Failure,
    Outcome,
    Phase,
    StepState,
    StepTrace,
    Trace,
    repeatable,
)

KINDS = {"get_id": "start", "get_status": "status"}
MAX_ERROR_TEXT = 1000


@dataclass(frozen=True)
class Seen:
    """One call as it arrived at the executors. `at` is the engine's own clock."""

    step: str
    phase: Phase
    at: float
    answer: Answer


class Executors:
    """Answers calls from a table, and keeps what was asked."""

    def __init__(self, outcomes: Mapping[str, Outcome]) -> None:
        self.outcomes = outcomes
        self.calls: list[Seen] = []
        self.bodies: list[Mapping[str, object]] = []
        self._asked: dict[tuple[str, str], int] = {}

    def answer(self, body: Mapping[str, object], at: float) -> Answer:
        """The next answer for the step that the request names."""
        name = str(body["job_name"])
        phase: Phase = "start" if body["call_type"] == "get_id" else "status"
        outcome = self.outcomes[name]
        answers = outcome.starts if phase == "start" else outcome.statuses
        asked = self._asked.get((name, phase), 0)
        self._asked[name, phase] = asked + 1
        assert asked < 1000, f"step {name!r} does not come to an end"
        found = answers[min(asked, len(answers) - 1)]
        if phase == "status":
            assert body["async_job_id"] == self.started(name).text
        self.calls.append(Seen(name, phase, at, found))
        self.bodies.append(body)
        return found

    def started(self, name: str) -> Answer:
        """The answer to a step's last start."""
        answers = self.outcomes[name].starts
        return answers[min(self._asked[name, "start"], len(answers)) - 1]


def step_trace(calls: Sequence[Seen], state: StepState, message: str | None, step: Step) -> StepTrace:
    """A step's trace from its calls in order, the state the engine gave it, and the message of its failure."""
    found: list[Call] = []
    polls = attempt = run = 0
    for before, call in zip([None, *calls], calls, strict=False):
        repeated = (
            before is not None
            and before.phase == call.phase
            and repeatable(call.phase, before.answer)
            and attempt < step.retry.max_retries
        )
        attempt = attempt + 1 if repeated else 0
        polls += call.phase == "status" and not repeated
        run += call.phase == "start" and before is not None and not repeated
        at = call.at - calls[0].at
        assert at == int(at)
        poll = polls if call.phase == "status" else 0
        found.append(Call(phase=call.phase, poll=poll, attempt=attempt, at=int(at), answer=call.answer, run=run))
    seconds = found[-1].at + found[-1].answer.seconds if found else 0
    failure = None
    if message is not None:
        assert found, f"failed without a call: {message}"
        failure = Failure(kind=_kind(message), answer=found[-1].answer)  # type: ignore[arg-type]
    return StepTrace(state=state, calls=tuple(found), seconds=seconds, failure=failure)


def _kind(message: str) -> str:
    if message.startswith("the start call answered ") and message.endswith(", which is an error"):
        return "error answer"
    for words, kind in (
        ("the start call failed: ", "start call"),
        ("the start call answered ", "no job id"),
        ("the status call failed: ", "status call"),
        ("the status call answered ", "unknown status"),
        ("the pipeline ended as ", "ended otherwise"),
        ("no success within ", "timeout"),
    ):
        if message.startswith(words):
            return kind
    return message


def place(plan: Plan, step: Step) -> str:
    """How every message names a step."""
    for level in plan.levels:
        for thread in level.threads:
            if step in thread.steps:
                return f"pipeline {plan.name}, level {level.id}, thread {thread.id}, step {step.job_name}: "
    raise KeyError(step.id)


def words(step: Step, failure: Failure, job_id: str) -> str:
    """What a message must say of a failure; its beginning, where the rest is the network's own words."""
    text = failure.answer.text[:MAX_ERROR_TEXT]
    match failure.kind:
        case "start call" | "status call":
            phase = failure.kind.split()[0]
            status = failure.answer.status
            return f"the {phase} call failed: " + (f"HTTP status {status}: {text}" if status else "")
        case "no job id":
            return f"the start call answered {text}, which is no job id"
        case "error answer":
            return f"the start call answered {text}, which is an error"
        case "ended otherwise":
            return f"the pipeline ended as {text}"
        case "unknown status":
            return f"the status call answered {text}"
        case _:
            if step.kind == "workflows":
                job_id = f"projects/local/locations/local/workflows/{step.executor}/executions/{job_id}"
            return f"no success within {step.timeout} seconds: job {job_id} was still running"


def order(calls: Sequence[Seen]) -> frozenset[tuple[str, str]]:
    """All pairs of steps where the first was seen to end before the second began."""
    first: dict[str, tuple[float, int]] = {}
    last: dict[str, tuple[float, int]] = {}
    for index, call in enumerate(calls):
        first.setdefault(call.step, (call.at, index))
        last[call.step] = (call.at + call.answer.seconds, index)
    return frozenset((a, b) for a, b in itertools.permutations(first, 2) if last[a] <= first[b])


def begins(calls: Iterable[Seen]) -> dict[str, int]:
    """The second at which each step began, from the first."""
    found: dict[str, float] = {}
    for call in calls:
        found[call.step] = min(call.at, found.get(call.step, call.at))
    start = min(found.values(), default=0)
    return {name: int(at - start) for name, at in found.items()}


def differences(
    plan: Plan, outcomes: Mapping[str, Outcome], reference: Trace, seen: Trace, messages: Mapping[str, str]
) -> list[str]:
    """In what a run was other than the plan means; empty where it was the same."""
    found: list[str] = []
    if seen.state != reference.state:
        found.append(f"the run ended as {seen.state}, not {reference.state}")
    steps = {step.id: step for step in plan.steps()}
    for name, step in steps.items():
        is_, must = seen.steps[name], reference.steps[name]
        if is_ != must:
            found.append(f"step {json.dumps(name)}:\n    was  {is_}\n    must {must}")
        if must.failure is not None:
            starts = outcomes[name].starts
            job = starts[min(sum(call.phase == "start" for call in must.calls), len(starts)) - 1].text
            wanted = place(plan, step) + words(step, must.failure, job)
            whole = must.failure.answer.status != 0
            said = messages.get(name, "")
            if not (said == wanted if whole else said.startswith(wanted)):
                found.append(f"step {json.dumps(name)} said {said!r}, not {wanted!r}")
    found += [f"{b!r} began before {a!r} had ended" for a, b in sorted(reference.before - seen.before)]
    return found
