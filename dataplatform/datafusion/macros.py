"""The mapping of an environment: values that become macros on the way to git, and get values on the way back.

    version: 1
    values:
      landing_bucket: acme-data-dev-landing
      region: {value: europe-west1, inline: true}
    runtime: [business_unit, data_source]

A pipeline keeps `${landing_bucket}` on the instance too: CDAP replaces it when the pipeline runs, from the preferences
of the namespace, which a push fills from the mapping. A value that is `inline` is written into the pipeline by the
push, for properties that take no macros. `runtime` names what is given when a run is started. Profiles, connections,
schedules and runtime arguments get their values by the push. A mapping holds no secrets: those are secure keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from dataplatform.config.loader import load_document, shown_path, validate
from dataplatform.config.model import Model
from dataplatform.datafusion.model import SYSTEM, Export, Json, Key, Kind
from dataplatform.diagnostics import Diagnostics, InputError, Position

_MACRO = re.compile(r"\$\{([^${}()]+)\}")
_FUNCTION = re.compile(r"\$\{(\w+)\(([^()]*)\)\}")
_LIFTED = frozenset(
    {Kind.PIPELINE, Kind.DRAFT, Kind.VERSION, Kind.PROFILE, Kind.CONNECTION, Kind.SCHEDULE, Kind.TRIGGER}
)
_TEXTS = {
    Kind.PREFERENCES: "preferences",
    Kind.PIPELINE_PREFERENCES: "preferences",
    Kind.RUNTIME_ARGUMENTS: "arguments",
}
_BY_CDAP = frozenset({Kind.PIPELINE, Kind.DRAFT, Kind.VERSION})
"""What CDAP itself evaluates macros in."""
_WORD = r"[A-Za-z0-9_-]"
_COLUMN = re.compile(r"\bAS\s+`?(\w+)", re.IGNORECASE)
"""What a query calls its columns, which a stage may turn into macros."""


class InlineValue(Model):
    """A value that the push writes where its macro stands."""

    value: str = Field(min_length=1)
    inline: bool = False


class MappingFile(Model):
    """A mapping file."""

    version: int = Field(ge=1, le=1)
    values: dict[str, str | InlineValue] = Field(default_factory=dict)
    runtime: list[str] = Field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Macro names with the values they have in one environment."""

    values: Mapping[str, str] = field(default_factory=dict)
    inline: frozenset[str] = frozenset()
    runtime: frozenset[str] = frozenset()


def load_mapping(path: Path | None) -> Environment:
    """Read a mapping file; an empty mapping without one.

    Raises:
        InputError: with what is wrong in it.
    """
    if path is None:
        return Environment()
    node, diagnostics = load_document(path)
    read = None
    if node is not None and not diagnostics:
        read, diagnostics = validate(MappingFile, node)
    if read is None or node is None or diagnostics:
        raise InputError(diagnostics)
    values = {name: v if isinstance(v, str) else v.value for name, v in read.values.items()}
    inline = frozenset(name for name, v in read.values.items() if not isinstance(v, str) and v.inline)
    seen: dict[str, str] = {}
    for name, value in values.items():
        other = seen.setdefault(value, name)
        if other != name:
            what = f"'{name}' has the value of '{other}': a pull could not tell which macro to write"
            node.report("DP605", ("values", name), what, "leave one of them out")
        if not value or not re.fullmatch(r"[^\s${}()]+", name):
            what = "a macro has a name without spaces, $, { } and ( ), and a value"
            node.report("DP605", ("values", name), what, "give it both")
    if node.document.diagnostics:
        raise InputError(Diagnostics(list(node.document.diagnostics.items)))
    return Environment(values=values, inline=inline, runtime=frozenset(read.runtime))


def lift(export: Export, mapping: Environment) -> dict[Key, Json]:
    """What an instance holds, with the environment's values as macros."""
    if not mapping.values:
        return dict(export)
    replace = _lifter(mapping)
    made: dict[Key, Json] = {}
    for key, body in export.items():
        if key.kind in _LIFTED:
            made[key] = _in_values(body, replace, key.kind)
        elif key.kind in _TEXTS:
            name = _TEXTS[key.kind]
            texts = {
                k: replace(v)
                for k, v in body[name].items()
                # What a push puts there from the mapping is the environment's, not the files'.
                if not (key.kind == Kind.PREFERENCES and key.namespace != SYSTEM and mapping.values.get(k) == v)
            }
            if texts or not body[name]:
                made[key] = {**body, name: texts}
        else:
            made[key] = body
    return made


def lower(export: Export, mapping: Environment) -> dict[Key, Json]:
    """What files hold, as an instance of this environment is to have it."""
    if not mapping.values:
        return dict(export)
    every = _filler(mapping.values)
    inline = _filler({name: mapping.values[name] for name in mapping.inline})
    made: dict[Key, Json] = {}
    for key, body in export.items():
        if key.kind in _LIFTED:
            made[key] = _in_values(body, inline if key.kind in _BY_CDAP else every, key.kind)
        elif key.kind in _TEXTS:
            name = _TEXTS[key.kind]
            made[key] = {**body, name: {k: every(v) for k, v in body[name].items()}}
        else:
            made[key] = body
    given = {name: v for name, v in mapping.values.items() if name not in mapping.inline}
    for namespace in {key.namespace for key in export if key.kind == Kind.PIPELINE}:
        used = {n for k, b in export.items() if k.kind in _BY_CDAP and k.namespace == namespace for n in names_in(b)}
        key = Key(namespace=namespace, kind=Kind.PREFERENCES)
        told = made.get(key, {"preferences": {}})["preferences"]
        values = {n: v for n, v in given.items() if n in used and n not in told}
        if values:
            made[key] = {"preferences": {**told, **values}}
    return made


def _lifter(mapping: Environment) -> Callable[[str], str]:
    """Replaces whole words that are values by their macros, the longest first; what is a macro already stays."""
    by_value = {value: name for name, value in mapping.values.items()}
    longest = sorted(by_value, key=lambda v: (-len(v), v))
    words = "|".join(f"(?<!{_WORD}){re.escape(v)}(?!{_WORD})" for v in longest)
    pattern = re.compile(rf"\$\{{[^{{}}]*\}}|{words}")
    return lambda text: pattern.sub(lambda m: "${" + by_value[m[0]] + "}" if m[0] in by_value else m[0], text)


def _filler(values: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: _MACRO.sub(lambda m: values.get(m[1].strip(), m[0]), text)


def _in_values(body: Json, replace: Callable[[str], str], kind: Kind) -> Json:
    """Replace in the properties of plugins, provisioners and schedules; never in names, schemas or structure."""

    def walk(value: Any, inside: bool) -> Any:
        if isinstance(value, dict):
            return {k: walk(v, inside or k == "properties") for k, v in value.items() if k != "schema"} | (
                {"schema": value["schema"]} if "schema" in value else {}
            )
        if isinstance(value, list):
            return [walk(v, inside) for v in value]
        return replace(value) if inside and isinstance(value, str) else value

    if kind == Kind.PROFILE:
        properties = body["provisioner"]["properties"]
        changed = [{**p, "value": replace(p["value"])} if isinstance(p.get("value"), str) else p for p in properties]
        return {**body, "provisioner": {**body["provisioner"], "properties": changed}}
    made: Json = walk(body, False)
    return made


def names_in(value: Any) -> set[str]:
    """The names of the macros in an object."""
    return {name.strip() for text in _texts(value) for name in _MACRO.findall(text)}


def functions_in(value: Any, function: str) -> set[str]:
    """The arguments that a macro function, such as `secure` or `conn`, is called with."""
    return {
        argument.strip()
        for text in _texts(value)
        for name, argument in _FUNCTION.findall(text)
        if name == function and argument.strip()
    }


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if "${" in value else []
    if isinstance(value, dict):
        return [text for v in value.values() for text in _texts(v)]
    return [text for v in value for text in _texts(v)] if isinstance(value, list) else []


def missing_values(
    export: Export, mapping: Environment, places: Mapping[Key, Path], on_instance: Mapping[str, set[str]]
) -> Diagnostics:
    """Macros of pipelines that nothing gives a value: neither mapping nor preferences, arguments or an action.

    `on_instance` has, by namespace, the names of the preferences that are there already.
    """
    found = Diagnostics()
    for key, body in sorted(export.items()):
        given = _by_actions(body) if key.kind == Kind.PIPELINE else None
        if given is None:
            continue
        known = given | set(mapping.values) | mapping.runtime | on_instance.get(key.namespace, set())
        for kind, name in (
            (Kind.PREFERENCES, ""),
            (Kind.PIPELINE_PREFERENCES, key.name),
            (Kind.RUNTIME_ARGUMENTS, key.name),
        ):
            held = export.get(Key(namespace=key.namespace, kind=kind, name=name), {})
            known |= set(held.get(_TEXTS[kind], {}))
        known |= set(export.get(Key(namespace=SYSTEM, kind=Kind.PREFERENCES), {"preferences": {}})["preferences"])
        for name in sorted(names_in(body["config"]) - known):
            place = position(places[key], f"${{{name}}}") if key in places else Position(str(key))
            found.add(
                "DP604",
                place,
                f"{key} uses the macro ${{{name}}}, which nothing gives a value",
                "add it under 'values' of the mapping file, or under 'runtime' where it is given at the start of a run",
            )
    return found


def position(path: Path, text: str) -> Position:
    """Where a text stands first in a file, blanks inside of it aside; the file's beginning where it does not."""
    shown = shown_path(path)
    pattern = re.compile(r"\s*".join(re.escape(part) for part in re.findall(r"\w+|\W", text)))
    try:
        found = pattern.search(said := path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return Position(shown)
    if found is None:
        return Position(shown)
    before = said[: found.start()]
    return Position(shown, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _by_actions(body: Json) -> set[str] | None:
    """The macros that stages of the pipeline give values when it runs; None where they might be any."""
    given: set[str] = set()
    for stage in body["config"].get("stages") or []:
        plugin = stage.get("plugin") or {}
        name, properties = str(plugin.get("name", "")), plugin.get("properties") or {}
        if "argumentsetter" in name.lower():
            return None
        if name == "BigQueryExecute" and str(properties.get("rowAsArguments", "false")).lower() != "false":
            sql = str(properties.get("sql", ""))
            if "*" in sql or "${" in str(properties["rowAsArguments"]):
                return None
            given |= set(_COLUMN.findall(sql))
    return given
