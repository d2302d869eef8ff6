"""An execution in virtual time: hours are over at once, and the same every time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from localcloud.workflows.clock import Answer, Responder, VirtualClock
from localcloud.workflows.local import run
from localcloud.workflows.web import Request

SLEEPS = """
main:
  steps:
    - begin: {assign: [{start: "${sys.now()}"}, {spans: [0, 0]}]}
    - both:
        parallel:
          shared: [spans]
          branches:
            - one: {steps: [{sleep_1: {call: sys.sleep, args: {seconds: 7200}}},
                            {end_1: {assign: [{"spans[0]": "${sys.now() - start}"}]}}]}
            - two: {steps: [{sleep_2: {call: sys.sleep, args: {seconds: 30}}},
                            {end_2: {assign: [{"spans[1]": "${sys.now() - start}"}]}}]}
    - done: {return: "${list.concat(spans, sys.now() - start)}"}
"""
GET = """
main:
  steps:
    - attempt:
        try: {call: http.get, args: {url: "http://127.0.0.1/x", timeout: 10}, result: got}
        except: {as: e, steps: [{failed: {return: ["${e.tags}", "${sys.now()}"]}}]}
    - done: {return: ["${got.code}", "${got.body}", "${sys.now()}"]}
"""


def result(source: str, responder: Responder | None = None) -> Any:
    execution = run(None, source, None, clock=VirtualClock(1000.0), responder=responder)
    assert execution["state"] == "SUCCEEDED", execution
    return json.loads(execution["result"])


def test_sleeping_branches_share_one_clock_and_take_no_time() -> None:
    began = time.monotonic()
    assert result(SLEEPS) == [7200, 30, 7200]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(text="hello", seconds=4), [200, "hello", 1004]),
        (Answer(text='{"a": 1}', content_type="application/json"), [200, {"a": 1}, 1000]),
        (Answer(status=503, text="busy"), [["HttpError"], 1000]),
        (Answer(text="late", seconds=60), [["TimeoutError"], 1010]),
        (Answer(problem="refused"), [["ConnectionFailedError"], 1000]),
        (Answer(problem="broken", seconds=2), [["ConnectionError"], 1002]),
    ],
)
def test_a_responder_answers_in_place_of_the_network(answer: Answer, expected: list[object]) -> None:
    asked: list[Request] = []

    def respond(request: Request) -> Answer:
        asked.append(request)
        return answer

    found = result(GET, respond)
    if isinstance(expected[0], list):
        assert expected[0][0] in found[0]
        assert found[1:] == expected[1:]
    else:
        assert found == expected
    assert [(request.method, request.url) for request in asked] == [("GET", "http://127.0.0.1/x")]
