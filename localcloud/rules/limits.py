"""One property's own limits: enum, pattern, length, range, emptiness, number of items, and its validator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from localcloud.rules.tables import Property
from localcloud.rules.validators import Validator, validators
from localcloud.rules.wire import is_unknown


@cache
def _validators(text: str | None, name: str | None) -> tuple[Validator, ...]:
    return validators(text, name)


def _quote(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def bridged(prop: Property, value: Any, field: str, shown: str) -> Iterator[str]:
    """What a Terraform validator says; `field` is the argument's path, `shown` the value as it may be printed."""
    facts = prop.facts
    if isinstance(value, list):
        yield from _items(facts, len(value), field)
        # A set's or list's own validator facts stand for its elements where the table has no `element`.
        facts = {
            **{key: facts[key] for key in ("validator_text", "rejectsEmpty") if key in facts},
            **(facts.get("element") or {}),
        }
        for item in value:
            if not isinstance(item, (dict, list)) and not is_unknown(item):
                yield from _scalar(facts, item, field, "[secret]" if shown == "[secret]" else str(item))
    elif isinstance(value, dict):
        if prop.is_map:
            for validate in _validators(facts.get("validator_text"), facts.get("validator")):
                yield from _said(validate(value, field, shown))
    else:
        yield from _scalar(facts, value, field, shown)


def _said(message: str | None) -> Iterator[str]:
    if message is not None:
        yield message


def _items(facts: Mapping[str, Any], count: int, field: str) -> Iterator[str]:
    least, most = facts.get("minItems"), facts.get("maxItems")
    if least is not None and count < least:
        what = f"Attribute {field} requires {least} item minimum, but config has only {count} declared."
        yield f"Not enough list items. {what}"
    if most is not None and count > most:
        yield f"Too many list items. Attribute {field} supports {most} item maximum, but config has {count} declared."


def _scalar(facts: Mapping[str, Any], value: Any, field: str, shown: str) -> Iterator[str]:
    """At most one message: the first limit that is broken."""
    members = facts.get("enum")
    if members is not None and value not in members and str(value) not in [str(member) for member in members]:
        listed = " ".join(_quote(member) for member in members)
        yield f"expected {field} to be one of [{listed}], got {shown}"
        return
    for validate in _validators(facts.get("validator_text"), facts.get("validator")):
        message = validate(value, field, shown)
        if message is not None:
            yield message
            return
    pattern = facts.get("pattern")
    if pattern is not None and isinstance(value, str) and not re.search(pattern, value):
        yield f'"{field}" ("{shown}") doesn\'t match regexp "{pattern}"'
        return
    length = facts.get("length")
    if length is not None and not length[0] <= len(str(value)) <= length[1]:
        yield f"expected length of {field} to be in the range ({length[0]} - {length[1]}), got {shown}"
        return
    if facts.get("rejectsEmpty") and value == "":
        yield f"expected {field} to not be an empty string, got "
        return
    yield from _range(facts, value, field, shown)


def _range(facts: Mapping[str, Any], value: Any, field: str, shown: str) -> Iterator[str]:
    if isinstance(value, bool):
        return
    try:
        number = float(value)
    except (TypeError, ValueError):
        return
    if facts.get("range") is not None:
        least, most = (float(bound) for bound in facts["range"])
        if not least <= number <= most:
            yield f"expected {field} to be in the range ({_number(least)} - {_number(most)}), got {shown}"
    elif facts.get("min") is not None and number < float(facts["min"]):
        yield f"expected {field} to be at least ({_number(float(facts['min']))}), got {shown}"
    elif facts.get("max") is not None and number > float(facts["max"]):
        yield f"expected {field} to be at most ({_number(float(facts['max']))}), got {shown}"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def azure(prop: Property, value: Any, place: str, shown: str) -> Iterator[str]:
    """What azure-native says of a value, from the service's specification."""
    facts = prop.facts
    if facts.get("const") is not None and value != facts["const"]:
        yield f"'{place}' is '{shown}' but expected one of ['{facts['const']}']"
    if isinstance(value, str):
        least, most = facts.get("minLength"), facts.get("maxLength")
        if least is not None and len(value) < least:
            yield f"'{place}' is too short ({len(value)}): at least {least} characters required"
        if most is not None and len(value) > most:
            yield f"'{place}' is too long ({len(value)}): at most {most} characters allowed"
        if facts.get("pattern") and not re.search(facts["pattern"], value):
            yield f"'{place}' does not match expression '{facts['pattern']}'"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if facts.get("min") is not None and value < facts["min"]:
            yield f"'{place}' is too low ({float(value):f} < {float(facts['min']):f})"
        if facts.get("max") is not None and value > facts["max"]:
            yield f"'{place}' is too high ({float(value):f} > {float(facts['max']):f})"
