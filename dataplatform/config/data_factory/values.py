"""What can be wrong with a value wherever it stands: placeholders, secrets, other factories, old runtimes, DBFS."""

from __future__ import annotations

import re
from typing import Final

from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.expressions import twelve_hour
from dataplatform.config.data_factory.folder import Artefact
from dataplatform.config.data_factory.references import objects
from dataplatform.config.data_factory.runtimes import runtime_problem
from dataplatform.config.data_factory.secret_texts import credential_in
from dataplatform.config.document import Node, Path
from dataplatform.config.plaintext import secret_shape
from dataplatform.config.text import shown

_PLACEHOLDERS: Final = (
    (re.compile(r"<[A-Za-z][\w .-]{0,60}>"), "in angle brackets"),
    (re.compile(r"__[A-Z][A-Z0-9_]*__"), "between double underscores"),
    (re.compile(r"\{\{[^{}]{1,80}\}\}"), "in double braces"),
    (re.compile(r"(?<![A-Za-z0-9])TEMP_\w+"), "that begins with TEMP_"),
    (re.compile(r"\bREPLACE_?ME\b", re.IGNORECASE), "that asks to be replaced"),
)
_PROSE: Final = frozenset({"description", "script", "scriptLines", "query", "text", "body", "schema", "translator"})
"""Keys below which angle brackets and braces are somebody's text: SQL, XML, a mapping."""
_FACTORY: Final = re.compile(
    r"/subscriptions/[^/\s'\"]+/resourceGroups/[^/\s'\"]+/providers/Microsoft\.DataFactory/factories/[^/\s'\"]+",
    re.IGNORECASE,
)
_DBFS: Final = re.compile(r"^(?:dbfs:/|/dbfs/|/mnt/|/FileStore/)")
_HOSTS: Final = re.compile(
    r"https?://(?P<host>[a-z0-9-]+\.(?:(?:dfs|blob|table|queue|file)\.core\.windows\.net|vault\.azure\.net|"
    r"azuredatabricks\.net|database\.windows\.net|sql\.azuresynapse\.net|dev\.azuresynapse\.net|azurewebsites\.net|"
    r"documents\.azure\.com|servicebus\.windows\.net|[0-9]+\.azuredatabricks\.net))|"
    r"(?P<adb>adb-[0-9]+\.[0-9]+\.azuredatabricks\.net)",
    re.IGNORECASE,
)
_SECRET_KEYS: Final = frozenset(
    {"password", "accountkey", "accesstoken", "serviceprincipalkey", "sastoken", "sasuri", "clientsecret", "apikey",
     "accesskey", "secretaccesskey", "functionkey", "personalaccesstoken", "authheaders"}
)  # fmt: skip
_WORKERS: Final = re.compile(r"(?P<least>\d+)\s*:\s*(?P<most>\d+)")
_VAULT: Final = 'keep it in Key Vault: {"type": "AzureKeyVaultSecret", "store": …, "secretName": …}'
_TO_PATCH: Final = "write the value, or patch it by name in the stack"


def judge_values(artefact: Artefact, found: Found) -> None:
    """Tell what is wrong with the values of one artefact."""
    root = artefact.node
    for path, node in objects(root):
        _object(artefact, path, node, found)
    for path, key, node in root.walk():
        if not isinstance(node.scalar, str):
            continue
        text = node.scalar
        _placeholder(root, path, text, found)
        foreign = _FACTORY.search(text)
        if foreign:
            found.tell("DP525", root, path, f"this names the factory {shown(foreign[0].rsplit('/', 1)[-1])} by its id",
                       "refer to what is meant by name, or patch it by name in the stack")  # fmt: skip
        if key == "encryptedCredential":
            found.tell("DP522", root, path, "a credential that only the exported factory can decrypt",
                       "take it out and use a managed identity or a Key Vault secret, or have the stack remove it",
                       key=True)  # fmt: skip
        elif not _expression(text) or key == "connectionString":
            _secret(artefact, path, key, text, found)
        if _DBFS.match(text) and not _PROSE.intersection(path):
            found.tell("DP527", root, path, f"{shown(text)} lies on DBFS, whose mounts and root Databricks retires",
                       "use a volume (/Volumes/…), a workspace file (/Workspace/…) or abfss://")  # fmt: skip
        if key in ("newClusterVersion", "spark_version"):
            wrong = runtime_problem(text)
            if wrong:
                found.tell("DP526", root, path, wrong[0], wrong[1])
        if key == "newClusterNumOfWorker":
            _workers(root, path, text, found)
        _host(root, path, text, found)
        if key == "format" and "partitionedBy" in path:
            right = twelve_hour(text)
            if right:
                found.tell("DP521", root, path, f"the format {shown(text)} tells the hours of a half day",
                           f"write '{right}'")  # fmt: skip


def placeholder(text: str) -> str | None:
    """The first placeholder of a text, or None."""
    for shape, _ in _PLACEHOLDERS:
        match = shape.search(text)
        if match:
            return match[0]
    return None


def _expression(text: str) -> bool:
    return text.startswith("@") and not text.startswith("@@")


def _placeholder(root: Node, path: Path, text: str, found: Found) -> None:
    for shape, how in _PLACEHOLDERS:
        match = shape.search(text)
        if match and not (how in ("in angle brackets", "in double braces") and _PROSE.intersection(path)):
            found.tell(
                "DP520", root, path, f"{shown(match[0])}, a placeholder {how}, has not been filled in", _TO_PATCH
            )
            return


def _object(artefact: Artefact, path: Path, node: Node, found: Found) -> None:
    """Objects that are wrong as a whole: a SecureString with its value, a factory's identity."""
    root = artefact.node
    kind, value = node.child("type"), node.child("value")
    if kind is not None and kind.scalar == "SecureString" and value is not None:
        text = value.scalar
        if isinstance(text, str) and text.strip() and set(text) != {"*"} and not _expression(text):
            found.tell("DP523", root, (*path, "value"), "a SecureString with its value in plain text",
                       _VAULT,
                       key=True)  # fmt: skip
        elif isinstance(text, str) and set(text) == {"*"}:
            found.tell("DP522", root, (*path, "value"), "the export has asterisks in place of the secret",
                       _VAULT,
                       key=True)  # fmt: skip
    if "identity" in node.entries and artefact.kind.key != "factory" and not path:
        found.tell("DP525", root, ("identity",), "the identity of the exported factory stands here",
                   "take it out: the new factory has its own", key=True)  # fmt: skip


def _secret(artefact: Artefact, path: Path, key: str | None, text: str, found: Found) -> None:
    """Plain-text secrets in any value; the value itself is never shown."""
    root = artefact.node
    holder = root.at(path[:-1])
    if holder is not None and (kind := holder.child("type")) is not None and kind.scalar == "SecureString":
        return  # judged as a whole
    what: str | None = None
    given = credential_in(text)
    if given is not None:
        what = None if _reference(given) else "a credential within a text stands in plain text"
    elif text.strip() and not _reference(text):
        linked = artefact.kind.key == "linked_service" and path[:-1] == ("properties", "typeProperties")
        if linked and key is not None and key.lower() in _SECRET_KEYS:
            what = f"{key} stands in plain text"
        elif shape := secret_shape(text):
            what = f"{shape} stands in plain text"
    if what is not None:
        found.tell("DP523", root, path, what, _VAULT, key=True)


def _reference(text: str) -> bool:
    """Whether a text is filled in elsewhere: an expression, a placeholder (told as one), asterisks."""
    return text.startswith("@") or placeholder(text) is not None or set(text.strip()) <= {"*"}


def _workers(root: Node, path: Path, text: str, found: Found) -> None:
    match = _WORKERS.fullmatch(text.strip())
    if match and int(match["least"]) <= int(match["most"]):
        found.tell("DP534", root, path, f"{shown(text)} is a range in Data Factory's own notation",
                   f'write one number, "{match["most"]}", or run on a cluster of the stack, which scales by '
                   f"autoscale: {{min_workers: {match['least']}, max_workers: {match['most']}}}")  # fmt: skip
    elif match or (not text.strip().isdigit() and not _expression(text)):
        found.tell("DP529", root, path, f"{shown(text)} is not a number of workers",
                   'write a number in quotes, "2"')  # fmt: skip


def _host(root: Node, path: Path, text: str, found: Found) -> None:
    match = _HOSTS.search(text)
    if match and not _PROSE.intersection(path):
        host = match["host"] or match["adb"]
        found.tell("DP532", root, path, f"{shown(host)} is a resource of the environment that was exported",
                   "patch it by name in the stack, so that each environment uses its own")  # fmt: skip
