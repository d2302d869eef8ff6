"""Record which plugins a running sandbox has, in localcloud/cdap/data/sandbox.json: `python -m tools.cdap.catalog URL`.

Kept are the facts a pipeline is checked by (names, classes, properties, whether they are required and may be macros).
The plugins' descriptions are not: they are somebody's text, and nothing depends on them.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[2] / "localcloud" / "cdap" / "data" / "sandbox.json"


def plugin(found: dict[str, Any]) -> dict[str, Any]:
    """One plugin class, its properties as `[type, required, macro, escaping]`."""
    kept: dict[str, Any] = {key: found[key] for key in ("type", "name", "category", "className") if key in found}
    if "configFieldName" in found:
        kept["configFieldName"] = found["configFieldName"]
    if found["requirements"]["datasetTypes"]:
        kept["datasetTypes"] = found["requirements"]["datasetTypes"]
    kept["properties"] = {
        name: [p["type"], p["required"], p["macroSupported"], p["macroEscapingEnabled"]]
        for name, p in sorted(found["properties"].items())
    }
    return kept


def artifact(found: dict[str, Any]) -> dict[str, Any]:
    """One system artifact."""
    apps = [{"className": app["className"]} for app in found["classes"]["apps"]]
    plugins = sorted((plugin(p) for p in found["classes"]["plugins"]), key=lambda p: (p["type"], p["name"]))
    return {
        "name": found["name"],
        "version": found["version"],
        "parents": found["parents"],
        "apps": apps,
        "plugins": plugins,
    }


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def main(url: str) -> int:
    """Write the file."""
    base = f"{url}/v3/namespaces/default/artifacts"
    listed = sorted(_get(f"{base}?scope=SYSTEM"), key=lambda a: str(a["name"]))
    found = [artifact(_get(f"{base}/{a['name']}/versions/{a['version']}?scope=SYSTEM")) for a in listed]
    blocks = []
    for entry in found:
        lines = ",\n".join("    " + json.dumps(p) for p in entry.pop("plugins"))
        head = json.dumps(entry)[1:-1]
        blocks.append("{" + head + ', "plugins": [\n' + lines + "\n]}")
    TARGET.write_text("[\n" + ",\n".join(blocks) + "\n]\n", "utf-8")
    print(f"{TARGET.name}: {len(found)} artifacts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
