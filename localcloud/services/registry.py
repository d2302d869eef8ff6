"""Which service serves a resource type."""

from __future__ import annotations

from functools import cache

from localcloud.errors import ApiError
from localcloud.rules.tables import known
from localcloud.services.base import Service


def unknown_type(token: str) -> ApiError:
    """The refusal of a type no table knows."""
    return ApiError(
        400,
        "notServed",
        f"The embedded cloud does not know the resource type {token}: it has no table of its rules, and serving it"
        " without one would be laxer than the cloud.",
    )


@cache
def service_for(token: str) -> Service:
    """The service of a resource type.

    Raises:
        ApiError: no table knows the type.
    """
    if token == "dp-azure:storage:Directory":  # noqa: S105 - a resource type
        from localcloud.services.lake_paths import LakeDirectory

        return LakeDirectory(token)
    if token.startswith("dp-azure:"):
        from localcloud.services.data_factory import FactoryChild

        # Written over REST by a provider that is not one of ours: the world knows it, no plugin serves it.
        return FactoryChild(token)
    if not known(token):
        raise unknown_type(token)
    package = token.partition(":")[0]
    if package == "gcp":
        return _google(token)
    from localcloud.services import azure_limits, azure_network, references

    referring = azure_network.service(token) or azure_limits.service(token) or references.service(token)
    if referring is not None:
        return referring
    if package == "azure-native":
        from localcloud.services import data_factory
        from localcloud.services.azure import ArmResource

        special = data_factory.service(token)
        if special is not None:
            return special

        return ArmResource(token)
    from localcloud.services.bridged import BridgedResource

    return BridgedResource(token)


def _google(token: str) -> Service:
    from localcloud.services import iam

    grant = iam.target_of(token)
    if grant is not None:
        return iam.Grant(token, *grant)
    module, kind = token.split(":")[1].split("/")[0], token.rpartition(":")[2]
    if kind.lower().endswith("iampolicy"):
        from localcloud.services.more_google import Policy

        return Policy(token)
    return _special(module, kind, token) or _plain(module, token)


def _special(module: str, kind: str, token: str) -> Service | None:
    from localcloud.services import (
        bigquery,
        composer,
        datafusion,
        dataproc,
        dns,
        events,
        federation,
        functions,
        kms,
        machines,
        messaging,
        monitoring,
        more_google,
        network,
        peering,
        private_services,
        projects,
        secretmanager,
        serverless,
        serviceaccount,
        sinks,
        sql,
        storage,
        vpc_access,
    )

    classes: dict[tuple[str, str], type] = {
        ("artifactregistry", "Repository"): functions.Repository,
        ("bigquery", "Dataset"): bigquery.Dataset,
        ("bigquery", "Table"): bigquery.Table,
        ("bigquery", "Connection"): bigquery.Connection,
        ("cloudrunv2", "Job"): serverless.CloudRun,
        ("cloudrunv2", "Service"): serverless.CloudRun,
        ("cloudfunctionsv2", "Function"): functions.Function,
        ("cloudscheduler", "Job"): events.Job,
        ("composer", "Environment"): composer.Environment,
        ("compute", "Address"): network.Address,
        ("compute", "ForwardingRule"): network.ForwardingRule,
        ("compute", "GlobalAddress"): network.GlobalAddress,
        ("compute", "Instance"): machines.Instance,
        ("compute", "Network"): network.Network,
        ("compute", "NetworkAttachment"): network.NetworkAttachment,
        ("compute", "NetworkPeering"): peering.NetworkPeering,
        ("compute", "Router"): network.Router,
        ("compute", "RouterNat"): network.RouterNat,
        ("compute", "Subnetwork"): network.Subnetwork,
        ("composer", "UserWorkloadsConfigMap"): composer.UserWorkload,
        ("composer", "UserWorkloadsSecret"): composer.UserWorkload,
        ("datafusion", "Instance"): datafusion.Instance,
        ("dataproc", "Cluster"): dataproc.Cluster,
        ("dns", "ManagedZone"): dns.ManagedZone,
        ("dns", "RecordSet"): dns.RecordSet,
        ("eventarc", "Trigger"): events.Trigger,
        ("iam", "WorkloadIdentityPoolProvider"): federation.PoolProvider,
        ("kms", "CryptoKey"): kms.CryptoKey,
        ("kms", "CryptoKeyVersion"): kms.CryptoKeyVersion,
        ("kms", "KeyRing"): kms.KeyRing,
        ("kms", "SecretCiphertext"): kms.SecretCiphertext,
        ("logging", "ProjectSink"): sinks.ProjectSink,
        ("logging", "Metric"): monitoring.Metric,
        ("monitoring", "AlertPolicy"): monitoring.AlertPolicy,
        ("monitoring", "Dashboard"): monitoring.Dashboard,
        ("monitoring", "NotificationChannel"): monitoring.NotificationChannel,
        ("organizations", "Project"): more_google.Project,
        ("projects", "IAMCustomRole"): projects.CustomRole,
        ("projects", "Service"): projects.EnabledService,
        ("projects", "ServiceIdentity"): projects.ServiceIdentity,
        ("pubsub", "Schema"): messaging.Schema,
        ("pubsub", "Subscription"): messaging.Subscription,
        ("pubsub", "Topic"): more_google.Topic,
        ("secretmanager", "Secret"): secretmanager.Secret,
        ("secretmanager", "SecretVersion"): secretmanager.SecretVersion,
        ("serviceaccount", "Account"): serviceaccount.Account,
        ("serviceaccount", "Key"): serviceaccount.Key,
        ("servicenetworking", "Connection"): private_services.Connection,
        ("sql", "Database"): sql.Database,
        ("sql", "DatabaseInstance"): sql.DatabaseInstance,
        ("sql", "User"): sql.User,
        ("storage", "Bucket"): storage.Bucket,
        ("storage", "BucketObject"): storage.BucketObject,
        ("storage", "Folder"): storage.ManagedFolder,
        ("storage", "HmacKey"): serviceaccount.HmacKey,
        ("storage", "ManagedFolder"): storage.ManagedFolder,
        ("storage", "Notification"): storage.Notification,
        ("storage", "BucketACL"): storage.AccessList,
        ("storage", "DefaultObjectACL"): storage.AccessList,
        ("vpcaccess", "Connector"): vpc_access.Connector,
    }
    if (module, kind) == ("workflows", "Workflow"):
        from localcloud.services.workflows import Workflow

        return Workflow(token)
    found = classes.get((module, kind))
    service: Service | None = found(token) if found is not None else None
    return service


def _plain(module: str, token: str) -> Service:
    from localcloud.services.gcp import GoogleResource
    from localcloud.services.more_google import ComputeResource

    return ComputeResource(token) if module == "compute" else GoogleResource(token)
