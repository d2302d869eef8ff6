"""The Cloud SQL instances of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.gcp.cloud_sql import CloudSql, CloudSqlArgs, Password
from infra.gcp.composition import Composition


def cloud_sql(c: Composition) -> None:
    """Each instance with its databases, users and connections."""
    for key, config in sorted(c.gcp.cloud_sql.items()):
        names, network = c.names.cloud_sql[key], c.network
        assert network.id is not None, "the configuration's rules ask for a network"
        made = CloudSql(
            f"sql-{key}",
            CloudSqlArgs(
                config=config,
                project=c.gcp.project,
                region=c.gcp.region,
                instance_name=names.instance,
                endpoint_name=names.endpoint,
                secret_names=names.secrets,
                network=network.id,
                consumer_projects=sorted({c.gcp.project, str(network.project)}),
                subnet=network.subnets[config.subnet] if config.subnet else None,
                range_name=network.ranges.get(config.range, config.range) if config.range else None,
                passwords={
                    user: Password(
                        value=c.args.secret_values[entry.password_from],
                        secret=f"projects/{c.gcp.project}/secrets/{c.names.secrets[entry.password_from]}",
                    )
                    for user, entry in config.users.items()
                },
                iam_users=_members(c, config.iam_users),
                accessors={name: _members(c, found.accessors) for name, found in config.connections.items()},
                key=c.keys["cloudsql"],
                # Without connections there is no secret, and then no key for it.
                secrets_key=c.keys.get("secretmanager", c.keys["cloudsql"]),
                labels=c.labels,
                protect=c.protect,
                depends_on=c.needs("cloudresourcemanager", "compute", "secretmanager", "sqladmin", also=network.made),
            ),
            c.opts,
        )
        c.outputs[f"sql_{key.replace('-', '_')}_connection_name"] = made.connection_name
        if config.connections:
            c.outputs[f"sql_{key.replace('-', '_')}_connections"] = dict(made.connection_secrets)


def _members(c: Composition, members: Sequence[str]) -> dict[str, pulumi.Input[str]]:
    """Members by a name that is stable: as written, and `$composer`, `$data_fusion`, `$workflows`."""
    return {
        member.removeprefix("$"): c.identities[member[1:]] if member.startswith("$") else member for member in members
    }
