"""A Google resource type served by its table alone; services with rules of their own build on this class."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.rules import check_labels, check_name, name_rule
from localcloud.rules.tables import ResourceTable, table
from localcloud.rules.wire import UNKNOWN, is_unknown
from localcloud.services import checks, google, google_facts, identity, synthesis
from localcloud.services.base import Call, State, state_of
from localcloud.store import Row

ATTRIBUTION = {"goog-pulumi-provisioned": "true"}
"""The label pulumi-gcp adds unless `addPulumiAttributionLabel` is false."""


_SCANS = {"dataProfileSpec": "DATA_PROFILE", "dataQualitySpec": "DATA_QUALITY", "dataDiscoverySpec": "DATA_DISCOVERY"}
"""What a data scan of Dataplex is, by what it was given."""


class GoogleResource:
    """One resource type: its id, its checks and its outputs, each to be refined where a service knows more."""

    client_only: tuple[str, ...] = ()

    def __init__(self, token: str) -> None:
        self.token = token

    @cached_property
    def table(self) -> ResourceTable:
        """The provider's table of this type."""
        return table(self.token)

    @property
    def api(self) -> str | None:
        """The API that must be enabled."""
        return google.api_of(self.token)

    # What a service refines ------------------------------------------------------------------------------------

    def known_at_plan(self, call: Call, values: dict[str, Any]) -> dict[str, Any]:
        """Outputs the provider knows before it asks the cloud."""
        return {}

    def admit(self, call: Call, values: dict[str, Any], resource_id: str) -> None:
        """Refuse what the service would refuse at creation."""

    def admit_update(self, call: Call, row: Row, values: dict[str, Any]) -> None:
        """Refuse what the service would refuse in place."""

    def made(self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None) -> dict[str, Any]:
        """Outputs the service fills in, over those of the table."""
        return {}

    def settle(self, call: Call, row: Row, old: Row | None) -> None:
        """What else happens in the cloud once the resource is there."""

    def admit_delete(self, call: Call, row: Row) -> None:
        """Refuse a deletion the service would refuse."""
        kept = google_facts.of(self.token).kept
        if kept and store.below(call.tx, row.id):
            raise ApiError(400, "FAILED_PRECONDITION", google_facts.filled(kept, {"id": row.id}))

    def withdraw(self, call: Call, row: Row) -> None:
        """Remove it, and what lies below it."""
        store.remove(call.tx, row)
        for child in store.below(call.tx, row.id):
            store.remove(call.tx, child)

    def observe(self, call: Call, row: Row) -> Row | None:
        """The resource as it is now, where something beside its row holds the truth; None where it is gone."""
        return row

    def key(self, values: Mapping[str, Any], resource_id: str) -> str:
        """What must be unique in the world."""
        return f"{self.token}|{resource_id}"

    def conflict(self, values: Mapping[str, Any], resource_id: str) -> ApiError:
        """What is said when the name is taken."""
        return ApiError(409, "alreadyExists", f"Resource '{resource_id}' already exists")

    # The operations ---------------------------------------------------------------------------------------------

    def plan(self, call: Call, inputs: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
        """What is known without asking the cloud: inputs, defaults, the old outputs of an update; the rest unknown."""
        values = self.resolve(call, inputs)
        if old is not None:
            kept = {name: old[name] for name in self.table.computed if name in old and name not in inputs}
            changed = self.changing(inputs, old)
            return {**kept, **values, **dict.fromkeys(changed, UNKNOWN)}
        # A block that is given keeps its known parts; a computed property that is not is unknown as a whole.
        unknown = {name: UNKNOWN for name in self.table.computed if name not in values}
        return {**unknown, **values}

    def changing(self, inputs: dict[str, Any], old: dict[str, Any]) -> tuple[str, ...]:
        """Outputs of an update the provider marks as known after it only."""
        return ()

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Check, name, make."""
        values = self.resolve(call, inputs)
        resource_id, values = self.admitted(call, values)
        key = self.key(values, resource_id)
        if store.find_key(call.tx, key) is not None or store.buried(call.tx, key) is not None:
            raise self.conflict(values, resource_id)
        self.admit(call, values, resource_id)
        now = time.time()
        outputs = self.outputs(call, values, resource_id, None, now)
        row = Row(
            id=resource_id,
            token=self.token,
            project=values.get("project"),
            key=key,
            inputs=inputs,
            outputs=outputs,
            secrets=call.secrets,
            origin="user",
            created=now,
            updated=now,
        )
        store.insert(call.tx, row)
        self.settle(call, row, None)
        return state_of(row)

    def admitted(self, call: Call, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The checks common to all: project, API, name, parents, references. Returns the id and the full values."""
        values = self.locate(call, values)
        project = values.get("project")
        if project is not None or "project" in identity.slots(self.token) or "project" in self.table.properties:
            values = {**values, "project": checks.require_project(call, project)}
            checks.require_api(call, str(values["project"]), self.api)
        self.check_name(values)
        if "number" in identity.slots(self.token):
            values = {**values, "number": str(synthesis.number(self.token, call.world.next_value(self.token)))}
        resource_id = identity.build_id(self.token, values)
        for above in identity.ancestors(resource_id):
            if not checks.exists(call, above):
                raise ApiError(404, "notFound", f"Resource '{above}' was not found")
        self.check_references(call, values)
        return resource_id, values

    def check_references(self, call: Call, values: dict[str, Any]) -> None:
        """What the inputs name, by a full name or, where the service takes one, a bare name, must be there."""
        checks.require_references(call, values)
        checks.require_named(call, google_facts.of(self.token).names, values)

    def locate(self, call: Call, values: dict[str, Any]) -> dict[str, Any]:
        """Fill the parts of the id that come from elsewhere; a part that is missing is refused."""
        parent = next((v for n in ("keyRing", "cryptoKey") if (v := values.get(n))), None)
        if isinstance(parent, str) and parent.startswith("projects/") and "project" not in values:
            values = {**values, "project": parent.split("/")[1]}
        for slot in identity.slots(self.token):
            if slot in ("region", "zone") and not values.get(slot):
                raise ApiError(
                    400,
                    "INVALID_ARGUMENT",
                    f"{slot}: required field is not set: Cannot determine {slot}: set in this"
                    f" resource, or set provider-level '{slot}'",
                )
        return values

    def check_name(self, values: Mapping[str, Any]) -> None:
        """The service's own rule for the name, which the provider does not check."""
        rule = name_rule(self.token)
        name = values.get(rule.field) if rule is not None else None
        problem = check_name(self.token, name) if isinstance(name, str) else None
        if problem is not None:
            raise ApiError(400, "invalid", f"Invalid value: {problem}")
        for problem in check_labels(values.get("labels") or {}):
            raise ApiError(400, "invalid", f"Invalid value: {problem}")

    def read(self, call: Call, resource_id: str) -> State | None:
        """The resource, or None. Also by the shorter ids `pulumi import` takes."""
        row = self.find(call, resource_id)
        row = self.observe(call, row) if row is not None else None
        if row is None:
            return None
        # Whoever reads it by id takes care of it from now on: `pulumi import` of what a service made or kept.
        store.adopt(call.tx, row)
        return state_of(row)

    def find(self, call: Call, resource_id: str) -> Row | None:
        """The row of that id; a short id is completed from the provider's settings."""
        row = store.find(call.tx, self.token, resource_id)
        if row is not None:
            return row
        values = identity.import_values(self.token, resource_id)
        if values is None:
            return None
        settings = {"project": call.settings.project, "region": call.settings.region, "zone": call.settings.zone}
        return store.find(call.tx, self.token, identity.build_id(self.token, {**settings, **values}))

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Change it in place."""
        found = self.find(call, resource_id)
        row = self.observe(call, found) if found is not None else None
        if row is None:
            raise ApiError(404, "notFound", f"Resource '{resource_id}' was not found")
        values = self.resolve(call, inputs)
        project = row.project
        if project is not None:
            values = {**values, "project": project}
            checks.require_api(call, project, self.api)
        self.check_references(call, values)
        self.admit_update(call, row, values)
        outputs = self.outputs(call, values, row.id, row, time.time())
        store.replace(call.tx, row, inputs, outputs, call.secrets)
        changed = Row(**{**row.__dict__, "inputs": inputs, "outputs": outputs, "secrets": call.secrets})
        self.settle(call, changed, row)
        return state_of(changed)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Remove it, unless a protection says no or the policy says to leave it alone."""
        policy = outputs.get("deletionPolicy")
        if policy == "PREVENT":
            raise ApiError(
                400,
                "deletionPolicy",
                f'cannot destroy {call.kind} without setting deletion_policy="DELETE" and running `pulumi up`',
            )
        found = self.find(call, resource_id)
        row = self.observe(call, found) if found is not None else None
        if row is None or policy == "ABANDON":
            return
        if outputs.get("deletionProtection") is True:
            raise ApiError(
                400,
                "deletionProtection",
                f"cannot destroy {call.kind} '{resource_id}' without setting deletion_protection=false and running"
                " `pulumi up`",
            )
        if row.project is not None:
            checks.require_api(call, row.project, self.api)
        self.admit_delete(call, row)
        self.withdraw(call, row)

    # Values and outputs ------------------------------------------------------------------------------------------

    def resolve(self, call: Call, inputs: dict[str, Any]) -> dict[str, Any]:
        """Inputs with the schema's defaults, the provider's project and region, and the labels the provider adds."""
        values = _with_defaults(self.table, {k: v for k, v in inputs.items() if not k.startswith("__")})
        for name in ("project", "region", "zone"):
            setting = getattr(call.settings, name)
            if name in self.table.properties and name not in values and setting is not None:
                values[name] = setting
        if "deletionPolicy" in self.table.properties:
            values.setdefault("deletionPolicy", call.settings.get("deletionPolicy") or "DELETE")
        if "effectiveLabels" in self.table.properties:
            labels = self.labels(call, values.get("labels"))
            values["pulumiLabels"] = labels
            values["effectiveLabels"] = labels
        values.update(self.known_at_plan(call, values))
        return values

    def labels(self, call: Call, own: Any) -> Any:
        """The labels as they go to the service: the provider's default ones, the program's and the attribution."""
        if is_unknown(own):
            return UNKNOWN
        defaults = call.settings.values.get("defaultLabels")
        attribution = call.settings.get("addPulumiAttributionLabel") not in ("false", "False")
        return {
            **(ATTRIBUTION if attribution else {}),
            **(defaults if isinstance(defaults, dict) else {}),
            **(own or {}),
        }

    def outputs(
        self, call: Call, values: dict[str, Any], resource_id: str, old: Row | None, now: float
    ) -> dict[str, Any]:
        """All outputs: values, what the table says the service makes, and what the service's own code makes."""
        result = dict(values)
        result.pop("number", None)
        created = old.created if old is not None else now
        serial = int(created * 1e6)
        for name in self.table.computed:
            prop = self.table.properties.get(name)
            if name in result or prop is None:
                continue
            if old is not None and name in old.outputs and not _moves(name):
                result[name] = old.outputs[name]
            elif prop.output_only:
                result[name] = synthesis.value(prop, resource_id, serial, values, created, now)
        self._fill(call, result, resource_id)
        result.update(self.made(call, values, resource_id, old))
        return result

    def _fill(self, call: Call, result: dict[str, Any], resource_id: str) -> None:
        """What is recorded of the type's outputs, and of what the service sets where nothing was said."""
        facts = google_facts.of(self.token)
        if facts is google_facts.NOTHING:
            return
        project = resource_id.split("/")[1] if resource_id.startswith("projects/") else str(result.get("project"))
        digest = hashlib.sha256(resource_id.encode()).hexdigest()
        context = {
            **{name: value for name, value in result.items() if isinstance(value, str)},
            "project": project,
            "number": store.project_number(call.tx, project) or "",
            "id": resource_id,
            "last": identity.last(resource_id),
            "digest": digest,
            "letter": "abcde"[int(digest[:2], 16) % 5],
            "octet": int(digest[:2], 16),
            "scan": _SCANS.get(next((name for name in _SCANS if name in result), ""), ""),
            "format_": str(result.get("format") or "").lower(),
        }
        for path, value in facts.fills.items():
            _set_default(result, path.split("."), google_facts.filled(value, context))
        for name, value in facts.outputs.items():
            result[name] = google_facts.filled(value, context)


def _moves(name: str) -> bool:
    """Whether an output-only property changes with every update."""
    return name in ("updateTime", "updated", "etag", "lastModifiedTime") or "ingerprint" in name


def _with_defaults(resource: ResourceTable, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the schema's defaults, also inside blocks that are given."""
    values: dict[str, Any] = _copy(inputs)
    for path, prop in resource.properties.items():
        if prop.has_default and not prop.facts.get("sdkOnly"):
            _set_default(values, path.split("."), prop.default)
    return values


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_copy(v) for v in value]
    return value


def _set_default(holder: Any, steps: list[str], default: Any) -> None:
    step, rest = steps[0], steps[1:]
    if not isinstance(holder, dict):
        return
    if not rest:
        holder.setdefault(step.removesuffix("[]"), default)
        return
    inner = holder.get(step.removesuffix("[]").removesuffix("{}"))
    for element in inner if isinstance(inner, list) else [inner]:
        _set_default(element, rest, default)
