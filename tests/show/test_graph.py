"""Pictures of plans: well-formed, safe with any name, complete, the same every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from dataplatform.compile.build import build_plan
from dataplatform.compile.plan import Plan
from dataplatform.config.text import escaped
from dataplatform.show.graph import mermaid, svg
from tests.show import plans

NS = "{http://www.w3.org/2000/svg}"
PLANS = {"wide": plans.wide(), "odd": plans.odd()} | {
    path.stem: build_plan(plans.load(path), plans.TARGET) for path in plans.AEF
}
each = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())


def boxes(text: str) -> list[ET.Element]:
    return [g for g in ET.fromstring(text).iter(f"{NS}g") if "step" in g.attrib["class"].split()]


@each
def test_svg_has_every_step_once_with_its_whole_name(plan: Plan) -> None:
    found = boxes(svg(plan))
    assert [box.attrib["data-step"] for box in found] == [escaped(step.id) for step in plan.steps()]
    for box, step in zip(found, plan.steps(), strict=True):
        title = box.find(f"{NS}title")
        assert title is not None
        assert title.text is not None
        assert title.text.splitlines()[0] == escaped(step.job_name)
        said = [text.text for text in box.iter(f"{NS}text")]
        executors = [text.text or "" for text in box.iter(f"{NS}text") if text.attrib["class"] == "executor"]
        assert len(executors) == 1
        assert step.executor.startswith(executors[0].removesuffix("…"))
        assert f"executor {step.executor}" in title.text
        assert any("every" in (text or "") for text in said)


@each
def test_svg_is_accessible_and_stands_alone(plan: Plan) -> None:
    text = svg(plan, {step.id: "succeeded" for step in plan.steps()})
    root = ET.fromstring(text)
    assert root.attrib["role"] == "img"
    ids = {element.attrib["id"]: element for element in root.iter() if "id" in element.attrib}
    title, desc = (ids[name] for name in root.attrib["aria-labelledby"].split())
    assert plan.name in (title.text or "")
    assert all(escaped(f"{step.job_name} (succeeded)") in (desc.text or "") for step in plan.steps())
    assert "prefers-color-scheme:dark" in text
    assert not re.search(r"(?:href|src)=|url\((?!#)|@import|<script|<image", text)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


@each
def test_svg_boxes_lie_inside_and_do_not_overlap(plan: Plan) -> None:
    root = ET.fromstring(svg(plan))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    seen: list[tuple[float, float, float, float]] = []
    for box in boxes(svg(plan)):
        rect = box.find(f"{NS}rect")
        assert rect is not None
        x, y, w, h = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        assert x > 0 < y
        assert x + w < width
        assert y + h < height
        assert not any(x < a + c and a < x + w and y < b + d and b < y + h for a, b, c, d in seen)
        seen.append((x, y, w, h))


def test_svg_levels_go_right_and_threads_go_down() -> None:
    places = {}
    for box in boxes(svg(plans.plan([["a", "b"], ["c"]], [["d"]]))):
        rect = box.find(f"{NS}rect")
        assert rect is not None
        places[box.attrib["data-step"]] = int(rect.attrib["x"]), int(rect.attrib["y"])
    assert places["a"][0] < places["b"][0] < places["d"][0]
    assert places["a"][0] == places["c"][0]
    assert places["a"][1] == places["b"][1] == places["d"][1] < places["c"][1]


def test_svg_says_states_by_sign_and_word() -> None:
    text = svg(plans.plan([["a", "b", "c", "d"]]), {"a": "succeeded", "b": "failed", "c": "odd <state>"})
    kinds = {box.attrib["data-step"]: box.attrib["class"] for box in boxes(text)}
    assert kinds == {"a": "step good", "b": "step bad", "c": "step idle", "d": "step"}
    words = ["".join(t.itertext()) for t in ET.fromstring(text).iter(f"{NS}text") if t.attrib["class"] == "state"]
    assert words == ["✓ succeeded", "✕ failed", "? odd <state>", "-"]


def test_svg_draws_a_joint_and_not_every_pair() -> None:
    many = plans.plan([[f"a{n}"] for n in range(15)], [[f"b{n}"] for n in range(15)])
    assert svg(many).count('class="edge"') <= 64


def test_svg_shortens_long_names_on_two_lines() -> None:
    text = svg(plans.plan([["short"], ["load_all_the_orders_of_the_day_before"], ["x" * 100]]))
    names = [t.text or "" for t in ET.fromstring(text).iter(f"{NS}text") if t.attrib["class"] == "name"]
    assert names[:3] == ["short", "load_all_the_orders_of_the_day_", "before"]
    assert names[4].endswith("…")
    assert max(map(len, names)) <= 31


@each
def test_mermaid_has_only_safe_ids_and_labels(plan: Plan) -> None:
    lines = mermaid(plan).splitlines()
    assert lines[0] == "flowchart LR"
    shapes = (
        r'subgraph (?:level|thread)\d+(?:_\d+)?\["(?:[^"`%<>{}\[\]|\\$&;#]|#\d+;)*"\]',
        r'step\d+\["(?:[^"`%<>{}\[\]|\\$&;#]|#\d+;|<br/>)*"\](?::::mayFail)?',
        r"step\d+(?: --> step\d+)*",
        r"level\d+ --> level\d+",
        r"direction LR|end",
        r"acc(?:Title|Descr): (?:[^\"`%<>{}\[\]|\\$&;#]|#\d+;)*",
        r"classDef mayFail stroke-dasharray: 5 4",
    )
    for line in lines[1:]:
        assert any(re.fullmatch(shape, line.strip()) for shape in shapes), line
    assert sum(line.strip() == "end" for line in lines) == sum("subgraph" in line for line in lines)
    assert len(re.findall(r"^ *step\d+\[", mermaid(plan), re.MULTILINE)) == len(plan.steps())


def test_mermaid_order() -> None:
    text = mermaid(plans.plan([["a", plans.step("b", continue_if_fail=True)], ["c"]], [["d"]]))
    assert "step1 --> step2\n" in text
    assert "level1 --> level2\n" in text
    assert 'may fail"]:::mayFail' in text
    assert text.count("-->") == 2


def test_the_same_bytes_under_any_hash_seed() -> None:
    code = "from tests.show import plans; from dataplatform.show.graph import *; import hashlib;"
    code += "t = svg(plans.wide(), {'step_0_0_0': 'failed'}) + mermaid(plans.wide());"
    code += "print(hashlib.sha256(t.encode()).hexdigest())"
    root = Path(__file__).parent.parent.parent
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
