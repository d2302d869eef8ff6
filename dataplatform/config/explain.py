"""What pydantic found, in words for the person who wrote the file.

One function, `explain`, turns one pydantic error into code, message and remedy; `PATTERNS` says in words what every
pattern of the models asks for (a test holds the table complete).
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from dataplatform.config.plaintext import plain_secret, secret_key
from dataplatform.config.text import kind_of, shown
from dataplatform.diagnostics import nearest

PATTERNS: Final[Mapping[str, tuple[str, str]]] = {
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$": (
        "a mount's name",
        "use at most 64 letters, digits, '_' and '-'; it is found below /mnt",
    ),
    r"^[A-Za-z0-9_=-]([A-Za-z0-9_.=-]*[A-Za-z0-9_=-])?(/[A-Za-z0-9_=-]([A-Za-z0-9_.=-]*[A-Za-z0-9_=-])?)*$": (
        "a directory's path",
        "write it from the filesystem on, without '/' first or last, such as data/lnd",
    ),
    r"^[A-Za-z0-9_]{1,255}$": ("a namespace of Data Fusion", "use letters, digits and '_' only"),
    r"^[^\s${}()]+$": ("a macro's name", "write it without spaces and without ${ }, such as landing_bucket"),
    r"^[a-z0-9_-]{1,250}$": ("a secure key's name", "use lower-case letters, digits, '_' and '-' only"),
    r"^mapping[A-Za-z0-9._-]*\.ya?ml$": (
        "a mapping file",
        "name a file that lies in the Data Fusion folder, such as mapping.dev.yaml",
    ),
    r"^[a-z][a-z0-9-]{0,62}(\.[a-z0-9-]{1,62})*\.googleapis\.com$": (
        "a service of Google's",
        "write it in full, such as bigquery.googleapis.com",
    ),
    r"^[A-Za-z][A-Za-z0-9_.]{0,199}$": (
        "a method of a service",
        "write it as the audit log has it, such as google.cloud.bigquery.v2.JobService.InsertJob",
    ),
    r"^[A-Za-z0-9._-]{1,100}$": ("a user's name", "use at most 100 letters, digits, '.', '_' and '-'"),
    r"^[A-Za-z][A-Za-z0-9_-]{0,63}$": (
        "a pipeline's name",
        "use at most 64 letters, digits, '_' and '-', a letter first",
    ),
    r"^[A-Za-z_][A-Za-z0-9_]{0,99}$": (
        "a variable's name",
        "use at most 100 letters, digits and '_', a letter or '_' first",
    ),
    r"^[^\s@]+@[^\s@]+\.[^\s@]+$": ("an e-mail address", "write it such as oncall@example.com"),
    r"^https://[^\s?#@]+$": (
        "an address",
        "write it with https://, without a user and without what follows '?': a password comes from token_from",
    ),
    r"^[a-z][a-z0-9]{0,11}$": (
        "an environment's name",
        "use 1 to 12 lower-case letters and digits, a letter first, such as dev or pr123",
    ),
    r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$": (
        "a Google Cloud project id",
        "use 6 to 30 lower-case letters, digits and hyphens, a letter first and no hyphen last",
    ),
    r"^[a-z]+-[a-z]+[0-9]{1,2}$": ("a Google Cloud region", "write it as the service does, such as europe-west1"),
    r"^[a-z][a-z0-9_-]{0,62}$": (
        "a label's key",
        "use at most 63 lower-case letters, digits, '_' and '-', a letter first",
    ),
    r"^[a-z0-9_-]{0,63}$": ("a label's value", "use at most 63 lower-case letters, digits, '_' and '-'"),
    r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$|^[a-z]$": (
        "a name",
        "use 1 to 32 lower-case letters, digits and hyphens, a letter first and no hyphen last",
    ),
    r"^[A-Za-z_][A-Za-z0-9_-]{0,254}$": (
        "a secret's name",
        "use at most 255 letters, digits, '_' and '-', a letter or '_' first",
    ),
    r"^[A-Za-z]+(-[a-z]+[0-9]{1,2})?$": ("a location", "write a region such as europe-west1, or EU, US or ASIA"),
    r"^[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?$": (
        "a version",
        "write three or four numbers with dots between, such as 6.10.1",
    ),
    r"^composer-(2(\.[0-9]+\.[0-9]+)?|3)-airflow-(2|3)(\.[0-9]+){0,2}(-build\.[0-9]+)?$": (
        "a Composer image version",
        "write it as the service does, such as composer-3-airflow-2.11.1 or composer-2.17.9-airflow-2.11.1",
    ),
    r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$": (
        "a function's name",
        "use 2 to 63 lower-case letters, digits and hyphens, a letter first and no hyphen last",
    ),
    r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$": (
        "a bucket's name",
        "use 3 to 222 lower-case letters, digits, '.', '_' and '-', a letter or digit first and last",
    ),
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$": (
        "a GUID",
        "write it in lower case with its hyphens, such as 00000000-0000-4000-8000-000000000000",
    ),
    r"^[a-z_][a-z0-9_]{0,254}$": (
        "a name in Unity Catalog",
        "use at most 255 lower-case letters, digits and '_', a letter or '_' first",
    ),
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": (
        "the id of a release",
        "use at most 64 letters, digits, '.', '_' and '-', a letter or digit first",
    ),
    r"^[A-Za-z0-9_.-]{1,100}$": ("a stack's name", "use at most 100 letters, digits, '_', '.' and '-', such as base"),
    r"^/subscriptions/[0-9a-f-]{36}/resourceGroups/[A-Za-z0-9_.()-]{1,90}/providers/Microsoft\.Network"
    r"/virtualNetworks/[A-Za-z0-9][A-Za-z0-9_.-]{1,63}$": (
        "the id of a virtual network",
        "write /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Network/virtualNetworks/<name>",
    ),
    r"^/subscriptions/[0-9a-f-]{36}/resourceGroups/[A-Za-z0-9_.()-]{1,90}/providers/Microsoft\.Network"
    r"/privateDnsZones/[a-z0-9.-]{1,253}$": (
        "the id of a private DNS zone",
        "write /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Network/privateDnsZones/<zone>",
    ),
    r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$": (
        "a subnet's name",
        "use at most 80 letters, digits, '_', '.' and '-', a letter or digit first and no '.' or '-' last",
    ),
    r"^(0|[1-9][0-9]{0,9})$": ("a number", "use digits only, without a leading 0"),
    r"^[A-Za-z_][A-Za-z0-9_]{0,63}$": ("a parameter's name", "use at most 64 letters, digits and '_', no digit first"),
    r"\S": ("a name", "write one that is not blank"),
    r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$": (
        "a trigger's name",
        "use at most 20 lower-case letters, digits and hyphens, a letter first and no hyphen last",
    ),
    r"^UTC([+-](0[0-9]|1[0-4]))?$": ("a time zone of snapshots", "write UTC, or an offset such as UTC+01"),
    r"^(gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]|\$bucket:[a-z][a-z0-9-]*)(/.+)?$": (
        "a folder for snapshots",
        "write gs://<bucket>/<folder>, or $bucket:<zone>/<folder> of the lake",
    ),
    r"^[A-Za-z0-9._-]{1,253}$": (
        "a key of a Kubernetes secret or config map",
        "use at most 253 letters, digits, '.', '_' and '-'",
    ),
    r"^[A-Z][A-Z0-9_]*$": ("the name of a token", "write X for __REPLACE_X__, in capitals"),
    r"^[a-z][a-z0-9]{1,9}$": ("a prefix", "use 2 to 10 lower-case letters and digits, a letter first"),
    r"^[a-z]+[0-9]?$": ("an Azure location", "write its name, such as westeurope"),
    r"^[a-z0-9](-?[a-z0-9]){2,62}$": (
        "a filesystem's name",
        "use 3 to 63 lower-case letters, digits and single hyphens, a letter or digit first and last",
    ),
    r"^[a-z0-9]{3,24}$": ("a storage account's name", "use 3 to 24 lower-case letters and digits"),
    r"^[A-Za-z][A-Za-z0-9-]{0,126}$": (
        "the name of a vault's secret",
        "use at most 127 letters, digits and hyphens, a letter first",
    ),
    r"^https://[^\s]+$": ("an address", "write one that begins with https://"),
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$": ("an e-mail address", "write one such as oncall@example.com"),
    r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/global/networks/[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$": (
        "the link of a network",
        "write projects/<host>/global/networks/<name>",
    ),
    r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/regions/[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"/subnetworks/[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$": (
        "the link of a subnet",
        "write projects/<host>/regions/<region>/subnetworks/<name>",
    ),
    r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/regions/[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"/networkAttachments/[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$": (
        "the link of a network attachment",
        "write projects/<project>/regions/<region>/networkAttachments/<name>",
    ),
    r"^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$": (
        "a network tag",
        "use 1 to 63 lower-case letters, digits and hyphens, a letter first and no hyphen last",
    ),
    r"^[0-9]{1,5}(-[0-9]{1,5})?$": ("a port", 'write "5432", or "8000-8999" for a range of ports'),
    r"^[a-z_][a-z0-9_-]{0,62}$": (
        "the name of a database or a user",
        "use at most 63 lower-case letters, digits, '_' and '-', a letter or '_' first",
    ),
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": ("a time of day", 'write hours and minutes, such as "02:00"'),
    r"^[a-z]+(-[a-z]+[0-9]{1,2})?$": ("a location", "write a region such as europe-west1, or eu, us or asia"),
    r"^[A-Za-z0-9_]{1,40}$": ("a character set", "write it as PostgreSQL does, such as UTF8"),
    r"^[A-Za-z0-9_.@-]{1,40}$": ("a collation", "write it as PostgreSQL does, such as en_US.UTF8"),
    r"^[a-z][a-z0-9_.]{0,62}$": ("a setting of PostgreSQL", "write its name, such as log_min_duration_statement"),
    r"^db-(f1-micro|g1-small|custom-[0-9]{1,3}-[0-9]{1,6}|perf-optimized-[A-Z0-9]+-[0-9]{1,3})$": (
        "a machine of Cloud SQL",
        "write db-custom-<vCPU>-<MB>, such as db-custom-2-7680, or db-perf-optimized-N-<vCPU>",
    ),
    r"^[A-Za-z][A-Za-z0-9.-]{1,80}$": ("an API", "write its name without the domain, such as bigquery"),
    r"^[A-Z][A-Z0-9_]{2,60}$": ("an algorithm", "write it as Cloud KMS does, such as EC_SIGN_P256_SHA256"),
    r"^[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*$": (
        "a folder",
        "write its path without a slash at either end, such as orders/eu",
    ),
    r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$": (
        "a topic's full name",
        "write projects/<project>/topics/<name>, or leave it out for one of the stack's own",
    ),
    r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$": ("a patch revision", "write it with four numbers, such as 6.10.1.2"),
    r"^[a-z]+-[a-z]+[0-9]{1,2}-[a-z]$": ("a zone", "write it as Google does, such as europe-west1-b"),
    r"^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\.iam\.gserviceaccount\.com$": (
        "a service account",
        "write its e-mail, <name>@<project>.iam.gserviceaccount.com",
    ),
    r"^(roles|projects/[a-z0-9-]+/roles)/[A-Za-z0-9._]+$": (
        "a role of a project",
        "write roles/<name>, or projects/<project>/roles/<name>",
    ),
    r"^(tagKeys/[0-9]+|[a-z0-9-]+/[A-Za-z0-9._-]+)$": (
        "a tag's key",
        "write tagKeys/<number>, or <organisation or project>/<key>",
    ),
    r"^(tagValues/[0-9]+|[A-Za-z0-9._-]+)$": ("a tag's value", "write tagValues/<number>, or the value's short name"),
    r"^[^\r\n]*$": ("a beginning or end of objects' names", "write it in one line"),
    r"^[A-Za-z_][A-Za-z0-9_-]{0,255}$": (
        "an attribute's name",
        "use at most 256 letters, digits, '_' and '-', a letter or '_' first",
    ),
    r"^[A-Za-z0-9_-]{1,220}$": (
        "the id of an Airflow connection or variable that a secret can be",
        "use at most 220 letters, digits, '_' and '-'",
    ),
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$": (
        "a moment",
        'write it in UTC, such as "2030-01-31T06:00:00Z"',
    ),
    r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$": (
        "an annotation's name",
        "use at most 63 letters, digits, '.', '_' and '-', a letter or digit first and last",
    ),
    r"^[A-Za-z][A-Za-z0-9_]{0,62}$": ("a dataset's key", "use at most 63 letters, digits and '_', a letter first"),
    r"^[A-Za-z0-9_]{1,1024}$": ("a dataset's name", "use letters, digits and '_'"),
    r"^[A-Za-z_][A-Za-z0-9_-]{0,199}$": (
        "a table's name",
        "use at most 200 letters, digits, '_' and '-', a letter or '_' first",
    ),
    r"^[A-Za-z0-9_-]{1,100}$": ("a task's key", "use at most 100 letters, digits, '_' and '-'"),
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$": (
        "a package's name",
        "use at most 100 letters, digits, '.', '_' and '-', a letter or digit first",
    ),
    r"^.{1,260}$": ("a global parameter's name", "use at most 260 characters in one line"),
    r"^[0-9a-f]{32}$": (
        "a version of a key",
        "write its 32 hexadecimal digits, as the end of the key's identifier has them",
    ),
    r"^[0-9a-f]{7,64}$": ("a commit", "write its hash, as git rev-parse HEAD prints it"),
    r"^[0-9a-zA-Z-]{1,127}$": ("the name of a vault's key", "use at most 127 letters, digits and '-'"),
    r"^https://[a-z0-9-]{3,24}\.vault\.azure\.net/?$": (
        "a vault's address",
        "write https://<name>.vault.azure.net/",
    ),
    r"^[A-Za-z_][A-Za-z0-9_]{0,299}$": (
        "a column's name",
        "use at most 300 letters, digits and '_', a letter or '_' first",
    ),
}
"""Pattern → what it is, how to write it."""

_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "string_type": ("text", ""),
    "int_type": ("a whole number", "write it in digits without quotes"),
    "int_from_float": ("a whole number", "write it without a fraction"),
    "float_type": ("a number", "write it in digits without quotes"),
    "bool_type": ("true or false", "write true or false without quotes"),
    "dict_type": ("a mapping", "write 'key: value' lines below it"),
    "model_type": ("a mapping", "write 'key: value' lines below it"),
    "model_attributes_type": ("a mapping", "write 'key: value' lines below it"),
    "list_type": ("a list", "write '- item' lines below it, or […]"),
    "none_required": ("nothing", "leave the key out"),
}

_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(error: ErrorDetails, raw: str, path: tuple[str | int, ...], *, json: bool) -> tuple[str, str, str]:
    """Code, message and remedy of a pydantic error on a value. `raw` is the scalar as it stands in the file."""
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    secret = any(isinstance(part, str) and secret_key(part) for part in path) or bool(plain_secret(None, found))
    it = "the value" if secret or isinstance(found, dict | list) else shown(found)
    if kind == "dp_form":
        return str(context["code"]), _subject(it, error["msg"]), str(context["remedy"])
    if kind in _TYPES:
        wanted, remedy = _TYPES[kind]
        if isinstance(found, dict) and set(found) == {"secure"}:
            return "DP122", f"an encrypted value where {wanted} belongs", (
                "declare the secret under gcp.secrets and give its value as data-platform:<name>"
            )  # fmt: skip
        if json and kind in ("dict_type", "model_type", "list_type"):
            remedy = "write an object: {…}" if kind != "list_type" else "write a list: […]"
        if kind == "string_type":
            scalar = found is not None and not isinstance(found, dict | list)
            quoted = shown(raw)[1:-1]
            remedy = f'put it in quotes: "{quoted}"' if scalar and not secret else "write text"
        elif isinstance(found, str) and kind in ("int_type", "float_type", "bool_type") and not secret:
            remedy += " (this is text, because of its quotes or what it holds)" if found else ""
        return "DP122", f"expected {wanted}, found {_found(found, it)}", remedy
    if kind == "literal_error":
        return "DP123", f"{it} is not allowed here", _choices(found, str(context.get("expected", "")))
    if kind == "string_pattern_mismatch":
        what, remedy = PATTERNS.get(str(context["pattern"]), ("valid here", f"it must match {context['pattern']}"))
        return "DP124", f"{it} is not {what}", remedy
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return "DP125", f"{it} is out of range", f"write a number of {words} {_figure(context[key])}"
    if kind in ("string_too_short", "too_short"):
        return "DP125", f"{it} is too short", f"give at least {context['min_length']}"
    if kind in ("string_too_long", "too_long"):
        return "DP125", f"{it} is too long", f"give at most {context['max_length']}"
    if kind == "value_error":
        reason = str(context.get("error", error["msg"]))
        message, _, remedy = reason.partition("; ")
        if message.startswith("expected "):
            return "DP124", f"{it} has not the right form", "write" + message.removeprefix("expected")
        return "DP124", f"{it}: {message}", remedy or "put it right"
    if kind == "finite_number":
        return "DP116", f"{it} is not a finite number", "write a finite number"
    return "DP124", f"{it}: {error['msg']}", "put it right"


def _figure(bound: object) -> str:
    return str(int(bound)) if isinstance(bound, float) and bound.is_integer() else str(bound)


def _subject(it: str, message: str) -> str:
    if message.startswith("expected "):
        return f"{message}, found {it}"
    return message


def _found(found: object, it: str) -> str:
    kind = kind_of(found)
    if kind in ("a mapping", "a list", "nothing") or it == "the value":
        return "nothing after the key" if kind == "nothing" else kind
    return f"the {kind.removeprefix('a ')} {it}" if kind != "true or false" else it


def _choices(found: object, expected: str) -> str:
    """The nearest choice and all of them. `expected` is pydantic's list: 'a', 'b' or 'c'."""
    choices = [part.strip("' ") for part in expected.replace(" or ", ", ").split(", ") if part.strip("' ")]
    if not isinstance(found, str) or isinstance(found, bool):
        return "expected one of: " + ", ".join(choices)
    hint = nearest(found[:100], choices)
    if hint.startswith("expected") or len(choices) == 1:
        return hint
    return f"{hint} Allowed are {', '.join(choices)}"


def model_at(model: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The model that describes the mapping at a path, or None where it is a free mapping or no mapping."""
    annotation: Any = model
    for part in path:
        annotation = _below(annotation, part)
        if annotation is None:
            return None
    return _model(annotation)


def _options(annotation: Any) -> list[Any]:
    """The annotation without Annotated and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [option for part in get_args(annotation) for option in _options(part) if part is not type(None)]
    return [annotation]


def _model(annotation: Any) -> type[BaseModel] | None:
    for option in _options(annotation):
        if isinstance(option, type) and get_origin(option) is None and issubclass(option, BaseModel):
            return option
    return None


def _below(annotation: Any, part: str | int) -> Any:
    model = _model(annotation)
    if model is not None:
        for name, info in model.model_fields.items():
            if part == (info.alias or name):
                return info.annotation
        return None
    for option in _options(annotation):
        origin = get_origin(option)
        if origin is dict and isinstance(part, str):
            return get_args(option)[1]
        if origin is list and isinstance(part, int):
            return get_args(option)[0]
        if origin is Literal:
            return None
    return None


def how_to_add(model: type[BaseModel] | None, key: str, *, json: bool) -> str:
    """What to write for a key that is missing."""
    annotation = None if model is None else _below(model, key)
    (option, *_) = _options(annotation)
    if option is bool:
        value = "true or false"
    elif get_origin(option) is Literal:
        value = " or ".join(f'"{choice}"' if json else str(choice) for choice in get_args(option))
    elif get_origin(option) is list:
        value = "[…]"
    elif get_origin(option) is dict or _model(option) is not None:
        value = "{…}"
    else:
        value = '"…"' if json else "…"
    return f'add "{key}": {value}' if json else f"add {key}: {value}"


def known_keys(model: type[BaseModel] | None) -> list[str]:
    """The keys a mapping may have."""
    if model is None:
        return []
    return [info.alias or name for name, info in model.model_fields.items()]


def close(name: str, known: list[str]) -> bool:
    """Whether a name is a misspelling of one of the known ones."""
    return bool(difflib.get_close_matches(name[:100].lower(), [k.lower() for k in known], n=1, cutoff=0.6))
