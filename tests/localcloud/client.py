"""The engine's side of the provider protocol, for tests that need no engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import grpc

from localcloud.protocol import pb
from localcloud.provider import Provider
from localcloud.values import strip, to_dict, to_struct
from localcloud.world import World


class RefusedError(Exception):
    """A call that ended in a status."""

    def __init__(self, code: grpc.StatusCode, words: str, trailers: Sequence[tuple[str, Any]]) -> None:
        super().__init__(words)
        self.code = code
        self.words = words
        self.trailers = dict(trailers)


class Context:
    """As much of a gRPC context as the provider uses."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._trailers: Sequence[tuple[str, Any]] = ()

    def peer(self) -> str:
        return self._peer

    def set_trailing_metadata(self, trailers: Sequence[tuple[str, Any]]) -> None:
        self._trailers = trailers

    def abort(self, code: grpc.StatusCode, words: str) -> NoReturn:
        raise RefusedError(code, words, self._trailers)


@dataclass(frozen=True)
class Made:
    """What Create answered."""

    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    raw: dict[str, Any]
    """Outputs with their secret wrappers."""


class Client:
    """Calls a provider as the engine does: Check, then Create, and so on."""

    def __init__(
        self, package: str, world: World, config: dict[str, Any] | None = None, *, provider: Provider | None = None
    ) -> None:
        self.provider = provider or Provider(package, world)
        self.context = cast("grpc.ServicerContext", Context(f"ipv4:127.0.0.1:{id(self) % 60000}"))
        self.provider.Configure(pb.ConfigureRequest(args=to_struct(config or {})), self.context)

    def urn(self, token: str, name: str) -> str:
        return f"urn:pulumi:dev::sandbox::{token}::{name}"

    def check(
        self, token: str, inputs: dict[str, Any], name: str = "it", olds: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        request = pb.CheckRequest(
            urn=self.urn(token, name), news=to_struct(inputs), olds=to_struct(olds or {}), randomSeed=b"seed", name=name
        )
        request.type = token
        answer = self.provider.Check(request, self.context)
        return to_dict(answer.inputs), [failure.reason for failure in answer.failures]

    def create(self, token: str, inputs: dict[str, Any], name: str = "it") -> Made:
        checked, failures = self.check(token, inputs, name)
        assert not failures, failures
        request = pb.CreateRequest(urn=self.urn(token, name), properties=to_struct(checked), name=name, type=token)
        answer = self.provider.Create(request, self.context)
        raw = to_dict(answer.properties)
        return Made(answer.id, checked, strip(raw)[0], raw)

    def preview(self, token: str, inputs: dict[str, Any], name: str = "it") -> dict[str, Any]:
        checked, failures = self.check(token, inputs, name)
        assert not failures, failures
        request = pb.CreateRequest(urn=self.urn(token, name), properties=to_struct(checked), preview=True, type=token)
        answer = self.provider.Create(request, self.context)
        assert answer.id == ""
        return to_dict(answer.properties)

    def diff(self, token: str, old: Made, inputs: dict[str, Any], name: str = "it") -> Any:
        checked, failures = self.check(token, inputs, name, old.inputs)
        assert not failures, failures
        request = pb.DiffRequest(
            id=old.id,
            urn=self.urn(token, name),
            olds=to_struct(old.raw),
            old_inputs=to_struct(old.inputs),
            news=to_struct(checked),
            type=token,
        )
        return self.provider.Diff(request, self.context)

    def update(self, token: str, old: Made, inputs: dict[str, Any], name: str = "it") -> Made:
        checked, failures = self.check(token, inputs, name, old.inputs)
        assert not failures, failures
        request = pb.UpdateRequest(
            id=old.id,
            urn=self.urn(token, name),
            olds=to_struct(old.raw),
            old_inputs=to_struct(old.inputs),
            news=to_struct(checked),
            type=token,
        )
        answer = self.provider.Update(request, self.context)
        raw = to_dict(answer.properties)
        return Made(old.id, checked, strip(raw)[0], raw)

    def read(self, token: str, resource_id: str, inputs: dict[str, Any] | None = None) -> Made | None:
        request = pb.ReadRequest(id=resource_id, urn=self.urn(token, "it"), inputs=to_struct(inputs or {}), type=token)
        answer = self.provider.Read(request, self.context)
        raw = to_dict(answer.properties)
        return Made(answer.id, to_dict(answer.inputs), strip(raw)[0], raw) if answer.id else None

    def delete(self, token: str, made: Made) -> None:
        request = pb.DeleteRequest(id=made.id, urn=self.urn(token, "it"), properties=to_struct(made.raw), type=token)
        self.provider.Delete(request, self.context)

    def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        answer = self.provider.Invoke(pb.InvokeRequest(tok=token, args=to_struct(args)), self.context)
        return to_dict(getattr(answer, "return"))

    def enable(self, *services: str) -> None:
        for service in services:
            self.create("gcp:projects/service:Service", {"service": f"{service}.googleapis.com"}, service)
