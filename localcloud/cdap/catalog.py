"""The system artifacts an instance comes with, and the plugins in them.

`sandbox` is recorded from a real CDAP 6.11.0 made of its published parts (tools/cdap/catalog.py). `data_fusion` adds
what Google's instances have and nobody publishes. Those plugins' names and the properties they cannot do without are
written from knowledge of their documentation, which was not read again: one that passes here may still be refused.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

VERSION = "6.11.0"
SANDBOX = "sandbox"
DATA_FUSION = "data_fusion"
PIPELINE = "cdap-data-pipeline"

_DATA = Path(__file__).parent / "data"


@functools.cache
def _read(name: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads((_DATA / f"{name}.json").read_text("utf-8")))


def artifacts(offer: str, version: str = VERSION) -> list[dict[str, Any]]:
    """The artifacts as they are kept: name, version, parents, apps, plugins."""
    found = list(_read(SANDBOX))
    if offer == DATA_FUSION:
        found += _read(DATA_FUSION)
    made = []
    for artifact in found:
        if artifact["name"] == PIPELINE:
            artifact = {**artifact, "version": version}
        elif offer == DATA_FUSION:
            # An older instance has older plugins; they are these under that version.
            oldest = {"version": "6.0.0", "major": 6, "minor": 0, "fix": 0}
            artifact = {**artifact, "parents": [{**p, "lower": oldest} for p in artifact["parents"]]}
        made.append(artifact)
    return made


def dataproc_profiles(created: int) -> list[dict[str, Any]]:
    """The profiles Google's instances come with, beside `native`."""
    described = {"autoscaling-dataproc": "Autoscaling Dataproc", "dataproc": "Dataproc"}
    return [
        {
            "name": name,
            "label": label,
            "description": "",
            "scope": "SYSTEM",
            "status": "ENABLED",
            "provisioner": {"name": "gcp-dataproc", "properties": [], "totalProcessingCpusLabel": "Custom"},
            "created": created,
        }
        for name, label in described.items()
    ]


def shown_plugin(plugin: dict[str, Any]) -> dict[str, Any]:
    """A plugin class as the API shows it."""
    shown: dict[str, Any] = {key: plugin[key] for key in ("type", "name", "category") if key in plugin}
    shown["description"] = plugin.get("description", "")
    shown["className"] = plugin["className"]
    if "configFieldName" in plugin:
        shown["configFieldName"] = plugin["configFieldName"]
    shown["properties"] = properties(plugin)
    shown["requirements"] = {"datasetTypes": plugin.get("datasetTypes", []), "capabilities": []}
    return shown


def properties(plugin: dict[str, Any]) -> dict[str, Any]:
    """The properties of a plugin as the API shows them."""
    return {
        name: {
            "name": name,
            "description": "",
            "type": kind,
            "required": required,
            "macroSupported": macro,
            "macroEscapingEnabled": escaping,
            "children": [],
        }
        for name, (kind, required, macro, escaping) in plugin.get("properties", {}).items()
    }
