"""JSON Schemas of what people write, made from the models that check it, for editors."""

from __future__ import annotations

from typing import Any

from dataplatform.config.datafusion_definition import FusionFile
from dataplatform.config.pipeline import DefinitionFile
from dataplatform.config.platform import Platform
from dataplatform.config.stackfile import NAMESPACE, PLATFORM_KEY, PROVIDERS, PULUMI_KEYS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def stack_schema() -> dict[str, Any]:
    """The schema of a stack file, `Pulumi.<stack>.yaml`."""
    platform = Platform.model_json_schema()
    definitions = platform.pop("$defs", {})
    definitions["Platform"] = platform
    secure = {
        "type": "object",
        "properties": {"secure": {"type": "string", "minLength": 1}},
        "required": ["secure"],
        "additionalProperties": False,
    }
    providers = "|".join(sorted(PROVIDERS))
    config = {
        "type": "object",
        "properties": {PLATFORM_KEY: {"$ref": "#/$defs/Platform"}},
        "patternProperties": {f"^{NAMESPACE}:(?!platform$)": secure, f"^({providers}):": {}},
        "required": [PLATFORM_KEY],
        "additionalProperties": False,
    }
    return {
        "$schema": DIALECT,
        "title": "A stack of data-platform",
        "type": "object",
        "properties": {key: (config if key == "config" else {}) for key in sorted(PULUMI_KEYS)},
        "required": ["config"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def definition_schema() -> dict[str, Any]:
    """The schema of a pipeline definition: of levels, threads and steps, or of the kind that its `kind` names."""
    steps = DefinitionFile.model_json_schema(by_alias=True)
    fusion = FusionFile.model_json_schema()
    shared = {**steps.pop("$defs", {}), **fusion.pop("$defs", {})}
    shared |= {"DefinitionFile": steps, "FusionFile": fusion}
    return {
        "$schema": DIALECT,
        "title": "A definition",
        "type": "object",
        "anyOf": [{"$ref": "#/$defs/DefinitionFile"}, {"$ref": "#/$defs/FusionFile"}],
        "$defs": shared,
    }
