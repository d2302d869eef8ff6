"""What Google's services fill in and look up, type by type, where a table of the provider does not say it.

Facts, so that a service needs no class for them. Texts are templates: `{project}`, `{number}` (the project's), `{id}`
(the resource's), `{last}` (the id's last part), `{digest}` (of the id), and any input of the resource that is a text.

Sources: the descriptions of outputs in the provider's documentation, what the acceptance tests of the Terraform
provider assert of them (google/services/<service>/resource_*_test.go), and the REST references of the services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of one resource type."""

    fills: Mapping[str, Any] = field(default_factory=dict)
    """Path → what the service sets where the program said nothing; inside a block only where the block is given."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Output → what it is."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Input that may be a bare name → the id it stands for, with `{}` for the name."""
    kept: str = ""
    """What is said when it is deleted with something in it; empty where all in it goes along."""


_DATASET = "projects/{project}/datasets/{}"
_NETWORK = "projects/{project}/global/networks/{}"
_SUBNETWORK = "projects/{project}/regions/{region}/subnetworks/{}"

FACTS: Mapping[str, Facts] = MappingProxyType(
    {
        "gcp:artifactregistry/repository:Repository": Facts(
            outputs={"name": "{last}", "registryUri": "{location}-{format_}.pkg.dev/{project}/{last}"},
        ),
        "gcp:bigquery/connection:Connection": Facts(
            fills={
                "cloudResource.serviceAccountId": (
                    "bqcx-{number}-{digest:.4}@gcp-sa-bigquery-condel.iam.gserviceaccount.com"
                ),
                "cloudSql.serviceAccountId": ("service-{number}@gcp-sa-bigqueryconnection.iam.gserviceaccount.com"),
                "spark.serviceAccountId": ("bqcx-{number}-{digest:.4}@gcp-sa-bigquery-consp.iam.gserviceaccount.com"),
            },
            outputs={"name": "{id}", "hasCredential": False},
        ),
        "gcp:bigquery/dataTransferConfig:DataTransferConfig": Facts(
            outputs={"name": "projects/{number}/locations/{location}/transferConfigs/{last}"},
            names={"destinationDatasetId": _DATASET},
        ),
        "gcp:bigquery/datasetAccess:DatasetAccess": Facts(names={"datasetId": _DATASET}),
        "gcp:bigquery/routine:Routine": Facts(names={"datasetId": _DATASET}),
        "gcp:cloudrunv2/service:Service": Facts(
            names={
                "template.vpcAccess.networkInterfaces.network": _NETWORK,
                "template.vpcAccess.networkInterfaces.subnetwork": _SUBNETWORK,
            },
        ),
        "gcp:compute/instance:Instance": Facts(
            names={"networkInterfaces.network": _NETWORK, "networkInterfaces.subnetwork": _SUBNETWORK},
        ),
        "gcp:compute/firewall:Firewall": Facts(fills={"direction": "INGRESS"}),
        "gcp:compute/network:Network": Facts(
            fills={"routingMode": "REGIONAL", "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL"},
        ),
        "gcp:dataplex/zone:Zone": Facts(
            outputs={"state": "ACTIVE"}, kept="Cannot delete zone '{id}': it has assets. Delete them first."
        ),
        "gcp:dataplex/datascan:Datascan": Facts(outputs={"state": "ACTIVE", "type": "{scan}"}),
        "gcp:dataplex/lake:Lake": Facts(
            kept="Cannot delete lake '{id}': it has zones. Delete them first.",
            outputs={
                "state": "ACTIVE",
                "serviceAccount": "service-{number}@gcp-sa-dataplex.iam.gserviceaccount.com",
            },
        ),
        "gcp:dataproc/cluster:Cluster": Facts(
            names={
                "clusterConfig.gceClusterConfig.network": _NETWORK,
                "clusterConfig.gceClusterConfig.subnetwork": _SUBNETWORK,
            },
        ),
        "gcp:dataproc/batch:Batch": Facts(outputs={"state": "SUCCEEDED"}),
        "gcp:dataproc/job:Job": Facts(
            names={"placement.clusterName": "projects/{project}/regions/{region}/clusters/{}"}
        ),
        "gcp:dataproc/metastoreService:MetastoreService": Facts(
            fills={"tier": "DEVELOPER", "port": 9083, "network": _NETWORK.replace("{}", "default")},
            outputs={
                "endpointUri": "thrift://10.{octet}.0.2:9083",
                "artifactGcsUri": "gs://gcs-bucket-{last}-{digest:.8}/hive-warehouse",
                "state": "ACTIVE",
            },
            names={"network": _NETWORK},
        ),
        "gcp:dns/managedZone:ManagedZone": Facts(
            outputs={"nameServers": [f"ns-cloud-{{letter}}{n}.googledomains.com." for n in (1, 2, 3, 4)]},
        ),
        "gcp:dns/recordSet:RecordSet": Facts(names={"managedZone": "projects/{project}/managedZones/{}"}),
        "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": Facts(
            outputs={
                "name": "projects/{number}/locations/global/workloadIdentityPools/{last}",
                "state": "ACTIVE",
            },
        ),
        "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": Facts(
            outputs={
                "name": (
                    "projects/{number}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}/providers/{last}"
                ),
                "state": "ACTIVE",
            },
        ),
        "gcp:pubsub/subscription:Subscription": Facts(
            fills={
                "ackDeadlineSeconds": 10,
                "expirationPolicy": {"ttl": "2678400s"},
                "retryPolicy.minimumBackoff": "10s",
                "retryPolicy.maximumBackoff": "600s",
                "deadLetterPolicy.maxDeliveryAttempts": 5,
            },
            names={"topic": "projects/{project}/topics/{}", "cloudStorageConfig.bucket": "b/{}"},
        ),
        "gcp:pubsub/topic:Topic": Facts(names={"schemaSettings.schema": "projects/{project}/schemas/{}"}),
        "gcp:storage/bucketACL:BucketACL": Facts(names={"bucket": "b/{}"}),
        "gcp:storage/defaultObjectACL:DefaultObjectACL": Facts(names={"bucket": "b/{}"}),
        "gcp:storage/bucket:Bucket": Facts(fills={"logging.logObjectPrefix": "{id}"}),
        "gcp:vpcaccess/connector:Connector": Facts(
            fills={"minInstances": 2, "maxInstances": 3, "subnet.projectId": "{project}"},
            outputs={"state": "READY", "selfLink": "{id}", "connectedProjects": []},
            names={"network": _NETWORK, "subnet.name": _SUBNETWORK},
        ),
    }
)
"""Resource type → its facts."""

NOTHING = Facts()
"""Of a type nothing is recorded of."""


def of(token: str) -> Facts:
    """The facts of a resource type."""
    return FACTS.get(token, NOTHING)


def filled(template: Any, context: Mapping[str, Any]) -> Any:
    """A fact with its places filled; what is no text is as it is."""
    if isinstance(template, str):
        return template.format_map(_Context(context)) if "{" in template else template
    if isinstance(template, list):
        return [filled(item, context) for item in template]
    if isinstance(template, dict):
        return {key: filled(value, context) for key, value in template.items()}
    return template


class _Context(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""
