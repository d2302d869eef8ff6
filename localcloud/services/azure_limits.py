"""What Azure's services refuse of vaults, secrets, accounts, alerts and logs, beyond names and order.

Codes and texts are those of localcloud/rules/data/azure_native.json where they were seen; where only the refusal is
known, the words are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services.azure import ArmResource
from localcloud.services.base import Call, State
from localcloud.services.references import Referring

_SECRET: Final = "azure-native:keyvault:Secret"  # noqa: S105 - a resource type
_ACCOUNT: Final = "azure-native:storage:StorageAccount"
_VALUE_BYTES: Final = 25 * 1024
_SETTINGS: Final = 5
_ACTION_GROUP_PLACES: Final = frozenset(
    {"global", "eastus2", "germanywestcentral", "northcentralus", "southcentralus", "swedencentral"}
)
_FREQUENCIES: Final = ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H")
_WINDOWS: Final = (*_FREQUENCIES, "PT6H", "PT12H", "P1D")
_SINKS: Final = ("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId", "marketplacePartnerId")
_KEPT_OF_ACCOUNT: Final = ("dnsEndpointType", "enableNfsV3", "isHnsEnabled")


class Vault(ArmResource):
    """A key vault: what was said once of its deletion stays."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse to switch off what is off."""
        _refuse_false(inputs)
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Refuse another retention; purge protection stays."""
        _refuse_false(inputs)
        row = self._find(call, resource_id)
        held = dict((row.outputs if row is not None else {}).get("properties") or {})
        asked = dict(inputs.get("properties") or {})
        before, after = held.get("softDeleteRetentionInDays", 90), asked.get("softDeleteRetentionInDays", 90)
        if row is not None and before != after:
            raise ApiError(
                400,
                "BadRequest",
                'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
            )
        made = super().update(call, resource_id, inputs)
        kept = {name: held[name] for name in ("vaultUri", "enablePurgeProtection") if held.get(name)}
        outputs = {**made.outputs, "properties": {**kept, **(made.outputs.get("properties") or {})}}
        found = self._find(call, resource_id)
        assert found is not None
        store.replace(call.tx, found, inputs, outputs, call.secrets)
        return State(made.id, inputs, outputs, made.secrets)


class Secret(ArmResource):
    """A secret: once deleted, its name is taken until it is purged, which no program of this world does."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse a name that a deleted secret has, and a value that is too long."""
        _require_short(inputs)
        path = self._id(call, self._resolve(call, inputs))
        if store.buried(call.tx, f"arm|{path.lower()}") is not None:
            raise ApiError(
                409,
                "Conflict",
                f"Secret {path.rpartition('/')[2]} is currently in a deleted but recoverable state, and its name cannot"
                " be reused; in this state, the secret can only be recovered or purged.",
            )
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """A new version."""
        _require_short(inputs)
        return super().update(call, resource_id, inputs)

    def delete(self, call: Call, resource_id: str, outputs: dict[str, Any]) -> None:
        """Its name stays taken while its vault is there, and in it when it is recovered."""
        row = self._find(call, resource_id)
        super().delete(call, resource_id, outputs)
        if row is not None:
            store.tombstone(call.tx, row.key, _SECRET, "deleted")


class StorageAccount(ArmResource):
    """A storage account: its kind of namespace, of redundancy and of disks stay."""

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Refuse what cannot change."""
        row = self._find(call, resource_id)
        if row is not None:
            before, after = row.outputs, self._resolve(call, inputs)
            for name in _KEPT_OF_ACCOUNT:
                if (before.get(name) or False) != (after.get(name) or False):
                    raise _read_only(name)
            if _infrastructure(before) != _infrastructure(after):
                raise _read_only("requireInfrastructureEncryption")
            kinds = (before.get("kind"), after.get("kind"))
            if kinds[0] != kinds[1] and not (kinds[0] in ("Storage", "BlobStorage") and kinds[1] == "StorageV2"):
                raise _read_only("kind")
            if _family(before) != _family(after):
                raise _read_only("sku.name")
        return super().update(call, resource_id, inputs)


class BlobServices(ArmResource):
    """The settings of an account's blobs."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse what a hierarchical namespace has not."""
        self._require_supported(call, inputs)
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """The same."""
        self._require_supported(call, inputs)
        return super().update(call, resource_id, inputs)

    def _require_supported(self, call: Call, inputs: dict[str, Any]) -> None:
        account = _account(call, inputs)
        if account is not None and account.outputs.get("isHnsEnabled") and inputs.get("isVersioningEnabled"):
            raise ApiError(
                400,
                "FeatureNotSupportedForAccount",
                "Blob versioning is not supported for an account with hierarchical namespace.",
            )


class Container(ArmResource):
    """A container, or filesystem."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse public access where the account has none."""
        self._require_closed(call, inputs)
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """The same."""
        self._require_closed(call, inputs)
        return super().update(call, resource_id, inputs)

    def _require_closed(self, call: Call, inputs: dict[str, Any]) -> None:
        account = _account(call, inputs)
        public = inputs.get("publicAccess") not in (None, "None")
        if public and account is not None and account.outputs.get("allowBlobPublicAccess") is not True:
            raise ApiError(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")


class ActionGroup(ArmResource):
    """An action group: in no region, or in one of a few."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse another region, also that of the group, which the provider fills in."""
        _require_place(self, call, inputs, "Microsoft.Insights/actionGroups", _ACTION_GROUP_PLACES)
        return super().create(call, inputs)


class MetricAlert(Referring):
    """A metric alert: in no region, asked at one of the known intervals."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse a region and other intervals."""
        _require_place(self, call, inputs, "Microsoft.Insights/metricAlerts", frozenset({"global"}))
        _require_intervals(inputs)
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """Refuse other intervals."""
        _require_intervals(inputs)
        return super().update(call, resource_id, inputs)


class DiagnosticSetting(Referring):
    """Where a resource sends its logs: somewhere, something, and no category twice to one place."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse what the service would."""
        self._require_sensible(call, inputs, "")
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """The same."""
        self._require_sensible(call, inputs, resource_id)
        return super().update(call, resource_id, inputs)

    def _require_sensible(self, call: Call, inputs: dict[str, Any], own: str) -> None:
        sinks = [str(inputs[name]) for name in _SINKS if inputs.get(name)]
        if not sinks:
            raise ApiError(400, "BadRequest", "At least one data sink needs to be specified.")
        sent = _categories(inputs)
        if not sent:
            raise ApiError(400, "BadRequest", "At least one category of logs or metrics needs to be specified.")
        head = f"{str(inputs.get('resourceUri') or '').lower().rstrip('/')}/providers/microsoft.insights/"
        others = [
            row
            for row in store.everything(call.tx)
            if row.token == self.token and row.id.lower().startswith(head) and row.id.lower() != own.lower()
        ]
        path = self._id(call, self._resolve(call, inputs))
        others = [row for row in others if row.id.lower() != path.lower()]
        if len(others) >= _SETTINGS:
            raise ApiError(
                409, "Conflict", f"A resource has at most {_SETTINGS} diagnostic settings, and this one has as many."
            )
        for row in others:
            held = {str(row.outputs[name]).lower() for name in _SINKS if row.outputs.get(name)}
            for sink in sinks:
                for category in sorted(sent & _categories(row.outputs)) if sink.lower() in held else ():
                    raise ApiError(
                        409,
                        "Conflict",
                        f"Data sink '{sink}' is already used in diagnostic setting '{row.outputs.get('name')}' for"
                        f" category '{category}'. Data sinks can't be reused in different settings on the same category"
                        " for the same resource.",
                    )


class LogAnalytics(ArmResource):
    """A Log Analytics workspace."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse a retention that the tier has not."""
        _require_retention(inputs)
        return super().create(call, inputs)

    def update(self, call: Call, resource_id: str, inputs: dict[str, Any]) -> State:
        """The same."""
        _require_retention(inputs)
        return super().update(call, resource_id, inputs)


class Workbook(ArmResource):
    """A workbook, whose name is a GUID and whose content is JSON in a text."""

    def create(self, call: Call, inputs: dict[str, Any]) -> State:
        """Refuse another name."""
        name = str(inputs.get("resourceName") or "")
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", name):
            raise ApiError(400, "BadRequest", f"The name of a workbook must be a GUID, and '{name}' is none.")
        return super().create(call, inputs)


def _refuse_false(inputs: Mapping[str, Any]) -> None:
    if (inputs.get("properties") or {}).get("enablePurgeProtection") is False:
        raise ApiError(
            400,
            "BadRequest",
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is'
            " an irreversible action.",
        )


def _require_short(inputs: Mapping[str, Any]) -> None:
    value = (inputs.get("properties") or {}).get("value")
    if isinstance(value, str) and len(value.encode()) > _VALUE_BYTES:
        raise ApiError(400, "BadParameter", f"The value of a secret has at most {_VALUE_BYTES} bytes.")


def _read_only(name: str) -> ApiError:
    return ApiError(
        400,
        "AccountPropertyCannotBeUpdated",
        f"The property '{name}' was specified in the input, but it cannot be updated as it is read-only. For more"
        " information, see - https://aka.ms/storageaccountupdate",
    )


def _infrastructure(values: Mapping[str, Any]) -> bool:
    return (values.get("encryption") or {}).get("requireInfrastructureEncryption") is True


def _family(values: Mapping[str, Any]) -> tuple[str, bool]:
    """Disks, and whether copies lie in zones: `Standard_GZRS` and `Standard_ZRS` are of one family."""
    disks, _, copies = str((values.get("sku") or {}).get("name") or "").partition("_")
    return disks, copies.endswith("ZRS")


def _account(call: Call, inputs: Mapping[str, Any]) -> store.Row | None:
    name = str(inputs.get("accountName") or "").lower()
    return next(
        (r for r in store.everything(call.tx) if r.token == _ACCOUNT and r.id.rpartition("/")[2].lower() == name), None
    )


def _require_place(
    resource: ArmResource, call: Call, inputs: dict[str, Any], kind: str, places: frozenset[str]
) -> None:
    values = resource._resolve(call, inputs)
    place = values.get("location")
    if place is None:
        group = next(
            (
                row.outputs.get("location")
                for row in store.everything(call.tx)
                if row.token == "azure-native:resources:ResourceGroup"  # noqa: S105 - a resource type
                and row.id.rpartition("/")[2].lower() == str(inputs.get("resourceGroupName") or "").lower()
            ),
            None,
        )
        place = group or "global"
    if str(place).replace(" ", "").lower() not in places:
        raise ApiError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{place}' is not available for resource type '{kind}'. List of available regions"
            f" for the resource type is '{','.join(sorted(places))}'.",
        )


def _require_intervals(inputs: Mapping[str, Any]) -> None:
    for name, known in (("evaluationFrequency", _FREQUENCIES), ("windowSize", _WINDOWS)):
        value = inputs.get(name)
        if isinstance(value, str) and value not in known:
            raise ApiError(400, "BadRequest", f"The {name} {value} is not supported; it is one of {', '.join(known)}.")
    frequency, window = inputs.get("evaluationFrequency"), inputs.get("windowSize")
    if frequency in _WINDOWS and window in _WINDOWS and _WINDOWS.index(frequency) > _WINDOWS.index(window):
        raise ApiError(
            400, "BadRequest", f"The windowSize {window} is shorter than the evaluationFrequency {frequency}."
        )


def _categories(values: Mapping[str, Any]) -> set[str]:
    found = [*(values.get("logs") or []), *(values.get("metrics") or [])]
    return {
        str(one.get("category") or one.get("categoryGroup"))
        for one in found
        if one.get("enabled") is not False and (one.get("category") or one.get("categoryGroup"))
    }


def _require_retention(inputs: Mapping[str, Any]) -> None:
    days, tier = inputs.get("retentionInDays"), (inputs.get("sku") or {}).get("name")
    if isinstance(days, int | float) and tier == "PerGB2018" and not 30 <= days <= 730:
        raise ApiError(400, "InvalidParameter", "'RetentionInDays' property doesn't match the SKU limits.")


def service(token: str) -> ArmResource | None:
    """The service of a type that has such rules, else None."""
    classes: dict[str, type[ArmResource]] = {
        "applicationinsights:Workbook": Workbook,
        "keyvault:Secret": Secret,
        "keyvault:Vault": Vault,
        "monitor:ActionGroup": ActionGroup,
        "monitor:DiagnosticSetting": DiagnosticSetting,
        "monitor:MetricAlert": MetricAlert,
        "operationalinsights:Workspace": LogAnalytics,
        "storage:BlobContainer": Container,
        "storage:BlobServiceProperties": BlobServices,
        "storage:StorageAccount": StorageAccount,
    }
    found = classes.get(token.removeprefix("azure-native:")) if token.startswith("azure-native:") else None
    return found(token) if found is not None else None
