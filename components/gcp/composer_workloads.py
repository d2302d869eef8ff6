"""What tasks of Composer 3 find in their Kubernetes namespace: secrets and config maps of the stack's own."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pulumi
from pulumi_gcp import composer

from dataplatform.config.gcp.composer import Composer


def user_workloads(
    name: str,
    *,
    parent: pulumi.Resource,
    config: Composer,
    project: str,
    region: str,
    environment: composer.Environment,
    values: Mapping[str, pulumi.Output[str]],
    protect: bool,
) -> None:
    """Make them, once the environment is there.

    Args:
        name: Logical name of the component.
        parent: The component.
        config: What they hold; secrets by the names of the stack's.
        project: Of the environment.
        region: Of the environment.
        environment: The environment they are of.
        values: Secret outputs by the names of `gcp.secrets`.
        protect: Whether secrets are protected.
    """
    for secret, keys in sorted(config.workload_secrets.items()):
        composer.UserWorkloadsSecret(
            f"{name}-secret-{secret}",
            project=project,
            region=region,
            environment=environment.name,
            name=secret,
            # Kubernetes wants it encoded; the output stays secret on the way.
            data={key: values[held].apply(_encoded) for key, held in sorted(keys.items())},
            opts=pulumi.ResourceOptions(parent=parent, protect=protect),
        )
    for config_map, held in sorted(config.workload_config_maps.items()):
        composer.UserWorkloadsConfigMap(
            f"{name}-config-map-{config_map}",
            project=project,
            region=region,
            environment=environment.name,
            name=config_map,
            data=dict(sorted(held.items())),
            opts=pulumi.ResourceOptions(parent=parent),
        )


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
