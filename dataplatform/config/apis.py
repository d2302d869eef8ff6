"""APIs of Google Cloud that a stack may enable, as data.

Source: the names of the API library as Cloud Foundation Fabric's list of service agents and Google's documentation of
each product have them ("gcloud services list --available" shows what a project can enable). An API that is not here
yet is added here: enabling a name that does not exist fails in the middle of an `up`.
"""

from __future__ import annotations

from typing import Final

SUFFIX: Final = ".googleapis.com"

_NAMES: Final = """
    aiplatform alloydb analyticshub apigateway apikeys appengine artifactregistry backupdr batch bigquery
    bigqueryconnection bigquerydatapolicy bigquerydatatransfer bigquerymigration bigqueryreservation bigquerystorage
    bigtable bigtableadmin billingbudgets binaryauthorization certificatemanager cloudaicompanion cloudapis cloudasset
    cloudbilling cloudbuild clouddeploy clouderrorreporting cloudfunctions cloudidentity cloudkms cloudprofiler
    cloudresourcemanager cloudscheduler cloudsecurityscanner cloudtasks cloudtrace composer compute connectors
    container containeranalysis containerscanning datacatalog dataflow dataform datafusion datalineage datamigration
    datapipelines dataplex dataproc datastore datastream dialogflow discoveryengine dlp dns documentai essentialcontacts
    eventarc eventarcpublishing file firestore gkehub healthcare iam iamcredentials iap identitytoolkit ids
    integrations language lifesciences logging looker managedkafka memcache metastore monitoring networkconnectivity
    networkmanagement networksecurity networkservices notebooks ondemandscanning orgpolicy osconfig oslogin
    policyanalyzer policysimulator policytroubleshooter privateca pubsub pubsublite recaptchaenterprise recommender
    redis retail run runtimeconfig secretmanager securesourcemanager securitycenter servicecontrol servicedirectory
    servicemanagement servicenetworking serviceusage sheets speech spanner sql-component sqladmin storage storage-api
    storage-component storagebatchoperations storageinsights storagetransfer sts texttospeech trafficdirector transcoder
    translate tpu videointelligence vision visionai vmmigration vmwareengine vpcaccess websecurityscanner
    workflowexecutions workflows workstations
"""

APIS: Final[frozenset[str]] = frozenset(_NAMES.split())
"""Names without the domain: `storage` is `storage.googleapis.com`."""
