"""The settings of a Composer environment beside its size and its identity: network, windows, snapshots, retention.

Each function gives one block of the configuration, or None where the stack file says nothing of it: what is
left out is the service's default.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_gcp import composer

from dataplatform.config.gcp.composer import Composer, ComposerNetwork

_FIRST_MONDAY = "2024-01-01"
"""A Monday: the window's dates only say the hours, the recurrence says the days."""
_DAYS = {
    "monday": "MO",
    "tuesday": "TU",
    "wednesday": "WE",
    "thursday": "TH",
    "friday": "FR",
    "saturday": "SA",
    "sunday": "SU",
}
_TASK_LOGS = {
    "cloud_logging_only": "CLOUD_LOGGING_ONLY",
    "cloud_logging_and_cloud_storage": "CLOUD_LOGGING_AND_CLOUD_STORAGE",
}


def node(config: Composer, account: pulumi.Input[str]) -> composer.EnvironmentConfigNodeConfigArgs:
    """Identity and network of the environment's machines."""
    network = config.network
    found = composer.EnvironmentConfigNodeConfigArgs(service_account=account)
    if network is None:
        return found
    if config.generation == 3 and network.network_attachment is not None:
        # The attachment knows network and subnetwork; the service takes either, not both.
        found.composer_network_attachment = network.network_attachment
    else:
        found.network = network.network
        found.subnetwork = network.subnetwork
    found.composer_internal_ipv4_cidr_block = network.internal_range
    found.tags = sorted(network.tags) or None
    found.ip_allocation_policy = _allocation(network)
    return found


def _allocation(network: ComposerNetwork) -> composer.EnvironmentConfigNodeConfigIpAllocationPolicyArgs | None:
    ranges = (network.pods, network.services, network.pods_range_name, network.services_range_name)
    if not any(ranges):
        return None
    return composer.EnvironmentConfigNodeConfigIpAllocationPolicyArgs(
        cluster_ipv4_cidr_block=network.pods,
        services_ipv4_cidr_block=network.services,
        cluster_secondary_range_name=network.pods_range_name,
        services_secondary_range_name=network.services_range_name,
    )


def maintenance(config: Composer) -> composer.EnvironmentConfigMaintenanceWindowArgs | None:
    """The weekly window."""
    window = config.maintenance
    if window is None:
        return None
    days = ",".join(code for day, code in _DAYS.items() if day in window.days)
    end = window.hour + window.hours
    last = _FIRST_MONDAY if end < 24 else f"2024-01-{1 + end // 24:02}"
    return composer.EnvironmentConfigMaintenanceWindowArgs(
        start_time=f"{_FIRST_MONDAY}T{window.hour:02}:00:00Z",
        end_time=f"{last}T{end % 24:02}:00:00Z",
        recurrence=f"FREQ=WEEKLY;BYDAY={days}",
    )


def recovery(
    config: Composer, buckets: Mapping[str, pulumi.Output[str]]
) -> composer.EnvironmentConfigRecoveryConfigArgs | None:
    """Scheduled snapshots; `$bucket:<zone>` is a bucket of the lake."""
    snapshots = config.snapshots
    if snapshots is None:
        return None
    location: pulumi.Input[str] = snapshots.location
    if snapshots.location.startswith("$bucket:"):
        zone, _, folder = snapshots.location.removeprefix("$bucket:").partition("/")
        location = pulumi.Output.concat("gs://", buckets[zone], f"/{folder}" if folder else "")
    return composer.EnvironmentConfigRecoveryConfigArgs(
        scheduled_snapshots_config=composer.EnvironmentConfigRecoveryConfigScheduledSnapshotsConfigArgs(
            enabled=True,
            snapshot_location=location,
            snapshot_creation_schedule=snapshots.schedule,
            time_zone=snapshots.time_zone,
        )
    )


def retention(config: Composer) -> composer.EnvironmentConfigDataRetentionConfigArgs | None:
    """How long history and logs are kept."""
    kept = config.retention
    if kept is None:
        return None
    found = composer.EnvironmentConfigDataRetentionConfigArgs()
    if kept.metadata_days is not None:
        found.airflow_metadata_retention_configs = [
            composer.EnvironmentConfigDataRetentionConfigAirflowMetadataRetentionConfigArgs(
                retention_mode="RETENTION_MODE_ENABLED", retention_days=kept.metadata_days
            )
        ]
    if kept.task_logs is not None:
        found.task_logs_retention_configs = [
            composer.EnvironmentConfigDataRetentionConfigTaskLogsRetentionConfigArgs(
                storage_mode=_TASK_LOGS[kept.task_logs]
            )
        ]
    return found


def web_server_access(config: Composer) -> composer.EnvironmentConfigWebServerNetworkAccessControlArgs | None:
    """Who may reach the web server; signing in comes after that."""
    if not config.web_server_access:
        return None
    return composer.EnvironmentConfigWebServerNetworkAccessControlArgs(
        allowed_ip_ranges=[
            composer.EnvironmentConfigWebServerNetworkAccessControlAllowedIpRangeArgs(value=cidr, description=name)
            for name, cidr in sorted(config.web_server_access.items())
        ]
    )


def software(config: Composer) -> composer.EnvironmentConfigSoftwareConfigArgs:
    """Image, Airflow's settings, packages, lineage."""
    found = composer.EnvironmentConfigSoftwareConfigArgs(
        image_version=config.image_version,
        airflow_config_overrides=dict(config.airflow_config_overrides) or None,
        env_variables=dict(config.env_variables) or None,
        pypi_packages=dict(config.pypi_packages) or None,
    )
    if config.lineage is not None:
        found.cloud_data_lineage_integration = composer.EnvironmentConfigSoftwareConfigCloudDataLineageIntegrationArgs(
            enabled=config.lineage
        )
    if config.web_server_plugins is not None:
        found.web_server_plugins_mode = "ENABLED" if config.web_server_plugins else "DISABLED"
    return found
