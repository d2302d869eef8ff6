"""One conversation, held with the embedded CDAP and with a real one: they must answer alike."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from localcloud.cdap.server import serve
from localcloud.world import World
from tests.cdap import deviations
from tests.cdap.calls import Answer, Call, differences, get, play
from tests.cdap.conversation import CALLS
from tests.cdap.support import real_cdap

DOC = Path(__file__).resolve().parents[2] / "docs" / "cdap.md"
_TABLE = re.compile(r"(?<=<!-- deviations -->\n).*?(?=<!-- end -->)", re.DOTALL)


def _compare(calls: tuple[Call, ...], embedded: list[Answer], real: list[Answer]) -> tuple[list[str], set[str]]:
    return differences(calls, embedded, real, lambda key, *answer: deviations.BY_KEY[key].alter(*answer))


@pytest.mark.cdap
def test_the_embedded_cdap_answers_as_the_real_one(tmp_path: Path) -> None:
    with serve(World(tmp_path / "world"), "sandbox") as server:
        embedded = play(server.url, CALLS)
    with real_cdap(tmp_path / "cdap") as sandbox:
        real = play(sandbox.url, CALLS)
    different, used = _compare(CALLS, embedded, real)
    assert not different, f"{len(different)} of {len(CALLS)} calls differ:\n" + "\n".join(different)
    unused = set(deviations.BY_KEY) - {key.partition(":")[2] for key in used}
    assert not unused, f"deviations that no call shows: {sorted(unused)}"


@pytest.mark.slow
def test_the_conversation_is_long_and_has_bad_calls(tmp_path: Path) -> None:
    assert len(CALLS) >= 250
    with serve(World(tmp_path), "sandbox") as server:
        answers = play(server.url, CALLS)
    statuses = Counter(answer.status for answer in answers)
    assert statuses.keys() >= {200, 400, 403, 404, 405, 409, 500}
    assert statuses[200] >= 200
    assert sum(count for status, count in statuses.items() if status >= 400) >= 150
    ends = {answer.body.partition('"status":"')[2].partition('"')[0] for answer in answers if '"runid"' in answer.body}
    assert ends >= {"RUNNING", "COMPLETED", "FAILED", "KILLED"}


def test_a_difference_is_found() -> None:
    call = get("/v3/x")
    answer = Answer(status=200, content_type="application/json", body='{"name":"a","created":1}')
    later = Answer(status=200, content_type="application/json", body='{"name":"a","created":2}')
    other = Answer(status=200, content_type="application/json", body='{"name":"b","created":1}')
    absent = Answer(status=404, content_type="application/json", body='{"name":"a","created":1}')
    assert _compare((call,), [answer], [later]) == ([], set())
    assert len(_compare((call,), [answer], [other])[0]) == 1
    assert len(_compare((call,), [answer], [absent])[0]) == 1


def test_another_id_than_the_one_told_before_is_a_difference() -> None:
    first, second = "00000000-0000-1000-8000-000000000001", "00000000-0000-1000-8000-000000000002"

    def told(*ids: str) -> list[Answer]:
        return [Answer(status=200, content_type="application/json", body=f'{{"version":"{i}"}}') for i in ids]

    calls = (get("/a"), get("/b"), get("/c"))
    assert _compare(calls, told(first, second, first), told(second, first, second))[0] == []
    assert len(_compare(calls, told(first, second, first), told(first, second, second))[0]) == 1


def test_the_page_shows_the_deviations(accept: bool) -> None:
    rows = "".join(f"| {d.what} | {d.why} |\n" for d in deviations.DEVIATIONS)
    wanted = f"| what differs | why |\n|---|---|\n{rows}"
    page = DOC.read_text("utf-8")
    if accept:
        page = _TABLE.sub(lambda _: wanted, page)
        DOC.write_text(page, "utf-8")
    found = _TABLE.search(page)
    assert found is not None
    assert found[0] == wanted, "run: pytest --accept tests/cdap"
