"""A stack file, `Pulumi.<stack>.yaml`, → the platform and its declared secrets, or all that is wrong with it.

The file is Pulumi's: its top-level keys and the keys under `config` are checked against what Pulumi itself reads.
`data-platform:platform` holds the stack; the only other keys of our namespace are the encrypted values of the secrets
it declares. No diagnostic shows a value of `config` outside of the platform.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError

from dataplatform.config.document import Node, Path
from dataplatform.config.findings import AT, Findings
from dataplatform.config.loader import load_document, shown_path, validate
from dataplatform.config.plaintext import plain_secret
from dataplatform.config.platform import Platform
from dataplatform.config.rules import check_platform, check_values
from dataplatform.config.text import kind_of, shown
from dataplatform.diagnostics import Diagnostics, Position, nearest

NAMESPACE: Final = "data-platform"
PLATFORM_KEY: Final = f"{NAMESPACE}:platform"

PULUMI_KEYS: Final[frozenset[str]] = frozenset(
    {"config", "encryptedkey", "encryptionsalt", "environment", "secretsprovider"}
)
"""Top-level keys of a stack file (Pulumi 3.259, `workspace.ProjectStack`)."""

SECRETS: Final[tuple[Path, ...]] = (("gcp", "secrets"), ("azure", "key_vault", "secrets"))
"""Where the platform declares secrets; those with another `source` than `config` have no value in the file."""
PROVIDERS: Final[frozenset[str]] = frozenset({"azure-native", "azuread", "databricks", "gcp", "pulumi"})
"""Namespaces of configuration that the program's providers and the engine read."""

_KEY = re.compile(r"([A-Za-z0-9_.-]+):([^:]+)")
_KEY_FILE = re.compile(r"[\w./~-]+\.json")
"""gcp:credentials may name a file instead of holding its text."""
_LEGACY = re.compile(r"([A-Za-z0-9_.-]+):config:([^:]+)")


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """What was read of a stack file."""

    name: str
    file: FilePath
    node: Node | None
    platform: Platform | None
    """None where anything in it is wrong."""
    partial: Platform | None = None
    """The platform without its wrong parts, for what can be checked all the same."""
    unsure: frozenset[Path] = frozenset()
    """Where `partial` is not what the file says."""
    secrets: frozenset[str] = frozenset()
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    def place(self, path: Path, *, key: bool = False) -> tuple[Position, str]:
        """Position and source line of a value below the platform."""
        if self.node is None:
            return Position(shown_path(self.file)), ""
        position = self.node.position_of((*AT, *path), key=key)
        return position, self.node.line_text(position.line)


def read_stack_file(name: str, file: FilePath) -> StackFile:
    """Read and check one stack file, without its pipelines."""
    node, found = load_document(file)
    if node is None:
        return StackFile(name=name, file=file, node=None, platform=None, diagnostics=found)
    platform: Platform | None = None
    partial: Platform | None = None
    secrets: frozenset[str] = frozenset()
    unsure: frozenset[Path] = frozenset()
    config = _config(node, name)
    if config is not None:
        declared = _declared(node)
        if PLATFORM_KEY in config.entries:
            platform, _ = validate(Platform, node, at=AT)
            partial, unsure = (platform, unsure) if platform else best_effort(node)
            findings = Findings(node, unsure)
            if partial is not None:
                check_platform(partial, findings)
            target = node.at(AT)
            if target is not None:
                check_values(
                    target,
                    lambda at, code, message, remedy, path: node.document.report(code, at, message, remedy, at=path),
                )
        else:
            _no_platform(node, config)
        _config_keys(node, config, declared, name)
        if partial is not None and partial.gcp is not None:
            _provider_keys(node, config, partial, unsure)
        secrets = frozenset(declared)
    diagnostics = Diagnostics(list(node.document.diagnostics.items))
    return StackFile(
        name=name,
        file=file,
        node=node,
        platform=None if diagnostics else platform,
        partial=partial,
        unsure=unsure,
        secrets=secrets,
        diagnostics=diagnostics,
    )


def _config(node: Node, name: str) -> Node | None:
    """The mapping under `config`, after the top-level keys were checked."""
    if node.kind != "mapping":
        if not node.flawed:
            message = f"a stack file is a mapping, and this is {kind_of(node.value())}"
            node.report("DP122", (), message, f"write 'config:' and below it '{PLATFORM_KEY}:'")
        return None
    for key, (offset, _) in node.entries.items():
        if key in PULUMI_KEYS:
            continue
        if key.startswith(f"{NAMESPACE}:") or _KEY.fullmatch(key):
            remedy = "indent it below config:"
        else:
            remedy = nearest(key[:100], PULUMI_KEYS)
        node.document.report("DP203", offset, f"unknown key {shown(key)} in a stack file", remedy, path=(key,))
    entry = node.entries.get("config")
    if entry is None:
        if not any(_near_config(key) for key in node.entries):
            node.report("DP204", (), "the key 'config' is missing", f"write 'config:' and below it '{PLATFORM_KEY}:'")
        return None
    config = entry[1]
    if config.kind != "mapping":
        if not config.flawed:
            message = f"expected a mapping, found {_kind(config)}"
            node.report("DP204", ("config",), message, f"write '{PLATFORM_KEY}:' below it", key=True)
        return None
    return config


def _near_config(key: str) -> bool:
    return key not in PULUMI_KEYS and "'config'" in nearest(key[:100], PULUMI_KEYS)


def _kind(node: Node) -> str:
    kind = kind_of(node.value())
    return "nothing after the key" if kind == "nothing" else kind


def _no_platform(node: Node, config: Node) -> None:
    for key in config.entries:
        if key != PLATFORM_KEY and (
            key == "platform" or "'" + PLATFORM_KEY + "'" in nearest(key[:100], [PLATFORM_KEY])
        ):
            return  # _config_keys tells the misspelt key
    remedy = f"write '{PLATFORM_KEY}:' below config, with environment, protect and a cloud in it"
    node.report("DP204", ("config",), f"the key '{PLATFORM_KEY}' is missing", remedy, key=True)


def _declared(node: Node) -> dict[str, Path]:
    """Names of the secrets whose values the file holds, and where each is declared.

    They are told whether or not the rest of the platform is right.
    """
    found: dict[str, Path] = {}
    for path in SECRETS:
        secrets = node.at((*AT, *path))
        if secrets is None or secrets.kind != "mapping":
            continue
        for name, (_, secret) in secrets.entries.items():
            source = secret.entries.get("source") if secret.kind == "mapping" else None
            if source is None or source[1].scalar == "config":
                found.setdefault(name, (*path, name))
    return found


def _config_keys(node: Node, config: Node, declared: Mapping[str, Path], stack: str) -> None:
    for key, (offset, value) in config.entries.items():
        if key == PLATFORM_KEY or value.flawed:
            continue
        path: Path = ("config", key)
        legacy, plain = _LEGACY.fullmatch(key), _KEY.fullmatch(key)
        namespace = plain[1] if plain else ""
        if legacy:
            remedy = f"write {shown(legacy[1])[1:-1]}:{shown(legacy[2])[1:-1]}"
            node.document.report("DP208", offset, f"{shown(key)} is the old form of a key", remedy, path=path)
        elif plain is None:
            known = [PLATFORM_KEY.partition(":")[2], *declared]
            same = key if key in known else f"{NAMESPACE}:<name>"
            remedy = f"write {NAMESPACE}:{key}" if same == key else "write namespace:key, such as " + PLATFORM_KEY
            node.document.report("DP208", offset, f"the key {shown(key)} has no namespace", remedy, path=path)
        elif namespace == NAMESPACE:
            _own_key(node, plain[2], offset, value, declared, path, stack)
        elif namespace not in PROVIDERS:
            remedy = nearest(namespace[:100], {NAMESPACE, *PROVIDERS})
            message = f"nothing reads the namespace {shown(namespace)}"
            node.document.report("DP208", offset, message, remedy, path=path)
        else:
            _plain_provider_secret(node, plain[2], value, path, stack, key)
    for name, declared_at in declared.items():
        if f"{NAMESPACE}:{name}" not in config.entries and name != "platform":
            remedy = f"run: pulumi config set --secret {NAMESPACE}:{shown(name)[1:-1]} --stack {stack}"
            message = f"the secret {shown(name)} has no value in this stack"
            node.report("DP206", (*AT, *declared_at), message, remedy, key=True)


def _own_key(
    node: Node, name: str, offset: int, value: Node, declared: Mapping[str, Path], path: Path, stack: str
) -> None:
    if name not in declared:
        if name.lower() == "platform" or "did you mean" in nearest(name[:100], ["platform"]):
            remedy = f"did you mean '{PLATFORM_KEY}'?"
        else:
            hint = nearest(name[:100], declared) if declared else ""
            remedy = (
                hint if hint.startswith("did you mean") else f"declare it under gcp.secrets: {shown(name)[1:-1]}: {{}}"
            )
        node.document.report("DP205", offset, f"{shown(name)} is not a declared secret", remedy, path=path)
        return
    secure = value.entries.get("secure") if value.kind == "mapping" else None
    command = f"run: pulumi config set --secret {NAMESPACE}:{shown(name)[1:-1]} --stack {stack}"
    if secure is None or len(value.entries) != 1:
        what = "has no value" if value.kind == "scalar" and value.scalar in (None, "") else "is in plain text"
        node.document.report("DP207" if "plain" in what else "DP206", offset, f"the secret {shown(name)} {what}", (
            command + (" (and change the secret: it has been in a file)" if "plain" in what else "")
        ), path=path)  # fmt: skip
    elif not isinstance(secure[1].scalar, str) or not secure[1].scalar.strip():
        node.document.report("DP206", offset, f"the encrypted value of {shown(name)} is empty", command, path=path)


def _plain_provider_secret(node: Node, key: str, value: Node, path: Path, stack: str, whole: str) -> None:
    for below, leaf_key, leaf in value.walk():
        if below and below[-1] == "secure":
            continue
        is_file = isinstance(leaf.scalar, str) and _KEY_FILE.fullmatch(leaf.scalar)
        if not is_file and plain_secret(leaf_key or key, leaf.scalar):
            remedy = f"run: pulumi config set --secret {shown(whole)[1:-1]} --stack {stack}"
            node.report("DP207", path, "a secret in plain text", remedy, key=True)
            return


def _provider_keys(node: Node, config: Node, platform: Platform, unsure: frozenset[Path]) -> None:
    """The Google provider's own settings must say what the platform says."""
    gcp = platform.gcp
    assert gcp is not None
    for name, wanted in (("project", gcp.project), ("region", gcp.region)):
        entry = config.entries.get(f"gcp:{name}")
        if (
            ("gcp", name) in unsure
            or entry is None
            or entry[1].kind != "scalar"
            or entry[1].flawed
            or entry[1].scalar == wanted
        ):
            continue
        message = f"{shown(entry[1].scalar)} contradicts gcp.{name} of the platform, which is {shown(wanted)}"
        node.report("DP209", ("config", f"gcp:{name}"), message, "take it out: the platform says it")
    zone = config.entries.get("gcp:zone")
    if (
        ("gcp", "region") not in unsure
        and zone is not None
        and isinstance(zone[1].scalar, str)
        and not zone[1].scalar.startswith(f"{gcp.region}-")
    ):
        message = f"the zone {shown(zone[1].scalar)} is not in {shown(gcp.region)}, the region of the platform"
        node.report("DP209", ("config", "gcp:zone"), message, "take it out, or name a zone of that region")


_STAND_INS: Final[dict[Path, Any]] = {
    ("environment",): "unknown",
    ("protect",): False,
    ("gcp", "project"): "unknown-project",
    ("gcp", "region"): "europe-west1",
    ("azure", "subscription"): "00000000-0000-0000-0000-000000000000",
    ("azure", "tenant"): "00000000-0000-0000-0000-000000000000",
    ("azure", "location"): "westeurope",
    ("azure", "prefix"): "unknown",
    ("azure", "key_vault", "purge_protection"): False,
}
"""Values for required keys that are missing or wrong, so that the rest can be checked. Nothing is told about them."""


def best_effort(node: Node) -> tuple[Platform | None, frozenset[Path]]:
    """The platform without its wrong parts, and where they were; so that rules about other parts run all the same."""
    target = node.at(AT)
    wrong: set[Path] = set()
    if target is None or target.kind != "mapping":
        return None, frozenset()
    data: Any = target.value()
    for _ in range(20):
        try:
            return Platform.model_validate(data), frozenset(wrong)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False):
                path = tuple(part for part in item["loc"] if part != "[key]")
                if item["type"] == "missing" and path in _STAND_INS:
                    _put(data, path, _STAND_INS[path])
                else:
                    path = path[:-1] if item["type"] == "missing" else path
                    if not path or not _drop(data, path):
                        return None, frozenset(wrong)
                wrong.add(path)
    return None, frozenset(wrong)


def _put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def _drop(data: Any, path: Path) -> bool:
    """Take the value at a path out of plain data. True also where it is gone already."""
    for part in path[:-1]:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return True
    last = path[-1]
    if isinstance(data, dict):
        data.pop(last, None)
        return True
    if isinstance(data, list) and isinstance(last, int) and last < len(data):
        data[last] = data[-1] if len(data) > 1 else None
        data.pop()
        return True
    return False
