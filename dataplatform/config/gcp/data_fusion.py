"""Cloud Data Fusion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Cidr, Name


class DataFusionNetwork(Model):
    """How a private instance reaches the network: by peering (a /22 range) or Private Service Connect."""

    connection: Literal["vpc_peering", "private_service_connect"]
    network: str | None = None
    ip_allocation: Cidr | None = None
    network_attachment: str | None = None


class DataFusion(Model):
    """A Cloud Data Fusion instance with the identity its Dataproc clusters run as."""

    name: Name = "core"
    edition: Literal["basic", "enterprise", "developer"] = "developer"
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?$")] | None = None
    private: bool = False
    network: DataFusionNetwork | None = None
    rbac: bool = False
    logging: bool = True
    monitoring: bool = True
    options: dict[str, str] = {}
