"""A plan as one SVG text: levels from left to right, a lane for each thread, a box for each step.

The text stands alone (its style is inside, in light and dark) and may also be put into a page: its classes are all
below `.dp-graph` and its ids are made of its own content. Between two levels stands a bar that every thread of the one
leads to and every thread of the next starts from.

Widths are those of a fixed-width font, by Unicode's own width of a character; what is wider all the same is clipped by
the box, and the whole text is in the box's tooltip.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from html import escape

from dataplatform.compile.plan import Level, Plan, Step
from dataplatform.config.text import escaped
from dataplatform.local.flow import Flow, draw
from dataplatform.show.fusion import pictured
from dataplatform.show.words import count, doer, duration, engines, polls, times

MARKS: Mapping[str, tuple[str, str]] = {
    "succeeded": ("✓", "good"),
    "success": ("✓", "good"),
    "failed": ("✕", "bad"),
    "running": ("…", "busy"),
    "waiting": ("·", "idle"),
    "skipped": ("-", "idle"),
    "not run": ("-", "idle"),
}
"""State → its sign and its class: nothing is said by colour alone."""

_BOX, _PAD, _BETWEEN = 250, 12, 30
"""Width of a box, room inside of it, and room to the next."""
_HEAD, _LABEL, _SPACE, _GATE = 30, 20, 10, 72
"""Room for a level's name, for a thread's, between lanes, and between levels."""
_NAME_CELLS, _FACT_CELLS = 31, 35
_TIP = "\0"
"""Stands for the arrow head's id until that is known; no shown text can hold it."""
_LETTERS = re.compile(r"[^\s_\-./]*[\s_\-./]?")

_STYLE = """\
.dp-graph{--ink:#1d2430;--quiet:#5b6675;--ground:#f7f8fa;--card:#fff;--line:#d5dae2;--edge:#77828f;--good:#1a7f4b;\
--bad:#b3261e;--busy:#1f5fbf;color-scheme:light dark}
@media (prefers-color-scheme:dark){.dp-graph{--ink:#e7ebf1;--quiet:#a0abba;--ground:#12161c;--card:#1a2029;\
--line:#323b48;--edge:#8a98ab;--good:#5ecb94;--bad:#ff8a80;--busy:#7fb0ff}}
.dp-graph text{font:11px system-ui,"Segoe UI",Roboto,sans-serif;fill:var(--quiet)}
.dp-graph .ground{fill:var(--ground)}
.dp-graph .level{fill:none;stroke:var(--line)}
.dp-graph .lane{fill:var(--line);fill-opacity:.35}
.dp-graph .head{font-size:13px;font-weight:600;fill:var(--ink)}
.dp-graph .name{font:600 12px ui-monospace,"SF Mono","DejaVu Sans Mono",Consolas,monospace;fill:var(--ink)}
.dp-graph .executor{font:10.5px ui-monospace,"SF Mono","DejaVu Sans Mono",Consolas,monospace}
.dp-graph .step rect{fill:var(--card);stroke:var(--edge)}
.dp-graph .may-fail rect{stroke-dasharray:5 4}
.dp-graph .good rect{stroke:var(--good);stroke-width:2}
.dp-graph .bad rect{stroke:var(--bad);stroke-width:2}
.dp-graph .busy rect{stroke:var(--busy);stroke-width:2}
.dp-graph .good .state{fill:var(--good)}
.dp-graph .bad .state{fill:var(--bad)}
.dp-graph .busy .state{fill:var(--busy)}
.dp-graph .edge{fill:none;stroke:var(--edge);stroke-width:1.4}
.dp-graph .gate{stroke:var(--edge);stroke-width:4;stroke-linecap:round}
.dp-graph .tip,.dp-graph .dot{fill:var(--edge)}
"""


def svg(plan: Plan, states: Mapping[str, str] | None = None) -> str:
    """The plan as SVG, the same bytes for the same plan and states.

    Args:
        plan: What is drawn.
        states: Step id → its state, such as `succeeded` or `failed`, of a run; a step without one has none shown.
    """
    plan = pictured(plan)
    picture = _Picture(states)
    body = picture.draw(plan)
    described = _plain(_described(plan, states))
    prefix = "g" + hashlib.sha256((body + described).encode()).hexdigest()[:12]
    width, height = picture.width, picture.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dp-graph" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="{prefix}-t {prefix}-d">\n'
        f'<title id="{prefix}-t">{_plain(f"Pipeline {plan.name}")}</title>\n'
        f'<desc id="{prefix}-d">{described}</desc>\n'
        f"<style>{_STYLE}</style>\n"
        f'<defs><marker id="{prefix}-a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path class="tip" d="M0,0 L8,4 L0,8 z"/></marker></defs>\n'
        f"{body.replace(_TIP, f'#{prefix}-a')}</svg>\n"
    )


def flow_svg(flow: Flow) -> str:
    """A graph of named boxes as one SVG text that stands alone, the same bytes for the same graph."""
    described = _plain(flow.described)
    prefix = "g" + hashlib.sha256(f"{flow.name}\n{described}".encode()).hexdigest()[:12]
    drawn = draw(flow, f"{prefix}-a")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dp-graph" viewBox="0 0 {drawn.width} {drawn.height}" '
        f'width="{drawn.width}" height="{drawn.height}" role="img" aria-labelledby="{prefix}-t {prefix}-d">\n'
        f'<title id="{prefix}-t">{_plain(f"Pipeline {flow.name}")}</title>\n'
        f'<desc id="{prefix}-d">{described}</desc>\n'
        f"<style>{_STYLE}</style>\n"
        f'<defs><marker id="{prefix}-a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path class="tip" d="M0,0 L8,4 L0,8 z"/></marker></defs>\n'
        f'<rect class="ground" width="{drawn.width}" height="{drawn.height}"/>\n{drawn.parts}\n</svg>\n'
    )


class _Picture:
    """The drawing of one plan; `width` and `height` are known when it is done."""

    def __init__(self, states: Mapping[str, str] | None) -> None:
        self.states = states
        self.box = 94 if states else 78
        self.lane = _LABEL + self.box + _SPACE
        self.width = 0
        self.height = 0

    def draw(self, plan: Plan) -> str:
        tallest = max((len(level.threads) for level in plan.levels), default=1)
        self.height = _HEAD + 8 + tallest * self.lane + 8
        back: list[str] = []
        front: list[str] = []
        x = 22
        ends: list[tuple[int, int]] = [(x, self._middle(0))]
        front.append(f'<circle class="dot" cx="{x - 6}" cy="{self._middle(0)}" r="6"><title>Start</title></circle>\n')
        before = ""
        for level in plan.levels:
            gate = f"Level {level.id} starts when all threads of level {before} have ended" if before else ""
            left = x + (_GATE if before else 46)
            starts = [(left + _PAD, self._middle(lane)) for lane in range(len(level.threads))]
            front.append(self._gate(x + 18 if not before else x + _GATE // 2, ends, starts, gate))
            right = self._level(level, left, back, front)
            ends = [
                (left + _PAD + len(thread.steps) * (_BOX + _BETWEEN) - _BETWEEN, self._middle(lane))
                for lane, thread in enumerate(level.threads)
            ]
            x, before = right, level.id
        finish = x + 50
        front.append(self._gate(x + 18, ends, [(finish - 7, self._middle(0))], "The run ends"))
        front.append(f'<circle class="dot" cx="{finish}" cy="{self._middle(0)}" r="6"><title>End</title></circle>\n')
        self.width = finish + 14
        ground = f'<rect class="ground" width="{self.width}" height="{self.height}"/>\n'
        return ground + "".join(back) + "".join(front)

    def _middle(self, lane: int) -> int:
        """Height of the middle of a lane's boxes."""
        return _HEAD + 8 + lane * self.lane + _LABEL + self.box // 2

    def _level(self, level: Level, left: int, back: list[str], front: list[str]) -> int:
        widest = max((len(thread.steps) for thread in level.threads), default=1)
        width = widest * (_BOX + _BETWEEN) - _BETWEEN + 2 * _PAD
        high = len(level.threads) * self.lane + 8
        back.append(f'<rect class="level" x="{left}" y="{_HEAD}" width="{width}" height="{high}" rx="10"/>\n')
        front.append(_words(left + 4, _HEAD - 10, f"Level {level.id}", "head", width // 8))
        for lane, thread in enumerate(level.threads):
            top = _HEAD + 8 + lane * self.lane
            back.append(
                f'<rect class="lane" x="{left + 6}" y="{top}" width="{width - 12}" height="{self.lane - 6}" rx="8"/>\n'
            )
            front.append(_words(left + _PAD + 2, top + 14, f"Thread {thread.id}", "thread", width // 7))
            for place, step in enumerate(thread.steps):
                at = left + _PAD + place * (_BOX + _BETWEEN)
                if place:
                    y = self._middle(lane)
                    front.append(_line(at - _BETWEEN, at, y, tip=True))
                front.append(self._step(step, f"level {level.id}, thread {thread.id}", at, top + _LABEL))
        return left + width

    def _gate(self, x: int, ends: list[tuple[int, int]], starts: list[tuple[int, int]], title: str) -> str:
        """Lines from every end to a bar, and arrows from the bar to every start; one arrow where both are one."""
        if len(ends) == len(starts) == 1 and ends[0][1] == starts[0][1]:
            return _line(ends[0][0], starts[0][0], ends[0][1], tip=True)
        heights = [y for _, y in (*ends, *starts)]
        path = f"M{x},{min(heights) - 12} V{max(heights) + 12}"
        bar = f'<path class="gate" d="{path}"><title>{_plain(title)}</title></path>\n'
        into = "".join(_line(ex, x, ey, tip=False) for ex, ey in ends)
        return into + "".join(_line(x, sx, sy, tip=True) for sx, sy in starts) + bar

    def _step(self, step: Step, place: str, x: int, y: int) -> str:
        state = (self.states or {}).get(step.id, "")
        mark, kind = MARKS.get(state, ("?", "idle")) if state else ("", "")
        classes = " ".join(["step", *([kind] if kind else []), *(["may-fail"] if step.continue_if_fail else [])])
        lines = _wrapped(step.job_name)
        facts = times(step).replace(", ", " · ")
        text = [_words(_PAD, 20 + 15 * n, line, "name", 99) for n, line in enumerate(lines)]
        text.append(_words(_PAD, 52, doer(step), "executor", _FACT_CELLS))
        text.append(_words(_PAD, 67, facts + (" · may fail" if step.continue_if_fail else ""), "fact", 40))
        if self.states is not None:
            text.append(_words(_PAD, 84, f"{mark} {state}" if state else "-", "state", _FACT_CELLS))
        return (
            f'<g class="{classes}" data-step="{_quoted(step.id)}"><title>{_plain(_tooltip(step, place, state))}</title>'
            f'<rect x="{x}" y="{y}" width="{_BOX}" height="{self.box}" rx="8"/>'
            f'<svg x="{x}" y="{y}" width="{_BOX - 4}" height="{self.box}">{"".join(text)}</svg></g>\n'
        )


def _tooltip(step: Step, place: str, state: str) -> str:
    asked = "" if step.status_executor == step.executor else f", asked through {step.status_executor}"
    return "\n".join(
        [
            f"{escaped(step.job_name)}{f': {escaped(state)}' if state else ''}",
            f"job {escaped(step.job_id)} in {escaped(place)}",
            f"runs the pipeline {escaped(step.executor)}"
            if step.kind == "workflows"
            else f"executor {escaped(step.executor)}{escaped(asked)}",
            "one call, no status calls"
            if step.kind == "sync"
            else f"asked every {duration(step.poll_interval)}, at most {count(polls(step), 'time')}",
            f"fails after {duration(step.timeout)}",
            *([f"run again at most {count(step.job_retry.max_retries, 'time')}"] if step.job_retry else []),
            *(["when it fails, its thread goes on"] if step.continue_if_fail else []),
        ]
    )


def _described(plan: Plan, states: Mapping[str, str] | None) -> str:
    """The picture in words, for who cannot see it."""

    def named(step: Step) -> str:
        state = (states or {}).get(step.id)
        return f"{step.job_name} ({state})" if state else step.job_name

    figures = f"{count(len(plan.steps()), 'step')} in {count(len(plan.levels), 'level')}, for {engines(plan.engines)}."
    said = [f"{figures} A level starts when all threads of the one before have ended."]
    for level in plan.levels:
        threads = "; ".join(f"thread {t.id}: {', then '.join(named(step) for step in t.steps)}" for t in level.threads)
        said.append(f"Level {level.id}: {threads}.")
    return " ".join(said)


def _wrapped(name: str) -> list[str]:
    """A name on one or two lines, broken where words end, with an ellipsis where that is not enough."""
    name = escaped(name)
    if _cells(name) <= _NAME_CELLS:
        return [name]
    first = ""
    for piece in _LETTERS.findall(name):
        if _cells(first + piece) > _NAME_CELLS:
            break
        first += piece
    if _cells(first) < _NAME_CELLS // 3:
        first = _fit(name, _NAME_CELLS)
    return [first, _cut(name[len(first) :], _NAME_CELLS)]


def _clusters(text: str) -> Iterator[str]:
    """Characters with the marks that stand on them, which no cut may take away."""
    cluster = ""
    for char in text:
        if cluster and not unicodedata.combining(char):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _cells(text: str) -> int:
    """Width in cells of a fixed-width font: two for a wide character, none for a mark on another."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _fit(text: str, cells: int) -> str:
    kept = ""
    for cluster in _clusters(text):
        if _cells(kept + cluster) > cells:
            break
        kept += cluster
    return kept


def _cut(text: str, cells: int) -> str:
    return text if _cells(text) <= cells else _fit(text, cells - 1) + "…"


def _words(x: int, y: int, text: str, kind: str, cells: int) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{_plain(_cut(escaped(text), cells))}</text>'


def _line(x1: int, x2: int, y: int, *, tip: bool) -> str:
    marker = f' marker-end="url({_TIP})"' if tip else ""
    return f'<path class="edge" d="M{x1},{y} H{x2}"{marker}/>\n'


def _plain(text: str) -> str:
    """Text for an element. Line ends stay; other controls are shown as escapes, for XML cannot hold them."""
    return escape("\n".join(escaped(line) for line in text.split("\n")), quote=False)


def _quoted(text: str) -> str:
    return escape(escaped(text), quote=True)
