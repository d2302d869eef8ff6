"""JSON Schemas for editors: those of the models, with a description on every key and unknown keys refused everywhere.

A description is the model's own where it has one (a field's, or the text below it in the class), else it stands in the
table here. A test holds the table against the models, so that no key is without and no entry is left over.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
from functools import cache
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel

from dataplatform.config import azure, datafusion_definition, gcp, options, pipeline, platform
from dataplatform.config.schema import definition_schema, stack_schema

Kind = Literal["stack", "definition"]
KINDS: Final[tuple[Kind, ...]] = ("stack", "definition")

DESCRIPTIONS: Final = MappingProxyType(
    {
        "config": "Configuration of the program and of its providers, as namespace:key.",
        "encryptedkey": "Pulumi's: the data key of the stack, encrypted by the secrets provider.",
        "encryptionsalt": "Pulumi's: the salt of the passphrase that encrypts the stack's secrets.",
        "environment": "Pulumi's: Pulumi ESC environments that the stack imports.",
        "secretsprovider": "Pulumi's: what encrypts the stack's secrets, such as gcpkms://… or passphrase.",
        "config.data-platform:platform": "The stack: what it has and how it is sized.",
        "config.secure": "The encrypted value, written by `pulumi config set --secret`.",
        "Azure.subscription": "Id of the subscription; nothing is deployed to another one.",
        "Azure.tenant": "Id of the Entra tenant.",
        "Azure.location": "Region of everything that has one, such as westeurope.",
        "Azure.identities": "Managed identities that workloads run as, by name.",
        "Azure.lake": "The lake; none where left out.",
        "Azure.key_vault": "The key vault; none where left out.",
        "Azure.databricks": "A Databricks workspace; none where left out.",
        "CatalogLocation.filesystem": "Filesystem of the lake.",
        "CatalogLocation.read_only": "Refuse to write there.",
        "CatalogSchema.grants": "Principal to its privileges on the schema.",
        "Databricks.unity_catalog": "The environment's catalog; none where left out.",
        "Databricks.clusters": "The clusters by name.",
        "Databricks.warehouses": "The SQL warehouses by name.",
        "Databricks.release": "Id of the release; its notebooks and libraries lie in a folder of that name.",
        "DatabricksCluster.file": "JSON file in the form of the Clusters API.",
        "SqlWarehouse.size": "Size of the warehouse.",
        "SqlWarehouse.auto_stop_minutes": "Minutes without a query after which it stops.",
        "SqlWarehouse.max_clusters": "How many clusters it may grow to.",
        "SqlWarehouse.serverless": "Run on Databricks' own compute.",
        "UnityCatalog.locations": "Places in the lake that the catalog may reach, by name.",
        "UnityCatalog.schemas": "The schemas by name.",
        "UnityCatalog.grants": "Principal to its privileges on the catalog.",
        "Azure.monitoring": "Logs and alerts; none where left out.",
        "AzureLake.replication": "How the account is replicated.",
        "AzureLake.filesystems": "The filesystems by name.",
        "AzureLifecycleRule.age_days": "Days since a file was last changed.",
        "AzureLifecycleRule.action": "Delete the file, or move it to a tier.",
        "AzureMonitoring.retention_days": "Days that logs are kept.",
        "FederatedCredential.audience": "Audience of the token.",
        "Filesystem.lifecycle": "Rules for files of a certain age, by name.",
        "Identity.federated_credentials": "Tokens of other issuers that the identity accepts, by name.",
        "KeyVault.sku": "Premium keeps keys in hardware.",
        "KeyVault.soft_delete_days": "Days that a deleted secret, and the deleted vault, can be restored.",
        "KeyVault.public_network": "Whether the vault answers on its public address.",
        "KeyVault.allowed_ips": "Addresses or ranges that may reach it; with any, all others are denied.",
        "KeyVault.secrets": "The secrets by name: every one is declared here.",
        "Platform.azure": "What the stack has on Azure.",
        "VaultSecret.content_type": "What the value is, for a reader.",
        "Composer.name": "Part of the environment's name.",
        "Composer.image_version": "Composer generation and Airflow version, such as composer-3-airflow-2.11.1.",
        "Composer.size": "Size of the environment's managed parts.",
        "Composer.private": "Private IP only.",
        "Composer.network": "The environment's network; the service's own where left out (Composer 3).",
        "Composer.workloads": "Sizing of scheduler, workers and the rest; the size's defaults where left out.",
        "Composer.airflow_config_overrides": "Airflow options as section-option: value.",
        "Composer.env_variables": "Environment variables of Airflow. No secrets: name them in gcp.secrets.",
        "Composer.pypi_packages": "PyPI packages to install: name to version specifier, empty for any version.",
        "Composer.retention": "How long history and logs are kept.",
        "MaintenanceWindow.days": "Days of the week.",
        "ComposerNetwork.network": "The VPC network.",
        "ComposerNetwork.subnetwork": "The subnetwork of the environment's nodes.",
        "DataFusion.name": "Part of the instance's name.",
        "DataFusion.edition": "Edition of the instance; it cannot be changed without replacing it.",
        "DataFusion.version": "Version of Data Fusion; the service's newest where left out.",
        "DataFusion.private": "Private IP only; it needs a network.",
        "DataFusion.network": "How a private instance reaches the network.",
        "DataFusion.rbac": "Role-based access control for namespaces (enterprise edition).",
        "DataFusion.logging": "Send logs to Cloud Logging.",
        "DataFusion.monitoring": "Send metrics to Cloud Monitoring.",
        "DataFusion.options": "Instance options of the service, as text.",
        "DataFusionNetwork.connection": "VPC peering, or Private Service Connect.",
        "DataFusionNetwork.network": "The VPC network to peer with.",
        "DataFusionNetwork.ip_allocation": "The instance's own range in that network, a /22 such as 10.89.48.0/22.",
        "DataFusionNetwork.network_attachment": "The network attachment of a Private Service Connect connection.",
        "Executors.project": "Project of the functions; the stack's where left out.",
        "Executors.region": "Region of the functions; the stack's where left out.",
        "Executors.intermediate": "Name of the function through which executors are called.",
        "Gcp.project": "Id of the Google Cloud project.",
        "Gcp.region": "Region of everything that has one, such as europe-west1.",
        "Gcp.kms": "The stack's encryption keys.",
        "Gcp.lake": "The lake's buckets; none where left out.",
        "Gcp.secrets": "Secrets by name; each has its value as data-platform:<name> in the configuration.",
        "Gcp.data_fusion": "A Data Fusion instance; none where left out.",
        "Gcp.composer": "A Composer environment; none where left out.",
        "Gcp.workflows": "Cloud Workflows as an engine of the pipelines; not used where left out.",
        "Gcp.executors": "The functions that run steps.",
        "Kms.key_ring": "Part of the key ring's name.",
        "Kms.rotation_period": "How often a key gets a new version (ISO 8601, such as P90D).",
        "Kms.destroy_scheduled_duration": "How long a destroyed key version can be restored (ISO 8601, such as P30D).",
        "Lake.location": "Region or multi-region of the buckets, such as EU; the stack's region where left out.",
        "Lake.zones": "The zones by name; each is a bucket.",
        "LifecycleRule.age_days": "Days since an object was created.",
        "LifecycleRule.action": "Delete the object, or move it to a storage class.",
        "BigQuery.datasets": "The datasets by name.",
        "Column.name": "Its name.",
        "Column.type": "Its type, as BigQuery writes it.",
        "Column.mode": "Whether a value may be missing, must be there, or may be many.",
        "Column.description": "What is in it, for a reader.",
        "Column.precision": "Of a NUMERIC or BIGNUMERIC: how many digits.",
        "Column.scale": "How many of the digits stand behind the point.",
        "Column.maxLength": "Of STRING and BYTES: how long at most.",
        "Column.defaultValueExpression": "What a row has where it says nothing, as an expression of SQL.",
        "Dataset.description": "What is in it, for a reader.",
        "Dataset.default_table_expiration": "How long a new table lives that does not say it (ISO 8601, PT1H or more).",
        "Dataset.default_partition_expiration": "How long a partition of a new table lives (ISO 8601, PT1H or more).",
        "Dataset.time_travel_hours": "How far back its data can be read.",
        "Dataset.case_insensitive": "Whether names of tables are the same in capitals.",
        "Dataset.tables": "Its tables by name.",
        "Dataset.views": "Its views by name.",
        "Folder.readers": "Who may read below the prefix.",
        "Folder.writers": "Who may read, write and delete below the prefix.",
        "Gcp.bigquery": "BigQuery's datasets; none where left out.",
        "Key.protection_level": "Where it is kept; as for the rest where left out.",
        "Key.rotation_period": "How often it gets a new version; as for the rest where left out.",
        "Key.destroy_scheduled_duration": "How long destroyed versions of it can be restored.",
        "Key.grants": "Who may use it how.",
        "Key.purpose": "What it is for; it cannot be changed for a key that is there.",
        "Kms.services": "What keys of services say otherwise, by service.",
        "Kms.keys": "The stack's own keys, by name.",
        "LifecycleRule.prefixes": "Beginnings of the names of the objects it is for.",
        "LifecycleRule.suffixes": "Ends of the names of the objects it is for.",
        "Notification.events": "What is told.",
        "Notification.prefix": "Beginning of the names of the objects it is about.",
        "Notification.attributes": "Attributes of every message.",
        "Partition.by": "By which length of time, or by ranges.",
        "Partition.expiration": "How long a partition lives (ISO 8601, PT1H or more).",
        "Partition.range": "With `by: range`: the ranges.",
        "RangePartition.start": "Where the first range begins.",
        "RangePartition.end": "Where the last range ends, itself not in it.",
        "RangePartition.interval": "How long a range is.",
        "Rotation.period": "How often (ISO 8601, PT1H or more).",
        "Secret.rotation": "When it is to be renewed; never told where left out.",
        "Secret.annotations": "Notes on it, by name.",
        "ServiceKey.protection_level": "Where the key is kept; as for the rest where left out.",
        "ServiceKey.rotation_period": "How often the key gets a new version; as for the rest where left out.",
        "ServiceKey.destroy_scheduled_duration": "How long its destroyed versions can be restored.",
        "Table.description": "What is in it, for a reader.",
        "Table.columns": "Its columns, in order.",
        "Table.partition": "How it is divided; not at all where left out.",
        "Table.require_partition_filter": "Refuse queries that would read every partition.",
        "Table.clustering": "Columns it is sorted by, the first first; at most four.",
        "View.query": "Its query, in GoogleSQL.",
        "View.description": "What it shows, for a reader.",
        "Zone.autoclass": "Let Cloud Storage choose each object's class; not where left out.",
        "Zone.folders": "Prefixes with readers and writers of their own, by path.",
        "Zone.notifications": "Messages about its objects, by name.",
        "Pipelines.directory": "Folder of the definitions, relative to the project's root.",
        "Pipelines.parameters": "Values that definitions may refer to.",
        "Workload.cpu": "vCPUs of one.",
        "Workload.memory_gb": "Memory of one, in GB.",
        "Workload.storage_gb": "Storage of one, in GB.",
        "Workload.count": "How many; for workers see min_count and max_count.",
        "Workloads.scheduler": "Airflow's scheduler.",
        "Workloads.web_server": "Airflow's web server.",
        "Workloads.worker": "Airflow's workers.",
        "Workloads.triggerer": "Airflow's triggerer, which deferred tasks wait in.",
        "Zone.storage_class": "Storage class of new objects.",
        "Zone.versioning": "Keep replaced and deleted objects as noncurrent versions.",
        "Zone.retention": "How long an object cannot be deleted or replaced (ISO 8601, such as P30D).",
        "Zone.lifecycle": "Rules for objects of a certain age, by name.",
        "Platform.environment": "Short name of the environment, such as dev; it is part of physical names.",
        "Platform.labels": "Labels of every resource that can have them.",
        "Platform.gcp": "What the stack has on Google Cloud.",
        "Platform.pipelines": "Where the pipelines are.",
        "LevelFile.THREADS": "The threads: they run at the same time.",
        "ThreadFile.STEPS": "The steps: they run one after the other.",
        "StepFile.NEXT": "JOB_ID of the step that follows anyway; any other is refused.",
        "StepFile.READ_INPUT_FROM": "Not supported: hand values over in STEP_PROPERTIES.",
    }
)
"""`Model.key` (or the key of a stack file) → what an editor shows for it."""


def schema(kind: Kind) -> dict[str, Any]:
    """The schema of a kind of file, as JSON data."""
    made = stack_schema() if kind == "stack" else definition_schema()
    for name, model in made.get("$defs", {}).items():
        _describe(model, name)
    if kind == "stack":
        _describe(made, "")
        _describe(made["properties"]["config"], "config")
        for below in made["properties"]["config"]["patternProperties"].values():
            _describe(below, "config")
    else:
        _describe(made, made.get("title", ""))
    _close(made)
    return made


def text(kind: Kind) -> str:
    """The schema as the text of a file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


def _describe(node: dict[str, Any], owner: str) -> None:
    for key, value in node.get("properties", {}).items():
        if "description" not in value:
            described = _documented().get((owner, key)) or DESCRIPTIONS.get(f"{owner}.{key}" if owner else key)
            if described:
                value["description"] = described


def _close(node: Any) -> None:
    """Keys of a mapping whose keys follow a pattern: those that do not are unknown."""
    if isinstance(node, dict):
        if "patternProperties" in node:
            node.setdefault("additionalProperties", False)
        for value in node.values():
            _close(value)
    elif isinstance(node, list):
        for value in node:
            _close(value)


@cache
def _documented() -> dict[tuple[str, str], str]:
    """Class and field → the text that stands below the field in the class."""
    found: dict[tuple[str, str], str] = {}
    parts = [
        importlib.import_module(f"{cloud.__name__}.{part.name}")
        for cloud in (azure, gcp)
        for part in pkgutil.iter_modules(cloud.__path__)
    ]
    for module in (platform, pipeline, options, datafusion_definition, *parts):
        for item in ast.parse(inspect.getsource(module)).body:
            if not isinstance(item, ast.ClassDef) or not _is_model(getattr(module, item.name, None)):
                continue
            for field, below in zip(item.body, item.body[1:], strict=False):
                if (
                    isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(below, ast.Expr)
                    and isinstance(below.value, ast.Constant)
                    and isinstance(below.value.value, str)
                ):
                    found[item.name, field.target.id] = " ".join(below.value.value.split())
    return found


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)
