"""The reference interpreter: what a plan means, said once and plainly, to hold both engines against.

`trace(plan, outcomes)` plays a plan for a table of answers: what the calls of each step are answered, in order. It
follows docs/pipelines.md and knows nothing of either engine's text. Time is virtual, in whole seconds; it passes only
in pauses, and in answers that take some.

A step's times count from its own beginning, and what two steps have to do with each other is an order, not a time: a
pair (a, b) of `before` says that a has ended when b begins, and steps that no pair connects may run in any order or at
once. So a trace is one whatever the interleaving was, how many places an engine had and how quick its clock was.

Deliberately absent: answers that never come. How long a call is waited for is the engine's own business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dataplatform.compile.plan import Level, Plan, Retry, Step, Thread

Phase = Literal["start", "status"]
StepState = Literal["success", "failed", "skipped"]

JOB_ID = re.compile(r"aef[_-]")
"""How every id of a job begins."""

REPEATED_START = frozenset({429, 503})
"""Statuses that say that the job was not started. After 502 and 504 it may be running."""
REPEATED_STATUS = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one call is answered."""

    status: int = 200
    """HTTP status; 0 where no answer came."""
    text: str = ""
    sent: bool = True
    """False where no connection came about, so that nothing was received at the other end."""
    seconds: int = 0
    """Between the call and its answer."""

    @property
    def done(self) -> bool:
        """Whether the function did what it was asked."""
        return 200 <= self.status < 300


LOST = Answer(status=0, text="the connection broke before the answer")
REFUSED = Answer(status=0, text="no connection", sent=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the calls of one step are answered, in order. The last answer of each kind is repeated for ever."""

    starts: tuple[Answer, ...]
    statuses: tuple[Answer, ...] = (Answer(text="success"),)


def job_of(name: str, polls: int = 1, *, last: Answer | None = None) -> Outcome:
    """A job that starts at once and is `running` until the last of so many polls; `last` is success if left out."""
    running = Answer(text="running")
    end = last or Answer(text="success")
    return Outcome(starts=(Answer(text=f"aef_{name}"),), statuses=(*[running] * (polls - 1), end))


def never(name: str) -> Outcome:
    """A job that starts and does not end."""
    return Outcome(starts=(Answer(text=f"aef_{name}"),), statuses=(Answer(text="running"),))


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a step: the first of its start or of a poll, or a repetition of that."""

    phase: Phase
    poll: int
    """Number of the poll; 0 for the start."""
    attempt: int
    """0 for the first call, n for its nth repetition."""
    at: int
    """Seconds since the step began."""
    answer: Answer
    run: int = 0
    """0 for the first run of the job, n for its nth repetition."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a step failed."""

    kind: Literal[
        "start call", "no job id", "error answer", "status call", "unknown status", "ended otherwise", "timeout"
    ]
    answer: Answer
    """The one that decided it."""

    @property
    def over(self) -> bool:
        """Whether the job has surely ended or was surely not started, so that it may be run again."""
        match self.kind:
            case "start call":
                return self.answer.status not in (0, 502, 504) or not self.answer.sent
            case "status call":
                return self.answer.status == 500
            case "timeout":
                return False
            case _:
                return True


@dataclass(frozen=True, kw_only=True)
class StepTrace:
    """What became of one step."""

    state: StepState
    calls: tuple[Call, ...] = ()
    seconds: int = 0
    """From its beginning to its end."""
    failure: Failure | None = None

    @property
    def polls(self) -> int:
        """How often the job was asked after, repetitions of a call aside."""
        return max((call.poll for call in self.calls), default=0)

    @property
    def delays(self) -> tuple[int, ...]:
        """The pauses before each repetition of a call, in order."""
        return tuple(
            call.at - before.at - before.answer.seconds
            for before, call in zip(self.calls, self.calls[1:], strict=False)
            if call.attempt
        )

    @property
    def timed_out(self) -> bool:
        """Whether the timeout ended it."""
        return self.failure is not None and self.failure.kind == "timeout"


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a run of a plan amounts to. Steps go by their id, in the order of the plan."""

    state: Literal["success", "failed"]
    steps: Mapping[str, StepTrace]
    before: frozenset[tuple[str, str]]
    """All pairs (a, b) of steps that were begun, where a must have ended before b begins."""

    @property
    def failures(self) -> tuple[str, ...]:
        """The steps that failed, those with CONTINUE_IF_FAIL included."""
        return self._in_state("failed")

    @property
    def skipped(self) -> tuple[str, ...]:
        """The steps that were never begun."""
        return self._in_state("skipped")

    def _in_state(self, state: StepState) -> tuple[str, ...]:
        return tuple(name for name, step in self.steps.items() if step.state == state)

    def earliest(self) -> dict[str, int]:
        """The second at which each step begins where nothing but `before` holds it back."""
        after: dict[str, list[str]] = {}
        for first, second in self.before:
            after.setdefault(second, []).append(first)
        begins: dict[str, int] = {}
        for name, step in self.steps.items():
            if step.state != "skipped":
                begins[name] = max((begins[n] + self.steps[n].seconds for n in after.get(name, ())), default=0)
        return begins


def trace(plan: Plan, outcomes: Mapping[str, Outcome]) -> Trace:
    """Play a plan. `outcomes` has, by step id, what the step's calls are answered.

    Raises:
        KeyError: a step that is begun has no outcome.
    """
    steps: dict[str, StepTrace] = {}
    before: set[tuple[str, str]] = set()
    earlier: list[str] = []
    failed = False
    for level in plan.levels:
        if failed:
            _skip((step for thread in level.threads for step in thread.steps), steps)
            continue
        failed, begun = _level(level, outcomes, earlier, steps, before)
        earlier.extend(begun)
    return Trace(state="failed" if failed else "success", steps=steps, before=frozenset(before))


def _skip(never_begun: Iterable[Step], steps: dict[str, StepTrace]) -> None:
    for step in never_begun:
        steps[step.id] = StepTrace(state="skipped")


def _level(
    level: Level,
    outcomes: Mapping[str, Outcome],
    earlier: list[str],
    steps: dict[str, StepTrace],
    before: set[tuple[str, str]],
) -> tuple[bool, list[str]]:
    """Play all threads of a level, each to its own end. Whether one failed, and the steps that were begun."""
    failed, begun = False, []
    for thread in level.threads:
        thread_failed, ran = _thread(thread, outcomes, steps)
        failed = failed or thread_failed
        for position, name in enumerate(ran):
            before |= {(first, name) for first in (*earlier, *ran[:position])}
        begun.extend(ran)
    return failed, begun


def _thread(thread: Thread, outcomes: Mapping[str, Outcome], steps: dict[str, StepTrace]) -> tuple[bool, list[str]]:
    ran: list[str] = []
    for position, step in enumerate(thread.steps):
        ran.append(step.id)
        played = steps[step.id] = step_trace(step, outcomes[step.id])
        if played.state == "failed" and not step.continue_if_fail:
            _skip(thread.steps[position + 1 :], steps)
            return True, ran
    return False, ran


def step_trace(step: Step, outcome: Outcome) -> StepTrace:
    """Play one step: start its job, then poll until it has succeeded, failed or run out of time."""
    play = _Play(step, outcome)
    failure = play.run()
    return StepTrace(
        state="failed" if failure else "success", calls=tuple(play.calls), seconds=play.now, failure=failure
    )


def delay(retry: Retry, repetition: int) -> int:
    """Seconds before the nth repetition of a call, from 1."""
    wanted: int = retry.initial_delay * retry.multiplier ** (repetition - 1)
    return min(wanted, retry.max_delay)


def has_error(text: str) -> bool:
    """Whether the answer to a step of TYPE sync is an error: a JSON object whose `error` is not null."""
    try:
        said = json.loads(text, parse_constant=_not_json)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("error") is not None


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass
class _Play:
    step: Step
    outcome: Outcome
    now: int = 0
    poll: int = 0
    repetition: int = 0
    calls: list[Call] = field(default_factory=list)

    def run(self) -> Failure | None:
        """Run the job, and again where it may be and is asked for; each time with the whole timeout."""
        retry = self.step.job_retry
        while True:
            failure = self._job()
            if failure is None or retry is None or not failure.over or self.repetition == retry.max_retries:
                return failure
            self.repetition += 1
            self.now += delay(retry, self.repetition)

    def _job(self) -> Failure | None:
        began = self.now
        answer = self._call("start", 0)
        if not answer.done:
            return Failure(kind="start call", answer=answer)
        if self.step.kind == "sync":
            return Failure(kind="error answer", answer=answer) if has_error(answer.text) else None
        if self.step.kind == "async" and not JOB_ID.match(answer.text):
            return Failure(kind="no job id", answer=answer)
        while True:
            self.poll += 1
            # The timeout counts from the start call, and the last pause ends with it.
            self.now += max(0, min(self.step.poll_interval, self.step.timeout - (self.now - began)))
            answer = self._call("status", self.poll)
            if not answer.done:
                return Failure(kind="status call", answer=answer)
            if answer.text == "success":
                return None
            if answer.text != "running":
                return Failure(kind="unknown status" if self.step.kind == "async" else "ended otherwise", answer=answer)
            if self.now - began >= self.step.timeout:
                return Failure(kind="timeout", answer=answer)

    def _call(self, phase: Phase, poll: int) -> Answer:
        """A call with its repetitions. The timeout does not cut them short."""
        attempt = 0
        while True:
            answer = self._next(phase)
            self.calls.append(
                Call(phase=phase, poll=poll, attempt=attempt, at=self.now, answer=answer, run=self.repetition)
            )
            self.now += answer.seconds
            if not repeatable(phase, answer) or attempt == self.step.retry.max_retries:
                return answer
            attempt += 1
            self.now += delay(self.step.retry, attempt)

    def _next(self, phase: Phase) -> Answer:
        answers = self.outcome.starts if phase == "start" else self.outcome.statuses
        asked = sum(call.phase == phase for call in self.calls)
        return answers[min(asked, len(answers) - 1)]


def repeatable(phase: Phase, answer: Answer) -> bool:
    """Whether a call is repeated after this answer."""
    nothing_came = answer.status == 0 and (phase == "status" or not answer.sent)
    return answer.status in (REPEATED_START if phase == "start" else REPEATED_STATUS) or nothing_came
