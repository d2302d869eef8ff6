"""The provider protocol of Pulumi over `Resource`s: gRPC on the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent import futures
from pathlib import Path as FilePath
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc as pb_grpc

from providers.base import PartialError, ProviderError, Resource, State, Values, detailed
from providers.wire import Path, from_wire, texts_at, to_wire

_OPTIONS = (("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", 400 << 20))
"""The engine's own limit: 400 MiB."""


class Provider(pb_grpc.ResourceProviderServicer):
    """The engine's calls, answered by resources."""

    def __init__(
        self,
        name: str,
        version: str,
        resources: Mapping[str, Resource],
        *,
        configure: Callable[[Values], None] | None = None,
        secret_outputs: Collection[str] = (),
    ) -> None:
        self.name = name
        self.version = version
        self.resources = dict(resources)
        self._configure = configure
        self._secret_outputs: tuple[Path, ...] = tuple((output,) for output in secret_outputs)

    # Getting to know each other ---------------------------------------------------------------------------------

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """What this provider understands."""
        return pb.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Nothing to do: called when the engine is told of a running provider."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """The version."""
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Name and version: programs in Python bring their own classes."""
        return pb.GetSchemaResponse(schema=json.dumps({"name": self.name, "version": self.version}))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """The configuration as it is."""
        return pb.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """A changed setting updates the provider and replaces no resource."""
        return pb.DiffResponse()

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Hand the configuration on."""
        values, secrets = from_wire(request.args)

        def work() -> Any:
            if self._configure is not None:
                self._configure({key: _decoded(value) for key, value in values.items()})
            return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=False)

        return _answer(context, work, texts_at(values, secrets))

    def _resource(self, request: Any) -> Resource:
        token = request.type or _type_of(request.urn)
        found = self.resources.get(token)
        if found is None:
            known = ", ".join(sorted(self.resources))
            raise ProviderError(f"the provider {self.name} has no resource type '{token}'; it has: {known}")
        return found

    # Judging ----------------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """The inputs completed, and what is wrong with them."""
        news, secrets = from_wire(request.news)
        olds, _ = from_wire(request.olds)

        def work() -> Any:
            inputs, failures = self._resource(request).check(news, olds)
            hide = list(texts_at(news, secrets))
            told = [pb.CheckFailure(property=f.property, reason=_line(f.reason, hide)) for f in failures]
            return pb.CheckResponse(inputs=to_wire(inputs, secrets), failures=told)

        return _answer(context, work, texts_at(news, secrets))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """What changes, by place, and whether it replaces."""
        news, secrets = from_wire(request.news)
        state, old_secrets = _state(request, request.olds)

        def work() -> Any:
            found = self._resource(request).diff(request.id, state, news)
            ignored = set(request.ignoreChanges)
            kinds = {
                place: kind
                for place, kind in detailed(found).items()
                if not any(place == name or place.startswith((f"{name}.", f"{name}[")) for name in ignored)
            }
            replaces = sorted({place for place, kind in kinds.items() if kind.endswith("-replace")})
            told = {
                place: pb.PropertyDiff(
                    kind=pb.PropertyDiff.Kind.Value(kind.upper().replace("-", "_")), inputDiff=_is_input(place, news)
                )
                for place, kind in kinds.items()
            }
            return pb.DiffResponse(
                changes=pb.DiffResponse.DIFF_SOME if kinds else pb.DiffResponse.DIFF_NONE,
                replaces=replaces,
                diffs=sorted({_top(place) for place in kinds}),
                detailedDiff=told,
                hasDetailedDiff=True,
                deleteBeforeReplace=bool(replaces) and found.delete_before_replace,
            )

        return _answer(context, work, [*texts_at(news, secrets), *texts_at(state.inputs, old_secrets)])

    # Doing ------------------------------------------------------------------------------------------------------

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Make it, or say what is known of it."""
        inputs, secrets = from_wire(request.properties)

        def work() -> Any:
            id_, outputs = self._resource(request).create(inputs, preview=request.preview)
            properties = self._outputs(outputs, secrets)
            return pb.CreateResponse(id="" if request.preview else id_, properties=properties)

        return _answer(context, work, texts_at(inputs, secrets), self._partial(inputs, secrets))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """What is there; nothing is an empty answer."""
        inputs, secrets = from_wire(request.inputs)
        outputs, more = from_wire(request.properties)
        hidden = (*secrets, *more)

        def work() -> Any:
            found = self._resource(request).read(request.id, inputs, outputs)
            if found is None:
                return pb.ReadResponse()
            return pb.ReadResponse(
                id=found.id, properties=self._outputs(found.outputs, hidden), inputs=to_wire(found.inputs, secrets)
            )

        return _answer(context, work, [*texts_at(inputs, secrets), *texts_at(outputs, more)])

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Change it in place."""
        news, secrets = from_wire(request.news)
        state, old_secrets = _state(request, request.olds)

        def work() -> Any:
            outputs = self._resource(request).update(request.id, state, news, preview=request.preview)
            return pb.UpdateResponse(properties=self._outputs(outputs, secrets))

        hide = [*texts_at(news, secrets), *texts_at(state.inputs, old_secrets)]
        return _answer(context, work, hide, self._partial(news, secrets))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Remove it."""
        outputs, secrets = from_wire(request.properties)

        def work() -> Any:
            self._resource(request).delete(request.id, outputs)
            return empty_pb2.Empty()

        return _answer(context, work, texts_at(outputs, secrets))

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Operations under way finish: stopping half-way is what a later `up` would have to repair."""
        return empty_pb2.Empty()

    def GetMapping(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """None: mappings are for converters."""
        return pb.GetMappingResponse()

    def GetMappings(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """None."""
        return pb.GetMappingsResponse()

    def _outputs(self, outputs: Values, secrets: Iterable[Path]) -> Any:
        return to_wire(outputs, (*secrets, *self._secret_outputs))

    def _partial(self, inputs: Values, secrets: tuple[Path, ...]) -> Callable[[PartialError, str], Any]:
        def packed(error: PartialError, words: str) -> Any:
            detail = any_pb2.Any()
            detail.Pack(
                pb.ErrorResourceInitFailed(
                    id=error.id,
                    properties=self._outputs(error.outputs, secrets),
                    reasons=[words],
                    inputs=to_wire(inputs, secrets),
                )
            )
            return detail

        return packed


def _state(request: Any, olds: Any) -> tuple[State, tuple[Path, ...]]:
    outputs, secrets = from_wire(olds)
    if request.HasField("old_inputs"):
        inputs, secrets = from_wire(request.old_inputs)
    else:
        inputs = outputs
    return State(id=request.id, inputs=inputs, outputs=outputs), secrets


def _decoded(value: Any) -> Any:
    """A setting of the provider: what is not text arrives as JSON text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _top(place: str) -> str:
    return place.split(".")[0].split("[")[0]


def _is_input(place: str, news: Values) -> bool:
    return _top(place) in news


def _type_of(urn: str) -> str:
    parts = urn.split("::")
    return parts[2].split("$")[-1] if len(parts) >= 4 else ""


def _line(text: str, hide: Iterable[str]) -> str:
    """A message on one line without any of the secrets."""
    for secret in sorted(set(hide), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return " ".join(text.split())


def _answer(
    context: grpc.ServicerContext,
    work: Callable[[], Any],
    hide: Iterable[str] = (),
    partial: Callable[[PartialError, str], Any] | None = None,
) -> Any:
    """Run it, and turn whatever goes wrong into a status with one line of text that holds no secret."""
    secrets = list(hide)
    try:
        return work()
    except PartialError as error:
        words = _line(str(error), secrets)
        if partial is not None:
            status = status_pb2.Status(
                code=grpc.StatusCode.UNKNOWN.value[0], message=words, details=[partial(error, words)]
            )
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    except ProviderError as error:
        words = _line(str(error), secrets)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{FilePath(frame.filename).name}:{frame.lineno}"
        words = _line(f"an error of the provider itself: {type(error).__name__}: {error} ({place})", secrets)
    # UNKNOWN: any other code that means "try again" would be tried again by the engine.
    context.abort(grpc.StatusCode.UNKNOWN, words)
    raise AssertionError("abort raises")


def start(provider: Provider, port: int = 0) -> tuple[grpc.Server, int]:
    """Start the provider's server; returns it and its port."""
    # As many threads as an engine has operations in flight: a slow one must not hold up the others.
    server = grpc.server(futures.ThreadPoolExecutor(64, thread_name_prefix="call"), options=list(_OPTIONS))
    pb_grpc.add_ResourceProviderServicer_to_server(provider, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def run(provider: Provider) -> int:
    """Serve until the engine ends us, print the port first: the plugin's side of the engine's start protocol."""
    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server, port = start(provider)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # A plugin whose engine was killed must not go on changing the cloud.
    while not stop.wait(0.5):
        if os.getppid() != parent:
            os._exit(0)
    server.stop(1).wait(2)
    # Python would wait for threads that sleep in an operation.
    os._exit(0)
