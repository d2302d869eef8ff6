"""What the page shows, read from the stack's state file and the recorded runs; secret values never leave the state."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataplatform.local.events import STACK_TYPE, short_name, type_of
from dataplatform.local.trace import RunTrace, load_runs

if TYPE_CHECKING:
    from dataplatform.local.page_flows import Picture

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the SDK's mark of a secret, not one


@dataclass
class Node:
    """A component or a resource of the tree."""

    urn: str
    name: str
    type: str
    custom: bool
    protect: bool = False
    id: str = ""
    status: str = "unchanged"
    """What the last command did to it."""
    seconds: float = 0.0
    children: list[Node] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)
    """URNs it depends on."""

    def leaves(self) -> list[Node]:
        """All resources below, itself included."""
        below = [leaf for child in self.children for leaf in child.leaves()]
        return [self, *below] if self.custom else below


@dataclass
class PageData:
    """Everything on the page."""

    stack: str
    made: str
    roots: list[Node]
    outputs: list[tuple[str, str, bool]]
    """Name, text, whether it is secret."""
    runs: list[RunTrace]
    command: str
    """The last command, and when."""
    errors: list[dict[str, str]]
    places: list[tuple[str, str]]
    """What, where."""
    pictures: list[Picture] = field(default_factory=list)
    """Of the pipelines that have not run here."""


def collect(root: Path, stack: str, project: str, *, drawn: bool = True) -> PageData:
    """Read it all; a stack that is not there gives an empty tree.

    Args:
        root: The project.
        stack: The stack's name.
        project: The project's name.
        drawn: Whether the pipelines are drawn, which takes reading them.
    """
    checkpoint = root / ".dp" / "state" / ".pulumi" / "stacks" / project / f"{stack}.json"
    resources: list[dict[str, Any]] = []
    if checkpoint.exists():
        state = json.loads(checkpoint.read_text("utf-8"))
        resources = ((state.get("checkpoint") or {}).get("latest") or {}).get("resources") or []
    last = load_last(root, stack)
    runs = load_runs(root)
    return PageData(
        stack=stack,
        made=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        roots=_tree(resources, {r["urn"]: r for r in last.get("resources", [])}),
        outputs=_outputs(resources),
        runs=sorted(runs, key=lambda run: run.state == "succeeded"),
        command=f"{last['command']} at {last['at']}" if last else "nothing yet",
        errors=last.get("errors", []),
        places=_places(root, checkpoint),
        pictures=_pictures(root, stack, {run.pipeline for run in runs}) if drawn else [],
    )


def _pictures(root: Path, stack: str, ran: set[str]) -> list[Picture]:
    from dataplatform.local.page_flows import collect as collect_pictures

    return collect_pictures(root, stack, ran)


def save_last(root: Path, stack: str, report: dict[str, Any]) -> None:
    """Keep what the last command on a stack did, for the page."""
    folder = root / ".dp" / "last"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {k: report.get(k) for k in ("command", "changes", "resources", "errors")}
    kept["at"] = time.strftime("%Y-%m-%d %H:%M:%S")
    temporary = folder / f"{stack}.tmp"
    temporary.write_text(json.dumps(kept) + "\n", "utf-8")
    temporary.replace(folder / f"{stack}.json")


def load_last(root: Path, stack: str) -> dict[str, Any]:
    """What `save_last` kept, or nothing."""
    try:
        kept: dict[str, Any] = json.loads((root / ".dp" / "last" / f"{stack}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept


def _tree(resources: list[dict[str, Any]], last: dict[str, dict[str, Any]]) -> list[Node]:
    nodes: dict[str, Node] = {}
    parents: dict[str, str] = {}
    for r in resources:
        if r["type"].startswith("pulumi:providers:") or r.get("delete"):
            continue
        done = last.get(r["urn"], {})
        node = Node(
            r["urn"],
            short_name(r["urn"]),
            type_of(r["urn"]),
            bool(r.get("custom")),
            bool(r.get("protect")),
            str(r.get("id") or ""),
            f"{done['op']} failed" if done.get("status") == "failed" else str(done.get("op") or "unchanged"),
            float(done.get("seconds") or 0.0),
        )
        node.needs = set(r.get("dependencies") or ())
        nodes[node.urn] = node
        parents[node.urn] = r.get("parent") or ""
    for urn, done in last.items():
        if urn not in nodes and done.get("status") == "failed":
            nodes[urn] = Node(urn, done["name"], done["type"], True, status=f"{done['op']} failed")
            parents[urn] = ""
    roots = []
    for urn, node in nodes.items():
        parent = nodes.get(parents[urn])
        if parent is not None and parent.type != STACK_TYPE:
            parent.children.append(node)
        elif node.type != STACK_TYPE:
            roots.append(node)
    return roots


def _outputs(resources: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    stack = next((r for r in resources if r["type"] == STACK_TYPE), {})
    found = []
    for name, value in sorted((stack.get("outputs") or {}).items()):
        masked, secret = mask(value)
        found.append((name, masked if isinstance(masked, str) else json.dumps(masked, indent=1), secret))
    return found


def mask(value: Any) -> tuple[Any, bool]:
    """The value with `[secret]` for everything encrypted at any depth, and whether there was anything."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return "[secret]", True
        done = {k: mask(v) for k, v in value.items()}
        return {k: v for k, (v, _) in done.items()}, any(secret for _, secret in done.values())
    if isinstance(value, list):
        parts = [mask(v) for v in value]
        return [v for v, _ in parts], any(secret for _, secret in parts)
    return value, False


def _places(root: Path, checkpoint: Path) -> list[tuple[str, str]]:
    known = [
        ("Bucket objects, as files", root / ".dp" / "cloud" / "buckets"),
        ("Every call of the embedded cloud", root / ".dp" / "cloud" / "calls.jsonl"),
        ("The stack's state (secrets encrypted)", checkpoint),
        ("What the engine and Airflow printed", root / ".dp" / "log"),
        ("Recorded pipeline runs", root / ".dp" / "runs"),
    ]
    return [(what, str(path.relative_to(root))) for what, path in known if path.exists()]
