"""The registry of step executors: what a definition may name, how each engine runs it, and what it is told.

Functions of the AEF framework speak the executors' HTTP contract and may be run by operators of Airflow's providers
instead; services of our own vocabulary have no function. A stack adds functions of its own under
`gcp.executors.functions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dataplatform.config.executors.framework import FRAMEWORK
from dataplatform.config.executors.model import Executor, Grant, Key, KeyType, Runner, Scope
from dataplatform.config.executors.services import SERVICES

__all__ = ["EXECUTORS", "FUNCTIONS", "REGISTRY", "Executor", "Grant", "Key", "KeyType", "Runner", "Scope"]

REGISTRY: Final[Mapping[str, Executor]] = MappingProxyType(
    {executor.name: executor for executor in (*FRAMEWORK, *SERVICES)}
)
"""Name → executor, of those that every stack has."""

EXECUTORS: Final[frozenset[str]] = frozenset(REGISTRY)
"""Names that a step may have for its executor on every stack."""

FUNCTIONS: Final[frozenset[str]] = frozenset(name for name, executor in REGISTRY.items() if executor.function)
"""Those of them that are functions, which can be called."""
