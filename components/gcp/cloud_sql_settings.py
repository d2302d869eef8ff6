"""The settings of a Cloud SQL instance, as the provider takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import sql

from dataplatform.config.gcp.cloud_sql import CloudSql

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the instance is reached."""

    network: pulumi.Input[str]
    range_name: pulumi.Input[str] | None
    consumer_projects: Sequence[str]


def settings(
    config: CloudSql, way: Way, *, region: str, labels: dict[str, str], protect: bool
) -> sql.DatabaseInstanceSettingsArgs:
    """All settings. What the service would decide by itself and charges for, or protects, is written out."""
    backups = config.backups
    flags = {**config.flags, **({"cloudsql.iam_authentication": "on"} if config.iam_authentication else {})}
    return sql.DatabaseInstanceSettingsArgs(
        tier=config.tier,
        edition=config.edition.upper(),
        availability_type="REGIONAL" if config.high_availability else "ZONAL",
        disk_size=config.disk_gb,
        disk_type=f"PD_{config.disk_type.upper()}",
        disk_autoresize=True,
        disk_autoresize_limit=config.disk_limit_gb,
        deletion_protection_enabled=protect,
        ip_configuration=_ip_configuration(config, way),
        backup_configuration=sql.DatabaseInstanceSettingsBackupConfigurationArgs(
            enabled=backups.enabled,
            start_time=backups.start_time,
            location=backups.location or region,
            point_in_time_recovery_enabled=backups.point_in_time_recovery,
            transaction_log_retention_days=backups.transaction_log_days,
            backup_retention_settings=sql.DatabaseInstanceSettingsBackupConfigurationBackupRetentionSettingsArgs(
                retained_backups=backups.retained, retention_unit="COUNT"
            ),
        ),
        maintenance_window=sql.DatabaseInstanceSettingsMaintenanceWindowArgs(
            day=_DAYS.index(config.maintenance.day) + 1,
            hour=config.maintenance.hour,
            update_track=config.maintenance.track,
        )
        if config.maintenance
        else None,
        database_flags=[
            sql.DatabaseInstanceSettingsDatabaseFlagArgs(name=flag, value=value)
            for flag, value in sorted(flags.items())
        ],
        insights_config=sql.DatabaseInstanceSettingsInsightsConfigArgs(query_insights_enabled=config.query_insights),
        user_labels=labels,
    )


def _ip_configuration(config: CloudSql, way: Way) -> sql.DatabaseInstanceSettingsIpConfigurationArgs:
    peered = config.connection == "vpc_peering"
    return sql.DatabaseInstanceSettingsIpConfigurationArgs(
        ipv4_enabled=False,
        ssl_mode="ENCRYPTED_ONLY",
        private_network=way.network if peered else None,
        allocated_ip_range=way.range_name if peered else None,
        enable_private_path_for_google_cloud_services=True if peered else None,
        psc_configs=None
        if peered
        else [
            sql.DatabaseInstanceSettingsIpConfigurationPscConfigArgs(
                psc_enabled=True, allowed_consumer_projects=sorted(way.consumer_projects)
            )
        ],
    )
