"""The secrets of a stack."""

from __future__ import annotations

from components.gcp.secrets import Secrets, SecretsArgs, SecretSpec
from infra.gcp.composition import Composition


def secrets(c: Composition) -> None:
    """The secrets in Secret Manager, with their readers."""
    if not c.gcp.secrets:
        return
    made = Secrets(
        "secrets",
        SecretsArgs(
            project=c.gcp.project,
            region=c.gcp.region,
            secrets=_secrets(c),
            key=c.keys["secretmanager"],
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs("secretmanager"),
        ),
        c.opts,
    )
    c.outputs["secrets"] = dict(made.secret_ids)


def _secrets(c: Composition) -> dict[str, SecretSpec]:
    """The secrets with their readers: members as written, and `$composer`, `$data_fusion`, `$workflows`."""
    return {
        name: SecretSpec(
            secret_id=c.names.secrets[name],
            value=c.args.secret_values[name],
            accessors={
                accessor.removeprefix("$"): c.identities[accessor[1:]] if accessor.startswith("$") else accessor
                for accessor in secret.accessors
            },
        )
        for name, secret in sorted(c.gcp.secrets.items())
    }
