"""A plan as a picture: a Mermaid flowchart (for Markdown) or one self-contained SVG file.

Both show levels from left to right, the threads of a level as lanes, and what is waited for between levels as one
joint, not as an arrow for each pair of steps: fifteen threads before fifteen would be 225 of them.
"""

from __future__ import annotations

from dataplatform.compile.plan import Level, Plan, Step
from dataplatform.config.text import escaped
from dataplatform.show.fusion import pictured
from dataplatform.show.svg import flow_svg, svg
from dataplatform.show.words import count, doer, times

__all__ = ["flow_svg", "mermaid", "svg"]

_KEPT = frozenset(" _-.,:/()")
"""Besides letters and digits, what means nothing to Mermaid inside of quotes."""
_LONGEST = 60
"""Characters of a line in a Mermaid box, which grows with its text. The whole name is in the SVG and in the file."""


def mermaid(plan: Plan) -> str:
    """The plan as the text of a Mermaid flowchart.

    Ids are numbers, so that any job name is safe; in labels, what Mermaid could act on is written as an entity.
    """
    plan = pictured(plan)
    steps = len(plan.steps())
    words = f"{count(steps, 'step')} in {count(len(plan.levels), 'level')}"
    lines = [
        "flowchart LR",
        f"  accTitle: {_label(f'Pipeline {plan.name}')}",
        f"  accDescr: {_label(words)}",
        "  classDef mayFail stroke-dasharray: 5 4",
    ]
    number = 0
    for place, level in enumerate(plan.levels, 1):
        lines += _level(place, level, number)
        number += sum(len(thread.steps) for thread in level.threads)
    lines += [f"  level{place} --> level{place + 1}" for place in range(1, len(plan.levels))]
    return "\n".join(lines) + "\n"


def _level(place: int, level: Level, number: int) -> list[str]:
    lines = [f'  subgraph level{place}["{_label(f"Level {level.id}")}"]', "    direction LR"]
    for lane, thread in enumerate(level.threads, 1):
        lines.append(f'    subgraph thread{place}_{lane}["{_label(f"Thread {thread.id}")}"]')
        lines.append("      direction LR")
        first = number + 1
        for step in thread.steps:
            number += 1
            lines.append(f'      step{number}["{_box(step)}"]{":::mayFail" if step.continue_if_fail else ""}')
        if number > first:
            lines.append("      " + " --> ".join(f"step{n}" for n in range(first, number + 1)))
        lines.append("    end")
    lines.append("  end")
    return lines


def _box(step: Step) -> str:
    facts = [step.job_name, doer(step), times(step), *(["may fail"] if step.continue_if_fail else [])]
    return "<br/>".join(_label(fact) for fact in facts)


def _label(text: str) -> str:
    text = escaped(text)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(char if char.isalnum() or char in _KEPT else f"#{ord(char)};" for char in text)
