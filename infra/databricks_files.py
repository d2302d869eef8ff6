"""The files of a stack's Databricks workspace, read and judged before anything is registered.

Pure but for reading files; neither the engine nor a provider is imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataplatform.config.azure.databricks import Databricks, DatabricksCluster
from dataplatform.config.check import LoadedStack
from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.clusters import judge_cluster
from dataplatform.config.loader import load_document
from dataplatform.config.text import shown
from dataplatform.diagnostics import Diagnostics, InputError, nearest
from infra.stack_file import StackFile

LANGUAGES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
"""Endings of notebooks in source format."""
LIBRARIES = frozenset({".whl", ".jar"})
NOTEBOOK_MARK = re.compile(r"^(#|--|//) (Databricks notebook source|COMMAND -+)", re.MULTILINE)
_TOKEN = re.compile(r"__REPLACE_([A-Z][A-Z0-9_]*)__")
MAX_FILE = 10 * 1024 * 1024
"""Bytes of a workspace file that the provider sends with its state; Databricks' import takes 10 MB."""

CLUSTER_KEYS = frozenset(
    {
        "autoscale",
        "autotermination_minutes",
        "azure_attributes",
        "cluster_name",
        "custom_tags",
        "data_security_mode",
        "driver_node_type_id",
        "init_scripts",
        "instance_pool_id",
        "node_type_id",
        "num_workers",
        "policy_id",
        "runtime_engine",
        "single_user_name",
        "spark_conf",
        "spark_env_vars",
        "spark_version",
    }
)
"""Keys of a cluster file that become inputs of the cluster, https://docs.databricks.com/api/azure/workspace/clusters."""


@dataclass(frozen=True, kw_only=True)
class DatabricksFiles:
    """What the files hold."""

    policies: Mapping[str, str] = field(default_factory=dict)
    """Name → JSON text of the definition."""
    clusters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name → the cluster's settings."""
    job_clusters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same of clusters that are made for a run of a job."""
    notebooks: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    """Path below the folder, without its ending → language and bytes."""
    libraries: Mapping[str, bytes] = field(default_factory=dict)
    """Path below the folder → bytes."""


def read_files(root: Path, loaded: LoadedStack) -> DatabricksFiles:
    """All files the stack names; raises InputError with a diagnostic for each that is missing or wrong."""
    azure = loaded.platform.azure
    config = azure.databricks if azure is not None else None
    if config is None:
        return DatabricksFiles()
    reader = _Reader(root, StackFile(loaded.file))
    files = DatabricksFiles(
        policies={name: reader.policy(name, path) for name, path in sorted(config.policies.items())},
        clusters={name: reader.cluster("clusters", name, found) for name, found in sorted(config.clusters.items())},
        job_clusters={
            name: reader.cluster("job_clusters", name, found) for name, found in sorted(config.job_clusters.items())
        },
        notebooks=reader.notebooks(config.notebooks),
        libraries=reader.libraries(config.libraries),
    )
    reader.jobs(config, files)
    if reader.problems:
        raise InputError(reader.problems)
    return files


class _Reader:
    def __init__(self, root: Path, places: StackFile) -> None:
        self._root, self._places = root, places
        self.problems = Diagnostics()

    def _tell(self, code: str, path: tuple[str | int, ...], message: str, remedy: str) -> None:
        self._places.add(self.problems, code, ("azure", "databricks", *path), message, remedy)

    def _file(self, path: str, at: tuple[str, ...]) -> Path | None:
        file = self._root / path
        if file.is_file():
            return file
        others = [one.relative_to(self._root).as_posix() for one in sorted(file.parent.glob("*")) if one.is_file()]
        self._tell("DP252", at, f"there is no file {path}", nearest(path, others) if others else "add it")
        return None

    def policy(self, name: str, path: str) -> str:
        file = self._file(path, ("policies", name))
        if file is None:
            return "{}"
        node, found = load_document(file)
        self.problems.extend(found.items)
        if node is None:
            return "{}"
        if node.kind != "mapping":
            node.report("DP122", (), "a policy is a mapping of settings to rules", 'write {"spark_version": {…}}')
            self.problems.extend(node.document.diagnostics.items)
        return json.dumps(node.value(), sort_keys=True)

    def cluster(self, part: str, name: str, cluster: DatabricksCluster) -> Mapping[str, Any]:
        file = self._file(cluster.file, (part, name, "file"))
        if file is None:
            return {}
        text = file.read_text("utf-8", errors="replace")
        wanted = set(_TOKEN.findall(text))
        for token in sorted(wanted - cluster.values.keys()):
            self._tell(
                "DP252",
                (part, name),
                f"{cluster.file} has __REPLACE_{token}__, and the stack does not say what stands for it",
                f"add {token} to values",
            )
        for token in sorted(cluster.values.keys() - wanted):
            remedy = nearest(token, sorted(wanted)) if wanted else "take it out"
            self._tell("DP252", (part, name, "values", token), f"{cluster.file} has no __REPLACE_{token}__", remedy)
        filled = _TOKEN.sub(lambda match: json.dumps(cluster.values.get(match[1], ""))[1:-1], text)
        node, found = load_document(file, filled)
        self.problems.extend(found.items)
        if node is None:
            return {}
        judged = Found()
        judge_cluster(node, judged)
        self.problems.extend(judged.errors.items)
        value = node.value()
        if not isinstance(value, dict):
            return {}
        settings = value.get("new_cluster", value)
        for key in sorted(settings.keys() - CLUSTER_KEYS):
            path = ("new_cluster", key) if "new_cluster" in value else (key,)
            hint = nearest(key, sorted(CLUSTER_KEYS))
            judged.tell("DP531", node, path, f"'{key}' is not a setting that is handed on", hint, key=True)
        self.problems.extend(item for item in judged.errors.items if item not in self.problems.items)
        return {key: held for key, held in settings.items() if key in CLUSTER_KEYS}

    def jobs(self, config: Databricks, files: DatabricksFiles) -> None:
        """Every notebook and library that a task names is there."""
        for name, job in config.jobs.items():
            for key, task in job.tasks.items():
                at = ("jobs", name, "tasks", key)
                if task.notebook is not None:
                    self._held((*at, "notebook"), "notebook", task.notebook, files.notebooks)
                for index, library in enumerate(task.libraries):
                    self._held((*at, "libraries", index), "library", library, files.libraries)

    def _held(self, at: tuple[str | int, ...], what: str, name: str, held: Mapping[str, object]) -> None:
        if name not in held:
            folder = "notebooks" if what == "notebook" else "libraries"
            hint = nearest(name, held) if held else f"the stack has no {folder}"
            self._tell("DP252", at, f"there is no {what} {shown(name)} in {folder}", hint)

    def notebooks(self, folder: str | None) -> dict[str, tuple[str, bytes]]:
        found: dict[str, tuple[str, bytes]] = {}
        for file, name in self._below(folder, "notebooks", frozenset(LANGUAGES), "a notebook in source format"):
            found[Path(name).with_suffix("").as_posix()] = (LANGUAGES[file.suffix.lower()], file.read_bytes())
        return found

    def libraries(self, folder: str | None) -> dict[str, bytes]:
        return {
            name: file.read_bytes() for file, name in self._below(folder, "libraries", LIBRARIES, "a wheel or a JAR")
        }

    def _below(self, folder: str | None, key: str, endings: frozenset[str], what: str) -> list[tuple[Path, str]]:
        if folder is None:
            return []
        root = self._root / folder
        if not root.is_dir():
            self._tell("DP252", (key,), f"there is no folder {folder}", "add it, or take the key out")
            return []
        files = sorted(file for file in root.rglob("*") if file.is_file() and not file.name.startswith("."))
        found = []
        for file in files:
            name = file.relative_to(root).as_posix()
            if file.suffix.lower() not in endings:
                self._tell(
                    "DP252",
                    (key,),
                    f"{folder}/{name} is not {what}",
                    f"name it {', '.join(sorted(endings))}, or move it",
                )
            elif file.stat().st_size > MAX_FILE:
                size = file.stat().st_size
                self._tell(
                    "DP252", (key,), f"{folder}/{name} has {size:,} bytes, the limit is {MAX_FILE:,}", "split it"
                )
            else:
                found.append((file, name))
        if not files:
            self._tell("DP252", (key,), f"the folder {folder} is empty", "add files, or take the key out")
        return found
