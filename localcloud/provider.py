"""The provider plugin: Pulumi's ResourceProvider protocol over the services of the embedded cloud.

Run as `python -m localcloud.provider PACKAGE`. Nothing is raised out of a call: a refusal becomes a status with the
cloud's words in one line, and so does whatever nobody expected.

Configuration belongs to a connection. The engine opens one for every provider resource (the default one and explicit
ones) and says in no later request which of them it means, so settings are kept by the peer that configured; a
connection that did not (gRPC dialled again) gets the last settings of this process. On PATH, as here, the engine starts
one process per provider resource anyway, so the two cannot be confused.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2

from localcloud import rules, wording
from localcloud.errors import ApiError
from localcloud.faults import BadFaultError, Fault, Faults
from localcloud.protocol import OPTIONS, pb, pb_grpc, plugin_pb, status_pb
from localcloud.rules.wire import Path as ValuePath
from localcloud.services.base import Call, Settings, State
from localcloud.services.registry import service_for, unknown_type
from localcloud.values import hide, redact, strip, texts_at, to_dict, to_struct, wrap
from localcloud.world import World

_ENVIRONMENT = {
    "project": ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"),
    "region": ("GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
    "zone": ("GOOGLE_ZONE", "GCLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE"),
    "subscriptionId": ("ARM_SUBSCRIPTION_ID",),
    "tenantId": ("ARM_TENANT_ID",),
}
"""Variables the real providers read where their configuration says nothing."""


class Provider(pb_grpc.ResourceProviderServicer):  # type: ignore[misc]
    """One plugin process of one package, over one world."""

    def __init__(self, package: str, world: World) -> None:
        self.package = package
        self.world = world
        self.faults = Faults(world)
        self._settings: dict[str, Settings] = {}
        self._last = Settings(package, {})
        self._lock = threading.Lock()

    # Getting to know each other ---------------------------------------------------------------------------------

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """What this plugin understands."""
        return pb.ProviderHandshakeResponse(
            accept_secrets=True,
            accept_resources=False,
            accept_outputs=False,
            supports_autonaming_configuration=True,
        )

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Nothing to do: needed when the engine is told of a running plugin."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """The installed SDK's version, which is what the engine asks for."""
        from localcloud.rules import sdk

        return plugin_pb.PluginInfo(version=sdk.version(self.package))

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Name and version only: programs in Python bring their own types."""
        import json

        from localcloud.rules import sdk

        return pb.GetSchemaResponse(schema=json.dumps({"name": self.package, "version": sdk.version(self.package)}))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """The configuration as it is."""
        return pb.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """A changed setting updates the provider; what it means for resources is each one's Diff."""
        old, _ = strip(to_dict(request.old_inputs if request.HasField("old_inputs") else request.olds))
        new, _ = strip(to_dict(request.news))
        changed = sorted(k for k in {*old, *new} - {"version"} if old.get(k) != new.get(k))
        kind = pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE
        return pb.DiffResponse(changes=kind, diffs=changed)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Keep the settings for this connection."""
        import json

        values, _ = strip(to_dict(request.args))
        for name, value in list(values.items()):
            # Settings that are not text arrive as JSON text.
            if isinstance(value, str) and value[:1] in "{[":
                try:
                    values[name] = json.loads(value)
                except ValueError:
                    continue
        for name, variables in _ENVIRONMENT.items():
            found = next((v for v in map(os.environ.get, variables) if v), None)
            if not values.get(name) and found:
                values[name] = found
        settings = Settings(self.package, values)
        with self._lock:
            self._settings[context.peer()] = settings
            self._last = settings
        return pb.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, supports_autonaming_configuration=True
        )

    def _of(self, context: grpc.ServicerContext) -> Settings:
        with self._lock:
            return self._settings.get(context.peer(), self._last)

    # Judging inputs ------------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Name it where the program did not, then say what the provider would refuse."""
        news = to_dict(request.news)

        def work() -> Any:
            token = request.type or wording.type_of(request.urn)
            if not rules.known(token):
                raise unknown_type(token)
            olds = to_dict(request.olds) or None
            options = request.autonaming if request.HasField("autonaming") else None
            disabled = options is not None and options.mode == pb.CheckRequest.AutonamingOptions.DISABLE
            inputs = news
            if not disabled:
                proposed = (options.proposed_name or None) if options is not None else None
                inputs = rules.autoname(token, request.name, request.randomSeed, news, olds, proposed)
            result = rules.check(token, inputs, olds=olds, provider_config=self._strings(context))
            failures = [pb.CheckFailure(reason=rules.examine(f, request.name)) for f in result.failures]
            return pb.CheckResponse(inputs=to_struct(result.inputs), failures=failures)

        return self._answer("check", request, context, news, work)

    def _strings(self, context: grpc.ServicerContext) -> dict[str, str]:
        settings = self._of(context)
        names = ("project", "region", "zone") if self.package == "gcp" else ()
        return {name: value for name in names if isinstance(value := getattr(settings, name), str)}

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """What changed, and whether it replaces."""
        news = to_dict(request.news)

        def work() -> Any:
            olds = to_dict(request.olds)
            old_inputs = to_dict(request.old_inputs) if request.HasField("old_inputs") else olds
            found = rules.diff(
                request.type or wording.type_of(request.urn),
                old_inputs,
                olds,
                news,
                list(request.ignoreChanges),
                provider_config=self._strings(context) or None,
            )
            detailed = {
                path: pb.PropertyDiff(kind=pb.PropertyDiff.Kind.Value(kind.upper().replace("-", "_")), inputDiff=True)
                for path, kind in found.detailed.items()
            }
            return pb.DiffResponse(
                changes=pb.DiffResponse.DIFF_SOME if found.changes else pb.DiffResponse.DIFF_NONE,
                replaces=list(found.replaces),
                diffs=sorted({path.split(".")[0].split("[")[0] for path in found.detailed}),
                detailedDiff=detailed,
                hasDetailedDiff=True,
                deleteBeforeReplace=found.delete_before_replace,
            )

        return self._answer("diff", request, context, news, work)

    # Doing it ------------------------------------------------------------------------------------------------------

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Make it; in a preview, tell what is known of it."""
        inputs, secrets = strip(to_dict(request.properties))
        if request.preview:
            return self._answer(
                "preview", request, context, request.properties, lambda: self._plan(request, context, inputs, secrets)
            )

        def work(call: Call) -> State | None:
            return service_for(call.token).create(call, inputs)

        return self._operate("create", request, context, inputs, secrets, work)

    def _plan(
        self, request: Any, context: grpc.ServicerContext, inputs: dict[str, Any], secrets: Sequence[ValuePath]
    ) -> Any:
        token = request.type or wording.type_of(request.urn)
        call = Call(self.world, self.world.connect(), self._of(context), token, request.urn, tuple(secrets))
        outputs = service_for(token).plan(call, inputs, None)
        return pb.CreateResponse(properties=self._struct(token, outputs, secrets))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Change it in place."""
        inputs, secrets = strip(to_dict(request.news))
        token = request.type or wording.type_of(request.urn)

        def plan() -> Any:
            olds, _ = strip(to_dict(request.olds))
            call = Call(self.world, self.world.connect(), self._of(context), token, request.urn, secrets)
            outputs = service_for(token).plan(call, inputs, olds)
            return pb.UpdateResponse(properties=self._struct(token, outputs, secrets))

        if request.preview:
            return self._answer("preview", request, context, request.news, plan)

        def work(call: Call) -> State | None:
            return service_for(call.token).update(call, request.id, inputs)

        return self._operate("update", request, context, inputs, secrets, work)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Remove it."""
        outputs, secrets = strip(to_dict(request.properties))

        def work(call: Call) -> State | None:
            service_for(call.token).delete(call, request.id, outputs)
            return None

        return self._operate("delete", request, context, outputs, secrets, work)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """What is there: for a refresh, an import or `.get()`. Nothing there is an empty answer."""
        old_inputs = to_dict(request.inputs)
        plain, secrets = strip(old_inputs)

        def work(call: Call) -> State | None:
            service = service_for(call.token)
            found = service.read(call, request.id)
            if found is None or not plain:
                return found
            kept = {key: plain[key] for key in service.client_only if key in plain}
            refreshed = {**rules.refreshed_inputs(call.token, plain, found.outputs), **kept}
            return State(found.id, refreshed, {**found.outputs, **kept}, (*found.secrets, *secrets))

        return self._operate("read", request, context, plain, secrets, work)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """A function of the provider."""
        args, _ = strip(to_dict(request.args))

        def work() -> Any:
            from localcloud.invoke import call_function

            with self.world.transaction() as tx:
                result = call_function(Call(self.world, tx, self._of(context), request.tok), request.tok, args)
            return pb.InvokeResponse(**{"return": to_struct(result)})

        return self._answer("invoke", request, context, request.args, work)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Operations are short: those under way finish."""
        return empty_pb2.Empty()

    def GetMapping(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """None: mappings are for converters."""
        return pb.GetMappingResponse()

    def GetMappings(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """None."""
        return pb.GetMappingsResponse()

    # The frame around every call -----------------------------------------------------------------------------------

    def _operate(
        self,
        method: str,
        request: Any,
        context: grpc.ServicerContext,
        inputs: dict[str, Any],
        secrets: Sequence[ValuePath],
        work: Callable[[Call], State | None],
    ) -> Any:
        """One operation on the cloud: faults, transaction, reply."""
        token = request.type or wording.type_of(request.urn)

        def run() -> Any:
            fault = self.faults.due(method, token, request.urn)
            self.faults.before(fault)
            with self.world.transaction() as tx:
                state = work(Call(self.world, tx, self._of(context), token, request.urn, tuple(secrets)))
            self.faults.after(fault)
            reply = self._reply(method, token, state, secrets)
            _deny(fault, token, state, reply)
            return reply

        return self._answer(method, request, context, wrap(inputs, secrets), run)

    def _reply(self, method: str, token: str, state: State | None, secrets: Sequence[ValuePath]) -> Any:
        if method == "delete":
            return empty_pb2.Empty()
        if state is None:
            return pb.ReadResponse()
        hidden = [*secrets, *state.secrets]
        outputs = self._struct(token, state.outputs, hidden)
        if method == "create":
            return pb.CreateResponse(id=state.id, properties=outputs)
        if method == "update":
            return pb.UpdateResponse(properties=outputs)
        return pb.ReadResponse(id=state.id, properties=outputs, inputs=to_struct(wrap(state.inputs, hidden)))

    def _struct(self, token: str, outputs: dict[str, Any], secrets: Sequence[ValuePath]) -> Any:
        """Outputs for the wire: secret are those whose inputs were, and those the provider says are."""
        own: list[ValuePath] = [(name,) for name in rules.table(token).secret_outputs]
        return to_struct(wrap(outputs, [*secrets, *own]))

    def _answer(
        self, method: str, request: Any, context: grpc.ServicerContext, sent: Any, work: Callable[[], Any]
    ) -> Any:
        """Run it, log it, and turn whatever goes wrong into a status with one line of text."""
        token = (
            getattr(request, "tok", "") or getattr(request, "type", "") or wording.type_of(getattr(request, "urn", ""))
        )
        started = time.monotonic()
        values = sent if isinstance(sent, dict) else to_dict(sent)
        plain, secrets = strip(values)
        entry: dict[str, Any] = {"method": method, "package": self.package, "type": token}
        entry["urn"] = getattr(request, "urn", "")
        if getattr(request, "id", ""):
            entry["id"] = request.id
        if method in ("create", "update", "invoke"):
            entry["inputs"] = redact(plain, [*secrets, *wording.hidden(token, plain)])
        failure: tuple[grpc.StatusCode, str, Any] | None = None
        reply: Any = None
        try:
            reply = work()
            entry["outcome"] = "ok"
        except _InitFailedError as error:
            failure = (grpc.StatusCode.UNKNOWN, str(error), error.detail)
        except ApiError as error:
            failure = (
                wording.CODES.get(error.status, grpc.StatusCode.INTERNAL),
                wording.words(method, token, error),
                None,
            )
            entry["status"] = error.status
        except Exception as error:
            # Nothing may be raised into gRPC: the engine would retry for seconds and then show a traceback.
            doing = f"{wording.VERBS.get(method, method)} {token}"
            text = f"the embedded cloud failed while {doing}: {type(error).__name__}: {error} ({wording.place(error)})"
            failure = (grpc.StatusCode.INTERNAL, text, None)
        if failure is not None:
            # Labels are secret by the provider's table because they may be; their values stand in the program's text.
            hidden = [p for p in (*secrets, *wording.hidden(token, plain)) if p[:1] not in wording.LABELS]
            words = " ".join(hide(failure[1], texts_at(plain, hidden)).split())
            entry["outcome"], entry["message"] = "error", words
            failure = (failure[0], words, failure[2])
        if getattr(reply, "id", ""):
            entry["id"] = reply.id
        entry["seconds"] = round(time.monotonic() - started, 4)
        self.world.record(entry)
        if failure is not None:
            self._abort(context, *failure)
        return reply

    def _abort(self, context: grpc.ServicerContext, code: grpc.StatusCode, words: str, detail: Any) -> None:
        if detail is not None:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status = status_pb.Status(code=code.value[0], message=words, details=[packed])
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, words)


class _InitFailedError(Exception):
    """The resource is there, but half made; carries what the engine is to keep of it."""

    def __init__(self, detail: Any, message: str) -> None:
        super().__init__(message)
        self.detail = detail


def _deny(fault: Fault | None, token: str, state: State | None, reply: Any) -> None:
    """The faults that happen to the reply: lost, or telling of a half-made resource."""
    if fault is None:
        return
    if fault.action == "drop":
        raise ApiError(
            502, "connectionLost", f"{token}: the connection was lost before the reply came (fault on request)"
        )
    if fault.action == "partial" and state is not None:
        reason = "the long-running operation ended in an error (fault on request)"
        detail = pb.ErrorResourceInitFailed(
            id=state.id, properties=reply.properties, reasons=[reason], inputs=to_struct(state.inputs)
        )
        raise _InitFailedError(detail, reason)


def serve(package: str, world: World, port: int = 0) -> tuple[grpc.Server, int]:
    """Start the plugin's server on the loopback interface; returns it and its port."""
    # As many threads as the engine has operations in flight, which LOCALCLOUD_DELAY may hold for seconds.
    server = grpc.server(futures.ThreadPoolExecutor(64, thread_name_prefix="call"), options=list(OPTIONS))
    pb_grpc.add_ResourceProviderServicer_to_server(Provider(package, world), server)
    return server, server.add_insecure_port(f"127.0.0.1:{port}")


def _watch_parent(parent: int) -> None:
    """End with the engine: a plugin whose engine was killed must not go on changing the cloud."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m localcloud.provider PACKAGE [ENGINE-ADDRESS]`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    package = words[0] if words else ""
    if package not in ("gcp", "azure-native", "databricks", "azuread"):
        sys.stderr.write("usage: python -m localcloud.provider gcp|azure-native|databricks|azuread\n")
        return 64
    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        server, port = serve(package, World())
    except (BadFaultError, OSError) as error:
        sys.stderr.write(f"localcloud: {error}\n")
        return 1
    server.start()
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not stop.wait(3600):
        pass
    server.stop(1).wait(2)
    # Python would wait for threads that sleep in an operation; the world is safe without that.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
