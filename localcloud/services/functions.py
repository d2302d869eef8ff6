"""Cloud Run functions of the second generation: source, image, service.

What a function needs is what its parts need: Cloud Build makes an image of the source, Artifact Registry keeps it,
Cloud Run runs it. Words of the refusals: Google's troubleshooting page of Cloud Run functions, and those of the others.
"""

from __future__ import annotations

import hashlib
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import checks, files, identity, synthesis
from localcloud.services.base import Call
from localcloud.services.gcp import GoogleResource
from localcloud.store import Row

FUNCTION = "gcp:cloudfunctionsv2/function:Function"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
_APIS = ("cloudbuild", "artifactregistry", "run")
_KEY_USERS = ("cloudfunctions", "artifactregistry", "storage", "run")
RUNTIMES = frozenset(
    [f"python3{n}" for n in (10, 11, 12, 13)]
    + [f"nodejs{n}" for n in (20, 22, 24)]
    + [f"go1{n}" for n in (22, 23, 24, 25)]
    + ["java17", "java21", "ruby33", "ruby34", "php83", "php84", "dotnet8"]
)
"""Those that new functions can have ("Runtime support")."""


_FORMATS = "DOCKER MAVEN NPM APT YUM PYTHON GO KFP GENERIC GOOGET RUBY DART"
FORMATS = frozenset(_FORMATS.split())
"""What a repository holds ("Supported formats")."""


class Repository(GoogleResource):
    """A repository of Artifact Registry; the service's agent needs the key."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """The key's grant."""
        project, key = str(values["project"]), values.get("kmsKeyName")
        if str(values.get("format") or "").upper() not in FORMATS:
            raise ApiError(400, "INVALID_ARGUMENT", f"Invalid repository format: '{values.get('format')}'.")
        email = checks.make_agent(call, project, "artifactregistry")
        if key:
            refusal = ApiError(
                400,
                "FAILED_PRECONDITION",
                f"The Artifact Registry service account {email} does not have permission to use the key {key}; grant it"
                f" {checks.ENCRYPTER}.",
            )
            checks.require_key(call, str(key), location=str(values["location"]), email=email, refusal=refusal)


class Function(GoogleResource):
    """A function. What it is built from and runs as is checked when it is made."""

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """APIs, source, account of the build, key, sizes."""
        self._admit(call, values, str(values["project"]), str(values["location"]))

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """A changed function is built anew."""
        self._admit(call, values, str(row.project), str(row.outputs["location"]))

    def _admit(self, call: Call, values: dict[str, Any], project: str, location: str) -> None:
        for api in _APIS:
            checks.require_api(call, project, f"{api}.googleapis.com")
        build, service = values.get("buildConfig") or {}, values.get("serviceConfig") or {}
        if not build.get("runtime") or build["runtime"] not in RUNTIMES:
            raise ApiError(400, "INVALID_ARGUMENT", f"Unrecognized runtime: {build.get('runtime')}")
        if not build.get("entryPoint"):
            raise ApiError(400, "INVALID_ARGUMENT", "build_config.entry_point is required")
        least, most = service.get("minInstanceCount") or 0, service.get("maxInstanceCount")
        if most is not None and least > most:
            raise ApiError(
                400, "INVALID_ARGUMENT", f"minInstanceCount {least} must not be greater than maxInstanceCount {most}."
            )
        if not 1 <= int(service.get("timeoutSeconds") or 60) <= 3600:
            raise ApiError(400, "INVALID_ARGUMENT", "timeout_seconds must be between 1 and 3600 seconds.")
        self._admit_key(call, values, build, project, location)
        self._admit_source(call, build)
        self._admit_build(call, build, project)

    def _admit_key(
        self, call: Call, values: dict[str, Any], build: dict[str, Any], project: str, location: str
    ) -> None:
        key = values.get("kmsKeyName")
        if not key:
            return
        for service in _KEY_USERS:
            email = checks.agent(call, project, service)
            refusal = ApiError(
                400,
                "FAILED_PRECONDITION",
                f"Could not create or update Cloud Run function. The service account {email} does not have the"
                f" permission to use the Cloud KMS key {key}; grant it {checks.ENCRYPTER}.",
            )
            checks.require_key(call, str(key), location=location, email=email, refusal=refusal)
        path = str(build.get("dockerRepository") or "")
        repository = store.find(call.tx, REPOSITORY, identity.relative(path)) if path else None
        if repository is None or not repository.outputs.get("kmsKeyName"):
            raise ApiError(
                400,
                "INVALID_ARGUMENT",
                "A function with a KMS key must have a docker_repository that has a customer-managed key too.",
            )

    def _admit_source(self, call: Call, build: dict[str, Any]) -> None:
        source = (build.get("source") or {}).get("storageSource") or {}
        bucket, name = str(source.get("bucket") or ""), str(source.get("object") or "")
        if store.find(call.tx, "gcp:storage/bucket:Bucket", bucket) is None or files.stat(call, bucket, name) is None:
            raise ApiError(
                404, "NOT_FOUND", f"Source code object not found: gs://{bucket}/{name}. Please check that it exists."
            )

    def _admit_build(self, call: Call, build: dict[str, Any], project: str) -> None:
        """The account that builds must be there, and may read, write and log what a build does."""
        account = identity.last(str(build.get("serviceAccount") or ""))
        if not account:
            return
        checks.require_account(call, account)
        member = f"serviceAccount:{account}"
        home, bucket = f"projects/{project}", str(build["source"]["storageSource"]["bucket"])
        repository = identity.relative(str(build.get("dockerRepository") or home))
        wanted = (
            ("roles/logging.logWriter", (home,)),
            ("roles/artifactregistry.writer", (repository, home)),
            ("roles/storage.objectViewer", (bucket, home)),
        )
        for role, places in wanted:
            if not any(store.granted(call.tx, place, role, member) for place in places):
                raise ApiError(
                    400,
                    "FAILED_PRECONDITION",
                    "Build failed with status: FAILURE. Could not build the function due to a missing permission on the"
                    f" build service account {account}: grant it {role}.",
                )

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Addresses, the build, and what the service sets where nothing was said."""
        project, location = resource_id.split("/")[1], resource_id.split("/")[3]
        name = resource_id.rpartition("/")[2]
        url = f"https://{location}-{project}.cloudfunctions.net/{name}"
        digest = hashlib.sha256(resource_id.encode()).hexdigest()
        uri = f"https://{name}-{digest[:10]}-{''.join(part[0] for part in location.split('-'))}.a.run.app"
        build, service = values.get("buildConfig") or {}, values.get("serviceConfig") or {}
        number = store.project_number(call.tx, project)
        built = f"projects/{number}/locations/{location}/builds/{synthesis.number(resource_id, build)}"
        return {
            "state": "ACTIVE",
            "environment": "GEN_2",
            "url": url,
            "buildConfig": {
                "dockerRepository": f"projects/{project}/locations/{location}/repositories/gcf-artifacts",
                "environmentVariables": {},
                "automaticUpdatePolicy": {},
                **build,
                "build": built,
            },
            "serviceConfig": {
                "availableCpu": "0.1666",
                "availableMemory": "256M",
                "environmentVariables": {},
                "maxInstanceCount": 100,
                "maxInstanceRequestConcurrency": 1,
                "serviceAccountEmail": f"{number}-compute@developer.gserviceaccount.com",
                "timeoutSeconds": 60,
                **service,
                "service": f"projects/{project}/locations/{location}/services/{name}",
                "uri": uri,
                "gcfUri": "",
            },
        }
