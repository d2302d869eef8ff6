"""The standard library's functions that may stand in an expression, and its constants.

By https://cloud.google.com/workflows/docs/reference/stdlib/overview and …/stdlib/expression-helpers. Blocking
functions (`http.*`, `sys.sleep` …) are only named here, with their arguments; the interpreter performs them. Time,
environment and random identifiers come from the interpreter too, so that everything in this module is a pure
function. Text functions are in `library_text`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from localcloud.workflows import library_text as text
from localcloud.workflows.failures import WorkflowError, type_error, value_error
from localcloud.workflows.values import (
    INTEGER_MAX,
    INTEGER_MIN,
    FunctionRef,
    Value,
    is_number,
    json_text,
    parse_json,
    scalar_text,
    type_name,
)

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Function:
    """A library function: the names of its parameters, how many must be given, and what computes it.

    `compute` is None for what the interpreter does itself; `blocking` functions may only be called by a call step.
    """

    name: str
    parameters: tuple[str, ...]
    required: int
    compute: Callable[..., Value] | None = None
    blocking: bool = False


def _int(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise type_error(f"int() takes a string or a number; got: {type_name(value)}")
    try:
        # Python's int() takes blanks, underscores and the digits of other scripts too.
        if isinstance(value, str) and (len(value) > 20 or not _INTEGER.fullmatch(value)):
            raise ValueError(value)
        number = int(value)
    except (ValueError, OverflowError):
        raise value_error(f"cannot convert {json_text(str(value))} to an integer") from None
    if not INTEGER_MIN <= number <= INTEGER_MAX:
        raise value_error(f"integer {number} does not fit into 64 bits")
    return number


def _double(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise type_error(f"double() takes a string or a number; got: {type_name(value)}")
    try:
        if isinstance(value, str) and not _DOUBLE.fullmatch(value):
            raise ValueError(value)
        number = float(value)
        if math.isinf(number):
            raise ValueError(value)
        return number
    except ValueError:
        raise value_error(f"cannot convert {json_text(str(value))} to a double") from None


def _string(value: Value) -> str:
    if isinstance(value, str | bool) or is_number(value):
        return scalar_text(value)
    raise type_error(f"string() takes an integer, double, boolean or string; got: {type_name(value)}")


def _len(value: Value) -> int:
    if isinstance(value, list | dict | str | bytes):
        return len(value)
    raise type_error(f"len() takes a list, map or string; got: {type_name(value)}")


def _keys(value: Value) -> list[Value]:
    return list(_map("keys()", value))


def _if(condition: Value, if_true: Value, if_false: Value) -> Value:
    if condition is not None and not isinstance(condition, bool):
        raise type_error(f"the condition of if() must be a boolean; got: {type_name(condition)}")
    return if_true if condition else if_false


def _default(value: Value, fallback: Value) -> Value:
    return fallback if value is None else value


def _map(where: str, value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise type_error(f"{where} takes a map; got: {type_name(value)}")
    return value


def _list(where: str, value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise type_error(f"{where} takes a list; got: {type_name(value)}")
    return value


def _map_get(source: Value, keys: Value) -> Value:
    path = keys if isinstance(keys, list) else [keys]
    if not all(isinstance(k, str) for k in path):
        raise type_error("map.get takes a string or a list of strings as key")
    for key in path:
        if not isinstance(source, dict) or key not in source:
            return None
        source = source[key]
    return source


def _map_delete(source: Value, key: Value) -> Value:
    if not isinstance(key, str):
        raise type_error(f"map.delete takes a string as key; got: {type_name(key)}")
    return {k: v for k, v in _map("map.delete", source).items() if k != key}


def _map_merge(first: Value, second: Value) -> Value:
    return {**_map("map.merge", first), **_map("map.merge", second)}


def _map_merge_nested(first: Value, second: Value) -> Value:
    merged = dict(_map("map.merge_nested", first))
    for key, value in _map("map.merge_nested", second).items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _map_merge_nested(merged[key], value) if both else value
    return merged


def _list_concat(objects: Value, value: Value) -> Value:
    return [*_list("list.concat", objects), value]


def _list_prepend(objects: Value, value: Value) -> Value:
    return [value, *_list("list.prepend", objects)]


def _number(where: str, value: Value) -> Value:
    if not is_number(value):
        raise type_error(f"{where} takes a number; got: {type_name(value)}")
    return value


def _abs(value: Value) -> Value:
    return abs(_number("math.abs", value))


def _max(first: Value, second: Value) -> Value:
    return max(_number("math.max", first), _number("math.max", second))


def _min(first: Value, second: Value) -> Value:
    return min(_number("math.min", first), _number("math.min", second))


def _floor(value: Value) -> int:
    number: int | float = _number("math.floor", value)
    return math.floor(number)


def _json_options(indent: Value) -> tuple[str | None, str]:
    if indent is None or indent is False:
        return None, ""
    options = {} if indent is True else indent
    if not isinstance(options, dict) or not all(isinstance(v, str) for v in options.values()):
        raise type_error("indent must be a boolean or a map with the strings 'prefix' and 'indent'")
    return options.get("indent", "    "), options.get("prefix", "")


def _encode_to_string(data: Value, indent: Value = None) -> str:
    spaces, prefix = _json_options(indent)
    try:
        encoded = json_text(data, indent=spaces)
    except TypeError as error:
        raise value_error(str(error)) from None
    return encoded.replace("\n", "\n" + prefix) if spaces is not None else encoded


def _encode(data: Value, indent: Value = None) -> bytes:
    return _encode_to_string(data, indent).encode()


def _decode(data: Value) -> Value:
    if not isinstance(data, str | bytes):
        raise type_error(f"json.decode takes a string or bytes; got: {type_name(data)}")
    try:
        return parse_json(data)
    except (ValueError, RecursionError):
        raise value_error("json.decode: the input is not valid JSON") from None


def _bytes(where: str, value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise type_error(f"{where} takes bytes; got: {type_name(value)}")
    return value


def _base64_encode(data: Value, padding: Value = True) -> str:
    encoded = base64.b64encode(_bytes("base64.encode", data)).decode()
    return encoded if padding else encoded.rstrip("=")


def _base64_decode(data: Value, padding: Value = True) -> bytes:
    if not isinstance(data, str):
        raise type_error(f"base64.decode takes a string; got: {type_name(data)}")
    try:
        return base64.b64decode(data if padding else data + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise value_error("base64.decode: the input is not valid Base64") from None


_ALGORITHMS = MappingProxyType({n: n.lower() for n in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")})


def _algorithm(name: Value) -> str:
    if not isinstance(name, str):
        raise type_error(f"algorithm must be a string; got: {type_name(name)}")
    if name not in _ALGORITHMS:
        raise value_error(f"unsupported hashing algorithm '{name}'")
    return _ALGORITHMS[name]


def _checksum(data: Value, algorithm: Value) -> bytes:
    return hashlib.new(_algorithm(algorithm), _bytes("hash.compute_checksum", data)).digest()


def _hmac(key: Value, data: Value, algorithm: Value) -> bytes:
    where = "hash.compute_hmac"
    return hmac.new(_bytes(where, key), _bytes(where, data), _algorithm(algorithm)).digest()


def _time_format(seconds: Value, timezone: Value = None) -> str:
    _number("time.format", seconds)
    if timezone is not None and not isinstance(timezone, str):
        raise type_error(f"timezone must be a string; got: {type_name(timezone)}")
    try:
        zone = ZoneInfo(timezone) if timezone else UTC
        moment = datetime.fromtimestamp(seconds, zone)
    except (ValueError, KeyError, OverflowError, OSError):
        raise value_error(f"time.format: cannot format {seconds} in timezone '{timezone or 'UTC'}'") from None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time_parse(value: Value) -> float:
    if not isinstance(value, str):
        raise type_error(f"time.parse takes a string; got: {type_name(value)}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise value_error(f"time.parse: {json_text(value)} is not an ISO 8601 time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _retries(codes: tuple[int, ...], tags: tuple[str, ...]) -> Callable[[Value], bool]:
    def predicate(exception: Value) -> bool:
        if not isinstance(exception, dict):
            return False
        found = exception.get("tags")
        named = isinstance(found, list) and any(t in found for t in tags)
        return named or exception.get("code") in codes

    return predicate


_HTTP = ("url", "timeout", "body", "headers", "query", "auth", "private_service_name", "ca_certificate")
_CLUSTER = ("project", "location")
_GET = tuple(p for p in _HTTP if p != "body")
_PREDICATE = _retries((429, 502, 503, 504), ("ConnectionError", "ConnectionFailedError", "TimeoutError"))
_PREDICATE_NON_IDEMPOTENT = _retries((429, 503), ("ConnectionFailedError",))

_DEFINITIONS = (
    Function("int", ("value",), 1, _int),
    Function("double", ("value",), 1, _double),
    Function("string", ("value",), 1, _string),
    Function("len", ("value",), 1, _len),
    Function("keys", ("map",), 1, _keys),
    Function("default", ("val", "defaultVal"), 2, _default),
    Function("if", ("condition", "ifTrue", "ifFalse"), 3, _if),
    Function("get_type", ("value",), 1, type_name),
    Function("map.get", ("map", "keys"), 2, _map_get),
    Function("map.delete", ("map", "key"), 2, _map_delete),
    Function("map.merge", ("first", "second"), 2, _map_merge),
    Function("map.merge_nested", ("first", "second"), 2, _map_merge_nested),
    Function("list.concat", ("objs", "val"), 2, _list_concat),
    Function("list.prepend", ("objs", "val"), 2, _list_prepend),
    Function("math.abs", ("x",), 1, _abs),
    Function("math.max", ("x", "y"), 2, _max),
    Function("math.min", ("x", "y"), 2, _min),
    Function("math.floor", ("x",), 1, _floor),
    Function("json.encode", ("data", "indent"), 1, _encode),
    Function("json.encode_to_string", ("data", "indent"), 1, _encode_to_string),
    Function("json.decode", ("data",), 1, _decode),
    Function("base64.encode", ("data", "padding"), 1, _base64_encode),
    Function("base64.decode", ("data", "padding"), 1, _base64_decode),
    Function("hash.compute_checksum", ("data", "algorithm"), 2, _checksum),
    Function("hash.compute_hmac", ("key", "data", "algorithm"), 3, _hmac),
    Function("time.format", ("seconds", "timezone"), 1, _time_format),
    Function("time.parse", ("value",), 1, _time_parse),
    Function("text.decode", ("data", "charset"), 1, text.decode),
    Function("text.encode", ("text", "charset"), 1, text.encode),
    Function("text.find_all", ("source", "substr"), 2, text.find_all),
    Function("text.find_all_regex", ("source", "regexp"), 2, text.find_all_regex),
    Function("text.match_regex", ("source", "regexp"), 2, text.match_regex),
    Function("text.replace_all", ("source", "substr", "repl"), 3, text.replace_all),
    Function("text.replace_all_regex", ("source", "regexp", "repl"), 3, text.replace_all_regex),
    Function("text.split", ("source", "separator"), 2, text.split),
    Function("text.substring", ("source", "start", "end"), 3, text.substring),
    Function("text.to_lower", ("source",), 1, text.to_lower),
    Function("text.to_upper", ("source",), 1, text.to_upper),
    Function("text.url_decode", ("source",), 1, text.url_decode),
    Function("text.url_encode", ("source",), 1, text.url_encode),
    Function("text.url_encode_plus", ("source",), 1, text.url_encode_plus),
    Function("http.default_retry_predicate", ("exception",), 1, _PREDICATE),
    Function("http.default_retry_predicate_non_idempotent", ("exception",), 1, _PREDICATE_NON_IDEMPOTENT),
    Function("retry.always", ("exception",), 1, lambda _: True),
    Function("retry.never", ("exception",), 1, lambda _: False),
    Function("sys.get_env", ("name", "default"), 1),
    Function("sys.now", (), 0),
    Function("uuid.generate", (), 0),
    Function("sys.log", ("data", "severity", "text", "json", "timeout"), 0, blocking=True),
    Function("sys.sleep", ("seconds",), 1, blocking=True),
    Function("sys.sleep_until", ("time",), 1, blocking=True),
    Function("http.get", _GET, 1, blocking=True),
    Function("http.delete", _HTTP, 1, blocking=True),
    Function("http.patch", _HTTP, 1, blocking=True),
    Function("http.post", _HTTP, 1, blocking=True),
    Function("http.put", _HTTP, 1, blocking=True),
    Function("http.request", ("method", *_HTTP), 2, blocking=True),
    Function("experimental.executions.run", ("workflow_id", "location", "project_id", "argument"), 1, blocking=True),
    Function(
        "experimental.executions.map",
        ("workflow_id", "arguments", "timeout", "location", "project_id"),
        2,
        blocking=True,
    ),
    Function(
        "gke.request",
        ("cluster_id", "path", "method", *_CLUSTER, "timeout", "body", "headers", "query"),
        3,
        blocking=True,
    ),
    Function("gke.create_job", ("cluster_id", "job", "namespace", *_CLUSTER, "query", "timeout"), 2, blocking=True),
    Function(
        "gke.await_job",
        ("cluster_id", "job_name", "namespace", *_CLUSTER, "query", "timeout", "polling_policy"),
        2,
        blocking=True,
    ),
    Function(
        "gke.delete_job", ("cluster_id", "job_name", "namespace", *_CLUSTER, "query", "timeout"), 2, blocking=True
    ),
    Function("events.create_callback_endpoint", ("http_callback_method",), 0, blocking=True),
    Function("events.await_callback", ("callback", "timeout"), 1, blocking=True),
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType({f.name: f for f in _DEFINITIONS})
"""Every function, by its name."""

_BACKOFF: dict[str, Value] = {"initial_delay": 1.0, "max_delay": 60.0, "multiplier": 1.25}


def _policy(predicate: str) -> dict[str, Value]:
    return {"predicate": FunctionRef(predicate), "max_retries": 5, "backoff": _BACKOFF}


CONSTANTS: Mapping[str, Value] = MappingProxyType(
    {
        "retry.default_backoff": _BACKOFF,
        "http.default_retry": _policy("http.default_retry_predicate"),
        "http.default_retry_non_idempotent": _policy("http.default_retry_predicate_non_idempotent"),
    }
)
"""Constants of the library; functions are values too and are looked up in FUNCTIONS."""

MODULES = frozenset(name.split(".", 1)[0] for name in (*FUNCTIONS, *CONSTANTS) if "." in name)
"""Names of the library's modules."""


def arrange(function: Function, arguments: list[Value] | dict[str, Value]) -> list[Value]:
    """Arguments in the order of the parameters, trailing absent ones left out; raises a TypeError failure."""
    if isinstance(arguments, dict):
        unknown = sorted(arguments.keys() - set(function.parameters))
        if unknown:
            raise type_error(f"{function.name}: unexpected argument '{unknown[0]}'")
        missing = [p for p in function.parameters[: function.required] if p not in arguments]
        if missing:
            raise type_error(f"{function.name}: missing argument '{missing[0]}'")
        last = max((i for i, p in enumerate(function.parameters) if p in arguments), default=-1)
        arguments = [arguments.get(p) for p in function.parameters[: last + 1]]
    if not function.required <= len(arguments) <= len(function.parameters):
        raise type_error(f"{function.name}: {count_message(function, len(arguments))}")
    return arguments


def count_message(function: Function, given: int) -> str:
    """What is wrong with a number of arguments."""
    most = len(function.parameters)
    wanted = str(most) if most == function.required else f"{function.required} to {most}"
    return f"takes {wanted} argument{'' if wanted == '1' else 's'}; got: {given}"


def compute(function: Function, arguments: list[Value]) -> Value:
    """Call a pure function. Raises WorkflowError."""
    if function.compute is None:
        raise AssertionError(f"{function.name} is not a pure function")
    try:
        return function.compute(*arguments)
    except RecursionError:
        raise WorkflowError({"message": "value is nested too deeply", "tags": ["ValueError"]}) from None
