"""A Data Factory and what differs in it between environments."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from dataplatform.config.azure.databricks import ProjectPath, ReleaseName
from dataplatform.config.model import Model

TARGETS: Final = (
    "pipeline",
    "dataset",
    "linked_service",
    "trigger",
    "data_flow",
    "integration_runtime",
    "credential",
    "managed_private_endpoint",
)
"""Keys of a patch that name its artefact."""

_NAME = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9])+")
_SEGMENT = re.compile(
    r'(?:(?P<key>[A-Za-z_$][\w$ -]*)|"(?P<quoted>(?:[^"\\]|\\.)+)")'
    r"(?P<items>(?:\[[^\[\]]*\])*)(?P<dot>\.|\Z)"
)
_ITEM = re.compile(r"\[(?P<key>[A-Za-z_$][\w$.-]*)(?:=(?P<value>[^\[\]]*))?\]")


class Item(Model):
    """An item of a list, chosen by what it says: `[name=x]`, or `[jar]` for the one that has that key."""

    key: str
    """Perhaps dotted, `pipelineReference.referenceName`."""
    value: str | None = None


def property_path(text: str) -> tuple[str | Item, ...]:
    """The steps of a property's path. Raises ValueError where it is not one."""
    steps: list[str | Item] = []
    at = 0
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            raise ValueError(_expected(text))
        steps.append(match["key"] or match["quoted"].replace('\\"', '"').replace("\\\\", "\\"))
        place = 0
        items = match["items"]
        while place < len(items):
            item = _ITEM.match(items, place)
            if item is None:
                raise ValueError(_expected(text))
            steps.append(Item(key=item["key"], value=item["value"]))
            place = item.end()
        at = match.end()
        if match["dot"] and at == len(text):
            raise ValueError(_expected(text))
    if not steps:
        raise ValueError(_expected(text))
    return tuple(steps)


def _expected(text: str) -> str:
    if re.search(r"\[\d+\]|\.\d+(?:\.|$)", text):
        return "expected an item of a list by what it says, such as libraries[egg], never by its number"
    return "expected names with dots between, such as typeProperties.notebookPath"


def _path(text: str) -> str:
    property_path(text)
    return text


def _factory_name(text: str) -> str:
    if not 3 <= len(text) <= 63 or not _NAME.fullmatch(text):
        raise ValueError("expected 3 to 63 letters, digits and single hyphens, a letter or digit first and last")
    return text


class Patch(Model):
    """One value of an artefact that this environment has otherwise, found by name and never by number."""

    pipeline: str | None = None
    """Name of the pipeline that is changed; a patch names one artefact, of one kind."""
    dataset: str | None = None
    """Name of the dataset that is changed."""
    linked_service: str | None = None
    """Name of the linked service that is changed."""
    trigger: str | None = None
    """Name of the trigger that is changed."""
    data_flow: str | None = None
    """Name of the data flow that is changed."""
    integration_runtime: str | None = None
    """Name of the integration runtime that is changed."""
    credential: str | None = None
    """Name of the credential that is changed."""
    managed_private_endpoint: str | None = None
    """Name of the managed private endpoint that is changed, with its network's before it: `default/lake`."""
    activity: str | None = None
    """Of the pipeline, however deep it stands in others; without it the property is the pipeline's own."""
    property: Annotated[str, AfterValidator(_path)]
    """Names with dots between, from the activity, or from the artefact's `properties`: `typeProperties.url`."""
    value: JsonValue = None
    """What stands there instead; a text `$part:attribute` is a reference to what the stack has, `$$` a plain dollar."""
    add: bool = False
    """Whether the property is added, and must not be there yet."""
    remove: bool = False
    """Whether the property is taken out."""

    @model_validator(mode="after")
    def _one_thing(self) -> Patch:
        named = [key for key in TARGETS if getattr(self, key) is not None]
        if len(named) != 1:
            raise ValueError(f"expected one of {', '.join(TARGETS)}, and this has {len(named)} of them")
        if self.activity is not None and named != ["pipeline"]:
            raise ValueError("expected 'activity' beside 'pipeline' alone")
        if self.remove and ("value" in self.model_fields_set or self.add):
            raise ValueError("expected 'remove' without 'value' and 'add'")
        if not self.remove and "value" not in self.model_fields_set:
            raise ValueError("expected a 'value', or 'remove: true'")
        return self


def target_of(patch: Patch) -> tuple[str, str]:
    """Kind and name of the artefact that a patch is for."""
    kind = next(key for key in TARGETS if getattr(patch, key) is not None)
    return kind, str(getattr(patch, kind))


class DatabricksLink(Model):
    """How an AzureDatabricks linked service is rewritten: the factory's managed identity in place of a token."""

    workspace_resource_id: str = "$databricks:id"
    """Resource id of the workspace; the stack's own where left out."""
    domain: str = "$databricks:url"
    """Address of the workspace; the stack's own where left out."""
    existing_cluster_id: str | None = None
    """Runs on this cluster rather than on a new one for each run."""


class FactoryKey(Model):
    """A key of the company's own that the factory's definitions are encrypted with."""

    vault: Annotated[str, Field(pattern=r"^https://[a-z0-9-]{3,24}\.vault\.azure\.net/?$")]
    """Address of the vault that holds it, which has soft delete and purge protection."""
    key: Annotated[str, Field(pattern=r"^[0-9a-zA-Z-]{1,127}$")]
    """Name of the key."""
    version: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """The newest where left out, also after a rotation."""
    identity: str
    """One of `identities`, which may use the key already: the factory's own does not exist before the factory."""


class DataFactory(Model):
    """A Data Factory with what its exported folder holds."""

    name: Annotated[str, AfterValidator(_factory_name)] | None = None
    """Where left out, made from the platform's prefix and the environment. It is unique in all of Azure."""
    directory: ProjectPath = "pipelines/data_factory"
    """The exported git folder: `pipeline/*.json`, `dataset/*.json` and so on."""
    public_network_access: bool = True
    """Whether self-hosted runtimes and Studio reach it over its public address."""
    managed_virtual_network: bool = False
    """Whether its integration runtimes run in a virtual network that Azure manages."""
    identities: list[str] = []
    """Identities besides its own that its linked services may use: `$<name>` of `azure.identities`."""
    lake: Literal["none", "read", "write"] = "write"
    """What its own identity may do with the files of the stack's lake."""
    encryption: FactoryKey | None = None
    """Microsoft's key where left out. It can be set while the factory is empty only."""
    alert_on_failed_runs: bool = True
    """Whether one failed run or more tells the action group of `azure.monitoring`."""
    release: ReleaseName = "dev"
    """What is deployed, as artefacts are annotated with it."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")] | None = None
    """The commit it was made of; the pipeline that deploys writes it."""
    annotate: bool = True
    """Whether every artefact is annotated with release and commit, and the factory has them as global parameters."""
    patches: list[Patch] = []
    """What differs in this environment, by name."""
    databricks: dict[str, DatabricksLink] = {}
    """Linked services to Databricks, by name, that use the factory's managed identity."""
    triggers: dict[str, Literal["started", "stopped"]] = {}
    """Triggers by name; one that is not named is stopped."""
    global_parameters: dict[Annotated[str, Field(pattern=r"^.{1,260}$")], JsonValue] = {}
    """By name; one that the folder has keeps its type, another is added."""
