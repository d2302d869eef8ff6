"""What Composer offers and accepts, by generation: versions, sizes of workloads, Airflow options that it keeps.

Data with their sources, read on 2026-11-21. A version newer than the newest one here is not judged: the service may
offer it by now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

VERSIONS_READ: Final = "2026-08-05"
"""Date of the release notes that the versions are from ("Composer release notes", Google's documentation)."""

OFFERED: Final[Mapping[int, Mapping[tuple[int, int], tuple[int, ...]]]] = MappingProxyType(
    {
        2: {(2, 10): (5,), (2, 11): (1,)},
        3: {(2, 10): (5,), (2, 11): (1,), (3, 1): (7, 8), (3, 2): (2,)},
    }
)
"""Generation -> major and minor of Airflow -> the patches that new environments can have."""

WITHDRAWN: Final[frozenset[str]] = frozenset({"composer-3-airflow-3.1.7-build.12"})
"""Builds that were offered for some days and taken back."""

END_OF_LIFE: Final[Mapping[str, str]] = MappingProxyType({"composer-2.0.": "2026-09-15"})
"""Beginning of an image version -> day from which it cannot be used at all ("Composer versioning overview")."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one workload may be given."""

    cpu: tuple[float, float]
    cpu_step: float
    """Multiples of it, from the least on."""
    even_cpu: bool = False
    """Above 1, multiples of two only."""
    memory_gb: tuple[float, float]
    memory_step: float | None = None
    memory_per_cpu: tuple[float, float]
    storage_gb: tuple[float, float] | None = None
    storage_step: float | None = None
    count: tuple[int, int] | None = None
    """Of one workload; of workers, of each of its two bounds."""


_STORAGE_3: Final = (0.0, 100.0)
_STORAGE_2: Final = (0.05, 10.0)

LIMITS: Final[Mapping[int, Mapping[str, Limits]]] = MappingProxyType(
    {
        # "Scale environments", Composer 2: resource limits.
        2: {
            "scheduler": Limits(
                cpu=(0.5, 28), cpu_step=0.25, memory_gb=(0.5, 80), memory_per_cpu=(1, 6.5), storage_gb=_STORAGE_2,
                count=(1, 10),
            ),
            "triggerer": Limits(
                cpu=(0.5, 1), cpu_step=0.25, memory_gb=(0.5, 80), memory_per_cpu=(1, 6.5), count=(0, 10)
            ),
            "web_server": Limits(
                cpu=(0.5, 28), cpu_step=0.25, memory_gb=(1, 80), memory_per_cpu=(1, 6.5), storage_gb=_STORAGE_2
            ),
            "worker": Limits(
                cpu=(0.5, 28), cpu_step=0.25, memory_gb=(0.5, 80), memory_per_cpu=(1, 6.5), storage_gb=_STORAGE_2,
                count=(1, 100),
            ),
        },
        # "Scale environments", Composer 3: resource limits.
        3: {
            "scheduler": Limits(
                cpu=(0.5, 1), cpu_step=0.5, memory_gb=(1, 8), memory_step=0.25, memory_per_cpu=(1, 8),
                storage_gb=_STORAGE_3, storage_step=1, count=(1, 3),
            ),
            "triggerer": Limits(
                cpu=(0.5, 1), cpu_step=0.5, memory_gb=(1, 8), memory_step=0.25, memory_per_cpu=(1, 8), count=(0, 10)
            ),
            "web_server": Limits(
                cpu=(1, 4), cpu_step=0.5, even_cpu=True, memory_gb=(2, 32), memory_step=0.25, memory_per_cpu=(1, 8),
                storage_gb=_STORAGE_3, storage_step=1,
            ),
            "worker": Limits(
                cpu=(0.5, 32), cpu_step=0.5, even_cpu=True, memory_gb=(1, 256), memory_step=0.25,
                memory_per_cpu=(1, 8), storage_gb=_STORAGE_3, storage_step=1, count=(1, 100),
            ),
            "dag_processor": Limits(
                cpu=(0.5, 32), cpu_step=0.5, even_cpu=True, memory_gb=(1, 256), memory_step=0.25,
                memory_per_cpu=(1, 8), storage_gb=_STORAGE_3, storage_step=1, count=(1, 3),
            ),
        },
    }
)  # fmt: skip

_KEEPS: Final = {
    "celery": "broker_url celery_app_name default_queue pool result_backend worker_log_server_port",
    "core": (
        "base_log_folder dags_folder encrypt_s3_logs fernet_key load_examples log_format logging_config_class"
        " plugins_folder remote_base_log_folder remote_log_conn_id remote_logging security sql_alchemy_conn"
        " sql_alchemy_pool_recycle sql_alchemy_pool_size store_dag_code store_serialized_dags task_log_reader"
        " wait_dag_not_found_timeout"
    ),
    "database": "alembic_ini_file_path sql_alchemy_conn sql_alchemy_pool_recycle sql_alchemy_pool_size",
    "kubernetes": "namespace pod_template_file",
    "operators": "default_queue",
    "smtp": "smtp_password",
}
_KEEPS_3: Final = {
    "api_auth": "jwt_algorithm jwt_audience jwt_issuer jwt_kid",
    "kubernetes": (
        "api_client_retry_configuration cluster_context config_file delete_option_kwargs delete_worker_pods"
    ),
}

BLOCKED_SECTIONS: Final[frozenset[str]] = frozenset({"cli"})
"""Sections of which no option can be overridden ("Airflow configurations", blocked options)."""


def _pairs(table: Mapping[str, str]) -> frozenset[str]:
    return frozenset(f"{section}-{key}" for section, keys in table.items() for key in keys.split())


BLOCKED: Final[Mapping[int, frozenset[str]]] = MappingProxyType(
    {2: _pairs(_KEEPS), 3: _pairs(_KEEPS) | _pairs(_KEEPS_3)}
)
"""Generation -> options that cannot be overridden ("Airflow configurations", blocked options of Airflow 2.7 to 3.1)."""

RANGES_3: Final[Mapping[str, tuple[int | None, int | None]]] = MappingProxyType(
    {
        "core-min_file_process_interval": (30, None),
        "core-dag_file_processor_timeout": (None, 600),
        "core-dagbag_import_timeout": (None, 600),
        "celery-worker_concurrency": (1, 24),
        "kubernetes_executor-worker_pods_queued_check_interval": (30, 60),
        "scheduler-scheduler_heartbeat_sec": (15, None),
        "triggerer-triggerer_health_check_threshold": (30, None),
        "triggerer-job_heartbeat_sec": (30, None),
    }
)
"""Options of Composer 3 with a least and a greatest value ("Airflow configurations", limited options)."""

SECRET_BACKEND: Final[Mapping[str, str]] = MappingProxyType(
    {"secrets-backend": "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend"}
)
"""What Airflow is told where secrets of the stack are connections or variables of its own.

The backend's defaults are the project of the environment, and the prefixes that the stack's secrets are named with.
"""
