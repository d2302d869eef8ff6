"""The installed SDKs' typed Args classes as shapes that wire values can be held against.

A token's class is looked up in the SDK's own registration (read as text, so that nothing is imported), then only the
module that defines it is imported. Shapes are worked out class by class, when a value first reaches them.
"""

from __future__ import annotations

import dis
import enum
import importlib
import importlib.util
import inspect
import json
import re
import sys
import threading
import types
import typing
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = {
    "gcp": "pulumi_gcp",
    "azure-native": "pulumi_azure_native",
    "databricks": "pulumi_databricks",
    "azuread": "pulumi_azuread",
}


@dataclass(frozen=True)
class Shape:
    """What a value may be: any of the alternatives that are set."""

    anything: bool = False
    primitives: frozenset[str] = frozenset()
    enum: tuple[Any, ...] = ()
    """Values of a closed enum; an open one (any string, or one of these) has `string` among the primitives too."""
    asset: bool = False
    archive: bool = False
    items: Shape | None = None
    values: Shape | None = None
    objects: tuple[type, ...] = ()

    def describe(self) -> str:
        """In words, for a message."""
        names = sorted(self.primitives)
        if self.enum and "string" not in self.primitives:
            names.append("string")
        if self.items is not None:
            names.append("array")
        if self.objects or self.values is not None:
            names.append("object")
        if self.asset:
            names.append("asset")
        if self.archive:
            names.append("archive")
        return " or ".join(names) or "any"


@dataclass(frozen=True)
class Field:
    """One property of an Args class; the annotation is turned into a shape when it is first needed."""

    annotation: Any
    required: bool
    owner: type

    @property
    def shape(self) -> Shape:
        """What its value may be."""
        return _shape_of(self)


@cache
def _classes(package: str) -> Mapping[str, tuple[str, str]]:
    """Token -> (module, class) of an SDK."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return {}
    source = Path(spec.origin).read_text(encoding="utf-8")
    match = re.search(r'resource_modules="""\n(.*?)\n"""', source, re.DOTALL)
    modules = json.loads(match.group(1)) if match else []
    return {token: (entry["fqn"], name) for entry in modules for token, name in entry["classes"].items()}


def version(provider: str) -> str:
    """The installed SDK's version, which is the provider's."""
    from importlib.metadata import version as installed

    return installed(PACKAGES[provider].replace("_", "-"))


def known(token: str) -> bool:
    """Whether the installed SDK has the resource type."""
    package = PACKAGES.get(token.split(":", 1)[0])
    return package is not None and token in _classes(package)


_importing = threading.Lock()


@cache
def _resource_class(token: str) -> type:
    module_name, name = _classes(PACKAGES[token.split(":", 1)[0]])[token]
    # The SDKs import their modules at the first look at an attribute, and warn of every deprecated class in them.
    with _importing, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found: type = getattr(importlib.import_module(module_name), name)
        return found


@cache
def args_class(token: str) -> type:
    """The Args class of a resource type.

    Raises:
        KeyError: the installed SDK does not have the type.
    """
    resource = _resource_class(token)
    name = resource.__name__
    module = sys.modules[resource.__module__]
    # Where a nested type already has the name `XArgs`, the generator calls the resource's own `XInitArgs`.
    found: type = getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args")
    return found


@cache
def fields(owner: type) -> Mapping[str, Field]:
    """The properties of an Args class by their wire names."""
    from pulumi import _types

    signature = inspect.signature(owner.__init__)  # type: ignore[misc]
    result = {}
    for python_name, wire_name in _types.input_type_py_to_pulumi_names(owner).items():
        parameter = signature.parameters.get(python_name)
        if parameter is not None:
            result[wire_name] = Field(parameter.annotation, parameter.default is inspect.Parameter.empty, owner)
    return result


@cache
def constants(owner: type) -> Mapping[str, str]:
    """Properties the class sets to one literal whatever its caller says: the discriminators of a union.

    They are found as `pulumi.set(self, "type", "AzureBlobFS")` in the constructor: two constants in a row.
    """
    wire = set(fields(owner))
    found: dict[str, str] = {}
    previous: Any = None
    for instruction in dis.get_instructions(owner.__init__):  # type: ignore[misc]
        value = instruction.argval if instruction.opname == "LOAD_CONST" else None
        if isinstance(previous, str) and isinstance(value, str) and previous in wire:
            found[previous] = value
        previous = value
    return found


@cache
def outputs(token: str) -> frozenset[str]:
    """Wire names of all properties a resource has after creation, inputs among them."""
    from pulumi import _types

    return frozenset(_types.resource_types(_resource_class(token)))


@cache
def _shape_of(field: Field) -> Shape:
    return _merge(_alternatives(field.annotation, vars(sys.modules[field.owner.__module__])))


def _alternatives(annotation: Any, namespace: Mapping[str, Any]) -> list[Any]:
    """Flatten unions, take away None, Awaitable and Output, and resolve forward references."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        if annotation.startswith("Output["):
            return []
        return _alternatives(_resolve(annotation, namespace), namespace)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [found for part in typing.get_args(annotation) for found in _alternatives(part, namespace)]
    if annotation is type(None) or getattr(origin, "__name__", "") in ("Awaitable", "Output"):
        return []
    if origin is not None and issubclass(origin, Mapping):
        return [("values", _merge(_alternatives(typing.get_args(annotation)[1], namespace)))]
    if origin is not None and issubclass(origin, Sequence):
        return [("items", _merge(_alternatives(typing.get_args(annotation)[0], namespace)))]
    return [annotation]


def _resolve(name: str, namespace: Mapping[str, Any]) -> Any:
    """A dotted name of the generated code."""
    head, *rest = name.split(".")
    if head not in namespace:
        raise NameError(f"the SDK refers to {name!r}, which its module does not have")
    value = namespace[head]
    for part in rest:
        value = getattr(value, part)
    return value


_PRIMITIVES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _merge(alternatives: list[Any]) -> Shape:
    import pulumi

    primitives: set[str] = set()
    members: list[Any] = []
    objects: list[type] = []
    items = values = None
    anything = asset = archive = False
    for alternative in alternatives:
        if isinstance(alternative, tuple):
            kind, inner = alternative
            items, values = (inner, values) if kind == "items" else (items, inner)
        elif alternative in _PRIMITIVES:
            primitives.add(_PRIMITIVES[alternative])
        elif inspect.isclass(alternative) and issubclass(alternative, enum.Enum):
            members += [member.value for member in alternative]
        elif inspect.isclass(alternative) and issubclass(alternative, pulumi.Asset):
            asset = True
        elif inspect.isclass(alternative) and issubclass(alternative, pulumi.Archive):
            archive = True
        elif (
            inspect.isclass(alternative)
            and alternative is not object
            and hasattr(alternative, "__init__")
            and _is_input(alternative)
        ):
            objects.append(alternative)
        else:
            anything = True
    return Shape(anything, frozenset(primitives), tuple(members), asset, archive, items, values, tuple(objects))


def _is_input(candidate: type) -> bool:
    from pulumi import _types

    return bool(_types.is_input_type(candidate))
