"""How refusals read, and what of a call may be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from localcloud import rules
from localcloud.errors import ApiError
from localcloud.rules.wire import Path as ValuePath

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    412: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
LABELS = (("effectiveLabels",), ("pulumiLabels",))
VERBS = {"create": "creating", "read": "reading", "update": "updating", "delete": "deleting", "invoke": "invoking"}


def hidden(token: str, plain: dict[str, Any]) -> list[ValuePath]:
    """Top-level properties the provider's table holds secret, whether the program wrapped them or not."""
    if not rules.known(token):
        return []
    table = rules.table(token)
    return [(name,) for name in plain if name in table.secret_outputs or _sensitive(table, name)]


def _sensitive(table: rules.ResourceTable, name: str) -> bool:
    prop = table.properties.get(name)
    return prop is not None and prop.hidden


def words(method: str, token: str, error: ApiError) -> str:
    """A refusal in the words of the provider that relays it."""
    kind = token.rpartition(":")[2]
    if error.code in ("notServed", "deletionPolicy", "deletionProtection"):
        return error.message
    if token.startswith("gcp:"):
        return (
            f"Error {VERBS.get(method, method)} {kind}: googleapi: Error {error.status}: {error.message}, {error.code}"
        )
    if token.startswith("azure-native:"):
        return f'Status={error.status} Code="{error.code}" Message="{error.message}"'
    return f"cannot {method} {kind}: {error.message} ({error.status} {error.code})"


def place(error: BaseException) -> str:
    """File and line an exception was raised at."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown place"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def type_of(urn: str) -> str:
    """The resource type in a URN, `gcp:storage/bucket:Bucket`."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2] if len(parts) > 2 else ""
