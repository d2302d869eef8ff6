"""What the stack's Data Fusion instance holds."""

from __future__ import annotations

import pulumi

from components.gcp.data_fusion import DataFusion
from infra.gcp.composition import Composition


def data_fusion_objects(c: Composition, instance: DataFusion) -> None:
    """Namespaces, profiles, pipelines, schedules: what the files have, where the stack brings them."""
    config = c.gcp.data_fusion
    if config is None or config.deploy is None or instance.instance is None:
        return
    # Only stacks that bring something need CDAP's client, which the component's forms lie beside.
    from components.gcp.data_fusion_objects import DataFusionObjects, DataFusionObjectsArgs

    found = c.args.fusion_objects
    DataFusionObjects(
        "data-fusion-objects",
        DataFusionObjectsArgs(
            endpoint=instance.api_endpoint,
            export=found.export,
            jars={key: (jar.path, jar.digest) for key, jar in found.jars.items()},
            secure_keys={
                (space, key): c.args.secret_values[secret]
                for space, keys in config.deploy.secure_keys.items()
                for key, secret in keys.items()
            },
            protect=c.protect,
            instance=instance.instance,
        ),
        pulumi.ResourceOptions(),
    )
