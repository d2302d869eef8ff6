"""HTTP requests of workflows: where they may go, how they are encoded, what comes back.

A request goes to a loopback address, or to a route: a prefix of URLs that stands for a local base URL. Nothing else is
reachable from the embedded cloud. Encoding and decoding by
https://cloud.google.com/workflows/docs/http-requests and …/docs/reference/stdlib/http/post.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from localcloud.workflows import limits
from localcloud.workflows.failures import WorkflowError, failure, type_error, value_error
from localcloud.workflows.values import Value, is_number, json_text, parse_json, scalar_text, type_name

if TYPE_CHECKING:
    from localcloud.workflows.clock import Answer

_PRIVATE_FORM = "projects/PROJECT/locations/LOCATION/namespaces/NAMESPACE/services/SERVICE"
_PRIVATE_SERVICE = re.compile(re.sub("[A-Z]+", "[^/]+", _PRIVATE_FORM))
_AGENT = "GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


@dataclass
class Request:
    """A request ready to be sent. `abort` ends it from another thread."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    timeout: float
    at: float = 0.0
    """The execution's own time when it is sent; told to a responder."""
    asked: str = ""
    """The URL as the workflow wrote it."""
    connection: http.client.HTTPConnection | None = None
    aborted: threading.Event = field(default_factory=threading.Event)

    def abort(self) -> None:
        """Close the connection; `send` then fails in its own thread, which nobody waits for any more."""
        self.aborted.set()
        connection = self.connection
        if connection is not None and connection.sock is not None:
            connection.sock.close()


def prepare(function: str, given: Mapping[str, Value], routes: Mapping[str, str], account: str) -> Request:
    """The request of an `http.*` call. Raises WorkflowError."""
    method = str(given.get("method", "")) if function == "http.request" else function.removeprefix("http.").upper()
    if method.upper() not in _METHODS:
        raise value_error(f"invalid HTTP method '{method}'")
    url = given.get("url")
    if not isinstance(url, str):
        raise type_error(f"url must be a string; got: {type_name(url)}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise value_error(f"invalid URL: {url}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise value_error(f"invalid URL: {url}")
    _check_private(given, port)
    headers = _headers(given.get("headers"))
    body = _encode_body(given.get("body"), headers) if "body" in given else None
    if given.get("auth") is not None:
        headers["Authorization"] = _authorization(given["auth"], url, account)
    agent = next((k for k in headers if k.lower() == "user-agent"), "User-Agent")
    headers[agent] = f"{headers.get(agent, '')} {_AGENT}".lstrip()
    asked = _with_query(url, given.get("query"))
    return Request(method.upper(), _resolve(asked, routes), headers, body, _timeout(given), asked=asked)


def _check_private(given: Mapping[str, Value], port: int | None) -> None:
    """Check what only a private network gives a meaning; the request goes where the URL leads."""
    certificate, service = given.get("ca_certificate"), given.get("private_service_name")
    if certificate is not None and not isinstance(certificate, bytes):
        raise value_error(f"ca_certificate must be bytes; got: {type_name(certificate)}")
    if service is None:
        return
    if not isinstance(service, str):
        raise type_error(f"private_service_name must be a string; got: {type_name(service)}")
    if not _PRIVATE_SERVICE.fullmatch(service):
        raise value_error(f"private_service_name must be {_PRIVATE_FORM}; got: {service}")
    if port is not None:
        raise value_error(f"the URL must not have a port where private_service_name is given; got: {port}")


def _timeout(given: Mapping[str, Value]) -> float:
    timeout = given.get("timeout")
    if timeout is None:
        return limits.HTTP_DEFAULT_TIMEOUT_SECONDS
    if not is_number(timeout):
        raise type_error(f"timeout must be a number; got: {type_name(timeout)}")
    if not 0 < timeout <= limits.HTTP_TIMEOUT_SECONDS:
        raise value_error(
            f"timeout must be more than 0 and at most {limits.HTTP_TIMEOUT_SECONDS} seconds; got: {timeout}"
        )
    return float(timeout)


def _headers(given: Value) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise type_error(f"headers must be a map; got: {type_name(given)}")
    for name, value in given.items():
        if not isinstance(value, str | bool) and not is_number(value):
            raise type_error(f"header '{name}' must be a string; got: {type_name(value)}")
        if any(c in "\r\n\0" for c in f"{name}{value}"):
            raise value_error(f"header '{name}' holds a line break")
    return {name: scalar_text(value) for name, value in given.items()}


def _with_query(url: str, query: Value) -> str:
    if query is None:
        return url
    if not isinstance(query, dict):
        raise type_error(f"query must be a map; got: {type_name(query)}")
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, str | bool) and not is_number(item):
                raise type_error(f"query parameter '{name}' must be a string, number, boolean or a list of those")
            pairs.append((name, scalar_text(item)))
    if not pairs:
        return url
    base, mark, fragment = url.partition("#")
    return f"{base}{'&' if '?' in base else '?'}{urlencode(pairs)}{mark}{fragment}"


def _encode_body(body: Value, headers: dict[str, str]) -> bytes:
    kind = next((v for k, v in headers.items() if k.lower() == "content-type"), None)
    if isinstance(body, bytes):
        if kind is None:
            headers["Content-Type"] = "application/octet-stream"
        return body
    try:
        if kind is None:
            headers["Content-Type"] = "application/json; charset=utf-8"
            return json_text(body).encode()
        media = kind.split(";")[0].strip().lower()
        if media == "application/x-www-form-urlencoded" and isinstance(body, dict):
            return urlencode({k: scalar_text(v) for k, v in body.items()}).encode()
        if isinstance(body, str) and not media.endswith("json"):
            return body.encode()
        return json_text(body).encode()
    except TypeError as error:
        raise type_error(f"the body cannot be encoded: {error}") from None


def _authorization(auth: Value, url: str, account: str) -> str:
    """A stand-in token: it names the workflow's service account and is signed by nobody."""
    if not isinstance(auth, dict):
        raise type_error(f"auth must be a map; got: {type_name(auth)}")
    for name in ("scope", "scopes"):
        scopes = auth.get(name)
        if scopes is not None and not isinstance(scopes, str | list):
            raise type_error(f"auth.{name} must be a string or a list; got: {type_name(scopes)}")
    kind = auth.get("type")
    if kind == "OAuth2":
        return f"Bearer ya29.embedded-cloud.{account}"
    if kind != "OIDC":
        raise value_error(f"auth.type must be 'OIDC' or 'OAuth2'; got: {json_text(kind)}")
    audience = auth.get("audience", url.split("?", 1)[0])
    claims = {"iss": "https://accounts.google.com", "aud": audience, "email": account, "email_verified": True}
    header, payload = (_segment(p) for p in ({"alg": "none", "typ": "JWT"}, claims))
    return f"Bearer {header}.{payload}.embedded-cloud"


def _segment(data: Value) -> str:
    return base64.urlsafe_b64encode(json_text(data).encode()).decode().rstrip("=")


def _resolve(url: str, routes: Mapping[str, str]) -> str:
    """The local URL of a request; the longest route wins."""
    for prefix in sorted(routes, key=len, reverse=True):
        rest = url[len(prefix) :]
        if url.startswith(prefix) and (prefix.endswith("/") or not rest or rest[0] in "/?#:"):
            base = routes[prefix]
            return base.rstrip("/") + ("/" if prefix.endswith("/") and not rest.startswith("/") else "") + rest
    host = urlsplit(url).hostname or ""
    if host == "localhost" or _loopback(host):
        return url
    raise failure(
        "ConnectionFailedError",
        f"'{host}' is not reachable from the embedded cloud: it serves loopback addresses and its routes only",
    )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def send(request: Request) -> Value:
    """Send a request; the response as a map of body, code and headers. Raises WorkflowError."""
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    try:
        port = parts.port
    except ValueError:
        raise value_error(f"invalid URL: {request.url}") from None
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, port, timeout=request.timeout, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=request.timeout)
    request.connection = connection
    try:
        return _exchange(request, connection, parts.path or "/", parts.query)
    finally:
        connection.close()


def _exchange(request: Request, connection: http.client.HTTPConnection, path: str, query: str) -> Value:
    try:
        connection.connect()
    except TimeoutError:
        raise failure("TimeoutError", f"timed out after {request.timeout} seconds") from None
    except OSError as error:
        raise failure("ConnectionFailedError", f"connection failed: {error.strerror or error}") from None
    try:
        target = f"{path}?{query}" if query else path
        connection.request(request.method, target, body=request.body, headers=request.headers)
        response = connection.getresponse()
        content = response.read(limits.HTTP_RESPONSE_BYTES + 1)
    except TimeoutError:
        raise failure("TimeoutError", f"timed out after {request.timeout} seconds") from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise failure("ConnectionError", f"connection broken: {type(error).__name__}: {error}") from None
    if len(content) > limits.HTTP_RESPONSE_BYTES:
        raise failure("ResourceLimitError", f"HTTP response exceeds the limit of {limits.HTTP_RESPONSE_BYTES} bytes")
    return _decode(response.status, response.getheaders(), content)


def respond(request: Request, answer: Answer) -> Value:
    """What a request comes to that was answered without a network, as `send` has it. Raises WorkflowError."""
    if answer.seconds > request.timeout:
        raise failure("TimeoutError", f"timed out after {request.timeout} seconds")
    if answer.problem == "refused":
        raise failure("ConnectionFailedError", "connection failed: Connection refused")
    if answer.problem == "broken":
        raise failure("ConnectionError", "connection broken: Remote end closed connection without response")
    return _decode(answer.status, [("Content-Type", answer.content_type)], answer.text.encode())


def _decode(status: int, received: list[tuple[str, str]], content: bytes) -> Value:
    headers: dict[str, Value] = {}
    for name, value in received:
        canonical = "-".join(p.capitalize() for p in name.split("-"))
        headers[canonical] = f"{headers[canonical]}, {value}" if canonical in headers else value
    result = {"body": decode_body(str(headers.get("Content-Type", "")), content), "code": status}
    result["headers"] = headers
    if status >= 400:
        message = f"HTTP server responded with error code {status}"
        raise WorkflowError({**result, "message": message, "tags": ["HttpError"]})
    return result


def decode_body(content_type: str, content: bytes) -> Value:
    """The value of a body: JSON's, else text or bytes, by its content type."""
    media = content_type.split(";")[0].strip().lower()
    try:
        if media == "application/json" or media.endswith("+json"):
            return parse_json(content) if content else None
        if not media or media.startswith("text/") or media in ("application/xml", "application/x-www-form-urlencoded"):
            return content.decode()
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
    return content
