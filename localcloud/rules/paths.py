"""Property paths: as tuples, as Pulumi writes them (`rules[0].action`), as the tables write them (`rules[].action`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from localcloud.rules.wire import Path

_IDENTIFIER = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$]*$")
_STEP = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+)\]|\[(\*)\]|\["((?:[^"\\]|\\.)*)"\]|\[([^\]]+)\]""")


def render(path: Path) -> str:
    """Write a path as Pulumi does: `config.nodeConfig`, `rules[0].action`, `labels["a.b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _IDENTIFIER.match(step):
            text += f".{step}" if text else step
        else:
            quoted = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{quoted}"]'
    return text


def parse(text: str) -> tuple[str | int, ...]:
    """Read a path as Pulumi writes it; `*` stays as the string step `*`."""
    steps: list[str | int] = []
    for match in _STEP.finditer(text):
        name, index, star, quoted, bare = match.groups()
        if index is not None:
            steps.append(int(index))
        elif quoted is not None:
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        else:
            steps.append(name or star or bare)
    return tuple(steps)


def expand(pattern: Path, *values: Any) -> Iterator[Path]:
    """All paths a pattern with `*` steps stands for in any of the values."""

    def walk(rest: Path, here: list[Any], done: Path) -> Iterator[Path]:
        if not rest:
            yield done
            return
        step = rest[0]
        if step != "*":
            yield from walk(rest[1:], [child(value, step) for value in here], (*done, step))
            return
        keys: dict[str | int, None] = {}
        for value in here:
            if isinstance(value, dict):
                keys.update(dict.fromkeys(value))
            elif isinstance(value, list):
                keys.update(dict.fromkeys(range(len(value))))
        for key in keys:
            yield from walk(rest[1:], [child(value, key) for value in here], (*done, key))

    yield from walk(pattern, list(values), ())


def child(value: Any, step: str | int) -> Any:
    """The value one step down, None where there is none."""
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return None


def get(value: Any, path: Path) -> Any:
    """The value at a path, None where there is none."""
    for step in path:
        value = child(value, step)
        if value is None:
            return None
    return value


def put(value: Any, path: Path, item: Any) -> Any:
    """A copy of a value with `item` at the path; None takes the key away. A missing parent leaves it as it is."""
    if not path:
        return item
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        below = put(value.get(step), rest, item)
        copy = {key: kept for key, kept in value.items() if key != step}
        if below is not None:
            copy[str(step)] = below
        return copy
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        below = put(value[step], rest, item)
        return [*value[:step], *([] if below is None else [below]), *value[step + 1 :]]
    return value


def covers(pattern: Path, path: Path) -> bool:
    """Whether a pattern (with `*` steps) names the path or something that holds it."""
    return len(pattern) <= len(path) and all(step in ("*", path[i]) for i, step in enumerate(pattern))


def snake(name: str) -> str:
    """Terraform's spelling of a property name."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z][a-z])", r"_\g<0>", name).lower()


def camel(name: str) -> str:
    """Pulumi's spelling of a Terraform argument name."""
    head, *tail = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)
