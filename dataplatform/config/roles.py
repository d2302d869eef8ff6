"""Predefined roles of Google Cloud, to find those that do not exist before the cloud does.

Source: Google's reference of predefined roles, the services a platform meets, from general knowledge of it. Google adds
roles all the time, so only what is surely wrong is told: another case, or a slip of the pen of a role that is here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PREDEFINED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        service: frozenset(names.split())
        for service, names in {
            "artifactregistry": "admin createOnPushWriter reader repoAdmin writer",
            "bigquery": (
                "admin connectionAdmin connectionUser dataEditor dataOwner dataViewer filteredDataViewer jobUser"
                " metadataViewer readSessionUser resourceAdmin resourceEditor resourceViewer routineAdmin"
                " routineDataEditor studioUser user"
            ),
            "bigtable": "admin reader user viewer",
            "cloudfunctions": "admin developer invoker viewer",
            "cloudkms": (
                "admin cryptoKeyDecrypter cryptoKeyDecrypterViaDelegation cryptoKeyEncrypter"
                " cryptoKeyEncrypterDecrypter cryptoKeyEncrypterDecrypterViaDelegation cryptoKeyEncrypterViaDelegation"
                " cryptoOperator importer publicKeyViewer signer signerVerifier verifier viewer"
            ),
            "cloudscheduler": "admin jobRunner serviceAgent viewer",
            "cloudsql": "admin client editor instanceUser viewer",
            "composer": (
                "admin environmentAndStorageObjectAdmin environmentAndStorageObjectUser"
                " environmentAndStorageObjectViewer serviceAgent ServiceAgentV2Ext sharedVpcAgent user worker"
            ),
            "compute": (
                "admin imageUser instanceAdmin instanceAdmin.v1 networkAdmin networkUser networkViewer osAdminLogin"
                " osLogin securityAdmin storageAdmin viewer"
            ),
            "dataflow": "admin developer serviceAgent viewer worker",
            "dataform": "admin editor serviceAgent viewer",
            "datafusion": "accessor admin developer editor operator runner serviceAgent viewer",
            "dataproc": "admin editor hubAgent serviceAgent viewer worker",
            "datastore": "indexAdmin owner user viewer",
            "eventarc": "admin connectionPublisher developer eventReceiver publisher serviceAgent viewer",
            "iam": (
                "roleAdmin roleViewer securityAdmin securityReviewer serviceAccountAdmin serviceAccountCreator"
                " serviceAccountDeleter serviceAccountKeyAdmin serviceAccountOpenIdTokenCreator"
                " serviceAccountTokenCreator serviceAccountUser serviceAccountViewer workloadIdentityPoolAdmin"
                " workloadIdentityUser"
            ),
            "logging": "admin bucketWriter configWriter logWriter privateLogViewer viewAccessor viewer",
            "monitoring": "admin alertPolicyEditor alertPolicyViewer dashboardEditor editor metricWriter viewer",
            "pubsub": "admin editor publisher serviceAgent subscriber viewer",
            "run": (
                "admin builder developer invoker jobsExecutor jobsExecutorWithOverrides serviceAgent servicesInvoker"
                " sourceDeveloper sourceViewer viewer"
            ),
            "secretmanager": "admin secretAccessor secretVersionAdder secretVersionManager viewer",
            "spanner": "admin backupAdmin databaseAdmin databaseReader databaseUser viewer",
            "storage": (
                "admin bucketViewer folderAdmin hmacKeyAdmin insightsCollectorService legacyBucketOwner"
                " legacyBucketReader legacyBucketWriter legacyObjectOwner legacyObjectReader objectAdmin objectCreator"
                " objectUser objectViewer"
            ),
            "workflows": "admin editor invoker serviceAgent viewer",
        }.items()
    }
)
"""Service -> its roles, without `roles/<service>.`."""


def unknown_role(role: str) -> bool:
    """Whether a predefined role surely does not exist; a custom role (`projects/…`) is never judged."""
    return _meant(role) is not None


def nearest_role(role: str) -> str:
    """The role that is probably meant, as a remedy."""
    return f"did you mean '{_meant(role) or role}'?"


def _meant(role: str) -> str | None:
    """The role that a wrong one is a slip of the pen of; None where the role may well exist."""
    if not role.startswith("roles/"):
        return None
    service, dot, name = role.removeprefix("roles/").partition(".")
    if not dot:
        return None
    if service not in PREDEFINED:
        close = difflib.get_close_matches(service.lower(), PREDEFINED, n=1, cutoff=0.85)
        # `bigquerydatapolicy` beside `bigquery`: a longer name of the family is another service.
        if not close or name not in PREDEFINED[close[0]] or service.startswith(close[0]):
            return None
        return f"roles/{close[0]}.{name}"
    known = PREDEFINED[service]
    if name in known:
        return None
    lowered = {one.lower(): one for one in known}
    if name.lower() in lowered:
        return f"roles/{service}.{lowered[name.lower()]}"
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.9)
    # `jobUsers` may be a role one day; a letter too few or a wrong one may not.
    if not close or name == f"{close[0]}s" or f"{name}s" == close[0]:
        return None
    return f"roles/{service}.{close[0]}"
