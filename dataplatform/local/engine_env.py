"""The environment in which plain `pulumi` works on this checkout: what `dp env` prints.

Locally that is the embedded cloud's provider plugins first on PATH, state and the engine's own files below `.dp`, and
no network. For a real cloud only the executables are put on PATH: backend, passphrase and plugins are the user's.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

SANDBOX_PASSPHRASE = "embedded-cloud"  # noqa: S105 - published: it protects the sample values of the sandbox only


def project_root(start: Path | None = None) -> Path | None:
    """The nearest folder at or above `start` (the working directory) that holds a Pulumi.yaml."""
    here = (start or Path.cwd()).resolve()
    return next((folder for folder in (here, *here.parents) if (folder / "Pulumi.yaml").is_file()), None)


def state_directory(root: Path) -> Path:
    """Where the local stacks' state is."""
    return root / ".dp" / "state"


def engine_env(root: Path, *, local: bool, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables to set, and only those; `base` is the environment they are added to (this process's)."""
    base = os.environ if base is None else base
    plugins = [root / "localcloud" / "plugins" / "bin"] if local else []
    first = [str(folder) for folder in (*plugins, root / ".dp" / "engine", root / ".venv" / "bin")]
    rest = [part for part in base.get("PATH", os.defpath).split(os.pathsep) if part not in first]
    variables = {"PATH": os.pathsep.join([*first, *rest])}
    if local:
        variables |= {
            "PULUMI_BACKEND_URL": state_directory(root).as_uri(),
            # The engine's own files too: nothing of a login or of other projects is read or changed.
            "PULUMI_HOME": str(root / ".dp" / "pulumi"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "LOCALCLOUD_HOME": str(cloud_home(root, base)),
        }
        if not base.get("DP_ARM_ENDPOINT"):
            # Started by the provider that speaks to it, and gone with it: plain pulumi needs no server beside it.
            variables["DP_ARM_ENDPOINT"] = f"run:{shlex.quote(str(root / 'localcloud' / 'plugins' / 'arm-server'))}"
        if not base.get("DP_CDAP_ENDPOINT"):
            variables["DP_CDAP_ENDPOINT"] = f"run:{shlex.quote(str(root / 'localcloud' / 'plugins' / 'cdap-server'))}"
        if "PULUMI_CONFIG_PASSPHRASE" not in base and "PULUMI_CONFIG_PASSPHRASE_FILE" not in base:
            variables["PULUMI_CONFIG_PASSPHRASE"] = SANDBOX_PASSPHRASE
    return variables


def cloud_home(root: Path, base: Mapping[str, str] | None = None) -> Path:
    """The embedded cloud's folder: LOCALCLOUD_HOME where it is set, else `.dp/cloud` of the checkout."""
    configured = (os.environ if base is None else base).get("LOCALCLOUD_HOME")
    return Path(configured).absolute() if configured else root / ".dp" / "cloud"


def as_shell(variables: Mapping[str, str]) -> str:
    """`export` lines for `eval "$(dp env)"`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
