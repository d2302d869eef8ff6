"""The Composer environment of a stack."""

from __future__ import annotations

from components.gcp.composer import Composer, ComposerArgs
from infra.gcp.composition import Composition
from infra.layout import composer_apis


def composer(c: Composition) -> None:
    """The environment, and the identity its DAGs run as."""
    if c.gcp.composer is None:
        return
    config = c.network.resolved(c.gcp.composer)
    assert c.names.composer is not None
    made = Composer(
        "composer",
        ComposerArgs(
            config=config,
            project=c.gcp.project,
            region=c.gcp.region,
            environment_name=c.names.composer,
            account_id=c.names.accounts["composer"],
            agent=c.services.agents["composer"],
            key=c.keys["composer"],
            rights=c.rights("composer"),
            rights_need=c.enabled(c.rights("composer")),
            made=c.grantable,
            buckets=c.buckets,
            secret_values=c.args.secret_values,
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs(
                "cloudresourcemanager", "composer", "iam", "storage", *composer_apis(config), also=c.network.made
            ),
        ),
        c.opts,
    )
    c.composer = made
    c.identities["composer"] = made.member
    c.outputs |= {
        "composer_environment": made.environment_name,
        "airflow_uri": made.airflow_uri,
        "dag_gcs_prefix": made.dag_gcs_prefix,
    }
