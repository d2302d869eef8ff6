"""The resource types of `dp-cdap`: each is one object of an instance, written as a push writes it.

Whatever is on the instance under that name is looked at before it is written. What equals is adopted, so that a reply
that was lost, or a run that was killed between two calls, is made good by the next one. What somebody else made or
changed is not overwritten: the object is refused and the places are named. A refresh takes such a change into the
state, where a preview shows it as drift; then it may be overwritten, because it was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dataplatform.datafusion.apply import Applier
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.errors import ConflictError, NotFoundError
from dataplatform.datafusion.files import Loaded
from dataplatform.datafusion.model import DEFAULT_SCHEDULE, STUDIO, Json, Key, Kind, pipeline_key
from dataplatform.datafusion.objects import Found, beginning, find, problems, strange
from dataplatform.datafusion.plan import Step
from dataplatform.datafusion.secrets import hide
from providers.base import (
    UNKNOWN,
    Diff,
    Failure,
    ProviderError,
    Resource,
    State,
    Values,
    diff_values,
    has_unknown,
)
from providers.data_fusion import jars, pipelines
from providers.data_fusion.endpoints import Clients, sentences
from providers.data_fusion.forms import FORMS, Form, owner, type_words
from providers.data_fusion.secure_keys import TOKEN as SECURE_KEY
from providers.data_fusion.secure_keys import SecureKey

_SHOWN = 4
"""How many places of a conflict are named."""
_OF_VERSION = frozenset({"digest", "parents", "plugins"})
"""What belongs to the jar of an artifact's version."""


def resources(clients: Clients | None = None) -> dict[str, Resource]:
    """Every type, by its token."""
    shared = clients or Clients()
    made: dict[str, Resource] = {form.token: Object(form, shared) for form in FORMS}
    return {**made, SECURE_KEY: SecureKey(shared)}


class Object:
    """One type of resource."""

    def __init__(self, form: Form, clients: Clients) -> None:
        self._form = form
        self._clients = clients

    # Judging ------------------------------------------------------------------------------------------------------

    def check(self, news: Values, olds: Values) -> tuple[Values, Sequence[Failure]]:
        """Names and types; the inputs in the form in which they are compared."""
        form = self._form
        inputs = {**form.defaults, **news}
        failures = [
            Failure(property=name, reason=f"unknown input '{name}'; known are {', '.join(form.inputs)}")
            for name in sorted(set(inputs) - set(form.inputs))
        ]
        wanted: dict[str, type] = {"endpoint": str, **dict.fromkeys(form.names, str), **form.fields}
        if "streaming" in wanted:
            wanted["streaming"] = bool
        for name, type_ in wanted.items():
            value = inputs.get(name)
            reason = None
            if value is UNKNOWN:
                continue
            if not isinstance(value, type_) or (value == "" and name not in form.defaults):
                reason = f"give {type_words(type_)}"
            elif name == "endpoint":
                reason = _endpoint_problem(str(value))
            if reason is not None:
                failures.append(Failure(property=name, reason=reason))
        if not failures:
            try:
                inputs = form.normal(inputs)
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
                failures.append(
                    Failure(property=next(iter(form.fields)), reason=f"has not the form it must have: {error}")
                )
        if not failures and not has_unknown({name: inputs[name] for name in (*form.names, *form.fields)}):
            told = problems(form.key(inputs), form.body(inputs))
            failures += [Failure(property=name, reason=f"{what}; {right}") for name, what, right in told]
        return inputs, failures

    def diff(self, id: str, olds: State, news: Values) -> Diff:  # noqa: A002
        """What changed. Names replace, and so does the jar of a version that is no SNAPSHOT."""
        fixed = {"endpoint", *self._form.names}
        if self._form.kind == Kind.ARTIFACT and not _snapshot(news) and olds.inputs.get("digest"):
            fixed |= _OF_VERSION
        return diff_values(olds.inputs, news, replace=fixed, delete_first=True)

    # Doing --------------------------------------------------------------------------------------------------------

    def create(self, inputs: Values, *, preview: bool) -> tuple[str, Values]:
        """Make it, or adopt it where it is there as it is to be."""
        if preview:
            return "", self._outputs(inputs, UNKNOWN)
        client, key, body = self._known(inputs)
        with sentences(str(key)):
            live = find(client, key, owner(inputs))
            known = beginning(key, body)
            if live is not None and known is not None and not pipelines.ours(live):
                told = strange(self._comparable(key, inputs, live), known, body)
                self._refuse(key, told, "is there already, and not", "delete it there")
            version = self._write(client, inputs, live, body if live is None else live.body)
        return self._form.id_of(inputs), self._outputs(inputs, version)

    def read(self, id: str, inputs: Values, outputs: Values) -> State | None:  # noqa: A002
        """What is there. A secret that stands in plain text there does not reach the state."""
        form = self._form
        told = inputs or form.of_id(id)
        if told is None:
            raise ProviderError(f"'{id}' is no id of a {form.kind}: ENDPOINT/v3/{form.ids[-1]}")
        key = form.key(told)
        with sentences(str(key)):
            live = find(self._clients.of(str(told["endpoint"])), key, owner(told))
        if live is None:
            return None
        names = {name: told[name] for name in ("endpoint", *form.names) if name in told}
        now = form.normal({**names, **form.live(told, _hidden(key, live.body))})
        return State(id=form.id_of(now), inputs=now, outputs=self._outputs(now, live.version))

    def update(self, id: str, olds: State, news: Values, *, preview: bool) -> Values:  # noqa: A002
        """Change it, unless somebody else has changed it since it was last seen."""
        if preview:
            return self._outputs(news, UNKNOWN)
        client, key, body = self._known(news)
        before = self._form.body(self._form.normal({**self._form.defaults, **olds.inputs}))
        with sentences(str(key)):
            live = find(client, key, owner(news))
            if live is not None and not pipelines.ours(live):
                told = strange(self._comparable(key, news, live), before, body)
                how = "was changed on the instance since the stack last saw it, and is not"
                self._refuse(key, told, how, "look at it with a refresh")
            version = self._write(client, news, live, before)
        return self._outputs(news, version)

    def delete(self, id: str, outputs: Values) -> None:  # noqa: A002
        """Remove it. One that is not there is removed already."""
        inputs = {**self._form.defaults, **outputs}
        client, key, _ = self._known(inputs)
        with sentences(str(key)):
            if key.kind == Kind.NAMESPACE:
                _delete_namespace(client, key)
            elif key.kind == Kind.SCHEDULE and key.part == DEFAULT_SCHEDULE:
                pipelines.switch(client, key, on=False)  # it comes and goes with its pipeline
            elif key.kind == Kind.PIPELINE:
                pipelines.delete(client, key)
            else:
                gone = {**inputs, "jar": ""}  # what goes needs no jar
                _applier(client, key, gone).one(Step(key=key, action="delete", body=self._form.body(inputs)))

    # Details ------------------------------------------------------------------------------------------------------

    def _known(self, inputs: Values) -> tuple[Client, Key, Json]:
        if has_unknown({name: inputs.get(name) for name in self._form.inputs}):
            raise ProviderError(f"a value of this {self._form.kind} is still unknown")
        client = self._clients.of(str(inputs["endpoint"]))
        return client, self._form.key(inputs), self._form.body(inputs)

    def _comparable(self, key: Key, inputs: Values, live: Found) -> Json:
        """What is there, as far as the program speaks of it, in the form of `Form.body`."""
        return self._form.body({**inputs, **self._form.live(inputs, _hidden(key, live.body))})

    def _refuse(self, key: Key, places: list[str], how: str, remedy: str) -> None:
        if not places:
            return
        named = ", ".join(places[:_SHOWN]) + (f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else "")
        raise ProviderError(
            f"{key} {how} as the files have it ({named}); {remedy}, or take it into git with dp datafusion pull "
            f"--namespace {key.namespace}, then run this again"
        )

    def _write(self, client: Client, inputs: Values, live: Found | None, before: Json) -> str:
        """Write it; returns the version of a pipeline."""
        key, body = self._form.key(inputs), self._form.body(inputs)
        if key.kind == Kind.PIPELINE:
            return pipelines.write(client, key, body, live, before)
        action: Any = "create" if live is None else "update"
        if live is not None and self._comparable(key, inputs, live) == body and not _snapshot(inputs):
            return ""
        if key.kind == Kind.ARTIFACT and live is not None and _snapshot(inputs):
            action = "create"  # its jar may be another one, and may be put over the one that is there
        _applier(client, key, inputs).one(Step(key=key, action=action, body=body))
        return ""

    def _outputs(self, inputs: Values, version: Any) -> Values:
        return {**inputs, "appVersion": version} if self._form.kind == Kind.PIPELINE else dict(inputs)


def _applier(client: Client, key: Key, inputs: Values) -> Applier:
    places = {}
    if key.kind == Kind.ARTIFACT and inputs.get("jar"):
        places[key] = jars.find(str(inputs["jar"]), str(inputs["digest"])).with_suffix(".json")
    pipeline = pipeline_key(key)
    desired = {pipeline: owner(inputs)} if pipeline is not None and owner(inputs) else {}
    return Applier(client, desired, Loaded(export={}, places=places, folder=jars.ROOT))


def _delete_namespace(client: Client, key: Key) -> None:
    """Delete a namespace that holds nothing which is not this stack's: that has gone before it."""
    name = key.namespace
    if name == "default":
        return  # CDAP makes it and keeps it
    listed: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("pipeline", lambda: client.get("namespaces", name, "apps")),
        ("artifact", lambda: client.get("namespaces", name, "artifacts", scope="USER")),
        ("draft", lambda: client.get(*STUDIO, name, "drafts")),
    )
    try:
        client.get("namespaces", name)
    except NotFoundError:
        return
    for what, there in listed:
        try:
            left = sorted({str(one["name"]) for one in there()})
        except NotFoundError:
            continue  # a plain CDAP has no studio
        if left:
            names = ", ".join(left[:_SHOWN]) + (", …" if len(left) > _SHOWN else "")
            raise ProviderError(
                f"{key} still holds what is not the stack's ({what} {names}): take it into git with dp datafusion pull "
                f"--namespace {name}, or delete it there"
            )
    try:
        Applier(client, {}, Loaded(export={}, places={}, folder=jars.ROOT)).one(Step(key=key, action="delete"))
    except ConflictError as error:
        raise ProviderError(f"{key}: {error.text} (409); stop what runs in it, then run this again") from None


def _hidden(key: Key, body: Json) -> Json:
    return hide({key: body})[0][key]


def _snapshot(inputs: Values) -> bool:
    return str(inputs.get("version", "")).upper().endswith("-SNAPSHOT")


def _endpoint_problem(text: str) -> str | None:
    right = text.startswith(("http://", "https://")) and not text.endswith("/") and "/v3" not in text
    return None if right else "give the instance's API endpoint, https://HOST/api, without a slash at its end"
