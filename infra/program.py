"""The program: a stack's configuration in, registered resources and outputs out.

Everything a person can have got wrong is found before the first resource is registered, so a mistake changes nothing.
"""

from __future__ import annotations

from pathlib import Path

import pulumi

from dataplatform.diagnostics import InputError
from infra.decide import Decided, decide

CONFIG_NAMESPACE = "data-platform"
ALREADY_REPORTED = 32
"""Exit status of a program that has told its user what is wrong; the engine then adds nothing to it."""


def register(decided: Decided) -> None:
    """Register the stack's resources and export its outputs."""
    platform = decided.loaded.platform
    config = pulumi.Config(CONFIG_NAMESPACE)
    outputs: dict[str, pulumi.Input[object]] = {"environment": platform.environment}
    # The provider modules are imported only now, and of a cloud only where the stack is on it: a stack that is wrong is
    # told so without waiting for them.
    if platform.gcp is not None:
        from infra import gcp

        assert decided.names is not None
        outputs |= gcp.compose(
            gcp.GcpArgs(
                platform=platform,
                gcp=platform.gcp,
                stack=decided.loaded.name,
                names=decided.names,
                pipelines=decided.pipelines,
                secret_values={name: config.require_secret(name) for name in platform.gcp.secrets},
                schemas=decided.loaded.schemas,
                airflow_files=decided.airflow_files,
                fusion_objects=decided.fusion_objects,
                job_files=decided.job_files,
                starts=decided.starts,
            )
        )
    if platform.azure is not None:
        from infra import azure

        assert decided.azure_names is not None
        vault = platform.azure.key_vault
        secrets = vault.secrets if vault is not None else {}
        outputs |= azure.compose(
            azure.AzureArgs(
                platform=platform,
                azure=platform.azure,
                stack=decided.loaded.name,
                names=decided.azure_names,
                databricks=decided.databricks,
                data_factory=decided.data_factory,
                secret_values={
                    name: config.require_secret(name) for name, secret in secrets.items() if secret.source == "config"
                },
            )
        )
    for key, value in sorted(outputs.items()):
        pulumi.export(key, value)


def run(root: Path | None = None) -> None:
    """Run the program for the stack the engine has selected."""
    try:
        decided = decide(root or Path(__file__).resolve().parents[1], pulumi.get_stack())
    except InputError as error:
        # Logged rather than raised: a traceback would tell the user about us, not about the mistake.
        pulumi.log.error(error.diagnostics.render())
        raise SystemExit(ALREADY_REPORTED) from None
    for warning in decided.warnings:
        pulumi.log.warn(warning.headline())
    register(decided)
