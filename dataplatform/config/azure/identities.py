"""Identities that workloads run as: user-assigned managed identities, with federated credentials where wanted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dataplatform.config.model import Model
from dataplatform.config.types import Name


class FederatedCredential(Model):
    """A token of another issuer that the identity accepts: no password is made or stored."""

    issuer: Annotated[str, Field(pattern=r"^https://[^\s]+$")]
    """Issuer of the token, such as https://token.actions.githubusercontent.com."""
    subject: Annotated[str, Field(min_length=1, max_length=600)]
    """Subject of the token, such as repo:acme/data:environment:dev."""
    audience: str = "api://AzureADTokenExchange"


class Identity(Model):
    """A user-assigned managed identity; `$<name>` refers to it elsewhere in the stack file."""

    federated_credentials: dict[Name, FederatedCredential] = {}
