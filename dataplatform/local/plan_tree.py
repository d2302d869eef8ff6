"""`dp plan` for a person: the recorded resources as a tree, each with what protects it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataplatform.local.plan_recorder import RecordedResource


def render(resources: Sequence[RecordedResource]) -> Iterator[str]:
    """The lines of the tree and a last one that counts."""
    children: dict[str, list[RecordedResource]] = {}
    known = {resource.urn for resource in resources}
    for resource in resources:
        children.setdefault(resource.parent if resource.parent in known else "", []).append(resource)
    yield from _level(children, "", "")
    kinds = Counter(resource.custom for resource in resources)
    yield f"{kinds[True]} resources in {kinds[False]} components"


def _level(children: dict[str, list[RecordedResource]], parent: str, indent: str) -> Iterator[str]:
    for resource in children.get(parent, ()):
        marks = " [protected]" if resource.protect else ""
        secret = f" ({len(resource.secrets)} secret)" if resource.secrets else ""
        yield f"{indent}{resource.name}  {resource.type}{marks}{secret}"
        yield from _level(children, resource.urn, indent + "  ")
