"""The sizes of a Composer environment's workloads, as the resource takes them."""

from __future__ import annotations

from pulumi_gcp import composer

from dataplatform.config.gcp.composer import Workloads


def workloads(config: Workloads) -> composer.EnvironmentConfigWorkloadsConfigArgs:
    """Sizing. What is None is left out, and the service takes its default for the environment's size."""
    sized = composer.EnvironmentConfigWorkloadsConfigArgs()
    if (scheduler := config.scheduler) is not None:
        sized.scheduler = composer.EnvironmentConfigWorkloadsConfigSchedulerArgs(
            cpu=scheduler.cpu, memory_gb=scheduler.memory_gb, storage_gb=scheduler.storage_gb, count=scheduler.count
        )
    if (server := config.web_server) is not None:
        sized.web_server = composer.EnvironmentConfigWorkloadsConfigWebServerArgs(
            cpu=server.cpu, memory_gb=server.memory_gb, storage_gb=server.storage_gb
        )
    if (worker := config.worker) is not None:
        sized.worker = composer.EnvironmentConfigWorkloadsConfigWorkerArgs(
            cpu=worker.cpu,
            memory_gb=worker.memory_gb,
            storage_gb=worker.storage_gb,
            min_count=worker.min_count,
            max_count=worker.max_count,
        )
    if (triggerer := config.triggerer) is not None:
        # The only workload of which the service wants all three figures: one that is left out is its default here.
        sized.triggerer = composer.EnvironmentConfigWorkloadsConfigTriggererArgs(
            count=1 if triggerer.count is None else triggerer.count,
            cpu=0.5 if triggerer.cpu is None else triggerer.cpu,
            memory_gb=1.0 if triggerer.memory_gb is None else triggerer.memory_gb,
        )
    if (processor := config.dag_processor) is not None:
        sized.dag_processor = composer.EnvironmentConfigWorkloadsConfigDagProcessorArgs(
            cpu=processor.cpu, memory_gb=processor.memory_gb, storage_gb=processor.storage_gb, count=processor.count
        )
    return sized
