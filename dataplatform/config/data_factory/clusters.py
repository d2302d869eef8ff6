"""Databricks cluster files (`cluster.config.json`): what Databricks refuses, or would understand otherwise."""

from __future__ import annotations

from pathlib import Path as FilePath

from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.runtimes import runtime_problem
from dataplatform.config.data_factory.values import placeholder
from dataplatform.config.document import Node, Path
from dataplatform.config.loader import load_document
from dataplatform.config.plaintext import plain_secret
from dataplatform.config.text import kind_of, shown

_TEXT_MAPS = ("spark_conf", "spark_env_vars", "custom_tags")
"""Mappings of text to text."""
_COUNTS = ("num_workers", "autotermination_minutes", "min_workers", "max_workers")


def read_cluster(path: FilePath, found: Found) -> Node | None:
    """Read and judge one cluster file; its tree, or None where it has no use."""
    node, told = load_document(path)
    found.errors.extend(told.items)
    if node is None:
        return None
    judge_cluster(node, found)
    return node


def judge_cluster(node: Node, found: Found) -> None:
    """Tell what is wrong with a cluster's configuration."""
    if node.kind != "mapping":
        found.tell("DP531", node, (), f"the file holds {kind_of(node.value())}", 'write {"spark_version": …}')
        return
    cluster = node.child("new_cluster")
    at: Path = ("new_cluster",) if cluster is not None else ()
    holder = cluster or node
    if holder.kind != "mapping" or holder.child("spark_version") is None:
        found.tell("DP531", node, at, "a cluster has a spark_version, and this has none", 'add "spark_version"')
    for mapping in _TEXT_MAPS:
        _texts(node, (*at, mapping), found)
    for path, key, value in node.walk():
        text: object = value.scalar
        if key in _COUNTS and isinstance(text, str):
            least, _, most = (part.strip() for part in text.partition(":"))
            scaled = f'write "autoscale": {{"min_workers": {least}, "max_workers": {most}}}'
            remedy = scaled if least.isdigit() and most.isdigit() else "write a number without quotes"
            if placeholder(text) is None:
                found.tell("DP529", node, path, f"{key} is {shown(text)}, which is text", remedy)
        if not isinstance(text, str):
            continue
        left = None if text.startswith("{{secrets/") else placeholder(text)
        if left:
            found.tell("DP520", node, path, f"{shown(left)}, a placeholder, has not been filled in",
                       "write the value, or fill it in by name in the stack")  # fmt: skip
        elif key == "spark_version" and (wrong := runtime_problem(text)):
            found.tell("DP526", node, path, wrong[0], wrong[1])
        elif text.startswith(("dbfs:/", "/dbfs/", "/mnt/")):
            found.tell("DP527", node, path, f"{shown(text)} lies on DBFS, whose mounts and root Databricks retires",
                       "use a volume (/Volumes/…), a workspace file (/Workspace/…) or abfss://")  # fmt: skip
        elif (secret := plain_secret(key, text)) is not None and not text.startswith("{{"):
            found.tell("DP523", node, path, f"{secret} stands in plain text",
                       "keep it in a secret scope and write {{secrets/scope/name}}", key=True)  # fmt: skip
    _range(node, (*at, "autoscale"), found)


def _texts(node: Node, path: Path, found: Found) -> None:
    holder = node.at(path)
    if holder is None:
        return
    if holder.kind != "mapping":
        found.tell("DP531", node, path, f"{path[-1]} is {kind_of(holder.value())}", 'write {"name": "text"}', key=True)
        return
    for name, (_, value) in holder.entries.items():
        if not isinstance(value.scalar, str):
            written = "true" if value.scalar is True else "false" if value.scalar is False else value.raw
            wanted = f'write "{written}"' if value.kind == "scalar" and value.scalar is not None else "write text"
            message = f"{shown(name)} is {kind_of(value.value())}, and Databricks takes text alone"
            found.tell("DP530", node, (*path, name), message, wanted)


def _range(node: Node, path: Path, found: Found) -> None:
    least, most = node.at((*path, "min_workers")), node.at((*path, "max_workers"))
    if least is None or most is None or not isinstance(least.scalar, int) or not isinstance(most.scalar, int):
        return
    if least.scalar > most.scalar:
        found.tell("DP529", node, (*path, "min_workers"), f"{least.scalar} workers at least and {most.scalar} at most",
                   "write the smaller number first")  # fmt: skip
