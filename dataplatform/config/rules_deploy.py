"""Functions that the stack deploys: where they are, how they are reached, and that one of each is enough.

Sources: "Configure network settings" (ingress, and what counts as internal) and "Direct VPC egress" of Cloud Run
functions, and its quotas page.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dataplatform.config.document import Path
from dataplatform.config.platform import Platform
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings


def deploy_rules(platform: Platform, findings: Findings) -> None:
    """What `gcp.executors.deploy` may say."""
    gcp, pipelines = platform.gcp, platform.pipelines
    for name, domain in pipelines.domains.items() if pipelines is not None else ():
        if domain.executors is not None and domain.executors.deploy is not None:
            message = "functions are deployed into the stack's own project only"
            remedy = "take it out: pipelines of a domain without executors call the stack's"
            findings.tell("DP270", ("pipelines", "domains", name, "executors", "deploy"), message, remedy, key=True)
    if gcp is None or gcp.executors.deploy is None:
        return
    executors, deploy = gcp.executors, gcp.executors.deploy
    at: Path = ("gcp", "executors", "deploy")
    for key, own in (("project", gcp.project), ("region", gcp.region)):
        said = getattr(executors, key)
        if said is not None and said != own:
            message = f"the functions are deployed into the stack's own {key}, {own}, and this names another"
            findings.tell("DP270", ("gcp", "executors", key), message, "take it out", needs=(("gcp", key), at))
    if executors.generation != 2:
        message = "the functions that the stack deploys are of the second generation"
        findings.tell("DP270", ("gcp", "executors", "generation"), message, "take it out", needs=(at,))
    if executors.grant == "none":
        message = "nobody else can grant to call functions that the stack deploys itself"
        findings.tell("DP270", ("gcp", "executors", "grant"), message, "take it out", needs=(at,))
    if executors.intermediate in deploy.functions or executors.intermediate in executors.functions:
        message = f"the intermediate function has the name of an executor, {shown(executors.intermediate)}"
        remedy = "give the intermediate function another name"
        findings.tell("DP270", ("gcp", "executors", "intermediate"), message, remedy, needs=(at,))
    for index, name in enumerate(deploy.functions):
        if name in deploy.functions[:index]:
            findings.tell(
                "DP270", (*at, "functions", index), f"{shown(name)} stands here twice", "take one of them out"
            )
    if not timedelta(seconds=1) <= deploy.timeout <= timedelta(hours=1):
        findings.tell("DP270", (*at, "timeout"), "a call takes 1 second to 1 hour", "write PT1S to PT1H")
    if deploy.min_instances > deploy.max_instances:
        message = f"{deploy.min_instances} instances are kept, and there may be {deploy.max_instances}"
        remedy = "lower it, or raise max_instances"
        findings.tell("DP270", (*at, "min_instances"), message, remedy, needs=((*at, "max_instances"),))
    _way(platform, findings)


def _way(platform: Platform, findings: Findings) -> None:
    """The intermediate function must reach the executors, and Composer the intermediate function."""
    gcp = platform.gcp
    assert gcp is not None
    assert gcp.executors.deploy is not None
    deploy, at = gcp.executors.deploy, ("gcp", "executors", "deploy")
    network, needs = gcp.network, (("gcp", "network"), (*at, "ingress"))
    if deploy.subnet is None:
        if deploy.ingress == "internal":
            message = "the intermediate function calls the executors from a network where ingress is internal"
            remedy = "add subnet, one of gcp.network, or write ingress: all"
            findings.tell("DP270", at, message, remedy, needs=(*needs, (*at, "subnet")), key=True)
    elif network is None:
        message = "a subnet is named, and the stack has no network"
        findings.tell("DP218", (*at, "subnet"), message, "add gcp.network", needs=needs)
    else:
        own = network.existing is None
        existing = network.existing.subnets if network.existing is not None else {}
        regions = {name: subnet.region or gcp.region for name, subnet in network.subnets.items()}
        regions = regions if own else {name: link.split("/")[3] for name, link in existing.items()}
        if deploy.subnet not in regions:
            message = f"there is no subnet {shown(deploy.subnet)}"
            findings.tell("DP231", (*at, "subnet"), message, nearest(deploy.subnet, regions), needs=needs)
        elif regions[deploy.subnet] != gcp.region:
            message = f"the subnet {shown(deploy.subnet)} is in {regions[deploy.subnet]}, the functions in {gcp.region}"
            findings.tell("DP232", (*at, "subnet"), message, f"name one in {gcp.region}", needs=needs)
        elif own and not network.subnets[deploy.subnet].private_google_access:
            message = f"nothing in the subnet {shown(deploy.subnet)} reaches Google's APIs, where the executors are"
            remedy = "switch private_google_access of the subnet on"
            findings.tell("DP270", (*at, "subnet"), message, remedy, needs=needs)
    composers = {"composer": gcp.composer, "previous_composer": gcp.previous_composer}
    for key, composer in composers.items():
        if composer is not None and composer.network is None and deploy.ingress == "internal":
            message = (
                f"the environment under {key} is in no network of the stack, so internal functions refuse its calls"
            )
            remedy = f"give gcp.{key} a network, or write ingress: all"
            findings.tell("DP270", (*at, "ingress"), message, remedy, needs=(("gcp", key), at))
