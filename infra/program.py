"""The program: a stack's configuration in, registered resources and outputs out.

Everything a person can have got wrong is found before the first resource is registered, so a mistake changes nothing.
"""

from __future__ import annotations

from pathlib import Path

import pulumi

from dataplatform.diagnostics import InputError
from infra.decide import Decided, decide

CONFIG_NAMESPACE = "data-platform"
ALREADY_REPORTED = 32
"""Exit status of a program that has told its user what is wrong; the engine then adds nothing to it."""


def register(decided: Decided) -> None:
    """Register the stack's resources and export its outputs."""
    platform = decided.loaded.platform
    if platform.gcp is None or decided.names is None:
        pulumi.export("environment", platform.environment)
        return
    # The provider modules are imported only now: a stack that is wrong is told so without waiting for them.
    from infra.gcp import GcpArgs, compose

    config = pulumi.Config(CONFIG_NAMESPACE)
    outputs = compose(
        GcpArgs(
            platform=platform,
            gcp=platform.gcp,
            stack=decided.loaded.name,
            names=decided.names,
            pipelines=decided.pipelines,
            secret_values={name: config.require_secret(name) for name in platform.gcp.secrets},
        )
    )
    for key, value in sorted(outputs.items()):
        pulumi.export(key, value)


def run(root: Path | None = None) -> None:
    """Run the program for the stack the engine has selected."""
    try:
        decided = decide(root or Path(__file__).resolve().parents[1], pulumi.get_stack())
    except InputError as error:
        # Logged rather than raised: a traceback would tell the user about us, not about the mistake.
        pulumi.log.error(error.diagnostics.render())
        raise SystemExit(ALREADY_REPORTED) from None
    register(decided)
