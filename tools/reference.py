"""The reference pages that are made from the models: docs/configuration.md and docs/diagnostics.md.

`python -m tools.reference` rewrites them; a test fails when they are not what the models say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataplatform.config.codes import CODES
from dataplatform.show.schema import schema

DOCS = Path(__file__).resolve().parent.parent / "docs"

_CONFIGURATION = """\
# A stack's configuration

<!-- Made from the models in dataplatform/config/platform.py by `python -m tools.reference`. -->

Everything `data-platform:platform` in `Pulumi.<stack>.yaml` may say. Unknown keys are errors, and every default is
here: there is no other place for one. A secret is declared by name under `gcp.secrets`; its value is the secure
configuration key of that name (`pulumi config set --secret data-platform:<name> --stack <stack>`).

Durations are ISO 8601 in days, hours, minutes and seconds (`PT10M`, `P90D`); ranges are CIDR (`10.0.0.0/22`).
"""

_DIAGNOSTICS = """\
# Diagnostics

<!-- Made from dataplatform/config/codes.py by `python -m tools.reference`. -->

A mistake is told as `file:line:col: error: what is wrong; what would be right [code]`, followed by the source line
with a caret. All mistakes are told in one run, and a command that finds one changes nothing and exits with 1. Codes are
stable.

| code | meaning |
|---|---|
"""


def configuration() -> str:
    """The page of all configuration fields, one section a model, in the order they are first used."""
    models: dict[str, Any] = schema("stack")["$defs"]
    parts, seen, waiting = [_CONFIGURATION], {"Platform"}, ["Platform"]
    while waiting:
        name = waiting.pop(0)
        model = models[name]
        title = "The platform" if name == "Platform" else name
        parts += [f"\n## {title}\n", f"{model.get('description', '').strip()}\n", _table(model)]
        for used in _references(model["properties"]):
            if used not in seen and "properties" in models[used]:
                seen.add(used)
                waiting.append(used)
    return "\n".join(parts).rstrip() + "\n"


def diagnostics() -> str:
    """The page of all codes."""
    return _DIAGNOSTICS + "".join(f"| `{code}` | {meaning} |\n" for code, meaning in sorted(CODES.items()))


def _table(model: dict[str, Any]) -> str:
    required = set(model.get("required", ()))
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model["properties"].items():
        default = "required" if name in required else f"`{json.dumps(field['default'])}`" if "default" in field else ""
        words = " ".join(field.get("description", "").split()).replace("|", "\\|")
        rows.append(f"| `{name}` | {_type(field)} | {_short(default)} | {words} |")
    return "\n".join(rows)


def _short(default: str) -> str:
    return default if len(default) <= 40 else "see its section"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        if name == "JsonValue":
            return "any value"
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"] if option.get("type") != "null")
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field['items'])}"
    if kind == "object":
        values: Any = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), {})
        return f"map of {_type(values)}" if isinstance(values, dict) and values else "map"
    return kind


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"].rpartition("/")[2]] if "$ref" in value else []
        return own + [name for item in value.values() for name in _references(item)]
    return [name for item in value for name in _references(item)] if isinstance(value, list) else []


PAGES = {"configuration.md": configuration, "diagnostics.md": diagnostics}


def main() -> None:
    """Write both pages."""
    for name, render in PAGES.items():
        (DOCS / name).write_text(render(), "utf-8")


if __name__ == "__main__":
    main()
