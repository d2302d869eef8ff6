"""What can be wrong with mounts of DBFS, which a stack has only where it says that it wants them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dataplatform.config.document import Path
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings
    from dataplatform.config.platform import Azure

AT: Path = ("azure", "databricks")


def mount_rules(azure: Azure, findings: Findings) -> None:
    """The switch, the profile, and what each mount names."""
    config = azure.databricks
    if config is None:
        return
    if config.mounts and not config.legacy_mount:
        findings.tell(
            "DP250",
            (*AT, "mounts"),
            "Databricks has deprecated mounts, and the stack does not say that it wants them all the same",
            "write the place under unity_catalog.locations, or set legacy_mount: true",
            key=True,
        )
    if config.legacy_mount and not config.mounts:
        findings.tell("DP250", (*AT, "legacy_mount"), "there are no mounts", "add mounts, or take it out", key=True)
    endpoints = azure.network.endpoints if azure.network is not None else None
    if config.mounts and endpoints is not None and endpoints.only:
        findings.tell(
            "DP250",
            (*AT, "mounts"),
            "a mount signs in with a service principal's password, and a stack that is reached by private endpoints"
            " only has none",
            "write the place under unity_catalog.locations, which the access connector reaches without a secret",
            key=True,
        )
    secrets = azure.key_vault.secrets if azure.key_vault is not None else {}
    for name, mount in config.mounts.items():
        at: Path = (*AT, "mounts", name)
        filesystems = list(azure.lake.filesystems) if azure.lake is not None else []
        _known(findings, (*at, "filesystem"), mount.filesystem, filesystems, "filesystem", "azure.lake.filesystems")
        _known(findings, (*at, "scope"), mount.scope, config.secret_scopes, "secret scope", "secret_scopes")
        _known(findings, (*at, "password_from"), mount.password_from, secrets, "secret", "azure.key_vault.secrets")
        if mount.cluster is not None:
            _known(findings, (*at, "cluster"), mount.cluster, config.clusters, "cluster", "clusters")
        held = secrets.get(mount.password_from)
        if held is not None and held.source != "config":
            findings.tell(
                "DP250",
                (*at, "password_from"),
                f"{shown(mount.password_from)} holds {held.source}, which is no password",
                "name a secret whose value is the stack's secure configuration key of the same name",
                needs=(("azure", "key_vault", "secrets", mount.password_from),),
            )


def _known(findings: Findings, at: Path, name: str, known: Collection[str], what: str, part: str) -> None:
    if name not in known:
        hint = nearest(name, known) if known else f"declare it under {part}"
        findings.tell("DP218", at, f"there is no {what} {shown(name)}", hint, needs=(tuple(part.split(".")),))
