"""Facts about Google Cloud the provider's tables do not hold: APIs, their titles, service agents, roles.

The lists of default APIs and of predefined roles were written from general knowledge of the pages named here, which
were not read again for it; the same holds for which role an agent gets on its project.

Sources:
- services a new project has: "Services enabled by default", cloud.google.com/service-usage/docs/enabled-service.
- service agents, their names and which are made only on demand: Cloud Foundation Fabric,
  modules/project/service-agents.yaml (its `jit` mark), and Google's "Service agents" reference.
- titles: the names under which the APIs are listed in the API library.
- roles: Google's IAM basic and predefined roles reference, the services the program uses. The list is used only to
  find slips of the pen (see `unknown_role`), because Google adds roles all the time.
"""

from __future__ import annotations

import difflib

DEFAULT_APIS = (
    "analyticshub.googleapis.com",
    "bigquery.googleapis.com",
    "bigqueryconnection.googleapis.com",
    "bigquerydatapolicy.googleapis.com",
    "bigquerymigration.googleapis.com",
    "bigqueryreservation.googleapis.com",
    "bigquerystorage.googleapis.com",
    "cloudapis.googleapis.com",
    "cloudtrace.googleapis.com",
    "dataform.googleapis.com",
    "dataplex.googleapis.com",
    "datastore.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "servicemanagement.googleapis.com",
    "serviceusage.googleapis.com",
    "sql-component.googleapis.com",
    "storage-api.googleapis.com",
    "storage-component.googleapis.com",
    "storage.googleapis.com",
)

_API_OF_MODULE = {
    "artifactregistry": "artifactregistry",
    "biglake": "biglake",
    "bigquery": "bigquery",
    "cloudfunctionsv2": "cloudfunctions",
    "cloudrunv2": "run",
    "cloudscheduler": "cloudscheduler",
    "composer": "composer",
    "compute": "compute",
    "dataflow": "dataflow",
    "dataform": "dataform",
    "datafusion": "datafusion",
    "dataplex": "dataplex",
    "dataproc": "dataproc",
    "dns": "dns",
    "eventarc": "eventarc",
    "iam": "iam",
    "kms": "cloudkms",
    "logging": "logging",
    "monitoring": "monitoring",
    "organizations": "cloudresourcemanager",
    "projects": "cloudresourcemanager",
    "pubsub": "pubsub",
    "secretmanager": "secretmanager",
    # Upstream put the IAM of Data Fusion instances under this module.
    "securitycenter": "datafusion",
    "serviceaccount": "iam",
    "servicenetworking": "servicenetworking",
    "sql": "sqladmin",
    "storage": "storage",
    "vpcaccess": "vpcaccess",
    "workflows": "workflows",
}
_API_OF_TOKEN = {
    "gcp:bigquery/connection:Connection": "bigqueryconnection",
    "gcp:bigquery/connectionIamMember:ConnectionIamMember": "bigqueryconnection",
    "gcp:bigquery/dataTransferConfig:DataTransferConfig": "bigquerydatatransfer",
    "gcp:dataproc/metastoreService:MetastoreService": "metastore",
    "gcp:projects/iAMCustomRole:IAMCustomRole": "iam",
    "gcp:projects/service:Service": "serviceusage",
    "gcp:projects/serviceIdentity:ServiceIdentity": "serviceusage",
}

API_TITLES = {
    "artifactregistry": "Artifact Registry API",
    "bigquery": "BigQuery API",
    "bigqueryconnection": "BigQuery Connection API",
    "bigquerydatatransfer": "BigQuery Data Transfer API",
    "cloudbuild": "Cloud Build API",
    "cloudfunctions": "Cloud Functions API",
    "cloudkms": "Cloud Key Management Service (KMS) API",
    "cloudresourcemanager": "Cloud Resource Manager API",
    "cloudscheduler": "Cloud Scheduler API",
    "composer": "Cloud Composer API",
    "compute": "Compute Engine API",
    "dataflow": "Dataflow API",
    "dataform": "Dataform API",
    "datafusion": "Cloud Data Fusion API",
    "dataplex": "Cloud Dataplex API",
    "dataproc": "Cloud Dataproc API",
    "dns": "Cloud DNS API",
    "eventarc": "Eventarc API",
    "iam": "Identity and Access Management (IAM) API",
    "logging": "Cloud Logging API",
    "metastore": "Dataproc Metastore API",
    "monitoring": "Cloud Monitoring API",
    "pubsub": "Cloud Pub/Sub API",
    "run": "Cloud Run Admin API",
    "secretmanager": "Secret Manager API",
    "servicenetworking": "Service Networking API",
    "serviceusage": "Service Usage API",
    "sqladmin": "Cloud SQL Admin API",
    "storage": "Cloud Storage JSON API",
    "vpcaccess": "Serverless VPC Access API",
    "workflows": "Workflows API",
}

AGENTS_AT_ENABLEMENT: dict[str, tuple[tuple[str, str | None], ...]] = {
    "bigquerydatatransfer": (("service-{n}@gcp-sa-bigquerydatatransfer", "bigquerydatatransfer.serviceAgent"),),
    "cloudfunctions": (("service-{n}@gcf-admin-robot", "cloudfunctions.serviceAgent"),),
    "cloudscheduler": (("service-{n}@gcp-sa-cloudscheduler", "cloudscheduler.serviceAgent"),),
    "compute": (
        ("service-{n}@compute-system", "compute.serviceAgent"),
        ("{n}-compute@developer", None),
        ("{n}@cloudservices", None),
    ),
    "container": (("service-{n}@container-engine-robot", "container.serviceAgent"),),
    "dataflow": (("service-{n}@dataflow-service-producer-prod", "dataflow.serviceAgent"),),
    "dataform": (("service-{n}@gcp-sa-dataform", "dataform.serviceAgent"),),
    "datafusion": (("service-{n}@gcp-sa-datafusion", "datafusion.serviceAgent"),),
    "dataplex": (("service-{n}@gcp-sa-dataplex", "dataplex.serviceAgent"),),
    "dataproc": (("service-{n}@dataproc-accounts", "dataproc.serviceAgent"),),
    "eventarc": (("service-{n}@gcp-sa-eventarc", "eventarc.serviceAgent"),),
    "metastore": (("service-{n}@gcp-sa-metastore", "metastore.serviceAgent"),),
    "run": (("service-{n}@serverless-robot-prod", "run.serviceAgent"),),
    "servicenetworking": (("service-{n}@service-networking", "servicenetworking.serviceAgent"),),
    "vpcaccess": (("service-{n}@gcp-sa-vpcaccess", "vpcaccess.serviceAgent"),),
    "workflows": (("service-{n}@gcp-sa-workflows", "workflows.serviceAgent"),),
}
"""API -> agents that exist from the moment the API is enabled, each with its role on the project."""

AGENTS_ON_DEMAND: dict[str, tuple[str, str | None]] = {
    "aiplatform": ("service-{n}@gcp-sa-aiplatform", "aiplatform.serviceAgent"),
    "artifactregistry": ("service-{n}@gcp-sa-artifactregistry", "artifactregistry.serviceAgent"),
    "bigquery": ("bq-{n}@bigquery-encryption", None),
    "cloudbuild": ("service-{n}@gcp-sa-cloudbuild", "cloudbuild.serviceAgent"),
    # Not there at once: who granted it something right after enabling the API was told that it does not exist
    # (GoogleCloudPlatform/data-migration-tool#42 and #45).
    "composer": ("service-{n}@cloudcomposer-accounts", "composer.serviceAgent"),
    "monitoring": ("service-{n}@gcp-sa-monitoring-notification", "monitoring.notificationServiceAgent"),
    "notebooks": ("service-{n}@gcp-sa-notebooks", "notebooks.serviceAgent"),
    "pubsub": ("service-{n}@gcp-sa-pubsub", "pubsub.serviceAgent"),
    "secretmanager": ("service-{n}@gcp-sa-secretmanager", None),
    "sqladmin": ("service-{n}@gcp-sa-cloud-sql", "cloudsql.serviceAgent"),
    "storage": ("service-{n}@gs-project-accounts", None),
}
"""API -> the agent that exists only once it was asked for (`projects.ServiceIdentity`) or the service first used it."""

_BASIC = ("roles/owner", "roles/editor", "roles/viewer", "roles/browser")
_PREDEFINED = {
    "artifactregistry": "admin reader writer repoAdmin createOnPushWriter",
    "bigquery": (
        "admin connectionAdmin connectionUser dataEditor dataOwner dataViewer filteredDataViewer jobUser metadataViewer"
        " readSessionUser resourceAdmin resourceEditor resourceViewer routineAdmin routineDataEditor studioUser user"
    ),
    "cloudfunctions": "admin developer invoker viewer",
    "cloudkms": (
        "admin cryptoKeyDecrypter cryptoKeyDecrypterViaDelegation cryptoKeyEncrypter cryptoKeyEncrypterDecrypter"
        " cryptoKeyEncrypterDecrypterViaDelegation cryptoKeyEncrypterViaDelegation cryptoOperator importer"
        " publicKeyViewer signer signerVerifier verifier viewer"
    ),
    "cloudscheduler": "admin jobRunner serviceAgent viewer",
    "cloudsql": "admin client editor instanceUser viewer",
    "composer": (
        "admin environmentAndStorageObjectAdmin environmentAndStorageObjectUser environmentAndStorageObjectViewer"
        " serviceAgent ServiceAgentV2Ext sharedVpcAgent user worker"
    ),
    "compute": "admin instanceAdmin instanceAdmin.v1 networkAdmin networkUser networkViewer securityAdmin viewer",
    "datafusion": "accessor admin developer editor operator runner serviceAgent viewer",
    "dataproc": "admin editor hubAgent serviceAgent viewer worker",
    "eventarc": "admin connectionPublisher developer eventReceiver publisher serviceAgent viewer",
    "iam": (
        "serviceAccountAdmin serviceAccountCreator serviceAccountDeleter serviceAccountKeyAdmin"
        " serviceAccountOpenIdTokenCreator serviceAccountTokenCreator serviceAccountUser serviceAccountViewer"
        " roleAdmin roleViewer securityAdmin securityReviewer workloadIdentityPoolAdmin workloadIdentityUser"
    ),
    "logging": "admin bucketWriter configWriter logWriter privateLogViewer viewAccessor viewer",
    "monitoring": "admin alertPolicyEditor alertPolicyViewer dashboardEditor editor metricWriter viewer",
    "pubsub": "admin editor publisher serviceAgent subscriber viewer",
    "run": "admin developer invoker serviceAgent sourceDeveloper viewer",
    "secretmanager": "admin secretAccessor secretVersionAdder secretVersionManager viewer",
    "storage": (
        "admin bucketViewer folderAdmin hmacKeyAdmin insightsCollectorService legacyBucketOwner legacyBucketReader"
        " legacyBucketWriter legacyObjectOwner legacyObjectReader objectAdmin objectCreator objectUser objectViewer"
    ),
    "workflows": "admin editor invoker serviceAgent viewer",
}
KNOWN_ROLES = frozenset(_BASIC) | {
    f"roles/{service}.{role}" for service, names in _PREDEFINED.items() for role in names.split()
}


def unknown_role(role: str) -> bool:
    """Whether a predefined role surely does not exist: it differs from a known one by case or a slip of the pen.

    Roles that resemble nothing in the list are let through; the cloud may know them.
    """
    if role in KNOWN_ROLES:
        return False
    if role.lower() in {known.lower() for known in KNOWN_ROLES}:
        return True
    service, dot, name = role.removeprefix("roles/").partition(".")
    if not dot or service not in _PREDEFINED:
        return not dot
    known = _PREDEFINED[service].split()
    return bool(difflib.get_close_matches(name, known, n=1, cutoff=0.9)) and f"{name}s" not in known


def unknown_api(service: str) -> bool:
    """Whether an API surely does not exist: it differs from one that is known here by a slip of the pen."""
    known = {
        *DEFAULT_APIS,
        *(f"{short}.googleapis.com" for short in (*API_TITLES, *AGENTS_AT_ENABLEMENT, *AGENTS_ON_DEMAND)),
    }
    if service in known or not service.endswith(".googleapis.com"):
        return False
    short = service.removesuffix(".googleapis.com")
    names = [name.removesuffix(".googleapis.com") for name in known]
    close = difflib.get_close_matches(short, names, n=1, cutoff=0.88)
    # A longer name of the same family (`pubsublite` beside `pubsub`) is another product.
    return bool(close) and not short.startswith(close[0]) and not close[0].startswith(short)


def api_of(token: str) -> str | None:
    """The API a resource type belongs to, `cloudkms.googleapis.com`."""
    named = _API_OF_TOKEN.get(token)
    if named is None:
        module = token.split(":")[1].split("/")[0]
        named = _API_OF_MODULE.get(module)
    return f"{named}.googleapis.com" if named else None


def api_title(service: str) -> str:
    """The API's title, as in the text of a 403."""
    short = service.removesuffix(".googleapis.com")
    return API_TITLES.get(short, f"{short.capitalize()} API")


def agent_email(pattern: str, number: int) -> str:
    """The address of a service agent of the project with that number."""
    local = pattern.format(n=number)
    bare = local.endswith(("@developer", "@cloudservices"))
    return f"{local}.gserviceaccount.com" if bare else f"{local}.iam.gserviceaccount.com"
