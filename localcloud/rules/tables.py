"""The providers' field tables: which properties a resource has and what the provider says about each.

The data and its source are in `data/` (`SOURCE.md` there). A table is read when its provider is first asked for, and a
resource's part turned into objects when that resource is first asked for: a plugin process starts for every command.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any

from localcloud.rules.paths import snake
from localcloud.rules.wire import Path

_MORE = {"gcp": ("gcp_more",), "azure-native": ("azure_native_generic",)}
"""Tables of types that the first reading left out, by provider."""
_FILES = {"gcp": "gcp", "azure-native": "azure_native", "databricks": "databricks", "azuread": "azuread"}


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a resource, at any depth; `facts` is its line of the table."""

    path: str
    facts: Mapping[str, Any]

    @property
    def type(self) -> str:
        """`string`, `int`, `number`, `bool`, `object`, `list<…>`, `set<…>`, `map<…>` or `any`."""
        return str(self.facts.get("type", "any"))

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path.rsplit(".", 1)[-1]

    @property
    def required(self) -> bool:
        """Whether the provider refuses a resource without it."""
        return bool(self.facts.get("required"))

    @property
    def computed(self) -> bool:
        """Whether the provider fills it in when the program does not."""
        return bool(self.facts.get("computed"))

    @property
    def output_only(self) -> bool:
        """Whether a program cannot set it."""
        return self.computed and not self.facts.get("optional") and not self.required

    @property
    def force_new(self) -> bool:
        """Whether a change replaces the resource."""
        return bool(self.facts.get("forceNew"))

    @property
    def hidden(self) -> bool:
        """Whether the service does not give the value back or the provider treats it as secret."""
        return bool(self.facts.get("sensitive") or self.facts.get("writeOnly"))

    @property
    def has_default(self) -> bool:
        """Whether the provider's schema has a default for it."""
        return "default" in self.facts

    @property
    def default(self) -> Any:
        """The schema's default, of the property's own type."""
        value = self.facts.get("default")
        # azure_native.json holds what the SDK's source says, so booleans are spelt as Python spells them.
        return (
            {"True": True, "False": False}.get(value, value)
            if self.type == "bool" and isinstance(value, str)
            else value
        )

    @property
    def is_list(self) -> bool:
        """Whether it is a list or a set."""
        return self.type.startswith(("list<", "set<"))

    @property
    def is_set(self) -> bool:
        """Whether order does not matter."""
        return self.type.startswith("set<")

    @property
    def is_map(self) -> bool:
        """Whether its keys are the user's."""
        return self.type.startswith("map<")

    @property
    def tf_name(self) -> str:
        """The argument's name in Terraform, which the provider's messages use."""
        return str(self.facts.get("tf") or snake(self.name))


@dataclass(slots=True)
class Node:
    """A property and those below it; the root has no property."""

    prop: Property | None = None
    children: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class AutoName:
    """How the provider names a resource whose program does not."""

    field: str
    max: int = 0
    separator: str = "-"
    random: int = 7
    lower: bool = False
    uuid: bool = False


@dataclass(frozen=True)
class ResourceTable:
    """What is known of one resource type; `facts` is its whole entry."""

    token: str
    facts: Mapping[str, Any]

    @property
    def provider(self) -> str:
        """`gcp`, `azure-native`, `databricks` or `azuread`."""
        return self.token.split(":", 1)[0]

    @property
    def bridged(self) -> bool:
        """Whether the provider is a Terraform provider behind Pulumi's bridge."""
        return self.provider != "azure-native"

    @cached_property
    def properties(self) -> Mapping[str, Property]:
        """All properties by table path."""
        constraints = self.facts.get("constraints") or {}
        # azure-native: the id's parts always replace; the table's own map names the rest, with its source.
        forced = {*self.path_params, *(() if self.bridged else self.facts.get("forceNew") or ())}
        result = {}
        for path, facts in self.facts["properties"].items():
            more = _constraint(constraints.get(path)) | ({"forceNew": True} if path in forced else {})
            result[path] = Property(path, {**facts, **more})
        own = self.own_name
        if own and own in result and self.facts.get("nameSpec"):
            result[own] = Property(own, {**result[own].facts, **_constraint(self.facts["nameSpec"])})
        return result

    @cached_property
    def root(self) -> Node:
        """The properties as a tree."""
        root = Node()
        for path, prop in self.properties.items():
            node = root
            for step in path.split("."):
                node = node.children.setdefault(step.removesuffix("[]").removesuffix("{}"), Node())
            node.prop = prop
        return root

    @property
    def path_params(self) -> tuple[str, ...]:
        """azure-native: the inputs that make up the resource's id."""
        return tuple(self.facts.get("pathParams", ()))

    @property
    def own_name(self) -> str | None:
        """azure-native: the path parameter that names the resource itself, which the SDK lets the program leave out."""
        properties = self.facts["properties"]
        free = [name for name in self.path_params if name in properties and not properties[name].get("required")]
        return free[-1] if free else None

    @property
    def required(self) -> tuple[str, ...]:
        """Top-level properties that must be given and are not named by the provider."""
        return tuple(
            name
            for name, node in self.root.children.items()
            if node.prop is not None
            and node.prop.required
            and not node.prop.facts.get("sdkOptional")
            and not node.prop.has_default
        )

    @property
    def computed(self) -> tuple[str, ...]:
        """Top-level properties the provider fills in."""
        own = [name for name, node in self.root.children.items() if node.prop is not None and node.prop.computed]
        return tuple(dict.fromkeys([*own, *self.facts.get("outputs", ())]))

    @property
    def secret_outputs(self) -> tuple[str, ...]:
        """Top-level outputs the provider marks secret."""
        return tuple(self.facts.get("secretOutputs", ()))

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Schema defaults of top-level properties."""
        pairs = ((name, node.prop) for name, node in self.root.children.items())
        return {name: prop.default for name, prop in pairs if prop is not None and prop.has_default}

    @property
    def id_format(self) -> str | None:
        """`projects/{{project}}/…` in Terraform's argument names, None where the source does not say."""
        return self.facts.get("idFormat")

    @property
    def delete_before_replace(self) -> bool:
        """Whether the bridge deletes first whatever the name."""
        return bool(self.facts.get("deleteBeforeReplace"))

    @property
    def updatable(self) -> bool:
        """Whether the provider has an update at all."""
        return bool(self.facts.get("updatable", True))

    @property
    def customize_diff(self) -> str:
        """Names of the hooks that run over a plan."""
        return str(self.facts.get("customizeDiff") or "")

    @cached_property
    def auto_name(self) -> AutoName | None:
        """How the provider names it, None where the program must."""
        if self.bridged:
            auto = self.facts.get("autoName")
            return (
                None
                if auto is None
                else AutoName(
                    auto["field"], auto.get("max", 0), auto.get("sep", ""), auto["rand"], bool(auto.get("lower"))
                )
            )
        own = self.own_name
        if own is None:
            return None
        spec = self.facts.get("nameSpec") or {}
        if own in ("roleAssignmentName", "roleDefinitionId"):
            return AutoName(own, uuid=True)
        parents = [name for name in self.path_params if name not in (own, "resourceGroupName")]
        # A child's name is the Pulumi name as it is; only a top-level resource gets a random suffix.
        limit = int(spec.get("maxLength", 0))
        return AutoName(own, limit, "", 0 if parents else 8)

    def trail(self, path: Path) -> list[tuple[Node | None, bool]]:
        """The node of each step of a path, and whether the step is an element of a list or a value of a map."""
        found: list[tuple[Node | None, bool]] = []
        node: Node | None = self.root
        element = False
        for step in path:
            of_map = node is not None and node.prop is not None and node.prop.is_map and not element
            element = isinstance(step, int) or of_map
            if not element:
                node = None if node is None else node.children.get(str(step))
            found.append((node, element))
        return found

    def node(self, path: Path) -> Node | None:
        """The node of a place in a value, None where the table knows nothing of it."""
        return self.trail(path)[-1][0] if path else self.root

    def tf_path(self, path: Path) -> str:
        """The place in Terraform's spelling, with `.0` for the blocks the bridge shows as one object."""
        parts: list[str] = []
        for index, (node, element) in enumerate(self.trail(path)):
            if element or node is None or node.prop is None:
                parts.append(str(path[index]) if element else snake(str(path[index])))
                continue
            parts.append(node.prop.tf_name)
            if node.prop.type == "object" and index + 1 < len(path):
                parts.append("0")
        return ".".join(parts)


def _constraint(spec: Mapping[str, Any] | None) -> dict[str, Any]:
    """azure-native's spec limits in the words of the other tables."""
    names = {
        "minValue": "min",
        "maxValue": "max",
        "minLength": "minLength",
        "maxLength": "maxLength",
        "pattern": "pattern",
    }
    facts = {names[key]: value for key, value in (spec or {}).items() if key in names}
    if spec and "const" in spec:
        facts["const"] = spec["const"]
    return facts


@cache
def load(name: str) -> Mapping[str, Any]:
    """One data file by its stem."""
    text = resources.files("localcloud.rules").joinpath("data", f"{name}.json").read_text(encoding="utf-8")
    data: Mapping[str, Any] = json.loads(text)
    return data


@cache
def _resources(provider: str) -> Mapping[str, Any]:
    if provider not in _FILES:
        return {}
    data = load(_FILES[provider])
    found: Mapping[str, Any] = data["resources"] if provider == "azure-native" else data
    more = _MORE.get(provider, ())
    return {**found, **{token: entry for name in more for token, entry in load(name).items()}} if more else found


def known(token: str) -> bool:
    """Whether the tables have the resource type."""
    return token in _resources(token.split(":", 1)[0])


@cache
def table(token: str) -> ResourceTable:
    """The table of a resource type.

    Raises:
        KeyError: the tables do not have it.
    """
    return ResourceTable(token, _resources(token.split(":", 1)[0])[token])


def tokens(provider: str | None = None) -> Iterator[str]:
    """All resource types of the tables, or those of one provider."""
    for name in [provider] if provider else _FILES:
        yield from _resources(name)
