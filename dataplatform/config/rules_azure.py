"""Rules between the fields of a stack's part on Azure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dataplatform.config.azure.locations import LOCATIONS
from dataplatform.config.document import Path
from dataplatform.config.rules_azure_network import azure_network_rules
from dataplatform.config.rules_catalog import location_rules
from dataplatform.config.rules_databricks import job_rules
from dataplatform.config.rules_mounts import mount_rules
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings
    from dataplatform.config.platform import Azure

_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CREDENTIALS = 20
"""Federated credentials an identity may have."""


def azure_rules(azure: Azure, findings: Findings) -> None:
    """Run every rule over the part."""
    if azure.location not in LOCATIONS:
        hint = nearest(azure.location, LOCATIONS)
        findings.tell("DP210", ("azure", "location"), f"there is no location {shown(azure.location)}", hint)
    _principals(azure, findings)
    _sources(azure, findings)
    for part in ("lake", "key_vault"):
        config = getattr(azure, part)
        if config is not None:
            _addresses(("azure", part), config.allowed_ips, config.public_network, findings)
    for name, identity in azure.identities.items():
        if len(identity.federated_credentials) > _CREDENTIALS:
            findings.tell(
                "DP125",
                ("azure", "identities", name, "federated_credentials"),
                f"an identity has at most {_CREDENTIALS} federated credentials, this one"
                f" {len(identity.federated_credentials)}",
                "make a second identity",
            )
    _vault(azure, findings)
    _databricks(azure, findings)
    _data_factory(azure, findings)
    azure_network_rules(azure, findings)


def _databricks(azure: Azure, findings: Findings) -> None:
    config = azure.databricks
    if config is None:
        return
    at: Path = ("azure", "databricks")
    if config.secret_scopes and azure.key_vault is None:
        findings.tell(
            "DP218",
            (*at, "secret_scopes"),
            "a secret scope is backed by the stack's key vault, and the stack has none",
            "add azure.key_vault, or take secret_scopes out",
            needs=(("azure", "key_vault"),),
            key=True,
        )
    if config.secret_scopes and config.service_principal is None:
        findings.tell(
            "DP218",
            (*at, "secret_scopes"),
            "the vault must let Databricks read it, and the stack does not say who that is in this tenant",
            "add service_principal: what az ad sp show --id 2ff814a6-3304-4ab8-85cb-cd0e6f879c1d --query id prints",
            needs=((*at, "service_principal"),),
            key=True,
        )
    for name, cluster in config.clusters.items():
        if cluster.policy is not None and cluster.policy not in config.policies:
            hint = nearest(cluster.policy, config.policies) if config.policies else "declare it under policies"
            findings.tell(
                "DP218", (*at, "clusters", name, "policy"), f"there is no policy {shown(cluster.policy)}", hint
            )
    job_rules(config, findings)
    mount_rules(azure, findings)
    catalog = config.unity_catalog
    if catalog is None:
        return
    known = list(azure.lake.filesystems) if azure.lake is not None else []
    used: list[tuple[Path, str]] = [(("filesystem",), catalog.filesystem)]
    used += [(("locations", name, "filesystem"), location.filesystem) for name, location in catalog.locations.items()]
    for path, filesystem in used:
        if filesystem not in known:
            hint = nearest(filesystem, known) if known else "add it to azure.lake.filesystems"
            message = f"the lake has no filesystem {shown(filesystem)}"
            findings.tell(
                "DP218", (*at, "unity_catalog", *path), message, hint, needs=(("azure", "lake", "filesystems"),)
            )
    location_rules(azure.prefix, catalog, findings)


def _data_factory(azure: Azure, findings: Findings) -> None:
    config = azure.data_factory
    if config is None:
        return
    at: Path = ("azure", "data_factory")
    known = [f"${name}" for name in azure.identities]
    for index, identity in enumerate(config.identities):
        if identity not in known:
            hint = nearest(identity[:80], known) if known else "declare it under azure.identities"
            message = f"{shown(identity)} names no identity of this stack"
            findings.tell("DP218", (*at, "identities", index), message, hint, needs=(("azure", "identities"),))
        elif identity in config.identities[:index]:
            findings.tell(
                "DP250", (*at, "identities", index), f"{shown(identity)} stands here twice", "take one of them out"
            )
    key = config.encryption
    if key is not None and key.identity not in config.identities:
        hint = nearest(key.identity[:80], config.identities) if config.identities else "write it under identities too"
        message = f"{shown(key.identity)} is none of the factory's identities"
        findings.tell("DP218", (*at, "encryption", "identity"), message, hint, needs=((*at, "identities"),))
    for part in ("triggers", "databricks"):
        folded: dict[str, str] = {}
        for name in getattr(config, part):
            if (other := folded.setdefault(name.lower(), name)) != name:
                message = f"{shown(name)} and {shown(other)} are one: Data Factory's names know no case"
                findings.tell("DP250", (*at, part, name), message, "take one of them out", key=True)
    for name in config.global_parameters:
        if config.annotate and name.lower() in ("releaseid", "gitcommit"):
            message = f"{shown(name)} is made of release and commit"
            findings.tell("DP250", (*at, "global_parameters", name), message, "take it out", key=True)
    if config.alert_on_failed_runs and "alert_on_failed_runs" in config.model_fields_set and azure.monitoring is None:
        findings.tell(
            "DP218",
            (*at, "alert_on_failed_runs"),
            "the stack has nobody whom an alert could tell",
            "add azure.monitoring, or take it out",
            needs=(("azure", "monitoring"),),
        )
    if config.lake != "none" and azure.lake is None and "lake" in config.model_fields_set:
        findings.tell(
            "DP218",
            (*at, "lake"),
            "the stack has no lake that the factory could use",
            "add azure.lake, or write none",
            needs=(("azure", "lake"),),
        )


def _vault(azure: Azure, findings: Findings) -> None:
    vault = azure.key_vault
    if vault is None:
        return
    if vault.purge_on_destroy and vault.purge_protection:
        findings.tell(
            "DP250",
            ("azure", "key_vault", "purge_on_destroy"),
            "a vault with purge protection cannot be purged",
            "take one of them out",
        )
    if vault.recover and vault.generation > 1:
        findings.tell(
            "DP250",
            ("azure", "key_vault", "recover"),
            "recover brings a deleted vault back, and generation makes a name of its own",
            "take one of them out",
        )
    folded: dict[str, str] = {}
    for name in vault.secrets:
        if (other := folded.setdefault(name.lower(), name)) != name:
            findings.tell(
                "DP250",
                ("azure", "key_vault", "secrets", name),
                f"{shown(name)} and {shown(other)} are one secret: a vault's names know no case",
                "take one of them out",
                key=True,
            )


def _principals(azure: Azure, findings: Findings) -> None:
    """Readers and writers: identities of the stack, or object ids."""
    known = [f"${name}" for name in azure.identities]
    for path, principals in _named(azure):
        for index, principal in enumerate(principals):
            if principal in known or _OBJECT_ID.fullmatch(principal):
                continue
            if principal.startswith("$"):
                message = f"{shown(principal)} names no identity of this stack"
                remedy = nearest(principal, known) if known else "declare it under azure.identities"
            else:
                message = f"{shown(principal)} is neither an identity of this stack nor an object id"
                remedy = "write $<name> of azure.identities, or the object id of a principal in lower case"
            findings.tell("DP218", (*path, index), message, remedy, needs=(("azure", "identities"),))


def _named(azure: Azure) -> Iterable[tuple[Path, list[str]]]:
    for name, filesystem in azure.lake.filesystems.items() if azure.lake else ():
        yield ("azure", "lake", "filesystems", name, "readers"), filesystem.readers
        yield ("azure", "lake", "filesystems", name, "writers"), filesystem.writers
    for name, secret in azure.key_vault.secrets.items() if azure.key_vault else ():
        yield ("azure", "key_vault", "secrets", name, "readers"), secret.readers
    if azure.base is not None:
        yield ("azure", "base", "readers"), azure.base.readers


def _sources(azure: Azure, findings: Findings) -> None:
    """A secret whose value is the lake's needs a lake."""
    for name, secret in azure.key_vault.secrets.items() if azure.key_vault else ():
        if secret.source.startswith("lake_") and azure.lake is None:
            findings.tell(
                "DP218",
                ("azure", "key_vault", "secrets", name, "source"),
                f"the value of {shown(name)} is the lake's, and the stack has none",
                "add azure.lake, or take the secret out",
                needs=(("azure", "lake"),),
            )


def _addresses(at: Path, allowed: list[str], public: bool, findings: Findings) -> None:
    """Azure's network rules take public IPv4 addresses and ranges, and only where there is a public endpoint."""
    if allowed and not public:
        findings.tell(
            "DP250",
            (*at, "allowed_ips"),
            "there is no public endpoint that these addresses could reach",
            "take allowed_ips out, or set public_network to true",
            key=True,
        )
    for index, text in enumerate(allowed):
        problem = _address_problem(text)
        if problem:
            findings.tell(
                "DP251", (*at, "allowed_ips", index), f"{shown(text)} {problem}", "write a public address or range"
            )


def _address_problem(text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text, strict=True)
    except ValueError:
        return "is no IPv4 address or range"
    if network.is_private:
        return "is a private range, which Azure's network rules refuse"
    if "/" in text and network.prefixlen in (31, 32):
        return "is a range of one or two addresses, which Azure wants as single addresses"
    return ""
