"""Configurations as data, and the engine's way with them: create, run again, read, import, change, destroy.

A case is one configuration of somebody's: its resources in the order they are made, with `${name.output}` for what one
takes of another. What is checked of every case needs no word in the file: that it is accepted, that a second run finds
nothing to do, also after a refresh and after an import by id, and that it goes away again. A case adds what its source
says beyond that: outputs, changes in place or by replacement, shorter ids to import by, refusals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from localcloud.rules.tables import tokens
from tests.localcloud.client import Client, Made, RefusedError

HERE = Path(__file__).parent
_REFERENCE = re.compile(r"\$\{(\w+)\.([\w.]+)\}")
"""`${name.output}`; what a workflow writes has a call or a bracket in it or a name that is no resource."""
_TOKENS = {f"{t.split(':')[1].split('/')[0]}.{t.rpartition(':')[2]}": t for t in tokens("gcp")}
_META = frozenset({"is", "unread", "stays"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One configuration."""

    name: str
    source: str
    """Where it was read: a test of the Terraform provider, an example of somebody's."""
    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Resource → output → what it is; a text between slashes is a pattern."""
    steps: tuple[Mapping[str, Any], ...] = ()
    """Changes: `of`, `set`, and `how`: update, replace, nothing, or refused with `words`."""
    imports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: str = ""
    """What is said of the last resource, where the cloud refuses it."""


def load(stem: str) -> list[Case]:
    """The cases of a file."""
    entries = yaml.safe_load((HERE / f"{stem}.yaml").read_text(encoding="utf-8"))
    return [Case(**{**entry, "steps": tuple(entry.get("steps", ()))}) for entry in entries]


def stems() -> list[str]:
    """The files there are."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


class Stack:
    """The resources of a case as a program has them, and their state as an engine has it."""

    def __init__(self, client: Client, case: Case, number: int) -> None:
        self.client = client
        self.number = number
        self.case = case
        self.inputs: dict[str, dict[str, Any]] = {}
        self.made: dict[str, Made] = {}

    def token(self, name: str) -> str:
        return _TOKENS[str(self.case.resources[name]["is"])]

    def fill(self, value: Any) -> Any:
        """References resolved; one that is a whole text keeps the output's type."""
        if isinstance(value, dict):
            return {key: self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if not isinstance(value, str):
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return self._output(whole)
        return _REFERENCE.sub(
            lambda match: str(self._output(match)) if match[1] in (*self.made, "project") else match[0], value
        )

    def _output(self, match: re.Match[str]) -> Any:
        if match[1] == "project":
            return str(self.number)
        made, path = self.made[match[1]], match[2]
        if path == "id":
            return made.id
        value: Any = made.outputs
        for step in path.split("."):
            value = value[int(step)] if step.isdigit() else value[step]
        return value

    def create(self) -> None:
        """Make all; the last one is refused where the case says so."""
        names = list(self.case.resources)
        for name in names:
            raw = {key: value for key, value in self.case.resources[name].items() if key not in _META}
            self.inputs[name] = self.fill(raw)
            if name == names[-1] and self.case.refused:
                said = self.refusal(name)
                assert re.search(self.case.refused, said), f"{name}: {said!r}"
                return
            try:
                self.made[name] = self.client.create(self.token(name), self.inputs[name], name)
            except (RefusedError, AssertionError) as error:
                raise AssertionError(f"{name} ({self.token(name)}) was refused: {error}") from error

    def refusal(self, name: str) -> str:
        """What is said of a resource, by the provider or the service; empty where it is accepted."""
        _, failures = self.client.check(self.token(name), self.inputs[name], name)
        if failures:
            return "; ".join(failures)
        try:
            self.client.create(self.token(name), self.inputs[name], name)
        except RefusedError as error:
            return error.words
        return ""

    def again(self) -> Iterator[str]:
        """What a second run, one after a refresh and one after an import would find to do."""
        for name, made in self.made.items():
            yield from self._drift(name, made, "again")
            seen = self.client.read(self.token(name), made.id, made.inputs)
            if seen is None:
                yield f"{name}: not there when read"
                continue
            yield from self._drift(name, seen, "after a refresh")
            yield from self._imported(name, made)

    def _drift(self, name: str, state: Made, when: str, allowed: tuple[str, ...] = ()) -> Iterator[str]:
        diff = self.client.diff(self.token(name), state, self.inputs[name], name)
        for path in diff.detailedDiff:
            if not any(path == top or path.startswith((f"{top}.", f"{top}[")) for top in allowed):
                yield f"{name}.{path} {when}: {dict(diff.detailedDiff)[path].kind}"

    def _imported(self, name: str, made: Made) -> Iterator[str]:
        token = self.token(name)
        if not self.client_importable(token):
            return
        # What an import cannot know: the provider does not read it back (each test of the source lists it too).
        allowed = tuple(self.case.resources[name].get("unread", ()))
        for text in (made.id, *(self.fill(text) for text in self.case.imports.get(name, ()))):
            seen = self.client.read(token, text)
            if seen is None:
                yield f"{name}: import by {text!r} finds nothing"
            elif seen.id != made.id:
                yield f"{name}: import by {text!r} finds {seen.id}"
            else:
                yield from self._drift(name, seen, f"after an import by {text!r}", (*allowed, "labels"))

    def client_importable(self, token: str) -> bool:
        from localcloud.rules.tables import table

        return bool(table(token).facts.get("importable")) and "iam" not in token.rpartition(":")[2].lower()

    def step(self, step: Mapping[str, Any]) -> str | None:
        """One change; what is wrong with it."""
        name, how = str(step["of"]), str(step["how"])
        wanted = {**self.inputs[name], **self.fill(dict(step["set"]))}
        wanted = {key: value for key, value in wanted.items() if value is not None}
        _, failures = self.client.check(self.token(name), wanted, name, self.made[name].inputs)
        if failures:
            said = "; ".join(failures)
            return None if how == "refused" and re.search(str(step["words"]), said) else f"{name}: refused: {said}"
        diff = self.client.diff(self.token(name), self.made[name], wanted, name)
        found = "replace" if diff.replaces else "update" if diff.diffs else "nothing"
        if how == "refused":
            try:
                self.client.update(self.token(name), self.made[name], wanted, name)
            except RefusedError as error:
                return None if re.search(str(step["words"]), error.words) else f"{name}: {error.words}"
            return f"{name}: {step['set']} was accepted"
        if found != how:
            return f"{name}: {step['set']} is {found}, not {how} ({list(diff.detailedDiff)})"
        if how == "update":
            try:
                self.made[name] = self.client.update(self.token(name), self.made[name], wanted, name)
            except RefusedError as error:
                return f"{name}: update refused: {error.words}"
            self.inputs[name] = wanted
            left = list(self._drift(name, self.made[name], "after the change"))
            return "; ".join(left) or None
        return None

    def outputs(self) -> Iterator[str]:
        """Outputs that are not what the source says."""
        for name, wanted in self.case.outputs.items():
            for path, value in wanted.items():
                value = self.fill(value)
                try:
                    found = self._output(re.match(r"(\w+)\.(.+)", f"{name}.{path}"))  # type: ignore[arg-type]
                except (KeyError, IndexError, TypeError) as error:
                    yield f"{name}.{path}: not there ({error!r})"
                    continue
                pattern = value[1:-1] if isinstance(value, str) and re.fullmatch(r"/.+/", value) else None
                if (re.fullmatch(pattern, str(found)) is None) if pattern else found != value:
                    yield f"{name}.{path}: {found!r}, not {value!r}"

    def destroy(self) -> Iterator[str]:
        """Delete all, last first, twice; what is left."""
        for name in reversed(list(self.made)):
            made, token = self.made[name], self.token(name)
            try:
                self.client.delete(token, made)
                self.client.delete(token, made)
            except RefusedError as error:
                yield f"{name}: not deleted: {error.words}"
                continue
            if not self.case.resources[name].get("stays") and self.client.read(token, made.id, made.inputs) is not None:
                yield f"{name}: still there after its deletion"
