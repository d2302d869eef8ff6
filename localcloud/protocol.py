"""Pulumi's protocol classes, loaded without the rest of the SDK.

`import pulumi` costs 0.15 s to 0.3 s, and a plugin starts with every command of the CLI. The messages need none of it:
for the moment of their import, bare packages stand in for `pulumi`, `pulumi.runtime` and `pulumi.runtime.proto`; they
are taken away again, so that whoever imports the SDK later gets the real one, with these same message classes.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

OPTIONS = (("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", 400 << 20))
"""The engine's own limit: 400 MiB."""
_PACKAGES = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


def _load() -> tuple[Any, ...]:
    names = ("provider_pb2", "provider_pb2_grpc", "plugin_pb2", "status_pb2")
    full = [f"pulumi.runtime.proto.{name}" for name in names]
    if "pulumi" in sys.modules:
        return tuple(importlib.import_module(name) for name in full)
    spec = importlib.machinery.PathFinder.find_spec("pulumi")
    if spec is None or spec.origin is None:
        raise ImportError("the Pulumi SDK is not installed in this environment")
    root = Path(spec.origin).parent
    folders = (root, root / "runtime", root / "runtime" / "proto")
    for name, folder in zip(_PACKAGES, folders, strict=True):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    try:
        return tuple(importlib.import_module(name) for name in full)
    finally:
        for name in _PACKAGES:
            del sys.modules[name]


pb, pb_grpc, plugin_pb, status_pb = _load()
