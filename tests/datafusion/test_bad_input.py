"""Bad input: one clear sentence each, before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataplatform.config.codes import CODES
from dataplatform.datafusion import service
from dataplatform.datafusion.client import Client
from dataplatform.datafusion.credentials import GivenToken, GoogleToken, is_google
from dataplatform.datafusion.discovery import discover
from dataplatform.datafusion.errors import DataFusionError, RefusedError, TokenError, UnreachableError
from dataplatform.datafusion.macros import Environment, load_mapping
from dataplatform.datafusion.model import Key, Kind
from dataplatform.datafusion.service import Selection
from dataplatform.diagnostics import InputError
from localcloud.cdap.instance import Settings
from localcloud.cdap.server import serve
from localcloud.world import World
from tests.datafusion.conftest import Cdap
from tests.datafusion.counting import Counting
from tests.datafusion.pipelines import export_of, pipeline, stage, write


def refused(cdap: Cdap, folder: Path, environment: Environment | None = None) -> str:
    """The one headline that a push ends with, with nothing changed."""
    client = Counting(cdap.endpoint)
    with pytest.raises(InputError) as caught:
        service.prepare(client, folder, environment or Environment(), Selection())
    assert client.writes == []
    (diagnostic,) = caught.value.diagnostics.sorted()
    assert diagnostic.code in CODES
    return diagnostic.headline()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": "p", ', "p.json:1:15: error: "),
        ("", "the file is empty"),
        ("[1]", "a pipeline is an object"),
        ('{"artifact": {}, "config": {}}', "name: a pipeline has no name"),
        ('{"name": "p", "artifact": "x", "config": {}}', "'artifact' of a pipeline is an object"),
        ('{"name": "p", "artifact": {"name": "a", "version": "1", "scope": "SYSTEM"}}', "a pipeline has no config"),
        (
            '{"name": "p", "artifact": {"name": "a", "version": "1", "scope": "SYSTEM"}, "configuration": "{x"}',
            "'configuration' is not a configuration",
        ),
        (
            '{"name": "p", "artifact": {"name": "a", "version": "1", "scope": "SYSTEM"}, "config": {"stages": [{}]}}',
            "a stage has a name and a plugin",
        ),
        ('{"name": "p", "name": "q"}', "name"),
    ],
)
def test_a_malformed_export(embedded: Any, tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "team" / "pipelines" / "p.json"
    file.parent.mkdir(parents=True)
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        service.prepare(Client(embedded.url), tmp_path, Environment(), Selection())
    (diagnostic,) = caught.value.diagnostics.sorted()
    assert expected in diagnostic.headline()
    assert diagnostic.position.file.endswith("p.json")


def test_an_unknown_plugin_is_told_at_its_stage_with_the_nearest(cdap: Cdap, tmp_path: Path) -> None:
    body = pipeline("p")
    body["config"]["stages"][0] = stage("Read", "KVTabel", "batchsource", name="x")
    namespace = cdap.namespace()
    write(tmp_path, export_of(namespace, body))
    said = refused(cdap, tmp_path)
    assert "stage 'Read' of pipeline" in said
    assert "needs the plugin KVTabel (batchsource) of core-plugins 2.13.0" in said
    assert "did you mean 'KVTable'?" in said
    place = said.partition(": error")[0]
    line = int(place.rsplit(":", 2)[1])
    text = (tmp_path / namespace / "pipelines" / "p.json").read_text("utf-8").splitlines()
    assert '"Read"' in "".join(text[line - 1 : line + 16])


def test_an_artifact_of_another_version_and_of_a_newer_cdap(cdap: Cdap, tmp_path: Path) -> None:
    body = pipeline("p")
    body["config"]["stages"][0]["plugin"]["artifact"]["version"] = "2.0.0"
    namespace = cdap.namespace()
    write(tmp_path, export_of(namespace, body))
    assert "it has 2.13.0: push with --upgrade to use 2.13.0" in refused(cdap, tmp_path)
    prepared = service.prepare(cdap.client(), tmp_path, Environment(), Selection(), upgrade=True)
    assert prepared.apply().error() is None
    again = service.prepare(cdap.client(), tmp_path, Environment(), Selection(), upgrade=True)
    assert again.steps == []

    # Another patch of the same release is no other release: a sandbox has one patch alone.
    for version in ("6.11.1", "6.10.0"):
        other = pipeline("p")
        other["artifact"]["version"] = version
        write(tmp_path, export_of(namespace, other))
        assert "it has 6.11.0: push with --upgrade to use 6.11.0" in refused(cdap, tmp_path)
        prepared = service.prepare(cdap.client(), tmp_path, Environment(), Selection(), upgrade=True)
        assert (
            prepared.desired[Key(namespace=namespace, kind=Kind.PIPELINE, name="p")]["artifact"]["version"] == "6.11.0"
        )
    later = pipeline("p")
    later["config"]["stages"][0]["plugin"]["artifact"]["version"] = "3.0.0"
    write(tmp_path, export_of(namespace, later))
    said = refused(cdap, tmp_path)
    assert "it has 2.13.0: write one of them in the pipeline, or add 3.0.0 to the instance" in said

    newer = pipeline("p")
    newer["artifact"]["version"] = "6.12.0"
    write(tmp_path, export_of(namespace, newer))
    said = refused(cdap, tmp_path)
    assert "is made for CDAP 6.12.0, and the instance has 6.11.0" in said
    assert "DP607" in said


def test_a_macro_without_a_value(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    write(tmp_path / "files", export_of(namespace, pipeline("p", "${bucket}")))
    said = refused(cdap, tmp_path / "files")
    assert "uses the macro ${bucket}, which nothing gives a value; add it under 'values' of the mapping file" in said
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("version: 1\nvalues:\n  bucket: landing\n", "utf-8")
    prepared = service.prepare(cdap.client(), tmp_path / "files", load_mapping(mapping), Selection())
    assert prepared.apply().error() is None
    assert cdap.client().get("namespaces", namespace, "preferences") == {"bucket": "landing"}
    runtime = Environment(runtime=frozenset({"bucket"}))
    assert service.prepare(cdap.client(), tmp_path / "files", runtime, Selection()).steps == []


def test_a_secure_key_that_is_not_there(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    body = pipeline("p")
    body["config"]["properties"] = {"password": "${secure(db-password)}"}
    write(tmp_path, export_of(namespace, body))
    assert "uses the secure key 'db-password'" in refused(cdap, tmp_path)
    client = cdap.client()
    client.call("PUT", ("namespaces", namespace), body={})
    client.call("PUT", ("namespaces", namespace, "securekeys", "db-password"), body={"data": "x", "description": "d"})
    assert service.prepare(client, tmp_path, Environment(), Selection()).apply().error() is None
    client.call("DELETE", ("namespaces", namespace, "securekeys", "db-password"))


def test_a_secret_in_plain_text_is_refused_in_files_and_never_pulled(cdap: Cdap, tmp_path: Path) -> None:
    namespace = cdap.namespace()
    canary = "hunter2-CANARY"
    body = pipeline("p")
    body["config"]["stages"][0]["plugin"]["properties"]["password"] = canary
    client = cdap.client()
    client.call("PUT", ("namespaces", namespace), body={})
    client.call("PUT", ("namespaces", namespace, "apps", "p"), body=body)
    pulled = service.pull(client, tmp_path / "pulled", Environment(), Selection(namespaces=[namespace]))
    (hidden,) = pulled.hidden
    assert "holds a secret in plain text" in str(hidden)
    everything = "".join(p.read_text("utf-8") for p in (tmp_path / "pulled").rglob("*.json"))
    assert canary not in everything + str(hidden) + str([c.as_dict() for c in pulled.changes])
    assert "${secure(p-read-password)}" in everything

    write(tmp_path / "files", export_of(namespace, body))
    with pytest.raises(InputError) as caught:
        service.prepare(client, tmp_path / "files", Environment(), Selection())
    (diagnostic,) = caught.value.diagnostics.sorted()
    assert diagnostic.code == "DP603"
    assert canary not in caught.value.diagnostics.render()


def test_an_instance_that_cannot_be_reached() -> None:
    client = Client("http://127.0.0.1:9", sleep=lambda seconds: None)
    with pytest.raises(UnreachableError, match=r"^the instance at 127\.0\.0\.1:9 cannot be reached \(.*\); check the"):
        client.get("namespaces")


def test_an_address_that_is_no_api(embedded: Any) -> None:
    with pytest.raises(RefusedError, match="'ftp://x' is not an endpoint"):
        Client("ftp://x")
    with pytest.raises(DataFusionError, match="404"):
        Client(f"{embedded.url}/elsewhere").get("namespaces")


@pytest.fixture
def guarded(world: World) -> Iterator[Any]:
    with serve(world, "core", token="fresh") as server:
        yield server


def test_an_expired_token_is_refreshed_once_and_then_told(guarded: Any) -> None:
    with pytest.raises(TokenError, match=r"refused the access token \(missing, wrong or expired\); log in again"):
        Client(guarded.url, tokens=GivenToken("stale")).get("namespaces")

    class Credentials:
        token = "stale"
        valid = True
        refreshed = 0

        def refresh(self, transport: object) -> None:
            self.refreshed += 1
            self.token = "fresh"

    credentials = Credentials()
    client = Client(guarded.url, tokens=GoogleToken(credentials, object()), concurrency=4)
    assert client.get("namespaces")
    assert client.get("namespaces")
    assert credentials.refreshed == 1


def test_google_tokens_go_to_google_alone() -> None:
    assert is_google("https://x-dot-euw1.datafusion.googleusercontent.com/api")
    assert not is_google("http://x-dot-euw1.datafusion.googleusercontent.com/api")
    assert not is_google("https://googleusercontent.com.example.org/api")
    assert not is_google("http://127.0.0.1:11015")


def test_a_basic_instance_has_one_namespace(world: World, tmp_path: Path) -> None:
    write(tmp_path, export_of("default") | export_of("sales", pipeline("p")))
    with serve(world, "basic", settings=Settings(edition="BASIC")) as server:
        client = Counting(server.url)
        with pytest.raises(RefusedError, match=r"BASIC edition, which has the namespace default alone.* have sales"):
            service.prepare(client, tmp_path, Environment(), Selection(), edition="BASIC")
        assert client.calls == []


def test_nothing_in_the_folder_never_means_that_everything_is_to_go(embedded: Any, tmp_path: Path) -> None:
    client = Client(embedded.url)
    with pytest.raises(RefusedError, match="there is no folder"):
        service.prepare(client, tmp_path / "none", Environment(), Selection(), prune=True)
    with pytest.raises(RefusedError, match="holds no export"):
        service.prepare(client, tmp_path, Environment(), Selection(), prune=True)


def test_a_mapping_that_contradicts_itself(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text("version: 1\nvalues:\n  a: same\n  b: same\n", "utf-8")
    with pytest.raises(InputError, match=r"mapping\.yaml:4:6: error: values\.b: 'b' has the value of 'a'.*\[DP605\]"):
        load_mapping(file)
    file.write_text("version: 1\nvaluess: {}\n", "utf-8")
    with pytest.raises(InputError, match="valuess"):
        load_mapping(file)


def test_an_instance_that_is_not_there_or_not_running(tmp_path: Path) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    answers = {"gone": (404, {}), "making": (200, {"state": "CREATING"}), "mine": (403, {}), "odd": (200, None)}
    answers["good"] = (200, {"state": "RUNNING", "apiEndpoint": "https://h/api", "version": "6.11.0", "type": "BASIC"})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path.startswith("/v1/projects/p/locations/r/instances/")
            status, body = answers[self.path.rpartition("/")[2]]
            data = b"<html>" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        api = f"http://127.0.0.1:{server.server_address[1]}"
        found = discover("p", "r", "good", api)
        assert (found.endpoint, found.edition) == ("https://h/api", "BASIC")
        for name, said in (
            ("gone", "there is no instance 'gone' of p in r"),
            ("making", "is CREATING, not RUNNING; wait"),
            ("mine", "you may not see instance 'mine'"),
            ("odd", "something else than JSON"),
        ):
            with pytest.raises(DataFusionError, match=said):
                discover("p", "r", name, api)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
