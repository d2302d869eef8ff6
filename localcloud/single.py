"""Makes single objects in a world without an engine, by a provider's own Check and Create in this process.

For a world that exists for one run of something. What a stack has, an engine brings up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

import grpc

from localcloud import store
from localcloud.protocol import pb
from localcloud.provider import Provider
from localcloud.services.google import DEFAULT_APIS
from localcloud.values import to_dict, to_struct
from localcloud.world import World


class NotMadeError(Exception):
    """Raised when an object is refused, in the provider's words."""


class _Context:
    """As much of a gRPC context as the provider uses."""

    def peer(self) -> str:
        """Who calls."""
        return "ipv4:127.0.0.1:0"

    def set_trailing_metadata(self, trailers: Sequence[tuple[str, Any]]) -> None:
        """Nobody reads them here."""

    def abort(self, code: grpc.StatusCode, words: str) -> NoReturn:
        """End the call."""
        raise NotMadeError(words)


class Maker:
    """Makes objects of a Google project, which it makes first.

    Args:
        world: Where.
        project: The project.
        region: Where regional objects are.
        apis: The services that are enabled besides those of every new project.
    """

    def __init__(self, world: World, project: str, region: str, apis: Sequence[str] = ()) -> None:
        with world.transaction() as tx:
            store.create_project(tx, project, [*DEFAULT_APIS, *apis])
        self._provider = Provider("gcp", world)
        self._context = cast("grpc.ServicerContext", _Context())
        self._provider.Configure(
            pb.ConfigureRequest(args=to_struct({"project": project, "region": region})), self._context
        )

    def make(self, token: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object; its outputs.

        Raises:
            NotMadeError: when it cannot be.
        """
        urn = f"urn:pulumi:single::single::{token}::{name}"
        asked = pb.CheckRequest(urn=urn, news=to_struct(dict(inputs)), randomSeed=b"seed", name=name)
        asked.type = token
        checked = self._provider.Check(asked, self._context)
        if checked.failures:
            raise NotMadeError("; ".join(failure.reason for failure in checked.failures))
        request = pb.CreateRequest(urn=urn, properties=checked.inputs, name=name, type=token)
        return dict(to_dict(self._provider.Create(request, self._context).properties))
