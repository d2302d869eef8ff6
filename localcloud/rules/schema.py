"""Do a resource's inputs fit the installed SDK's types?

Refused at any depth: unknown keys, missing required ones, wrong types, values outside a closed enum, a union's variant
that does not exist, assets where none is taken. Open enums (`Union[str, Kind]`) take any string, as the providers do.

Weak typing, decided: Terraform's SDK behind the bridge turns number-like strings into numbers and "true"/"false" into
booleans, so those pass for gcp, databricks and azuread (not for azure-native, which has no such step). The other way,
a number or a boolean where a string belongs, the bridge converts too, but with a type warning; here it is refused,
because no typed program writes it on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.rules import sdk
from localcloud.rules.failures import Failure, suggestion
from localcloud.rules.paths import render, snake
from localcloud.rules.wire import SIGNATURE, Path, Plain, is_archive, is_asset, is_unknown

_NUMBER = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")
_KINDS = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


def check(token: str, inputs: Plain, argument: Callable[[Path], str] | None = None) -> tuple[Failure, ...]:
    """Hold plain inputs against the SDK's Args class of the resource type.

    `argument` spells a place as Terraform does, for the messages of bridged providers.
    """
    checker = _Checker(token.split(":", 1)[0] != "azure-native", inputs, argument or _argument)
    return tuple(checker.object(sdk.args_class(token), inputs.value, ()))


@dataclass(frozen=True)
class _Checker:
    weak: bool
    """Whether the provider sits behind Terraform's weak typing (and speaks its words)."""
    inputs: Plain
    argument: Callable[[Path], str]

    def object(self, owner: type, value: dict[str, Any], path: Path) -> Iterator[Failure]:
        fields = sdk.fields(owner)
        for key in value:
            if key not in fields:
                yield self.unknown_key(owner, key, fields, path)
        for key, field in fields.items():
            below = (*path, key)
            if value.get(key) is not None:
                yield from self.value(field.shape, value[key], below)
            elif field.required:
                yield Failure(render(below), self.missing(below))

    def unknown_key(self, owner: type, key: str, fields: Any, path: Path) -> Failure:
        place = render((*path, key))
        if self.weak:
            return Failure(place, f"Invalid or unknown key{suggestion(key, fields)}")
        return Failure(
            place, f"'{place}' is not a property of {owner.__name__.removesuffix('Args')}{suggestion(key, fields)}"
        )

    def missing(self, path: Path) -> str:
        if self.weak:
            return missing_argument(self.argument(path))
        return f"missing required property '{render(path)}'"

    def shown(self, value: Any, path: Path) -> str:
        if self.inputs.is_secret(path):
            return "[secret]"
        return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)

    def mismatch(self, shape: sdk.Shape, value: Any, path: Path) -> Failure:
        kind = "asset" if is_asset(value) else _KINDS.get(type(value), type(value).__name__)
        place = render(path)
        if not self.weak:
            return Failure(
                place,
                f"'{place}' should be of type '{shape.describe()}' but got {'an' if kind[0] in 'aeio' else 'a'} {kind}",
            )
        what = kind if isinstance(value, (dict, list)) else f"{self.shown(value, path)} of type {kind}"
        return Failure(place, f"expected {shape.describe()} type, got {what}")

    def value(self, shape: sdk.Shape, value: Any, path: Path) -> Iterator[Failure]:
        if value is None or is_unknown(value) or (shape.anything and not is_asset(value)):
            return
        if isinstance(value, dict) and SIGNATURE in value:
            if not (shape.archive if is_archive(value) else shape.asset or (shape.archive and not is_asset(value))):
                yield self.mismatch(shape, value, path)
        elif isinstance(value, dict) and shape.objects:
            yield from self.variant(shape, value, path)
        elif isinstance(value, dict) and shape.values is not None:
            for key, item in value.items():
                yield from self.value(shape.values, item, (*path, key))
        elif isinstance(value, list) and shape.items is not None:
            for index, item in enumerate(value):
                yield from self.value(shape.items, item, (*path, index))
        elif isinstance(value, (dict, list)):
            yield self.mismatch(shape, value, path)
        else:
            yield from self.scalar(shape, value, path)

    def scalar(self, shape: sdk.Shape, value: Any, path: Path) -> Iterator[Failure]:
        wanted = shape.primitives
        if shape.enum and "string" not in wanted and isinstance(value, str):
            if value not in shape.enum:
                yield self.not_in_enum(shape.enum, value, path)
            return
        if isinstance(value, bool):
            fits = "boolean" in wanted
        elif isinstance(value, (int, float)):
            fits = "number" in wanted or ("integer" in wanted and float(value).is_integer()) or value in shape.enum
        else:
            fits = "string" in wanted or (self.weak and _weakly(wanted, str(value)))
        if not fits:
            yield self.mismatch(shape, value, path)

    def not_in_enum(self, members: tuple[Any, ...], value: str, path: Path) -> Failure:
        place = render(path)
        listed = ",".join(f"'{member}'" for member in members)
        got = "[secret]" if self.inputs.is_secret(path) else value
        return Failure(place, f"'{place}' is '{got}' but expected one of [{listed}]")

    def variant(self, shape: sdk.Shape, value: dict[str, Any], path: Path) -> Iterator[Failure]:
        """Check an object against its class, or against the one variant of a union its discriminator names."""
        if len(shape.objects) == 1:
            yield from self.object(shape.objects[0], value, path)
            return
        key = next((name for owner in shape.objects for name in sdk.constants(owner)), None)
        if key is None:
            found = [list(self.object(owner, value, path)) for owner in shape.objects]
            yield from min(found, key=len)
            return
        kind = value.get(key)
        if is_unknown(kind):
            return
        variants = {sdk.constants(owner).get(key): owner for owner in shape.objects}
        place = (*path, key)
        if kind is None:
            yield Failure(render(place), self.missing(place))
        elif isinstance(kind, str) and kind in variants:
            yield from self.object(variants[kind], value, path)
        elif None in variants:
            yield from self.object(variants[None], value, path)
        else:
            near = suggestion(str(kind), [name for name in variants if name])
            shown = "[secret]" if self.inputs.is_secret(place) else kind
            words = f"'{render(place)}' is '{shown}' but expected one of {len(variants)} kinds{near}"
            yield Failure(render(place), words)


def missing_argument(argument: str) -> str:
    """Terraform's words for a required argument that is not there."""
    return f'Missing required argument. The argument "{argument}" is required, but no definition was found.'


def _argument(path: Path) -> str:
    return ".".join(str(step) if isinstance(step, int) else snake(step) for step in path)


def _weakly(wanted: frozenset[str], value: str) -> bool:
    """Whether Terraform's SDK would turn the string into a wanted type."""
    if "boolean" in wanted and value in ("true", "false"):
        return True
    if "number" in wanted and _NUMBER.match(value):
        return True
    return "integer" in wanted and bool(_NUMBER.match(value)) and float(value).is_integer()
