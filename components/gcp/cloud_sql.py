"""Cloud SQL for PostgreSQL: a private instance, encrypted with our key, with its databases, users and connections.

A connection is a secret that pipelines read: where the database is, who logs in, and which other secret is the
password. The password itself is in that one place. Deliberately absent: what a user may do, which is granted in the
database, and a public address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute, projects, secretmanager, sql

from components.gcp.cloud_sql_settings import Way, settings
from components.gcp.kms import EncryptionKey
from components.gcp.labels import Labels
from dataplatform.config.gcp.cloud_sql import CloudSql as CloudSqlConfig
from dataplatform.config.gcp.cloud_sql import CloudSqlConnection

PORT = 5432
IAM_USER_ROLES = ("roles/cloudsql.client", "roles/cloudsql.instanceUser")
_IAM_TYPES = {
    "serviceAccount": "CLOUD_IAM_SERVICE_ACCOUNT",
    "user": "CLOUD_IAM_USER",
    "group": "CLOUD_IAM_GROUP",
}


@dataclass(frozen=True, kw_only=True)
class Password:
    """A password, and where pipelines find it."""

    value: pulumi.Output[str]
    """Secret output."""
    secret: pulumi.Input[str]
    """Id of its secret in Secret Manager."""


@dataclass(frozen=True, kw_only=True)
class CloudSqlArgs:
    """The instance and what it is wired to."""

    config: CloudSqlConfig
    project: str
    region: str
    instance_name: str
    """Physical names, from infra.naming."""
    endpoint_name: str
    secret_names: Mapping[str, str]
    """Of the secret of each connection."""
    network: pulumi.Input[str]
    """`projects/…/global/networks/…` it is reached from."""
    consumer_projects: Sequence[str]
    """Projects whose endpoints it accepts; for Private Service Connect."""
    subnet: pulumi.Input[str] | None
    """Where its endpoint has an address; for Private Service Connect."""
    range_name: pulumi.Input[str] | None
    """Reserved range its address is from; for peering, any where None."""
    passwords: Mapping[str, Password]
    """By user."""
    iam_users: Mapping[str, pulumi.Input[str]]
    """IAM members that may log in, by a name that is stable."""
    accessors: Mapping[str, Mapping[str, pulumi.Input[str]]]
    """Connection -> IAM members that may read it, by a name that is stable."""
    key: EncryptionKey
    secrets_key: EncryptionKey
    labels: Labels
    protect: bool
    depends_on: Sequence[pulumi.Resource]


class CloudSql(pulumi.ComponentResource):
    """One instance with what is in it."""

    instance_name: pulumi.Output[str]
    """Name of the instance."""
    connection_name: pulumi.Output[str]
    """`project:region:instance`, as connectors take it."""
    host: pulumi.Output[str]
    """Private address."""
    connection_secrets: Mapping[str, pulumi.Output[str]]
    """Id of the secret of each connection, by name."""

    def __init__(self, name: str, args: CloudSqlArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dp:gcp:CloudSql", name, {}, opts)
        instance = sql.DatabaseInstance(
            name,
            project=args.project,
            region=args.region,
            name=args.instance_name,
            database_version=args.config.version,
            encryption_key_name=args.key.id,
            settings=settings(
                args.config,
                Way(network=args.network, range_name=args.range_name, consumer_projects=args.consumer_projects),
                region=args.region,
                labels=args.labels.as_dict(),
                protect=args.protect,
            ),
            # The provider's default is true, which no destroy gets past; the service keeps a switch of its own below.
            deletion_protection=args.protect,
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=[*args.depends_on, *args.key.grants]
            ),
        )
        users = self._users(name, args, instance)
        for key, database in sorted(args.config.databases.items()):
            sql.Database(
                f"{name}-{key}",
                project=args.project,
                instance=instance.name,
                name=key,
                charset=database.charset,
                collation=database.collation,
                # A user that owns anything cannot be deleted: the databases go first, with all that is in them.
                opts=pulumi.ResourceOptions(parent=self, protect=args.protect, depends_on=users),
            )
        self.instance_name = instance.name
        self.connection_name = instance.connection_name
        self.host = self._host(name, args, instance)
        self.connection_secrets = {
            key: self._connection(f"{name}-{key}", args, key, connection).id
            for key, connection in sorted(args.config.connections.items())
        }
        self.register_outputs(
            {
                "instance_name": self.instance_name,
                "connection_name": self.connection_name,
                "host": self.host,
                "connection_secrets": dict(self.connection_secrets),
            }
        )

    def _users(self, name: str, args: CloudSqlArgs, instance: sql.DatabaseInstance) -> list[pulumi.Resource]:
        users: list[pulumi.Resource] = [
            sql.User(
                f"{name}-{user}",
                project=args.project,
                instance=instance.name,
                name=user,
                type="BUILT_IN",
                password=args.passwords[user].value,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for user in sorted(args.config.users)
        ]
        for key, member in sorted(args.iam_users.items()):
            grants = [
                projects.IAMMember(
                    f"{name}-iam-{key}-{role.rpartition('.')[2]}",
                    project=args.project,
                    role=role,
                    member=member,
                    # There is no policy on an instance: the condition is what makes the grant as narrow as one.
                    condition=projects.IAMMemberConditionArgs(
                        title=f"Cloud SQL instance {args.instance_name}",
                        expression=(
                            f'resource.name == "projects/{args.project}/instances/{args.instance_name}"'
                            ' && resource.service == "sqladmin.googleapis.com"'
                        ),
                    ),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
                )
                for role in IAM_USER_ROLES
            ]
            login = pulumi.Output.from_input(member).apply(iam_login)
            users.append(
                sql.User(
                    f"{name}-iam-{key}",
                    project=args.project,
                    instance=instance.name,
                    name=login.apply(lambda found: found[0]),
                    type=login.apply(lambda found: found[1]),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(grants)),
                )
            )
        return users

    def _host(self, name: str, args: CloudSqlArgs, instance: sql.DatabaseInstance) -> pulumi.Output[str]:
        """The address: the service's own in the reserved range, or an endpoint of ours in the subnet."""
        if args.config.connection == "vpc_peering":
            return instance.private_ip_address
        address = compute.Address(
            f"{name}-endpoint",
            project=args.project,
            region=args.region,
            name=args.endpoint_name,
            address_type="INTERNAL",
            subnetwork=args.subnet,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.depends_on)),
        )
        compute.ForwardingRule(
            f"{name}-endpoint",
            project=args.project,
            region=args.region,
            name=args.endpoint_name,
            # Empty on purpose: an endpoint of Private Service Connect is no load balancer, which is the default.
            load_balancing_scheme="",
            network=args.network,
            ip_address=address.id,
            target=instance.psc_service_attachment_link,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return address.address

    def _connection(
        self, logical: str, args: CloudSqlArgs, key: str, config: CloudSqlConnection
    ) -> secretmanager.Secret:
        secret = secretmanager.Secret(
            f"{logical}-connection",
            project=args.project,
            secret_id=args.secret_names[key],
            replication=_replication(args),
            deletion_protection=args.protect,
            labels=args.labels.as_dict(),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=[*args.depends_on, *args.secrets_key.grants]
            ),
        )
        told = pulumi.Output.all(
            host=self.host,
            instance=self.connection_name,
            password_secret=pulumi.Output.from_input(args.passwords[config.user].secret),
        ).apply(
            lambda found: json.dumps(
                {**found, "port": PORT, "database": config.database, "user": config.user, "sslmode": "require"},
                sort_keys=True,
            )
        )
        hidden: pulumi.Output[str] = pulumi.Output.secret(told)
        secretmanager.SecretVersion(
            f"{logical}-connection-version",
            secret=secret.id,
            secret_data=hidden,
            opts=pulumi.ResourceOptions(parent=self),
        )
        for accessor, member in sorted(args.accessors.get(key, {}).items()):
            secretmanager.SecretIamMember(
                f"{logical}-connection-{accessor}",
                project=args.project,
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        return secret


def _replication(args: CloudSqlArgs) -> secretmanager.SecretReplicationArgs:
    """In the one region the database is in, with our key."""
    encryption = secretmanager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs(
        kms_key_name=args.secrets_key.id
    )
    replica = secretmanager.SecretReplicationUserManagedReplicaArgs(
        location=args.region, customer_managed_encryption=encryption
    )
    return secretmanager.SecretReplicationArgs(
        user_managed=secretmanager.SecretReplicationUserManagedArgs(replicas=[replica])
    )


def iam_login(member: str) -> tuple[str, str]:
    """Name and kind of the user that an IAM member logs in as: PostgreSQL's names end before `.gserviceaccount.com`."""
    kind, _, email = member.partition(":")
    if kind not in _IAM_TYPES or not email:
        raise ValueError(f"expected serviceAccount:…, user:… or group:…, got '{member}'")
    return email.removesuffix(".gserviceaccount.com"), _IAM_TYPES[kind]
