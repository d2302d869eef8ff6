"""Enough of JSON Schema to hold a value against the schemas of this project; a keyword it does not know is an error."""

from __future__ import annotations

import re
from typing import Any

_ANNOTATIONS = frozenset({"$schema", "$defs", "title", "description", "default", "format", "examples"})
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def problems(value: Any, schema: Any, root: dict[str, Any] | None = None, at: str = "$") -> list[str]:
    """What of a value its schema does not allow."""
    root = schema if root is None else root
    if schema is True:
        return []
    found: list[str] = []
    for keyword, want in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        found += _keyword(keyword, want, value, schema, root, at)
    return found


def _keyword(keyword: str, want: Any, value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    match keyword:
        case "$ref":
            target: Any = root
            for part in want.removeprefix("#/").split("/"):
                target = target[part]
            return problems(value, target, root, at)
        case "type":
            is_flag = isinstance(value, bool) and want != "boolean"
            return [] if isinstance(value, _TYPES[want]) and not is_flag else [f"{at}: no {want}"]
        case "enum" | "const":
            allowed = want if keyword == "enum" else [want]
            return [] if any(type(value) is type(one) and value == one for one in allowed) else [f"{at}: not in {want}"]
        case "anyOf":
            tries = [problems(value, one, root, at) for one in want]
            return [] if any(not one for one in tries) else [f"{at}: none of {len(want)} forms ({tries[0]})"]
        case "required":
            return [f"{at}: no {key}" for key in want if isinstance(value, dict) and key not in value]
        case "items":
            items = value if isinstance(value, list) else []
            return [p for n, item in enumerate(items) for p in problems(item, want, root, f"{at}[{n}]")]
        case "propertyNames":
            names = value if isinstance(value, dict) else {}
            return [f"{at}: unknown key {key}" for key in names if problems(key, want, root, at)]
        case "properties" | "patternProperties" | "additionalProperties":
            return _members(keyword, want, value, schema, root, at) if isinstance(value, dict) else []
        case "pattern":
            return [f"{at}: not like {want}"] if isinstance(value, str) and not re.search(want, value) else []
    return _size(keyword, want, value, at)


def _members(keyword: str, want: Any, value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    found = []
    for key, item in value.items():
        if keyword == "properties":
            rules = [want[key]] if key in want else []
        elif keyword == "patternProperties":
            rules = [rule for pattern, rule in want.items() if re.search(pattern, key)]
        elif key in schema.get("properties", {}) or any(re.search(p, key) for p in schema.get("patternProperties", {})):
            rules = []
        elif want is False:
            found.append(f"{at}: unknown key {key}")
            continue
        else:
            rules = [want]
        for rule in rules:
            found += problems(item, rule, root, f"{at}.{key}")
    return found


def _size(keyword: str, want: Any, value: Any, at: str) -> list[str]:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    length = len(value) if isinstance(value, str | list) else None
    wrong = {
        "minimum": number is not None and number < want,
        "maximum": number is not None and number > want,
        "exclusiveMinimum": number is not None and number <= want,
        "minLength": isinstance(value, str) and length is not None and length < want,
        "maxLength": isinstance(value, str) and length is not None and length > want,
        "minItems": isinstance(value, list) and length is not None and length < want,
        "maxItems": isinstance(value, list) and length is not None and length > want,
    }
    if keyword not in wrong:
        raise NotImplementedError(f"{at}: {keyword}")
    return [f"{at}: {keyword} {want}"] if wrong[keyword] else []
