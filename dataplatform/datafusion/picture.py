"""An exported pipeline as a picture: the text of a Mermaid flowchart, which Markdown shows.

Boxes have the shape of what they do: a source and a sink are stores, a transformation is a box, an action has slanted
sides. What an action is connected by is order, not data, and is dotted.
"""

from __future__ import annotations

from dataplatform.datafusion.model import Json

_ORDER = frozenset({"action", "condition"})
_KEPT = frozenset(" _-.,:/()")
"""Besides letters and digits, what means nothing to Mermaid inside of quotes."""
_LONGEST = 60


def mermaid(pipeline: Json) -> str:
    """The flowchart of a pipeline in the form of its file; the same bytes for the same pipeline.

    Ids are numbers, so that any name of a stage is safe.
    """
    config = pipeline["config"]
    stages = [stage for stage in config.get("stages") or [] if isinstance(stage, dict)]
    ids = {stage["name"]: f"stage{number}" for number, stage in enumerate(stages, 1)}
    kinds = {stage["name"]: str(stage["plugin"].get("type", "")) for stage in stages}
    title = _label(f"Pipeline {pipeline['name']}")
    lines = ["flowchart LR", f"  accTitle: {title}"]
    for stage in stages:
        name = stage["name"]
        text = f"{_label(name)}<br/>{_label(str(stage['plugin'].get('name', '')))}"
        opening, closing = _shape(kinds[name])
        lines.append(f'  {ids[name]}{opening}"{text}"{closing}')
    for connection in config.get("connections") or []:
        before, after = connection["from"], connection["to"]
        if before in ids and after in ids:
            arrow = "-.->" if _ORDER & {kinds[before], kinds[after]} else "-->"
            lines.append(f"  {ids[before]} {arrow} {ids[after]}")
    return "\n".join(lines) + "\n"


def _shape(kind: str) -> tuple[str, str]:
    if kind.endswith(("source", "sink")):
        return "[(", ")]"
    return ("[/", "/]") if kind in _ORDER else ("[", "]")


def _label(text: str) -> str:
    text = " ".join(text.split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(char if char.isalnum() or char in _KEPT else f"#{ord(char)};" for char in text)
