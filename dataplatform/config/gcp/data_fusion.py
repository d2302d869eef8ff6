"""Cloud Data Fusion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.gcp.composer import Weekday
from dataplatform.config.gcp.data_fusion_deploy import FusionDeployment
from dataplatform.config.gcp.data_fusion_on_demand import OnDemand
from dataplatform.config.gcp.lake import TopicPath
from dataplatform.config.model import Model
from dataplatform.config.types import Cidr, Name

FusionRole = Literal["accessor", "admin", "developer", "editor", "operator", "viewer"]
"""A role of Data Fusion that is granted on an instance: `roles/datafusion.<role>`."""
Accelerator = Literal["cdc", "healthcare", "ccai_insights"]
ServiceAccountEmail = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\.iam\.gserviceaccount\.com$")
]
ProjectRole = Annotated[str, Field(pattern=r"^(roles|projects/[a-z0-9-]+/roles)/[A-Za-z0-9._]+$")]
TagKey = Annotated[str, Field(pattern=r"^(tagKeys/[0-9]+|[a-z0-9-]+/[A-Za-z0-9._-]+)$")]
TagValue = Annotated[str, Field(pattern=r"^(tagValues/[0-9]+|[A-Za-z0-9._-]+)$")]


class DataFusionNetwork(Model):
    """How a private instance reaches the network: by peering (a /22 range) or Private Service Connect."""

    connection: Literal["vpc_peering", "private_service_connect"]
    network: str | None = None
    ip_allocation: Cidr | None = None
    network_attachment: str | None = None
    return_peering: bool | None = None
    """Peer the network with the instance's, with custom routes both ways (peering). Where left out: in a network of the
    stack's own project. Elsewhere those who look after the network do it, or `true`, if the stack may."""
    unreachable_range: Cidr | None = None
    """Range of the network that the instance does not reach, which it uses inside (Private Service Connect)."""


class FusionWindow(Model):
    """When the service may maintain the instance: at least 12 hours a week, 4 to 12 at a time."""

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    """Days of the week."""
    hour: Annotated[int, Field(ge=0, le=23)]
    """Hour of the day (UTC) at which it begins."""
    hours: Annotated[int, Field(ge=4, le=12)]
    """How long it is."""


class FusionEvents(Model):
    """Changes of the instance's pipelines and runs, as messages."""

    topic: TopicPath | None = None
    """`projects/…/topics/…` of a topic that is there; the stack makes one where left out."""
    enabled: bool = True
    """Whether messages are sent; a topic cannot be changed without replacing the instance."""


class DataFusion(Model):
    """A Cloud Data Fusion instance with the identity its Dataproc clusters run as."""

    name: Name = "core"
    edition: Literal["basic", "enterprise", "developer"] = "developer"
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?$")] | None = None
    patch_revision: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$")] | None = None
    """Patch revision of the version, such as 6.10.1.2; the service's newest where left out."""
    keep_version: bool = False
    """The instance is there already and stays on a version that no new one can have."""
    display_name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """What the console calls it; a change replaces the instance."""
    description: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    """What it is for; a change replaces the instance."""
    zone: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+[0-9]{1,2}-[a-z]$")] | None = None
    """Zone of the instance (developer edition); the service's choice where left out."""
    private: bool = False
    network: DataFusionNetwork | None = None
    rbac: bool = False
    iam: dict[FusionRole, list[str]] = {}
    """Who has which role on the instance and in its namespaces, with `rbac`: members, or `$composer` and so on."""
    service_account: ServiceAccountEmail | None = None
    """Account that the Dataproc clusters run as; the stack makes one where left out."""
    roles: list[ProjectRole] = []
    """Further roles of that account on the project, for what the pipelines read and write beside the lake."""
    logging: bool = True
    monitoring: bool = True
    events: FusionEvents | None = None
    """Messages about pipelines and runs; none where left out."""
    maintenance: FusionWindow | None = None
    """When the service may maintain it; at any time where left out."""
    accelerators: dict[Accelerator, bool] = {}
    """Accelerators and whether each is on."""
    options: dict[str, str] = {}
    tags: dict[TagKey, TagValue] = {}
    """Resource Manager tags of the instance; a change replaces it."""
    deploy: FusionDeployment | None = None
    """What the stack brings to the instance: namespaces, profiles, pipelines, schedules; nothing where left out."""
    on_demand: OnDemand | None = None
    """DAGs make the instance and delete it; the stack makes one that stays where left out."""
