"""Reading a factory's folder in the git layout: `<kind>/<name>.json`, every key kept.

Nothing is passed over in silence: a file that is not an artefact is told, apart from what Data Factory Studio keeps for
itself, a README.md and hidden files.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

from dataplatform.config.data_factory.caution import Found
from dataplatform.config.data_factory.kinds import BY_FOLDER, FACTORY, IGNORED, OTHER_PRODUCTS, Kind
from dataplatform.config.document import Node
from dataplatform.config.loader import digest_of, load_document, shown_path
from dataplatform.config.text import kind_of, shown
from dataplatform.diagnostics import Position, nearest

MAX_FILES = 5_000
"""Entities a factory may have (Data Factory's limits, 2024-03)."""

_NAME = re.compile(r"[A-Za-z0-9_][^<>*#.%&:\\+?/]{0,259}")
"""The service's pattern for names of artefacts."""
_TOP = frozenset({"name", "properties", "type", "id", "etag", "apiVersion", "dependsOn", "identity"})
"""Keys that exports have; what is sent is `properties`, and the rest says where that came from."""
_GLOBALS = re.compile(r".+_GlobalParameters", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Artefact:
    """One artefact: a file with its tree."""

    kind: Kind
    name: str
    """By its file; a managed private endpoint's begins with its network's, `default/lake`."""
    node: Node
    file: str
    """As diagnostics show it."""
    sha256: str

    @property
    def properties(self) -> Node:
        """What `properties` holds."""
        found = self.node.child("properties")
        assert found is not None, "an artefact is made with properties"
        return found

    @property
    def type(self) -> str:
        """`properties.type`, or nothing."""
        found = self.properties.child("type")
        return found.scalar if found is not None and isinstance(found.scalar, str) else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class FactoryFolder:
    """What a factory's folder holds."""

    artefacts: tuple[Artefact, ...]
    """By kind in order of creation, then by name."""
    settings: tuple[Node, ...] = ()
    """The factory's own files, below `factory/`."""

    def find(self, kind: str, name: str) -> Artefact | None:
        """The artefact of a kind (its key) and name, in whatever case: the service does not mind it."""
        return self._index.get((kind, name.lower()))

    @functools.cached_property
    def _index(self) -> dict[tuple[str, str], Artefact]:
        return {(artefact.kind.key, artefact.name.lower()): artefact for artefact in self.artefacts}

    def names(self, kind: str) -> list[str]:
        """Names of the artefacts of a kind."""
        return [a.name for a in self.artefacts if a.kind.key == kind]

    def global_parameters(self) -> dict[str, tuple[Node, tuple[str, ...]]]:
        """Global parameters: name → the file's root, and the way to `{type, value}` in it."""
        found: dict[str, tuple[Node, tuple[str, ...]]] = {}
        for node in self.settings:
            stem = FilePath(node.document.file).stem
            way = () if _GLOBALS.fullmatch(stem) else ("properties", "globalParameters")
            holder = node.at(way)
            if holder is not None and holder.kind == "mapping":
                found |= {name: (node, (*way, name)) for name in holder.entries}
        return found


def read_factory(folder: FilePath, found: Found) -> FactoryFolder:
    """Read a factory's folder; mistakes are recorded, and what has one is left out."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        where = Position(shown_path(folder))
        remedy = "export the factory's git folder into it, or leave data_factory out of the stack"
        found.at("DP501", where, f"the Data Factory folder {what}", remedy)
        return FactoryFolder(artefacts=())
    artefacts: list[Artefact] = []
    settings: list[Node] = []
    seen: dict[tuple[str, str], Artefact] = {}
    before = len(found.errors.items)
    for path, kind, prefix in _files(folder, found):
        node, told = load_document(path)
        found.errors.extend(told.items)
        if node is None:
            continue
        if kind is None:
            if node.kind == "mapping":
                settings.append(node)
            else:
                found.tell("DP505", node, (), "the factory's file is not an object", 'write {"name": …}')
            continue
        artefact = _artefact(path, kind, prefix, node, found)
        if artefact is None:
            continue
        first = seen.setdefault((kind.key, artefact.name.lower()), artefact)
        if first is not artefact:
            message = f"a second {kind.name} of the name {shown(artefact.name)}"
            found.tell("DP504", node, (), message, f"keep one of them: the first is {first.file}")
            continue
        artefacts.append(artefact)
    if not artefacts and len(found.errors.items) == before:
        remedy = "put pipelines into pipeline/, datasets into dataset/ and so on, as Data Factory's git folder has them"
        found.at("DP501", Position(shown_path(folder)), "the Data Factory folder holds nothing to deploy", remedy)
    artefacts.sort(key=lambda a: (a.kind.order, a.name))
    return FactoryFolder(artefacts=tuple(artefacts), settings=tuple(settings))


def _files(folder: FilePath, found: Found) -> Iterator[tuple[FilePath, Kind | None, str]]:
    """Every file that may be an artefact, with its kind (none for the factory's own) and what its name begins with."""
    count = 0
    for where, folders, files in os.walk(folder):
        here = FilePath(where)
        parts = here.relative_to(folder).parts
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (here / name).is_symlink():
                found.at("DP502", Position(shown_path(here) + "/" + name), "a link", "put the folder itself here")
        kind, prefix = _kind_of(parts)
        product = OTHER_PRODUCTS.get(parts[0].lower()) if parts else None
        if product is not None:
            remedy = "move it out: only Data Factory's own artefacts are deployed from here"
            found.at("DP506", Position(shown_path(here)), f"{shown(parts[0])} is a folder of {product}", remedy)
            folders.clear()
            continue
        if (here / "pipeline-content.json").exists():
            remedy = "export it from Data Factory: a Fabric pipeline cannot be deployed to one"
            found.at("DP506", Position(shown_path(here)), "this is an item of Fabric", remedy)
            folders.clear()
            continue
        for name in sorted(files):
            path = here / name
            if name.startswith(".") or name.lower() == "readme.md" or (not parts and name.lower() in IGNORED):
                continue
            count += 1
            if count > MAX_FILES:
                found.at(
                    "DP533", Position(shown_path(folder)), f"more than {MAX_FILES} files", "a factory takes no more"
                )
                return
            if path.is_symlink():
                found.at("DP502", Position(shown_path(here) + "/" + name), "a link", "put the file itself here")
            elif path.suffix.lower() != ".json":
                found.at("DP502", Position(shown_path(path)), "not a .json file", "keep it elsewhere")
            elif kind is None and parts != (FACTORY,):
                found.at("DP502", Position(shown_path(path)), _not_here(name, parts), _where(parts))
            else:
                yield path, kind, prefix


def _kind_of(parts: tuple[str, ...]) -> tuple[Kind | None, str]:
    if len(parts) == 1 and parts[0].lower() != "managedprivateendpoint":
        return BY_FOLDER.get(parts[0].lower()), ""
    if len(parts) == 3 and parts[0].lower() == "managedvirtualnetwork" and parts[2].lower() == "managedprivateendpoint":
        return BY_FOLDER["managedprivateendpoint"], f"{parts[1]}/"
    return None, ""


def _not_here(name: str, parts: tuple[str, ...]) -> str:
    if name.lower().startswith("armtemplate"):
        return "an ARM template that Data Factory made, not one of its artefacts"
    return "a file outside of the folders of the kinds" if not parts else f"no kind of artefact is in {'/'.join(parts)}"


def _where(parts: tuple[str, ...]) -> str:
    known = sorted([kind.folder for kind in BY_FOLDER.values()] + [FACTORY])
    if parts:
        return nearest(parts[0], known)
    return "put it into one of " + ", ".join(known)


def _artefact(path: FilePath, kind: Kind, prefix: str, node: Node, found: Found) -> Artefact | None:
    if node.kind != "mapping":
        found.tell("DP505", node, (), f"the file holds {kind_of(node.value())}", 'write {"name": …, "properties": {…}}')
        return None
    stem = path.stem
    name = node.child("name")
    if name is None:
        found.tell("DP503", node, (), f"this {kind.name} has no name", f'add "name": "{stem}", as its file is called')
    elif not isinstance(name.scalar, str) or not name.scalar.strip():
        found.tell("DP503", node, ("name",), f"this {kind.name} has no name", f'write "name": "{stem}"')
    elif name.scalar != stem:
        message = f"the {kind.name} {shown(name.scalar)} stands in a file of another name"
        found.tell("DP503", node, ("name",), message, f"name the file {name.scalar}.json, or the artefact '{stem}'")
    elif not _NAME.fullmatch(stem):
        remedy = "begin with a letter, a digit or _ and use none of < > * # . % & : \\ + ? /, at most 260 characters"
        found.tell("DP503", node, ("name",), f"{shown(stem)} cannot be a name in Data Factory", remedy)
    properties = node.child("properties")
    if properties is None or properties.kind != "mapping":
        found.tell("DP505", node, ("properties",) if properties else (), "'properties' is missing or is not an object",
                   'write {"name": …, "properties": {…}}')  # fmt: skip
        return None
    declared = properties.child("type")
    if kind.typed and (declared is None or not isinstance(declared.scalar, str) or not declared.scalar.strip()):
        found.tell("DP505", node, ("properties",), f"this {kind.name} has no type", 'add "type" to its properties',
                   key=True)  # fmt: skip
        return None
    for key in node.entries:
        if key not in _TOP:
            found.tell("DP505", node, (key,), f"{shown(key)} beside 'properties' would not be sent",
                       "move it into properties, or take it out", key=True)  # fmt: skip
    return Artefact(
        kind=kind, name=prefix + stem, node=node, file=node.document.file, sha256=digest_of(path)
    )  # fmt: skip
