"""HTTP calls of workflows: encoding, answers, errors, authentication and reach."""

from __future__ import annotations

import base64
import json
import socket
import time
from typing import Any

import pytest


def call(function: str, result: str, **arguments: Any) -> str:
    """A workflow that makes one call and returns something of the answer."""
    return json.dumps([{"c": {"call": function, "args": arguments, "result": "r"}}, {"d": {"return": result}}])


def test_json_is_sent_and_received(run: Any, endpoint: Any) -> None:
    endpoint.answers["/job"] = (201, "application/json; charset=utf-8", b'{"id": 7, "tags": ["a"]}')
    source = call("http.post", "${r}", url=f"{endpoint.url}/job", body={"a": [1, None]}, headers={"X-One": "1"})
    answer = run(source).value
    assert answer["body"] == {"id": 7, "tags": ["a"]}
    assert answer["code"] == 201
    assert answer["headers"]["Content-Type"] == "application/json; charset=utf-8"
    request = endpoint.received[0]
    assert (request.method, request.path) == ("POST", "/job")
    assert json.loads(request.body) == {"a": [1, None]}
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.headers["X-One"] == "1"
    assert request.headers["User-Agent"].startswith("GoogleCloudWorkflows")


def test_text_comes_back_as_text(run: Any, endpoint: Any) -> None:
    endpoint.answers["/t"] = (200, "text/html; charset=utf-8", b"aef_job-1")
    assert run(call("http.get", "${r.body}", url=f"{endpoint.url}/t")).value == "aef_job-1"


def test_other_content_comes_back_as_bytes(run: Any, endpoint: Any) -> None:
    endpoint.answers["/b"] = (200, "application/octet-stream", b"\x00\xff")
    assert run(call("http.get", "${base64.encode(r.body)}", url=f"{endpoint.url}/b")).value == "AP8="


def test_query_form_and_raw_bodies(run: Any, endpoint: Any) -> None:
    run(call("http.get", "${r.code}", url=f"{endpoint.url}/q?a=1", query={"b": "x y", "c": [1, True], "d": 2.5}))
    assert endpoint.received[0].query == {"a": ["1"], "b": ["x y"], "c": ["1", "true"], "d": ["2.5"]}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    run(call("http.put", "${r.code}", url=f"{endpoint.url}/f", headers=form, body={"k": "a b"}))
    assert endpoint.received[1].body == b"k=a+b"
    run(call("http.post", "${r.code}", url=f"{endpoint.url}/p", headers={"content-type": "text/plain"}, body="hi"))
    assert endpoint.received[2].body == b"hi"
    run(call("http.post", "${r.code}", url=f"{endpoint.url}/s", body="hi"))
    assert endpoint.received[3].body == b'"hi"'
    run(call("http.post", "${r.code}", url=f"{endpoint.url}/o", body='${text.encode("x")}'))
    assert endpoint.received[4].headers["Content-Type"] == "application/octet-stream"


def test_methods(run: Any, endpoint: Any) -> None:
    for function in ("http.get", "http.post", "http.put", "http.patch", "http.delete"):
        run(call(function, "${r.code}", url=f"{endpoint.url}/m"))
    run(call("http.request", "${r.code}", method="PATCH", url=f"{endpoint.url}/m"))
    assert [r.method for r in endpoint.received] == ["GET", "POST", "PUT", "PATCH", "DELETE", "PATCH"]
    assert run(call("http.request", "${r.code}", method="FETCH", url=f"{endpoint.url}/m")).tags == ["ValueError"]


def test_an_error_status_is_an_error_map(run: Any, endpoint: Any) -> None:
    endpoint.answers["/e"] = (404, "application/json", b'{"why": "gone"}')
    error = run(call("http.get", "${r}", url=f"{endpoint.url}/e")).error
    assert error["tags"] == ["HttpError"]
    assert error["code"] == 404
    assert error["body"] == {"why": "gone"}
    assert error["headers"]["Content-Length"] == "15"
    assert error["message"] == "HTTP server responded with error code 404"


def test_retry_on_transient_statuses(run: Any, endpoint: Any) -> None:
    busy = (503, "text/plain", b"busy")
    endpoint.answers["/r"] = [busy, busy, (200, "text/plain", b"done")]
    source = [
        {
            "a": {
                "try": {"call": "http.get", "args": {"url": f"{endpoint.url}/r"}, "result": "r"},
                "retry": "${http.default_retry}",
            }
        },
        {"b": {"return": "${r.body}"}},
    ]
    assert run(json.dumps(source)).value == "done"
    assert len(endpoint.received) == 3


def test_oidc_names_the_service_account(run: Any, endpoint: Any) -> None:
    account = "runner@p.iam.gserviceaccount.com"
    source = call("http.post", "${r.code}", url=f"{endpoint.url}/a?x=1", auth={"type": "OIDC"})
    run(source, service_account=account)
    scheme, _, token = endpoint.received[0].headers["Authorization"].partition(" ")
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert scheme == "Bearer"
    assert claims["email"] == account
    assert claims["aud"] == f"{endpoint.url}/a"
    run(call("http.get", "${r.code}", url=f"{endpoint.url}/a", auth={"type": "OAuth2"}), service_account=account)
    assert endpoint.received[1].headers["Authorization"] == f"Bearer ya29.embedded-cloud.{account}"
    assert run(call("http.get", "${r.code}", url=f"{endpoint.url}/a", auth={"type": "basic"})).tags == ["ValueError"]


def test_routes_stand_for_cloud_urls(run: Any, endpoint: Any) -> None:
    cloud = "https://europe-west1-p.cloudfunctions.net"
    routes = {f"{cloud}/": "http://127.0.0.1:1/", f"{cloud}/orch": f"{endpoint.url}/local"}
    run(call("http.post", "${r.code}", url=f"{cloud}/orch/start?x=1"), routes=routes)
    assert endpoint.received[0].path == "/local/start"
    assert endpoint.received[0].query == {"x": ["1"]}
    other = run(call("http.post", "${r.code}", url=f"{cloud}/orchestra"), routes=routes)
    assert other.tags == ["ConnectionFailedError"]


def test_nothing_else_is_reachable(run: Any) -> None:
    for url in ("https://example.com/", "http://10.0.0.1/", "http://127.0.0.1.example.com/"):
        error = run(call("http.get", "${r}", url=url)).error
        assert error["tags"] == ["ConnectionFailedError"]
        assert "is not reachable from the embedded cloud" in error["message"]


def test_refused_connections_and_wrong_arguments(run: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert run(call("http.get", "${r}", url=f"http://127.0.0.1:{port}/")).tags == ["ConnectionFailedError"]
    assert run(call("http.get", "${r}", url="ftp://x/")).tags == ["ValueError"]
    assert run(call("http.get", "${r}", url=5)).tags == ["TypeError"]
    assert run(call("http.get", "${r}", url="http://localhost/", timeout=1801)).tags == ["ValueError"]
    assert run(call("http.get", "${r}", url="http://localhost/", timeout="5")).tags == ["TypeError"]
    assert run(call("http.get", "${r}", url="http://localhost/", headers={"a": "b\r\nc: d"})).tags == ["ValueError"]
    assert run(call("http.get", "${r}", url="http://localhost/", query="a=b")).tags == ["TypeError"]


def test_a_connection_that_breaks_while_it_is_used(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def drop() -> None:
            connection, _ = server.accept()
            connection.recv(100)
            connection.close()

        thread = threading.Thread(target=drop)
        thread.start()
        error = run(call("http.get", "${r}", url=f"http://127.0.0.1:{server.getsockname()[1]}/"))
        thread.join()
    assert error.tags == ["ConnectionError"]


def test_timeout(run: Any, endpoint: Any) -> None:
    started = time.monotonic()
    assert run(call("http.get", "${r}", url=f"{endpoint.url}/slow", timeout=0.1)).tags == ["TimeoutError"]
    assert time.monotonic() - started < 1


def test_a_response_over_the_limit(run: Any, endpoint: Any) -> None:
    endpoint.answers["/big"] = (200, "text/plain", b"x" * (2 * 1024 * 1024 + 1))
    assert run(call("http.get", "${r}", url=f"{endpoint.url}/big")).tags == ["ResourceLimitError"]


def test_calls_of_branches_run_at_the_same_time(run: Any, endpoint: Any) -> None:
    source = f"""
- a:
    parallel:
      branches:
        - waits: {{steps: [{{w: {{call: http.get, args: {{url: '{endpoint.url}/slow'}}}}}}]}}
        - goes:
            steps:
              - g: {{call: http.get, args: {{url: '{endpoint.url}/quick'}}}}
              - s: {{call: sys.sleep, args: {{seconds: 50}}}}
"""
    order: list[str] = []

    def listen(event: Any) -> None:
        order.append(f"{event.step} {event.state}")
        if event.step == "s" and event.state == "succeeded":
            endpoint.release.set()

    from localcloud.workflows.local import run as run_local

    execution = run_local(None, source, None, time_scale=0.001, on_event=listen)
    assert execution["state"] == "SUCCEEDED"
    assert order.index("g succeeded") < order.index("w succeeded")


def test_what_names_a_private_network_is_checked_and_then_ignored(run: Any, endpoint: Any) -> None:
    service = "projects/p/locations/l/namespaces/n/services/s"
    certificate = '${text.encode("-----BEGIN CERTIFICATE-----")}'
    url = f"{endpoint.url}/in"
    assert run(call("http.get", "${r.code}", url=url, ca_certificate=certificate)).value == 200
    routes = {"https://private.example.com": endpoint.url}
    private = call("http.get", "${r.code}", url="https://private.example.com/in", private_service_name=service)
    assert run(private, routes=routes).value == 200
    assert len(endpoint.received) == 2
    assert run(call("http.get", "${r}", url=url, private_service_name=service)).tags == ["ValueError"]
    assert run(call("http.get", "${r}", url=url, private_service_name="n/s")).tags == ["ValueError"]
    assert run(call("http.get", "${r}", url=url, private_service_name=5)).tags == ["TypeError"]
    assert run(call("http.get", "${r}", url=url, ca_certificate="text")).tags == ["ValueError"]
    assert len(endpoint.received) == 2


def test_the_runtime_adds_its_name_to_the_user_agent(run: Any, endpoint: Any) -> None:
    own = "GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)"
    for headers, expected in (({}, own), ({"user-agent": "mine/1.0"}, f"mine/1.0 {own}")):
        run(call("http.get", "${r.code}", url=f"{endpoint.url}/in", headers=headers))
        found = {k.lower(): v for k, v in endpoint.received[-1].headers.items()}
        assert found["user-agent"] == expected


@pytest.mark.parametrize(
    "url", ["http://[", "http://127.0.0.1:99999/", "http://127.0.0.1:x/", "ftp://127.0.0.1/", "//a", ""]
)
def test_urls_that_are_none(run: Any, url: str) -> None:
    assert run(call("http.get", "${r}", url=url)).tags == ["ValueError"]


def test_scopes_of_a_token_are_checked(run: Any, endpoint: Any) -> None:
    url = f"{endpoint.url}/in"
    scopes = ["https://www.googleapis.com/auth/drive"]
    assert run(call("http.get", "${r.code}", url=url, auth={"type": "OAuth2", "scopes": scopes})).value == 200
    assert endpoint.received[0].headers["Authorization"].startswith("Bearer ")
    assert run(call("http.get", "${r}", url=url, auth={"type": "OAuth2", "scopes": 5})).tags == ["TypeError"]
