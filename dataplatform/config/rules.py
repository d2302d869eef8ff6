"""Rules between the fields of a stack, checked before any engine starts.

A rule is a function of the model; what it finds is recorded at the place in the file. The model may lack what the file
has wrong (see `best_effort` in `dataplatform.config.stackfile`): `Findings` drops a finding that rests on such a part.
"""

from __future__ import annotations

from collections.abc import Callable

from dataplatform.config.apis import APIS, SUFFIX
from dataplatform.config.document import Node, Path
from dataplatform.config.domains import domain_rules
from dataplatform.config.findings import AT, Findings
from dataplatform.config.plaintext import REMEDY, plain_secret
from dataplatform.config.platform import Gcp, Platform
from dataplatform.config.regions import REGIONS
from dataplatform.config.rules_azure import azure_rules
from dataplatform.config.rules_bigquery import bigquery_rules
from dataplatform.config.rules_cloud_sql import cloud_sql_rules
from dataplatform.config.rules_composer import composer_rules
from dataplatform.config.rules_data_fusion import data_fusion_rules
from dataplatform.config.rules_deploy import deploy_rules
from dataplatform.config.rules_kms import kms_rules
from dataplatform.config.rules_lake import lake_rules
from dataplatform.config.rules_monitoring import monitoring_rules
from dataplatform.config.rules_network import network_rules
from dataplatform.config.rules_on_demand import on_demand_rules
from dataplatform.config.rules_secrets import secret_rules
from dataplatform.config.rules_triggers import trigger_rules
from dataplatform.config.stepproperties import PLACEHOLDER
from dataplatform.config.text import dotted, shown
from dataplatform.diagnostics import nearest


def check_platform(platform: Platform, findings: Findings) -> None:
    """Run every rule over a stack."""
    gcp = platform.gcp
    if gcp is None and platform.azure is None:
        findings.tell(
            "DP218",
            (),
            "the stack has no cloud: its up would delete all it had",
            "add gcp, azure or both",
            needs=(("gcp",), ("azure",)),
        )
        return
    if platform.azure is not None:
        azure_rules(platform.azure, findings)
    if gcp is None:
        if platform.pipelines is not None:
            findings.tell(
                "DP216",
                ("pipelines",),
                "the stack has pipelines, and nothing on Google Cloud to run them",
                "add gcp with composer or workflows, or take pipelines out",
                needs=(("gcp",),),
                key=True,
            )
        return
    for rule in (_regions, _apis, kms_rules, secret_rules, bigquery_rules, data_fusion_rules):
        rule(gcp, findings)
    lake_rules(platform, gcp, findings)
    composer_rules(gcp, findings)
    domain_rules(platform, findings)
    network_rules(gcp, findings)
    cloud_sql_rules(gcp, findings)
    trigger_rules(gcp, findings)
    deploy_rules(platform, findings)
    monitoring_rules(platform, findings)
    on_demand_rules(gcp, findings)
    _labels(platform, findings)
    if platform.pipelines is not None and gcp.composer is None and gcp.workflows is None and gcp.airflow_bucket is None:
        findings.tell(
            "DP216",
            ("pipelines",),
            "the stack has pipelines, and neither composer nor workflows to run them",
            "add gcp.composer or gcp.workflows (`workflows: {}` is enough), or take pipelines out",
            needs=(("gcp", "composer"), ("gcp", "workflows")),
            key=True,
        )


def _region(region: str | None, path: Path, findings: Findings) -> None:
    if region is not None and region not in REGIONS:
        findings.tell("DP210", path, f"there is no region {shown(region)}", nearest(region, REGIONS))


def _regions(gcp: Gcp, findings: Findings) -> None:
    _region(gcp.region, ("gcp", "region"), findings)
    _region(gcp.executors.region, ("gcp", "executors", "region"), findings)


def _apis(gcp: Gcp, findings: Findings) -> None:
    for index, api in enumerate(gcp.apis):
        at: Path = ("gcp", "apis", index)
        short = api.removesuffix(SUFFIX)
        if short in APIS and api != short:
            findings.tell("DP260", at, f"an API is written without {SUFFIX}", f"write {short}")
        elif api not in APIS:
            findings.tell("DP260", at, f"there is no API {shown(api)}", nearest(short.lower(), APIS))
        if api in gcp.apis[:index]:
            findings.tell("DP260", at, f"{shown(api)} stands here twice", "take one of them out")


def _labels(platform: Platform, findings: Findings) -> None:
    for key in platform.labels:
        if key.startswith("goog"):
            remedy = "choose a key that does not begin with goog"
            findings.tell("DP124", ("labels", key), f"the label {shown(key)} is reserved", remedy, key=True)


def check_values(platform: Node, tell: Callable[[int, str, str, str, str], None]) -> None:
    """Plain-text secrets and placeholders among the values of a platform, whatever their place."""
    declared = platform.at(("gcp", "secrets"))
    names = set(declared.entries) if declared is not None else set()
    for path, key, leaf in platform.walk():
        if path[:2] == ("gcp", "secrets"):
            continue
        # What a secure key has its value from is the name of a secret, which is no secret.
        if path[:4] == ("gcp", "data_fusion", "deploy", "secure_keys") and leaf.scalar in names:
            continue
        what = plain_secret(key, leaf.scalar)
        if what:
            tell(leaf.offset, "DP219", f"{what} in plain text", REMEDY, dotted((*AT, *path)))
        elif isinstance(leaf.scalar, str) and (placeholder := PLACEHOLDER.fullmatch(leaf.scalar)):
            message = f"the placeholder {shown(placeholder[0])} has not been filled in"
            tell(leaf.offset, "DP317", message, "write the value it stands for", dotted((*AT, *path)))
