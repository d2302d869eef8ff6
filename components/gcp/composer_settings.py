"""The settings of a Composer environment beside its size and its identity: network, windows, snapshots, retention.

Each function gives one block of the configuration, or None where the stack file says nothing of it: what is
left out is the service's default.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_gcp import composer

from components.gcp.windows import weekly
from dataplatform.config.composer_facts import SECRET_BACKEND
from dataplatform.config.gcp.composer import Composer, ComposerNetwork

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
    found.enable_ip_masq_agent = True if network.ip_masquerade else None
    if network.functions_routing is not None:
        found.traffic_routing_config = composer.EnvironmentConfigNodeConfigTrafficRoutingConfigArgs(
            cloud_run_functions_routing=network.functions_routing.upper()
        )
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


def private(config: Composer) -> composer.EnvironmentConfigPrivateEnvironmentConfigArgs:
    """What makes an environment of generation 2 private."""
    network = config.network
    assert network is not None, "the configuration's rules ask for a network"
    by_attachment = network.connection == "private_service_connect"
    return composer.EnvironmentConfigPrivateEnvironmentConfigArgs(
        connection_type=network.connection.upper(),
        cloud_composer_connection_subnetwork=(network.connection_subnetwork or network.subnetwork)
        if by_attachment
        else None,
        enable_private_endpoint=not network.public_endpoint,
        enable_privately_used_public_ips=True if network.public_ranges else None,
        master_ipv4_cidr_block=network.master,
        cloud_sql_ipv4_cidr_block=network.cloud_sql,
        cloud_composer_network_ipv4_cidr_block=network.tenant,
    )


def control_plane_access(config: Composer) -> composer.EnvironmentConfigMasterAuthorizedNetworksConfigArgs | None:
    """Who may reach the cluster's control plane in generation 2."""
    if not config.control_plane_access:
        return None
    return composer.EnvironmentConfigMasterAuthorizedNetworksConfigArgs(
        enabled=True,
        cidr_blocks=[
            composer.EnvironmentConfigMasterAuthorizedNetworksConfigCidrBlockArgs(cidr_block=cidr, display_name=name)
            for name, cidr in sorted(config.control_plane_access.items())
        ],
    )


def maintenance(config: Composer) -> composer.EnvironmentConfigMaintenanceWindowArgs | None:
    """The weekly window."""
    window = config.maintenance
    if window is None:
        return None
    found = weekly(window.days, window.hour, window.hours)
    return composer.EnvironmentConfigMaintenanceWindowArgs(
        start_time=found.start, end_time=found.end, recurrence=found.recurrence
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


def software(config: Composer, *, secret_backend: bool = False) -> composer.EnvironmentConfigSoftwareConfigArgs:
    """Image, Airflow's settings, packages, lineage.

    Args:
        config: The environment.
        secret_backend: Whether connections and variables are secrets of the stack.
    """
    overrides = {**(SECRET_BACKEND if secret_backend else {}), **config.airflow_config_overrides}
    found = composer.EnvironmentConfigSoftwareConfigArgs(
        image_version=config.image_version,
        airflow_config_overrides=overrides or None,
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
