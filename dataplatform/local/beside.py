"""Changes of a Composer environment that need a new one beside it, found before the engine starts.

The provider refuses another generation in a sentence that says nothing of the way, and the service refuses another
major version of Airflow only when the update is under way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataplatform.config.check import load_stack_config
from dataplatform.config.gcp.composer import Composer
from dataplatform.local.errors import RefusedError

_ENVIRONMENT = "gcp:composer/environment:Environment"


def refuse_in_place(root: Path, stack: str, deployment: Mapping[str, Any]) -> None:
    """Look at what is deployed and what the stack file asks for.

    Args:
        root: The project.
        stack: Its stack.
        deployment: The state's latest deployment.

    Raises:
        RefusedError: an environment that is there would have to become another one.
    """
    held = dict(_environments(deployment))
    if not held:
        return
    platform = load_stack_config(root, stack).platform
    gcp = platform.gcp
    for composer in (gcp.composer, gcp.previous_composer) if gcp is not None else ():
        image = held.get(f"{platform.environment}-{composer.name}") if composer is not None else None
        if composer is None or image is None:
            continue
        what = _impossible(composer, image)
        if what is not None:
            raise RefusedError(
                f"{stack}: the Composer environment {platform.environment}-{composer.name} is {image}, and {what};"
                " leave it as it is under gcp.previous_composer, and write the new one as gcp.composer with another"
                " name: an up then makes it beside the old one (docs/components/composer.md)"
            )


def _environments(deployment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in deployment.get("resources") or []:
        if resource.get("type") != _ENVIRONMENT:
            continue
        inputs = resource.get("inputs") or {}
        software = (inputs.get("config") or {}).get("softwareConfig") or {}
        if isinstance(software, Mapping) and isinstance(software.get("imageVersion"), str):
            yield str(inputs.get("name")), software["imageVersion"]


def _impossible(composer: Composer, image: str) -> str | None:
    """What cannot be made of an environment of this image; None where it can be."""
    before = composer.model_copy(update={"image_version": image})
    if before.generation != composer.generation:
        return f"Composer {before.generation} does not become Composer {composer.generation}"
    if before.airflow[0] != composer.airflow[0]:
        return f"Airflow {before.airflow[0]} does not become Airflow {composer.airflow[0]} in place"
    shorter = min(len(before.airflow), len(composer.airflow))
    if composer.airflow[:shorter] < before.airflow[:shorter]:
        return "no environment goes back to an older Airflow"
    return None
