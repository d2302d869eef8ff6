"""The page's two pictures, as SVG text: components with what they need, and a pipeline's levels, threads and steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape

from dataplatform.local.page_data import Node
from dataplatform.local.trace import RunTrace, StepTrace

MARKS = {"succeeded": "✓", "failed": "✕", "running": "…", "waiting": "·", "not run": "-"}
SIGNS = {
    "create": "+",
    "update": "~",
    "create-replacement": "!",
    "replace": "!",
    "delete": "-",
    "unchanged": "=",
    "import": "=",
    "refresh": "=",
}
"""A sign for what was done to a resource: nothing is said by colour alone."""
_BOX, _HIGH, _GAP, _LANE = 270, 62, 30, 78
_CARD, _BETWEEN = 182, 50
"""A component's width, and the room between two columns of them."""


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(text)}</text>'


def _arrow(x1: float, y1: float, x2: float, y2: float, extra: str = "") -> str:
    bend = max(24.0, abs(x2 - x1) / 2)
    path = f"M{x1:g},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2 - 5:g},{y2:g}"
    return f'<path class="edge" d="{path}" marker-end="url(#tip)"{extra}/>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = max(24.0, abs(x2 - x1) / 2)
    return f'<path class="edge" d="M{x1:g},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2:g},{y2:g}"/>'


def _picture(width: float, height: float, label: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'
    )


def pipeline(run: RunTrace) -> str:
    """One run: levels from left to right, a lane for each thread, a box for each step."""
    levels: dict[str, dict[str, list[StepTrace]]] = {}
    for step in run.steps:
        levels.setdefault(step.level, {}).setdefault(step.thread, []).append(step)
    height = max((len(threads) for threads in levels.values()), default=1) * _LANE + 46
    parts: list[str] = []
    x = 8.0
    ends: list[tuple[float, float]] = []
    for level, threads in levels.items():
        widest = max(len(steps) for steps in threads.values())
        width = widest * (_BOX + _GAP) - _GAP + 24
        parts.append(f'<rect class="level" x="{x:g}" y="28" width="{width:g}" height="{height - 36:g}" rx="10"/>')
        parts.append(_text(x + 4, 18, f"Level {level}", "small"))
        now: list[tuple[float, float]] = []
        if len(ends) > 1 and len(threads) > 1:
            # Through one joint: fifteen threads before fifteen would be 225 arrows.
            joint = (x - 22, sum(y for _, y in ends) / len(ends))
            parts += [_line(ex, ey, *joint) for ex, ey in ends]
            ends = [joint]
        for lane, steps in enumerate(threads.values()):
            y = 40.0 + lane * _LANE
            for place, step in enumerate(steps):
                left = x + 12 + place * (_BOX + _GAP)
                if place:
                    parts.append(_arrow(left - _GAP, y + _HIGH / 2, left, y + _HIGH / 2))
                else:
                    parts += [_arrow(ex, ey, left, y + _HIGH / 2) for ex, ey in ends]
                parts.append(_step(step, left, y))
            now.append((x + 12 + len(steps) * (_BOX + _GAP) - _GAP, y + _HIGH / 2))
        ends, x = now, x + width + 44
    label = f"{run.pipeline} on {run.engine}: " + ", ".join(f"{s.id} {s.state}" for s in run.steps)
    return _picture(x - 36, height, label, parts)


def _step(step: StepTrace, x: float, y: float) -> str:
    took = f"{step.ended - step.started:.2f} s" if step.started is not None and step.ended is not None else ""
    polls = f"{step.polls} poll{'' if step.polls == 1 else 's'}" if step.polls else ""
    facts = " · ".join(part for part in (step.state, took, polls) if part)
    title = f"{step.id}: {step.state}\nexecutor {step.executor}, level {step.level}, thread {step.thread}"
    if step.job:
        title += f"\njob {step.job}"
    if step.said:
        title += f"\n{step.said}"
    return (
        f'<g class="step {escape(step.state.replace(" ", "-"))}"><title>{escape(title)}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{_BOX}" height="{_HIGH}" rx="8"/>'
        + _text(x + 12, y + 22, f"{MARKS[step.state]} {_cut(step.id, 27)}", "name")
        + _text(x + 12, y + 38, _cut(step.executor, 36), "small")
        + _text(x + 12, y + 53, _cut(facts, 38), "small state")
        + "</g>"
    )


def components(roots: list[Node]) -> str:
    """The components, each right of what it needs."""
    owner = {leaf.urn: root.urn for root in roots for leaf in [root, *_all(root)]}
    needs: dict[str, set[str]] = {root.urn: set() for root in roots}
    for root in roots:
        for node in [root, *_all(root)]:
            needs[root.urn] |= {owner[u] for u in node.needs if u in owner and owner[u] != root.urn}
    columns = _columns(needs)
    by_column: dict[int, list[Node]] = {}
    for root in roots:
        by_column.setdefault(columns[root.urn], []).append(root)
    place: dict[str, tuple[float, float]] = {}
    tallest = max((len(nodes) for nodes in by_column.values()), default=1)
    for column, nodes in by_column.items():
        top = 14 + (tallest - len(nodes)) * _LANE / 2
        nodes.sort(key=lambda n: _middle(needs[n.urn], place))
        for row, node in enumerate(nodes):
            place[node.urn] = (8.0 + column * (_CARD + _BETWEEN), top + row * _LANE)
    parts = []
    for root in roots:
        x, y = place[root.urn]
        for needed in sorted(_direct(root.urn, needs)):
            nx, ny = place[needed]
            ids = f' data-from="{escape(needed, quote=True)}" data-to="{escape(root.urn, quote=True)}"'
            parts.append(_arrow(nx + _CARD, ny + _HIGH / 2, x, y + _HIGH / 2, ids))
    parts += [_component(root, *place[root.urn]) for root in roots]
    width = 16 + (max(by_column, default=0) + 1) * (_CARD + _BETWEEN) - _BETWEEN
    label = "Components, each right of what it needs: " + ", ".join(root.name for root in roots)
    return _picture(width, 28 + tallest * _LANE, label, parts)


def _all(node: Node) -> list[Node]:
    return [below for child in node.children for below in (child, *_all(child))]


def _columns(needs: dict[str, set[str]]) -> dict[str, int]:
    """The longest way to each node; what needs each other in a circle shares a column."""
    columns = dict.fromkeys(needs, 0)
    for _ in needs:
        moved = False
        for urn, others in needs.items():
            wanted = max((columns[o] + 1 for o in others if urn not in needs[o]), default=0)
            if wanted > columns[urn] and wanted < len(needs):
                columns[urn], moved = wanted, True
        if not moved:
            break
    return columns


def _direct(urn: str, needs: dict[str, set[str]]) -> set[str]:
    """What a node needs, without what another of its needs brings: fewer lines, the same meaning."""
    implied = {further for needed in needs[urn] for further in needs[needed] if urn not in needs[needed]}
    return needs[urn] - implied


def _middle(needed: set[str], place: dict[str, tuple[float, float]]) -> float:
    heights = [place[u][1] for u in needed if u in place]
    return sum(heights) / len(heights) if heights else 0.0


def _component(node: Node, x: float, y: float) -> str:
    leaves = node.leaves()
    failed = sum("failed" in leaf.status for leaf in leaves)
    touched = Counter(leaf.status for leaf in leaves if leaf.status != "unchanged")
    did = " ".join(f"{SIGNS.get(status, 'x')}{n}" for status, n in touched.most_common(3)) or "unchanged"
    count = f"{len(leaves)} resource{'' if len(leaves) == 1 else 's'}"
    kind = "failed" if failed else "succeeded" if touched else "quiet"
    return (
        f'<g class="step {kind}" tabindex="0" data-component="{escape(node.urn, quote=True)}">'
        f"<title>{escape(node.name)} ({escape(node.type)})</title>"
        f'<rect x="{x:g}" y="{y:g}" width="{_CARD}" height="{_HIGH}" rx="8"/>'
        + _text(x + 12, y + 22, _cut(node.name, 22), "name")
        + _text(x + 12, y + 38, _cut(node.type, 26), "small")
        + _text(x + 12, y + 53, _cut(f"{count}: {did}", 28), "small state")
        + "</g>"
    )
