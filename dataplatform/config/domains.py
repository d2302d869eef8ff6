"""Which domain a pipeline belongs to, and what holds for domains.

A domain is a folder directly below the pipelines' folder. Its pipelines run in the domain's own project (orchestration
by domain); those of no domain in the stack's (central orchestration).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from dataplatform.config.document import Path
from dataplatform.config.folder import RESERVED
from dataplatform.config.gcp.executors import Executors
from dataplatform.config.pipeline import Definition
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.regions import REGIONS
from dataplatform.config.text import shown
from dataplatform.diagnostics import Diagnostics, Position, nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

_AT: Path = ("pipelines", "domains")


def domain_of(platform: Platform, file: str) -> str | None:
    """The domain of a definition, by its file relative to the project's root; None for one of the stack's own."""
    pipelines = platform.pipelines
    if pipelines is None or not pipelines.domains:
        return None
    folder, parts = PurePosixPath(pipelines.directory).parts, PurePosixPath(file).parts
    below = parts[len(folder) :] if parts[: len(folder)] == folder else ()
    return below[0] if len(below) > 1 and below[0] in pipelines.domains else None


def executors_of(gcp: Gcp, platform: Platform, domain: str | None) -> tuple[Executors, str]:
    """The executors of a domain, or of the stack, and the project they are in unless they say it themselves."""
    found = platform.pipelines.domains.get(domain) if platform.pipelines is not None and domain is not None else None
    if found is None or found.executors is None:
        return gcp.executors, gcp.project
    return found.executors, found.project


def domain_rules(platform: Platform, findings: Findings) -> None:
    """What a stack may say of its domains."""
    gcp, pipelines = platform.gcp, platform.pipelines
    if gcp is None or pipelines is None:
        return
    buckets: dict[str, str] = {gcp.airflow_bucket: "the stack itself"} if gcp.airflow_bucket is not None else {}
    for name, domain in pipelines.domains.items():
        at: Path = (*_AT, name)
        if domain.airflow_bucket is not None:
            other = buckets.setdefault(domain.airflow_bucket, f"the domain {shown(name)}")
            if other != f"the domain {shown(name)}":
                message = f"{other} puts its DAGs into this bucket too, and each its own copy of what they import"
                remedy = "give each its own environment, or take airflow_bucket out of both"
                findings.tell("DP245", (*at, "airflow_bucket"), message, remedy, needs=(("gcp", "airflow_bucket"),))
        region = domain.executors.region if domain.executors is not None else None
        if region is not None and region not in REGIONS:
            message = f"there is no region {shown(region)}"
            findings.tell("DP210", (*at, "executors", "region"), message, nearest(region, REGIONS))
        if name in RESERVED:
            message = f"the folder {shown(name)} is for other files than definitions"
            findings.tell("DP245", at, message, "give the domain another name", key=True)
        if domain.project == gcp.project:
            message = "the domain has the stack's own project"
            remedy = "take the domain out: what belongs to none is the stack's own"
            findings.tell("DP245", (*at, "project"), message, remedy, needs=(("gcp", "project"),))
        if gcp.workflows is None and domain.airflow_bucket is None and domain.executors is None:
            message = "the domain has nothing of its own: no workflows, no bucket of DAGs and no executors"
            remedy = "add gcp.workflows, or airflow_bucket or executors of the domain, or take it out"
            findings.tell("DP245", at, message, remedy, needs=(("gcp", "workflows"),), key=True)


def check_domains(platform: Platform, definitions: Sequence[Definition], asked: Position) -> Diagnostics:
    """Domains without definitions, and pipelines that run one of another domain.

    Args:
        platform: The stack.
        definitions: All of its definitions.
        asked: Where the stack names the pipelines' folder.
    """
    diagnostics = Diagnostics()
    pipelines, gcp = platform.pipelines, platform.gcp
    if pipelines is None or gcp is None or not pipelines.domains:
        return diagnostics
    owners = {definition.name: domain_of(platform, definition.file) for definition in definitions}
    for name in sorted(set(pipelines.domains) - {owner for owner in owners.values() if owner}):
        message = f"the domain {shown(name)} has no definition below {pipelines.directory}/{name}"
        diagnostics.add("DP245", asked, message, "put one there, or take the domain out")
    for definition in definitions:
        for step in definition.steps():
            other = owners.get(step.executor) if step.type == "workflows" else None
            mine = owners[definition.name]
            if step.type == "workflows" and step.executor in owners and other != mine and gcp.workflows is not None:
                whose = "the stack's own" if other is None else f"of the domain {shown(other)}"
                message = f"the pipeline {shown(step.executor)} is {whose}, whose workflows are in another project"
                remedy = "let it be of the same domain, or name the workflow of the other project from outside"
                diagnostics.add("DP245", step.position_of("workflows_name"), message, remedy)
    return diagnostics
