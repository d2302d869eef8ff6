"""Data Factory in Azure Resource Manager: artefacts that refer to each other, and triggers that run.

What reaches the service is `properties`, whatever is in it, so a body is kept as it was sent. The rules hold however an
artefact is written: by the generic resource, by a typed one, or over REST (`localcloud.arm`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules import check_name
from localcloud.services.azure import GROUP, SUBSCRIPTION, ArmResource
from localcloud.services.base import Call, State
from localcloud.store import Row

NAMESPACE: Final = "Microsoft.DataFactory"
API_VERSIONS: Final = ("2017-09-01-preview", "2018-06-01")
GENERIC: Final = "azure-native:resources:Resource"
OURS: Final = "dp-azure:datafactory:Trigger"
"""What a trigger written over REST is kept as: the resource of the provider that writes them so."""
STARTED: Final = "Started"
STOPPED: Final = "Stopped"

_TYPED: Final = "azure-native:datafactory:"
COLLECTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "credentials": ("credentials", "CredentialOperation"),
    "dataflows": ("dataflows", "DataFlow"),
    "datasets": ("datasets", "Dataset"),
    "globalparameters": ("globalParameters", ""),
    "integrationruntimes": ("integrationRuntimes", "IntegrationRuntime"),
    "linkedservices": ("linkedservices", "LinkedService"),
    "managedprivateendpoints": ("managedPrivateEndpoints", "ManagedPrivateEndpoint"),
    "managedvirtualnetworks": ("managedVirtualNetworks", "ManagedPrivateEndpoint"),
    "pipelines": ("pipelines", "Pipeline"),
    "triggers": ("triggers", "Trigger"),
}
"""What a factory holds: name in lower case → as it is written, and the type whose rule for names holds."""
_REFERENCES: Final[Mapping[str, str]] = {
    "CredentialReference": "credentials",
    "DataFlowReference": "dataflows",
    "DatasetReference": "datasets",
    "IntegrationRuntimeReference": "integrationRuntimes",
    "LinkedServiceReference": "linkedservices",
    "ManagedVirtualNetworkReference": "managedVirtualNetworks",
    "PipelineReference": "pipelines",
    "TriggerReference": "triggers",
}
_BUILT_IN: Final = frozenset({"integrationruntimes/autoresolveintegrationruntime"})
_WITH_TYPE: Final = frozenset(
    {"credentials", "dataflows", "datasets", "integrationruntimes", "linkedservices", "triggers"}
)
"""Collections whose members say of what type they are."""
_ID: Final = re.compile(
    r"(?P<factory>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.DataFactory/factories/[^/]+)"
    r"/(?P<collection>[^/]+)/(?P<name>[^/]+)(?:/(?P<below>[^/]+)/(?P<last>[^/]+))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Entity:
    """One artefact of a factory, by its id."""

    factory: str
    collection: str
    """In lower case."""
    name: str
    id: str

    @property
    def key(self) -> str:
        """What the world knows it by."""
        return f"arm|{self.id.lower()}"


def entity_of(resource_id: str) -> Entity | None:
    """The artefact an id means, None where it is of something else."""
    match = _ID.fullmatch(resource_id)
    if match is None:
        return None
    parts = [match["collection"], match["below"]] if match["below"] else [match["collection"]]
    names = [match["name"], match["last"]] if match["last"] else [match["name"]]
    nested = len(parts) == 2
    if nested is not (parts[-1].lower() == "managedprivateendpoints"):
        return None
    if nested and parts[0].lower() != "managedvirtualnetworks":
        return None
    if any(part.lower() not in COLLECTIONS for part in parts):
        return None
    head, _, rest = match["factory"].partition("/providers/")
    segments = head.split("/")
    factory = (
        f"/subscriptions/{segments[2]}/resourceGroups/{segments[4]}/providers/{NAMESPACE}/factories/"
        + (rest.rpartition("/")[2])
    )
    path = "/".join(f"{COLLECTIONS[part.lower()][0]}/{name}" for part, name in zip(parts, names, strict=True))
    return Entity(factory, parts[-1].lower(), names[-1], f"{factory}/{path}")


def check_api_version(version: str | None, served: Sequence[str] = API_VERSIONS) -> None:
    """Refuse a version that the service does not have.

    Raises:
        ApiError: 400.
    """
    if not version:
        raise ApiError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if version not in served:
        raise ApiError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are '{','.join(served)}'.",
        )


def check_put(call: Call, entity: Entity, body: Mapping[str, Any], held: Row | None) -> None:
    """Refuse what the service would refuse to write.

    Args:
        call: The operation.
        entity: What is written.
        body: Its `properties`, or the inputs of a typed resource.
        held: What is there.

    Raises:
        ApiError: 400 or 404, in the service's words where they are known.
    """
    typed = COLLECTIONS[entity.collection][1]
    problem = check_name(_TYPED + typed, entity.name) if typed else None
    if entity.collection == "globalparameters" and entity.name != "default":
        raise ApiError(
            400,
            "GlobalParameterNameNotAllowed",
            "Invalid Global Parameter resource name. Please use default as resource name.",
        )
    if problem is not None:
        raise ApiError(400, "InvalidResourceName", problem)
    network = entity.id.rpartition("/managedPrivateEndpoints/")[0]
    if network and call.token == GENERIC and store.find_key(call.tx, f"arm|{network.lower()}") is None:
        raise _missing_parent(network)
    if held is not None and state_of_trigger(held) == STARTED:
        raise _enabled()
    if held is not None and entity.collection == "triggers":
        _check_window(body_of(held), body)
    for kind, name in references(body):
        if f"{kind}/{name}".lower() not in _BUILT_IN and not _there(call, entity.factory, kind, name):
            raise ApiError(
                400, "BadRequest", f"The document creation or update failed because of invalid reference '{name}'."
            )


def check_shape(entity: Entity, properties: object) -> None:
    """Refuse a body that is not one of that kind.

    Raises:
        ApiError: 400. The service's words for it were not seen.
    """
    if not isinstance(properties, dict):
        raise ApiError(400, "BadRequest", "The request body has no object 'properties'.")
    if entity.collection in _WITH_TYPE and not isinstance(properties.get("type"), str):
        raise ApiError(400, "BadRequest", f"The properties of '{entity.name}' have no type.")


def check_delete(call: Call, entity: Entity, row: Row) -> None:
    """Refuse to delete what runs, what others refer to, and what cannot be deleted at all.

    Raises:
        ApiError: 400 or 405.
    """
    if entity.collection == "managedvirtualnetworks":
        raise ApiError(
            405, "MethodNotAllowed", f"The resource type '{NAMESPACE}/factories/managedVirtualNetworks' has no DELETE."
        )
    if state_of_trigger(row) == STARTED:
        raise _enabled()
    for other in store.below(call.tx, entity.factory):
        if other.key == row.key:
            continue
        for kind, name in references(body_of(other)):
            if f"{entity.factory}/{kind}/{name}".lower() == entity.id.lower():
                by = other.id.rpartition("/")[2]
                raise ApiError(400, "BadRequest", f"The document cannot be deleted since it is referenced by {by}.")


def check_start(call: Call, row: Row) -> None:
    """Refuse to start a trigger without a pipeline.

    Raises:
        ApiError: 400. The service's words for it were not seen.
    """
    body = body_of(row)
    if not body.get("pipelines") and not body.get("pipeline"):
        name = row.id.rpartition("/")[2]
        raise ApiError(400, "BadRequest", f"The trigger {name} has no pipeline and cannot be started.")


def references(body: object) -> Iterator[tuple[str, str]]:
    """Collection and name of everything that a body refers to, in the body's order."""
    if isinstance(body, dict):
        name, kind = body.get("referenceName"), body.get("type")
        if isinstance(name, str) and isinstance(kind, str) and kind in _REFERENCES and not name.startswith("@"):
            yield _REFERENCES[kind], name
        for part in body.values():
            yield from references(part)
    elif isinstance(body, list):
        for part in body:
            yield from references(part)


def body_of(row: Row) -> dict[str, Any]:
    """The `properties` of an artefact as they were sent; of a typed pipeline, what the typed resource has."""
    found = row.outputs.get("properties")
    source = found if isinstance(found, dict) else row.outputs
    return {key: value for key, value in source.items() if key != "runtimeState"}


def state_of_trigger(row: Row) -> str | None:
    """Whether a trigger runs; None of anything else."""
    entity = entity_of(row.id)
    if entity is None or entity.collection != "triggers":
        return None
    if row.token == OURS:
        return str(row.outputs.get("runtimeState", STOPPED))
    properties = row.outputs.get("properties")
    return str(properties.get("runtimeState", STOPPED)) if isinstance(properties, dict) else STOPPED


def set_state(call: Call, row: Row, state: str) -> None:
    """Let a trigger run, or not."""
    if row.token == OURS:
        inputs = {**row.inputs, "active": state == STARTED}
        store.replace(call.tx, row, inputs, {**row.outputs, **inputs, "runtimeState": state}, row.secrets)
        return
    outputs = {**row.outputs, "properties": {**body_of(row), "runtimeState": state}}
    store.replace(call.tx, row, row.inputs, outputs, row.secrets)


def as_sent(value: Any) -> Any:
    """A value as azure-native sends it: keys whose value is null are left out, and 1.0 is written as 1.

    Source: `SkipNulls` in Create, Update and Diff of pulumi-azure-native's provider.go; numbers are floats to it, and
    Go writes whole ones without a fraction.
    """
    if isinstance(value, dict):
        return {key: as_sent(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [as_sent(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def _there(call: Call, factory: str, kind: str, name: str) -> bool:
    if store.find_key(call.tx, f"arm|{factory}/{kind}/{name}".lower()) is not None:
        return True
    # The typed types have no resource for it: a factory with an integration runtime in a network has that network.
    return kind == "managedVirtualNetworks" and name == "default" and call.token.startswith(_TYPED)


def _check_window(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    settings = new.get("properties") if isinstance(new.get("properties"), dict) else new
    assert isinstance(settings, Mapping)
    if old.get("type") != "TumblingWindowTrigger" or settings.get("type") != "TumblingWindowTrigger":
        return
    before, after = ((one.get("typeProperties") or one).get("startTime") for one in (old, settings))
    if before != after:
        raise ApiError(
            400,
            "TumblingWindowTriggerStartTimeUpdateNotAllowed",
            "Start time cannot be updated for Tumbling Window Trigger.",
        )


def _enabled() -> ApiError:
    text = "Cannot update enabled Trigger; the trigger needs to be disabled first. "
    return ApiError(400, "TriggerEnabledCannotUpdate", text)


def _missing_parent(parent: str) -> ApiError:
    text = f"Can not perform requested operation on nested resource. Parent resource '{parent}' not found."
    return ApiError(404, "ParentResourceNotFound", text)


class FactoryChild(ArmResource):
    """A typed artefact of a factory (`azure-native:datafactory:Pipeline` and so on)."""

    def _entity(self, resource_id: str) -> Entity | None:
        return entity_of(resource_id)

    def _sent(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return inputs

    def _judge(self, call: Call, entity: Entity, values: dict[str, Any], held: Row | None) -> None:
        check_put(call, entity, values, held)

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """PUT, after the provider's own GET; a trigger does not run yet."""
        sent = self._sent(inputs)
        values = self._resolve(call, sent)
        entity = self._entity(self._id(call, values))
        # What is there already, and a factory that is not, are refused first.
        if entity is not None and store.find_key(call.tx, entity.key) is None and self._has_factory(call, entity):
            self._judge(call, entity, values, None)
        made = super().create(call, sent)
        return self._with_state(call, made, STOPPED)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """PUT over what is there."""
        sent = self._sent(inputs)
        row, entity = self._find(call, resource_id), self._entity(resource_id)
        if row is not None and entity is not None:
            self._judge(call, entity, self._resolve(call, sent), row)
        return self._with_state(call, super().update(call, resource_id, sent), STOPPED)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """DELETE."""
        row, entity = self._find(call, resource_id), self._entity(resource_id)
        if row is not None and entity is not None:
            check_delete(call, entity, row)
        super().delete(call, resource_id, outputs)

    def _has_factory(self, call: Call, entity: Entity) -> bool:
        return bool(store.find_id(call.tx, entity.factory))

    def _with_state(self, call: Call, state: State, wanted: str) -> State:
        entity = entity_of(state.id)
        row = store.find_key(call.tx, entity.key) if entity is not None else None
        if entity is None or row is None or entity.collection != "triggers":
            return state
        set_state(call, row, wanted)
        changed = store.find_key(call.tx, entity.key)
        assert changed is not None
        return State(changed.id, changed.inputs, changed.outputs, changed.secrets)


class GenericResource(FactoryChild):
    """`azure-native:resources:Resource`: any body for any path. Only Data Factory's artefacts are served by it."""

    def _sent(self, inputs: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = as_sent(inputs)
        return found

    def _id(self, call: Call, values: dict[str, Any]) -> str:
        subscription = call.settings.get("subscriptionId") or SUBSCRIPTION
        parts = [
            str(values.get("parentResourcePath") or "").strip("/"),
            str(values.get("resourceType") or "").strip("/"),
        ]
        path = "/".join([*(part for part in parts if part), str(values.get("resourceName") or "")])
        group = GROUP.replace("{subscription}", subscription)
        group = group.replace("{resourceGroupName}", str(values.get("resourceGroupName") or ""))
        asked = f"{group}/providers/{values.get('resourceProviderNamespace')}/{path}"
        entity = entity_of(asked)
        if entity is None:
            raise ApiError(
                400,
                "notServed",
                f"The embedded cloud serves the generic resource for what a Data Factory holds, not for {asked}: it has"
                " no rules of that type, and serving it without any would be laxer than the cloud.",
            )
        return entity.id

    def _require_parent(self, call: Call, resource_id: str) -> None:
        entity = entity_of(resource_id)
        assert entity is not None, "its id was made of one"
        group = entity.factory.partition("/providers/")[0]
        if store.find_key(call.tx, f"arm|{group.lower()}") is None:
            name = group.rpartition("/")[2]
            raise ApiError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        if not self._has_factory(call, entity):
            raise _missing_parent(entity.factory)

    def _judge(self, call: Call, entity: Entity, values: dict[str, Any], held: Row | None) -> None:
        check_api_version(values.get("apiVersion"))
        properties = values.get("properties")
        check_shape(entity, properties)
        assert isinstance(properties, dict)
        check_put(call, entity, properties, held)


def service(token: str) -> ArmResource | None:
    """The service of a resource type, None where it has nothing to do with what a factory holds."""
    if token == GENERIC:
        return GenericResource(token)
    if token.startswith(_TYPED) and not token.endswith(":Factory"):
        return FactoryChild(token)
    return None
