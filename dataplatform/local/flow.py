"""A graph of named boxes as a picture: the stages of a Data Fusion pipeline, the activities of a Data Factory one.

Boxes stand in columns, each right of all that it waits for. The text stands in any SVG that styles `step`, `name`,
`small` and `edge`; what is drawn dashed is order, or a way that is not taken when all goes well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from dataplatform.config.text import escaped

_WIDE, _HIGH, _GAP, _LANE = 226, 48, 54, 64
_CELLS = 30
MAX_BOXES = 400
"""Boxes of one picture; a larger pipeline is told in words."""
_ORDER = frozenset({"action", "condition"})
_INSIDE = ("activities", "ifTrueActivities", "ifFalseActivities", "defaultActivities")


@dataclass(frozen=True, kw_only=True)
class Box:
    """A stage or an activity."""

    name: str
    kind: str
    """What it is, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """What comes before what."""

    before: str
    after: str
    said: str = ""
    """When it is taken, where that is not simply when the box before has succeeded."""
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A pipeline that is a graph."""

    name: str
    service: str
    """What runs it."""
    source: str
    """Its file."""
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]

    @property
    def described(self) -> str:
        """The picture in words, for who cannot see it."""
        before: dict[str, list[str]] = {}
        for arrow in self.arrows:
            before.setdefault(arrow.after, []).append(f"{arrow.before}{f' ({arrow.said})' * bool(arrow.said)}")
        told = [
            f"{box.name} ({box.kind}){f' after {chr(44).join(before[box.name])}' if box.name in before else ''}"
            for box in self.boxes
        ]
        return f"{self.name} in {self.service}: " + "; ".join(told)


def data_fusion(body: Any, source: str) -> Flow | None:
    """An exported Data Fusion pipeline; None for what is none."""
    config = body.get("config") if isinstance(body, dict) else None
    stages = config.get("stages") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(stages, list) or not isinstance(body.get("name"), str):
        return None
    kinds: dict[str, tuple[str, str]] = {}
    for stage in stages:
        plugin = stage.get("plugin") if isinstance(stage, dict) else None
        if isinstance(plugin, dict) and isinstance(stage.get("name"), str):
            kinds[stage["name"]] = (str(plugin.get("name", "")), str(plugin.get("type", "")))
    arrows = []
    for link in config.get("connections") or []:
        ends = (link.get("from"), link.get("to")) if isinstance(link, dict) else (None, None)
        if ends[0] in kinds and ends[1] in kinds:
            order = bool(_ORDER & {kinds[ends[0]][1], kinds[ends[1]][1]})
            said = {True: "when true", False: "when false"}.get(link.get("condition"), "")
            arrows.append(Arrow(before=ends[0], after=ends[1], said=said, dashed=order))
    return Flow(
        name=body["name"],
        service="Data Fusion",
        source=source,
        boxes=tuple(Box(name=name, kind=" · ".join(filter(None, kind))) for name, kind in kinds.items()),
        arrows=tuple(arrows),
    )


def data_factory(body: Any, source: str) -> Flow | None:
    """A Data Factory pipeline as exported; None for what is none. What is inside of a loop or a branch is counted."""
    properties = body.get("properties") if isinstance(body, dict) else None
    activities = properties.get("activities") if isinstance(properties, dict) else None
    if not isinstance(activities, list) or not isinstance(body.get("name"), str):
        return None
    known = [one for one in activities if isinstance(one, dict) and isinstance(one.get("name"), str)]
    names = {one["name"] for one in known}
    arrows = []
    for one in known:
        for waited in one.get("dependsOn") or []:
            if not isinstance(waited, dict) or waited.get("activity") not in names:
                continue
            conditions = [str(word).lower() for word in waited.get("dependencyConditions") or []]
            plain = conditions in ([], ["succeeded"])
            said = "" if plain else f"when {' or '.join(conditions)}"
            arrows.append(Arrow(before=waited["activity"], after=one["name"], said=said, dashed=not plain))
    return Flow(
        name=body["name"],
        service="Data Factory",
        source=source,
        boxes=tuple(Box(name=one["name"], kind=_activity(one)) for one in known),
        arrows=tuple(arrows),
    )


def of_file(body: Any, source: str) -> Flow | None:
    """Whichever of the two a file holds."""
    return data_fusion(body, source) or data_factory(body, source)


def _activity(one: Mapping[str, Any]) -> str:
    inside = sum(1 for _ in _nested(one.get("typeProperties")))
    return f"{one.get('type', '')}{f' · {inside} inside' if inside else ''}"


def _nested(properties: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(properties, dict):
        return
    lists = [properties.get(key) for key in _INSIDE]
    lists += [case.get("activities") for case in properties.get("cases") or [] if isinstance(case, dict)]
    for found in lists:
        for one in found if isinstance(found, list) else []:
            if isinstance(one, dict):
                yield one
                yield from _nested(one.get("typeProperties"))


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Parts of an SVG, and its size."""

    parts: str
    width: int
    height: int


def draw(flow: Flow, tip: str) -> Drawing:
    """The boxes and arrows of a graph.

    Args:
        flow: What is drawn; at most `MAX_BOXES` boxes.
        tip: Id of the marker of arrow heads.
    """
    place = _placed(flow)
    parts = []
    for arrow in flow.arrows:
        (x1, y1), (x2, y2) = place[arrow.before], place[arrow.after]
        left, right, high, low = x1 + _WIDE, x2, y1 + _HIGH // 2, y2 + _HIGH // 2
        bend = max(20, abs(right - left) // 2)
        path = f"M{left},{high} C{left + bend},{high} {right - bend},{low} {right - 5},{low}"
        dashes = ' stroke-dasharray="5 4"' if arrow.dashed else ""
        title = f"<title>{_plain(arrow.said)}</title>" if arrow.said else ""
        parts.append(f'<path class="edge" d="{path}" marker-end="url(#{tip})"{dashes}>{title}</path>')
        if arrow.said:
            parts.append(f'<text class="small" x="{left + 6}" y="{high - 5}">{_plain(arrow.said)}</text>')
    for box in flow.boxes:
        x, y = place[box.name]
        parts.append(
            f'<g class="step"><title>{_plain(f"{box.name}: {box.kind}")}</title>'
            f'<rect x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="8"/>'
            f'<text class="name" x="{x + 12}" y="{y + 20}">{_plain(_cut(box.name, _CELLS - 3))}</text>'
            f'<text class="small" x="{x + 12}" y="{y + 37}">{_plain(_cut(box.kind, _CELLS + 4))}</text></g>'
        )
    width = max((x for x, _ in place.values()), default=0) + _WIDE + 12
    height = max((y for _, y in place.values()), default=0) + _HIGH + 12
    return Drawing(parts="\n".join(parts), width=width, height=height)


def mermaid(flow: Flow) -> str:
    """The graph as a Mermaid flowchart; ids are numbers, so that any name is safe."""
    ids = {box.name: f"box{number}" for number, box in enumerate(flow.boxes, 1)}
    lines = ["flowchart LR", f"  accTitle: {_label(f'Pipeline {flow.name}')}"]
    lines += [f'  {ids[box.name]}["{_label(box.name)}<br/>{_label(box.kind)}"]' for box in flow.boxes]
    for arrow in flow.arrows:
        said = f'|"{_label(arrow.said)}"|' if arrow.said else ""
        lines.append(f"  {ids[arrow.before]} {'-.->' if arrow.dashed else '-->'}{said} {ids[arrow.after]}")
    return "\n".join(lines) + "\n"


def _placed(flow: Flow) -> dict[str, tuple[int, int]]:
    """Where each box stands: in a column right of all before it, near the middle of those."""
    before: dict[str, list[str]] = {box.name: [] for box in flow.boxes}
    for arrow in flow.arrows:
        if arrow.before != arrow.after:
            before[arrow.after].append(arrow.before)
    columns = dict.fromkeys(before, 0)
    for _ in before:  # as many rounds as boxes: what goes in a circle stops there
        wanted = {name: max((columns[one] + 1 for one in ones), default=0) for name, ones in before.items()}
        wanted = {name: min(column, len(before) - 1) for name, column in wanted.items()}
        if wanted == columns:
            break
        columns = wanted
    by_column: dict[int, list[str]] = {}
    for name, column in columns.items():
        by_column.setdefault(column, []).append(name)
    rows: dict[str, float] = {}
    place: dict[str, tuple[int, int]] = {}
    tallest = max((len(names) for names in by_column.values()), default=1)
    for number, column in enumerate(sorted(by_column)):
        names = sorted(by_column[column], key=lambda name: _middle([rows[one] for one in before[name] if one in rows]))
        top = (tallest - len(names)) / 2
        for row, name in enumerate(names):
            rows[name] = top + row
            place[name] = (10 + number * (_WIDE + _GAP), int(10 + rows[name] * _LANE))
    return place


def _middle(rows: Sequence[float]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _cut(text: str, longest: int) -> str:
    text = escaped(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _plain(text: str) -> str:
    return escape(escaped(text), quote=False)


def _label(text: str) -> str:
    """Text for Mermaid, with what it could act on written as an entity."""
    return "".join(c if c.isalnum() or c in " _-.,:/()" else f"#{ord(c)};" for c in _cut(text, 60))
