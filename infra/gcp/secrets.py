"""The secrets of a stack."""

from __future__ import annotations

from components.gcp.secrets import Secrets, SecretsArgs, SecretSpec
from infra.gcp.composition import Composition
from infra.layout import key_places, rotation_topics


def secrets(c: Composition) -> None:
    """The secrets in Secret Manager, with their readers."""
    if not c.gcp.secrets:
        return
    rotates = bool(rotation_topics(c.gcp))
    made = Secrets(
        "secrets",
        SecretsArgs(
            project=c.gcp.project,
            region=c.gcp.region,
            secrets={
                name: SecretSpec(
                    secret_id=c.names.secrets[name],
                    value=c.args.secret_values[name],
                    accessors=c.members(secret.accessors),
                    config=secret,
                )
                for name, secret in sorted(c.gcp.secrets.items())
            },
            keys={location: c.keys[f"secretmanager/{location}"] for location in key_places(c.gcp)["secretmanager"]},
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs("secretmanager", *(("pubsub",) if rotates else ())),
            topic_name=c.names.rotation_topic,
            topic_key=c.keys.get("pubsub"),
            agent=c.services.agents["secretmanager"] if rotates else None,
        ),
        c.opts,
    )
    c.outputs["secrets"] = dict(made.secret_ids)
    if made.rotation_topic is not None:
        c.outputs["secret_rotation_topic"] = made.rotation_topic
