"""Which permissions a role has, of the roles and permissions that running pipelines meet. Data.

Not Google's whole lists: a role has here those of its permissions that some call asks for which the embedded cloud
answers, so a permission that is missing here is refused. A role that is not here has none.

Sources. The names of permissions of Cloud Run (cloud.google.com/run/docs/reference/iam/permissions) and of Workflows
(cloud.google.com/workflows/docs/access-control) were read on those pages, as were the descriptions of Data Fusion's
roles with and without role-based access (cloud.google.com/data-fusion/docs/access-control and
…/docs/concepts/rbac-roles-and-permissions). Which role has which permission was written from general knowledge of the
services' role pages (cloud.google.com/iam/docs/roles-permissions) and not read again; so were the names of the
permissions of BigQuery, Dataflow, Dataform, Dataproc, Cloud Functions, Secret Manager and Cloud Storage, and those of
Data Fusion's pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_RUN_JOBS_EXECUTOR = ("run.jobs.run", "run.executions.cancel")
_RUN_VIEWER = (
    "run.executions.get",
    "run.executions.list",
    "run.jobs.get",
    "run.jobs.list",
    "run.operations.get",
    "run.operations.list",
    "run.services.get",
    "run.services.list",
)
_BIGQUERY_READ = (
    "bigquery.datasets.get",
    "bigquery.models.getData",
    "bigquery.routines.get",
    "bigquery.tables.get",
    "bigquery.tables.getData",
    "bigquery.tables.list",
)
_BIGQUERY_WRITE = (
    *_BIGQUERY_READ,
    "bigquery.models.create",
    "bigquery.tables.create",
    "bigquery.tables.delete",
    "bigquery.tables.update",
    "bigquery.tables.updateData",
)
_DATAPROC_EDIT = ("dataproc.batches.cancel", "dataproc.batches.create", "dataproc.batches.get", "dataproc.batches.list")
_DATAFLOW_DEVELOP = (
    "dataflow.jobs.cancel",
    "dataflow.jobs.create",
    "dataflow.jobs.get",
    "dataflow.jobs.list",
    "dataflow.messages.list",
)
_DATAFORM_EDIT = (
    "dataform.compilationResults.create",
    "dataform.compilationResults.get",
    "dataform.repositories.get",
    "dataform.repositories.readFile",
    "dataform.workflowInvocations.cancel",
    "dataform.workflowInvocations.create",
    "dataform.workflowInvocations.get",
)
_FUSION_RUN = ("datafusion.instances.get", "datafusion.pipelines.execute", "datafusion.pipelines.get")
_WORKFLOWS_RUN = ("workflows.executions.cancel", "workflows.executions.create", "workflows.executions.get")
_OBJECTS = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        name: frozenset(permissions)
        for name, permissions in {
            "roles/bigquery.admin": (*_BIGQUERY_WRITE, "bigquery.jobs.create", "bigquery.datasets.create"),
            "roles/bigquery.dataEditor": _BIGQUERY_WRITE,
            "roles/bigquery.dataOwner": _BIGQUERY_WRITE,
            "roles/bigquery.dataViewer": _BIGQUERY_READ,
            "roles/bigquery.jobUser": ("bigquery.jobs.create",),
            "roles/bigquery.user": ("bigquery.jobs.create", "bigquery.datasets.create", "bigquery.datasets.get"),
            "roles/cloudfunctions.admin": ("cloudfunctions.functions.invoke",),
            "roles/cloudfunctions.developer": ("cloudfunctions.functions.invoke",),
            "roles/cloudfunctions.invoker": ("cloudfunctions.functions.invoke",),
            "roles/dataflow.admin": _DATAFLOW_DEVELOP,
            "roles/dataflow.developer": _DATAFLOW_DEVELOP,
            "roles/dataform.admin": _DATAFORM_EDIT,
            "roles/dataform.editor": _DATAFORM_EDIT,
            "roles/dataform.viewer": tuple(p for p in _DATAFORM_EDIT if p.rpartition(".")[2] in ("get", "readFile")),
            "roles/datafusion.accessor": ("datafusion.instances.get",),
            "roles/datafusion.admin": _FUSION_RUN,
            "roles/datafusion.developer": _FUSION_RUN,
            "roles/datafusion.editor": _FUSION_RUN,
            "roles/datafusion.operator": _FUSION_RUN,
            "roles/datafusion.runner": ("datafusion.instances.runtime",),
            "roles/datafusion.viewer": ("datafusion.instances.get", "datafusion.pipelines.get"),
            "roles/dataproc.admin": _DATAPROC_EDIT,
            "roles/dataproc.editor": _DATAPROC_EDIT,
            "roles/iam.serviceAccountUser": ("iam.serviceAccounts.actAs",),
            "roles/run.admin": (*_RUN_VIEWER, *_RUN_JOBS_EXECUTOR, "run.jobs.runWithOverrides", "run.routes.invoke"),
            "roles/run.developer": (*_RUN_VIEWER, *_RUN_JOBS_EXECUTOR, "run.jobs.runWithOverrides"),
            "roles/run.invoker": ("run.jobs.run", "run.routes.invoke"),
            "roles/run.jobsExecutor": _RUN_JOBS_EXECUTOR,
            "roles/run.jobsExecutorWithOverrides": (*_RUN_JOBS_EXECUTOR, "run.jobs.runWithOverrides"),
            "roles/run.servicesInvoker": ("run.routes.invoke",),
            "roles/run.viewer": _RUN_VIEWER,
            "roles/secretmanager.admin": ("secretmanager.versions.access",),
            "roles/secretmanager.secretAccessor": ("secretmanager.versions.access",),
            "roles/storage.admin": (*_OBJECTS, "storage.buckets.get"),
            "roles/storage.objectAdmin": _OBJECTS,
            "roles/storage.objectUser": _OBJECTS,
            "roles/storage.objectViewer": ("storage.objects.get", "storage.objects.list"),
            "roles/workflows.admin": _WORKFLOWS_RUN,
            "roles/workflows.editor": _WORKFLOWS_RUN,
            "roles/workflows.invoker": _WORKFLOWS_RUN,
            "roles/workflows.viewer": ("workflows.executions.get",),
        }.items()
    }
)
"""Role → permissions."""

_DATA_ONLY = frozenset({"storage.objects.get", "storage.objects.list", "bigquery.tables.getData"})
_VIEW = ("get", "list", "getData")

ALL = frozenset(permission for permissions in ROLES.values() for permission in permissions)
"""Every permission that is known here."""

BASIC: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "roles/owner": ALL,
        "roles/editor": ALL - {"run.routes.invoke", "secretmanager.versions.access"},
        "roles/viewer": frozenset(p for p in ALL if p.rpartition(".")[2] in _VIEW) - _DATA_ONLY,
    }
)
"""The basic roles, as far as the permissions above go: an editor may neither call private services nor read secrets."""
