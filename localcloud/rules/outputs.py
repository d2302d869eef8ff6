"""What a resource has after creation: its id, the outputs nobody can know before, and the schema's defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.rules import sdk
from localcloud.rules.check import blocks
from localcloud.rules.paths import camel
from localcloud.rules.tables import Node, known, table
from localcloud.rules.wire import plain

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def format_id(token: str, inputs: Mapping[str, Any], provider_config: Mapping[str, str] | None = None) -> str:
    """A Google resource's id by its format: `projects/{{project}}/locations/{{region}}/workflows/{{name}}`.

    Raises:
        KeyError: the table has no format, or a part of it is neither an input nor in the provider's configuration.
    """
    pattern = table(token).id_format
    if pattern is None:
        raise KeyError(f"no id format for {token}")
    values = plain(dict(inputs)).value
    names = {prop.tf_name: prop.name for prop in table(token).properties.values() if "." not in prop.path}

    def fill(match: re.Match[str]) -> str:
        field = names.get(match.group(1), camel(match.group(1)))
        value = values.get(field) or (provider_config or {}).get(field)
        if not value:
            raise KeyError(field)
        # A reference may be a full name where the id wants only its last part.
        return str(value) if match.start() == 0 and "/" in str(value) else str(value).rsplit("/", 1)[-1]

    return _PLACEHOLDER.sub(fill, pattern)


def computed_paths(token: str, inputs: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Top-level outputs the service decides, without those the program gave: unknown while previewing a create."""
    given = plain(dict(inputs or {})).value
    if known(token):
        return tuple(name for name in table(token).computed if name not in given)
    return tuple(
        sorted(name for name in sdk.outputs(token) - set(sdk.fields(sdk.args_class(token))) if name not in given)
    )


def default_outputs(token: str, inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The schema's defaults as they show in the outputs, at top level and inside the blocks the program gave."""
    given = plain(dict(inputs or {})).value
    result: dict[str, Any] = {name: value for name, value in table(token).defaults.items() if name not in given}
    for path, node, block in blocks(table(token).root, given):
        if path:
            _fill(node, block)
    result.update(
        {
            key: value
            for key, value in given.items()
            if isinstance(value, (dict, list)) and key in table(token).root.children
        }
    )
    return result


def _fill(node: Node, block: dict[str, Any]) -> None:
    """Put defaults into a block of the copy that `plain` made."""
    for name, child in node.children.items():
        if child.prop is not None and child.prop.has_default and name not in block:
            block[name] = child.prop.default
