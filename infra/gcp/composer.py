"""The Composer environment of a stack."""

from __future__ import annotations

from components.gcp.composer import Composer, ComposerArgs, EnvironmentSpec
from infra.gcp.composition import Composition
from infra.layout import airflow_secrets, composer_apis


def composer(c: Composition) -> None:
    """The environment, the one it takes over from, and the identity their DAGs run as."""
    if c.gcp.composer is None:
        return
    config, before = c.network.resolved(c.gcp.composer), c.gcp.previous_composer
    assert c.names.composer is not None
    previous = None
    if before is not None:
        assert c.names.previous_composer is not None
        previous = EnvironmentSpec(config=c.network.resolved(before), environment_name=c.names.previous_composer)
    apis = {*composer_apis(config), *(composer_apis(before) if before is not None else ())}
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
            secret_backend=airflow_secrets(c.gcp),
            previous=previous,
            labels=c.labels,
            protect=c.protect,
            depends_on=c.needs(
                "cloudresourcemanager", "composer", "iam", "storage", *sorted(apis), also=c.network.made
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
    if made.previous is not None:
        c.outputs |= {
            "previous_composer_environment": made.previous.name,
            "previous_airflow_uri": made.previous.config.airflow_uri,
        }
