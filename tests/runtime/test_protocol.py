"""The executors' contract as the runtime speaks it, against scripted answers and a clock that only sleeping moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dataplatform.local.executors import JobScript, serve
from dataplatform_runtime.protocol import (
    EMULATOR_VARIABLE,
    TIME_SCALE_VARIABLE,
    Reply,
    Retry,
    RunSpec,
    StartUncertainError,
    Step,
    StepFailedError,
    StepSpec,
    World,
    http_post,
)

SPEC = StepSpec(
    pipeline="orders",
    level="1",
    thread="2",
    job_name="load",
    executor="starter",
    status_executor="reporter",
    intermediate_url="https://eu-p.cloudfunctions.net/intermediate",
    poll_interval=30,
    timeout=100,
    properties={"bucket": "b"},
)
RUN = RunSpec(
    workflow_name="orders",
    execution_id="run-1",
    query_variables={"start_date": "2025-01-01", "end_date": "2025-01-02"},
    workflow_properties={},
)
PLACE = "pipeline orders, level 1, thread 2, step load"


class Script:
    """Answers in turn; time passes only while sleeping."""

    def __init__(self, *answers: tuple[int, str] | Reply) -> None:
        self.answers = [a if isinstance(a, Reply) else Reply(*a) for a in answers]
        self.bodies: list[dict[str, Any]] = []
        self.urls: set[str] = set()
        self.sleeps: list[float] = []
        self.limits: list[float] = []
        self.now = 1000.0

    def post(self, url: str, body: Mapping[str, Any], timeout: float) -> Reply:
        self.urls.add(url)
        self.bodies.append(dict(body))
        self.limits.append(timeout)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def step(self, spec: StepSpec = SPEC) -> Step:
        return Step(spec, RUN, World(post=self.post, sleep=self.sleep, clock=lambda: self.now))


def test_start_and_poll_until_success() -> None:
    script = Script((200, "aef_1"), (200, "running"), (200, "success"))
    step = script.step()
    job = step.start()
    step.wait(job)
    assert job == "aef_1"
    assert step.polls == 2
    assert script.sleeps == [30, 30]
    assert script.urls == {"https://eu-p.cloudfunctions.net/intermediate"}
    start, poll, _ = script.bodies
    assert start == {
        "call_type": "get_id",
        "workflow_name": "orders",
        "execution_id": "run-1",
        "job_name": "load",
        "function_url_to_call": "https://eu-p.cloudfunctions.net/starter",
        "query_variables": {"start_date": "2025-01-01", "end_date": "2025-01-02"},
        "workflow_properties": {},
        "step_properties": {"bucket": "b"},
    }
    assert poll == {
        **start,
        "call_type": "get_status",
        "function_url_to_call": "https://eu-p.cloudfunctions.net/reporter",
        "async_job_id": "aef_1",
    }


def test_the_last_pause_ends_at_the_deadline() -> None:
    script = Script((200, "running"))
    with pytest.raises(StepFailedError, match=f"{PLACE}: no success within 100 seconds: job aef_1 was still") as caught:
        script.step().wait("aef_1")
    assert script.sleeps == [30, 30, 30, 10]
    assert not caught.value.job_ended


@pytest.mark.parametrize(
    ("answer", "message", "ended"),
    [
        ((500, 'Exception : Exception("FAILED")'), "the status call failed: HTTP status 500: Exception", True),
        ((200, "cancelled"), "the status call answered cancelled", True),
        ((200, ""), "the status call answered ", True),
        ((403, "no"), "the status call failed: HTTP status 403: no", False),
    ],
)
def test_any_other_status_fails_the_step(answer: tuple[int, str], message: str, ended: bool) -> None:
    script = Script(answer)
    with pytest.raises(StepFailedError) as caught:
        script.step().wait("aef_1")
    assert str(caught.value).startswith(f"{PLACE}: {message}")
    assert caught.value.job_ended is ended
    assert len(script.bodies) == 1


@pytest.mark.parametrize("answer", ["42", "", "Aef_1", "my_aef_1", '{"error": "x"}'])
def test_an_answer_that_is_no_job_id_fails_the_start(answer: str) -> None:
    with pytest.raises(StepFailedError, match="which is no job id"):
        Script((200, answer)).step().start()


@pytest.mark.parametrize("status", [429, 502, 503, 504, 0])
def test_status_calls_are_repeated_with_growing_pauses(status: int) -> None:
    script = Script((status, "later"), (status, "later"), (status, "later"), (200, "success"))
    script.step().wait("aef_1")
    assert script.sleeps == [30, 2, 4, 8]


@pytest.mark.parametrize("reply", [Reply(429, "later"), Reply(503, "later"), Reply(0, "refused", never_sent=True)])
def test_a_start_is_repeated_where_it_was_not_carried_out(reply: Reply) -> None:
    script = Script(reply, (200, "aef_1"))
    assert script.step().start() == "aef_1"
    assert script.sleeps == [2]


@pytest.mark.parametrize("status", [502, 504, 0])
def test_a_start_that_may_have_happened_is_not_repeated(status: int) -> None:
    script = Script((status, "lost"))
    with pytest.raises(StartUncertainError, match="the start call failed"):
        script.step().start()
    assert len(script.bodies) == 1


def test_repetitions_end_with_their_number_not_at_the_deadline() -> None:
    short = Script((503, "later"))
    with pytest.raises(StepFailedError, match="HTTP status 503: later"):
        short.step(SPEC.__class__(**{**vars(SPEC), "retry": Retry(max_retries=3, max_delay=3)})).start()
    assert short.sleeps == [2, 3, 3]
    quick = Script((503, "later"))
    once = Retry(max_retries=1, initial_delay=9, max_delay=3)
    with pytest.raises(StepFailedError, match="HTTP status 503: later"):
        quick.step(SPEC.__class__(**{**vars(SPEC), "retry": once})).start()
    assert quick.sleeps == [3]
    late = Script((503, "later"))
    with pytest.raises(StepFailedError, match="HTTP status 503: later"):
        late.step(SPEC.__class__(**{**vars(SPEC), "timeout": 5})).start()
    assert late.sleeps == [2, 4, 8, 16, 32]
    assert late.limits == [30] * 6


def test_pauses_between_repetitions_count_as_time_waited() -> None:
    script = Script((503, "later"), (503, "later"), (200, "running"))
    script.sleep = script.sleeps.append  # type: ignore[assignment] # a scaled clock, which hardly moves
    with pytest.raises(StepFailedError, match="no success within 100 seconds"):
        script.step().wait("aef_1")
    assert script.sleeps == [30, 2, 4, 30, 30, 4]


def test_over_the_wire_with_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({"load": JobScript(outcome="transient_503", polls=3)}) as executors:
        monkeypatch.setenv(EMULATOR_VARIABLE, executors.url)
        monkeypatch.setenv(TIME_SCALE_VARIABLE, "0.0001")
        step = Step(SPEC, RUN, World(post=http_post()))
        step.wait(step.start())
        calls = executors.calls
    assert [(call.call_type, call.status, call.answer) for call in calls] == [
        ("get_id", 503, "Service Unavailable"),
        ("get_id", 200, "aef_load_1"),
        ("get_status", 503, "Service Unavailable"),
        ("get_status", 200, "running"),
        ("get_status", 200, "running"),
        ("get_status", 200, "success"),
    ]
    assert {call.path for call in calls} == {"/intermediate"}
    assert [call.function for call in calls][1:3] == ["starter", "reporter"]
    assert all("authorization" not in call.headers for call in calls)


def test_a_port_nobody_listens_at_was_never_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    executors = serve()
    url = executors.url
    executors.close()
    monkeypatch.setenv(EMULATOR_VARIABLE, url)
    reply = http_post()(f"{url}/intermediate", {}, 1)
    assert reply.never_sent
    assert reply.status == 0


def test_a_missing_token_is_a_failure_of_the_call_with_nothing_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    google = pytest.importorskip("google.oauth2.id_token")
    monkeypatch.delenv(EMULATOR_VARIABLE, raising=False)

    def refuse(request: object, audience: str) -> str:
        raise RuntimeError(f"no credentials for {audience}")

    monkeypatch.setattr(google, "fetch_id_token", refuse)
    reply = http_post()("https://eu-p.cloudfunctions.net/intermediate", {}, 1)
    assert reply == Reply(
        0, "no identity token: no credentials for https://eu-p.cloudfunctions.net/intermediate", never_sent=True
    )
