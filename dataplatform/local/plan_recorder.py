"""What a stack would register, without an engine: the very program, run under a monitor of ours.

No command line, no network, no credentials: config secrets are stand-ins that never appear, calls of provider
functions are answered "unknown", and everything a cloud would compute is unknown, as in an engine's preview of a stack
that does not exist yet. What it cannot show is what is there: it has no state, so it knows no update and no replace.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import graphlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import config as runtime_config
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import ROOT, configure
from pulumi.runtime.stack import run_in_stack

from dataplatform.local.plan_state import State
from infra.decide import Decided, decide
from infra.program import CONFIG_NAMESPACE, register

PROJECT = "data-platform"
UNKNOWN_MARKER = "[unknown]"
"""Stands in `inputs` for a value that is known only once other resources exist."""

STAND_IN = "not the value"
"""What the program gets for a secret."""

_STACK_REFERENCE = "pulumi:pulumi:StackReference"
_STACK_TYPE = "pulumi:pulumi:Stack"
# Computed outputs inside objects that are also inputs. The answer to a registration is its inputs, and what is missing
# at the top is unknown by itself; inside an object that was given it would be taken for absent.
_COMPUTED_INSIDE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "azure-native:databricks:AccessConnector": (("identity", "principalId"),),
    "azure-native:datafactory:Factory": (("identity", "principalId"),),
    "gcp:composer/environment:Environment": (
        ("config", "airflowUri"),
        ("config", "dagGcsPrefix"),
        ("config", "gkeCluster"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class RecordedResource:
    """One registration, as the engine would get it."""

    urn: str
    type: str
    """The provider's full token."""
    name: str
    """Logical name."""
    parent: str
    """URN, empty for the stack itself."""
    custom: bool
    """Whether it is a resource of a provider's, not a component."""
    protect: bool
    dependencies: tuple[str, ...]
    """URNs, sorted."""
    inputs: Mapping[str, object]
    """Keys as on the wire (camelCase). Secret values are absent, unknown ones are `[unknown]`."""
    secrets: tuple[str, ...]
    """Property paths whose values are absent from `inputs` because they are secret."""
    provider: str
    """URN of the explicit provider, empty where there is none."""
    import_id: str
    """Physical id to adopt, empty where it is created."""
    retain_on_delete: bool
    aliases: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """The resource as `dp plan --json` prints it."""
        return {
            "urn": self.urn,
            "type": self.type,
            "name": self.name,
            "parent": self.parent,
            "protect": self.protect,
            "dependencies": list(self.dependencies),
            "inputs": dict(self.inputs),
            "secrets": list(self.secrets),
        }


class DuplicateUrnError(Exception):
    """Raised when the program registers two resources of one type and name under one parent."""


def record(root: Path, stack: str, state: State | None = None) -> list[RecordedResource]:
    """Everything the stack's program registers, parents and dependencies first; raises InputError as the program would.

    The SDK registers whatever is ready, in an order that differs from run to run; ties are broken by URN here, so that
    the same stack gives the same list. With a state, its outputs are what the program gets, and the state takes down
    what would change.
    """
    with _no_collection():
        return record_decided(decide(root, stack), state)


def record_decided(decided: Decided, state: State | None = None) -> list[RecordedResource]:
    """The same for a stack that is loaded and compiled already."""
    stack = decided.loaded.name
    secrets = {f"{CONFIG_NAMESPACE}:{name}": STAND_IN for name in decided.loaded.secrets}

    def inside() -> list[RecordedResource]:
        monitor = _Monitor(stack, state)
        ROOT.set(None)
        runtime_config.set_all_config(secrets, list(secrets))
        configure(
            mocks.MockSettings(  # type: ignore[no-untyped-call]
                monitor=monitor,
                monitor_features=set(monitor.GetDeploymentInfo(None).supportedFeatures),
                engine=mocks.MockEngine(None),
                project=PROJECT,
                stack=stack,
                dry_run=True,
                organization="organization",
                callbacks=None,
                outputs=set(),
                lock=threading.Lock(),
                parallel=None,
                legacy_apply_enabled=False,
                root_directory=None,
                package_refs={},
                base_providers_by_ref={},
            )
        )
        asyncio.run(_run(lambda: register(decided)))
        return _ordered(monitor.recorded)

    # The SDK keeps its state in context variables: a context of its own keeps stacks apart, in threads too.
    return contextvars.Context().run(inside)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector still: loading providers and recording makes many objects and hardly any garbage.

    A quarter of a plan's time went into looking for some.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _ordered(resources: list[RecordedResource]) -> list[RecordedResource]:
    known = {r.urn: r for r in resources}
    waits_for = {r.urn: {r.parent, *r.dependencies, r.provider} & known.keys() for r in resources}
    order: list[RecordedResource] = []
    sorter = graphlib.TopologicalSorter(waits_for)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order.extend(known[urn] for urn in ready)
        sorter.done(*ready)
    return order


async def _run(program: Callable[[], None]) -> None:
    asyncio.get_running_loop().set_default_executor(_Inline())
    await run_in_stack(program)


class _Inline(ThreadPoolExecutor):
    """Runs what it is given at once, in the caller's thread.

    The SDK hands every call of the monitor to the loop's executor. Ours answer from memory; threads would only cost
    time and make the order of registrations a matter of luck.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Monitor:
    """The engine's side of the SDK's protocol: it writes down what is registered and answers as a preview does."""

    def __init__(self, stack: str, state: State | None = None) -> None:
        self._stack = stack
        self._state = state
        self._urns: set[str] = set()
        self.recorded: list[RecordedResource] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        urn = self._urn(request.parent, request.type, request.name)
        if urn in self._urns:
            raise DuplicateUrnError(f"two resources have the URN '{urn}': give one of them another name")
        self._urns.add(urn)
        secrets: list[str] = []
        inputs = _plain(request.object, "", secrets)
        assert isinstance(inputs, dict)
        self.recorded.append(
            RecordedResource(
                urn=urn,
                type=request.type,
                name=request.name,
                parent=request.parent,
                custom=request.custom,
                protect=request.protect,
                dependencies=tuple(sorted(request.dependencies)),
                inputs=inputs,
                secrets=tuple(sorted(secrets)),
                provider=request.provider.rpartition("::")[0],
                import_id=request.importId,
                retain_on_delete=request.retainOnDelete,
                aliases=tuple(sorted(alias.urn or alias.spec.name for alias in request.aliases)),
            )
        )
        answer = request.object
        if self._state is not None:
            known, outputs = self._state.register(
                urn,
                request.type,
                request.custom,
                json_format.MessageToDict(request.object),
                {name: list(entry.urns) for name, entry in request.propertyDependencies.items()},
                [self._alias(alias, request) for alias in request.aliases],
            )
            if known:
                answer = struct_pb2.Struct()
                answer.update(outputs)
                return resource_pb2.RegisterResourceResponse(urn=urn, id=known, object=answer)
        if request.type in _COMPUTED_INSIDE:
            answer = struct_pb2.Struct()
            answer.CopyFrom(request.object)
            for outer, inner in _COMPUTED_INSIDE[request.type]:
                if outer in answer.fields:
                    answer.fields[outer].struct_value.fields[inner].string_value = rpc.UNKNOWN
        # No id: it is not known before the resource exists.
        return resource_pb2.RegisterResourceResponse(urn=urn, object=answer if request.custom else None)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        if request.type == _STACK_REFERENCE:
            # Another stack's outputs: none is known before that stack is asked.
            answer = struct_pb2.Struct()
            answer.CopyFrom(request.properties)
            answer.fields["outputs"].string_value = rpc.UNKNOWN
            urn = self._urn(request.parent, request.type, request.name)
            return resource_pb2.ReadResourceResponse(urn=urn, properties=answer)
        raise NotImplementedError(f"the program reads {request.type} '{request.id}': a plan has no cloud to read from")

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        found = self._state.invoke(request.tok, json_format.MessageToDict(request.args)) if self._state else None
        answer = resource_pb2.ResourceInvokeResponse(unknown=found is None)
        if found is not None:
            getattr(answer, "return").update(found)
        return answer

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id != "outputValues")

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        # Output values are left out: without them secrets and unknowns come as the plain markers a provider gets.
        return resource_pb2.DeploymentInfo(
            supportedFeatures=[
                resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
                resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
                resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_DEPENDS_ON,
            ]
        )

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def _urn(self, parent: str, type_: str, name: str) -> str:
        """The engine's rule: the whole chain of parent types, without the stack's."""
        chain = parent.split("::")[2] if parent else ""
        qualified = type_ if chain in ("", _STACK_TYPE) else f"{chain}${type_}"
        return f"urn:pulumi:{self._stack}::{PROJECT}::{qualified}::{name}"

    def _alias(self, alias: Any, request: Any) -> str:
        """The URN that an alias stands for: what it does not say is as it is now. A stack is never another's."""
        if alias.urn:
            return str(alias.urn)
        spec = alias.spec
        parent = "" if spec.noParent else spec.parentUrn or request.parent
        return self._urn(parent, spec.type or request.type, spec.name or request.name)


def _plain(struct: struct_pb2.Struct, path: str, secrets: list[str]) -> object:
    """A wire object as plain data without secrets; their paths go to `secrets`."""
    if _is_secret(struct):
        secrets.append(path)
        return _ABSENT
    found = ((key, _value(value, _below(path, key), secrets)) for key, value in _sorted_fields(struct))
    return {key: value for key, value in found if value is not _ABSENT}


def _value(value: struct_pb2.Value, path: str, secrets: list[str]) -> object:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _plain(value.struct_value, path, secrets)
    if kind == "list_value":
        items = [_value(item, f"{path}[{i}]", secrets) for i, item in enumerate(value.list_value.values)]
        # A secret item keeps its place, so that the paths of the others stay true.
        return [None if item is _ABSENT else item for item in items]
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "string_value":
        return UNKNOWN_MARKER if value.string_value == rpc.UNKNOWN else value.string_value
    return _ABSENT


def _is_secret(struct: struct_pb2.Struct) -> bool:
    signature = struct.fields.get(rpc._special_sig_key)
    return signature is not None and signature.string_value == rpc._special_secret_sig


def _sorted_fields(struct: struct_pb2.Struct) -> Iterator[tuple[str, struct_pb2.Value]]:
    yield from sorted(struct.fields.items())


def _below(path: str, key: str) -> str:
    """A property path in Pulumi's form: `a.b`, or `a["b.c"]` where the key is not a plain name."""
    if not key.replace("_", "a").isalnum():
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


class _Absent:
    """Marks a value that is not there: None is a value."""


_ABSENT = _Absent()
