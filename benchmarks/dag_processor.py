"""One pass of the real `airflow dag-processor` over a folder, in an environment, with a fresh metadata database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks.postgres import CannotMeasureError, Postgres

PASS_SECONDS = 900
"""A pass that takes longer than this has gone wrong."""


@dataclass(frozen=True)
class Pass:
    """What one pass took: seconds of the clock, and of the processor for the command and all its forks."""

    wall: float
    cpu: float


class Installation:
    """An Airflow environment with a home and a migrated metadata database, which each pass gets a copy of."""

    def __init__(self, python: Path, work: Path, server: Postgres, variables: Mapping[str, str]) -> None:
        self._bin = python.parent
        self._home = work / "home"
        self._server = server
        self._template = f"{work.name.replace('-', '_')}_template"
        self._variables = dict(variables)
        (self._home / "config").mkdir(parents=True)
        (self._home / "empty").mkdir()
        server.query("postgres", f"create database {self._template}")
        log = work / "migrate.log"
        with log.open("w", encoding="utf-8") as out:
            done = subprocess.run(
                [str(self._bin / "airflow"), "db", "migrate"],
                cwd=self._home,
                env=self._environment(self._home / "empty", self._template),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise CannotMeasureError(f"airflow db migrate failed in {self._bin}:\n{_tail(log)}")

    def local_settings(self, text: str) -> None:
        """What Airflow imports when it starts."""
        (self._home / "config" / "airflow_local_settings.py").write_text(text, "utf-8")

    def run(self, dags: Path, expected: set[str], steps: int) -> Pass:
        """One pass over a folder as it is after a deployment: no bytecode in it, nothing of it in the database.

        Raises:
            CannotMeasureError: the pass failed, or not every DAG is in the database with all its steps.
        """
        for folder in dags.rglob("__pycache__"):
            shutil.rmtree(folder)
        database = self._template.replace("_template", "_pass")
        self._server.query("postgres", f"drop database if exists {database}")
        self._server.query("postgres", f"create database {database} template {self._template}")
        shutil.rmtree(self._home / "logs", ignore_errors=True)
        log = self._home.with_name("pass.log")
        with log.open("w", encoding="utf-8") as out:
            started = time.perf_counter()
            process = subprocess.Popen(
                [str(self._bin / "airflow"), "dag-processor", "-n", "1"],
                cwd=self._home,
                env=self._environment(dags, database),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            killer = threading.Timer(PASS_SECONDS, _kill, (process.pid,))
            killer.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            except BaseException:
                _kill(process.pid)
                raise
            finally:
                killer.cancel()
            wall = time.perf_counter() - started
        if process.returncode:
            raise CannotMeasureError(f"airflow dag-processor ended with {process.returncode}:\n{_tail(log)}")
        self._verify(database, expected, steps, log)
        self._server.query("postgres", f"drop database {database} with (force)")
        return Pass(wall, usage.ru_utime + usage.ru_stime)

    def _verify(self, database: str, expected: set[str], steps: int, log: Path) -> None:
        errors = self._server.query(database, "select filename, left(stacktrace, 1500) from import_error limit 1")
        if errors:
            raise CannotMeasureError(f"a DAG file could not be imported: {' '.join(map(' '.join, errors))}")
        rows = self._server.query(
            database,
            "select dag_id, json_array_length(data::json -> 'dag' -> 'tasks') from serialized_dag",
        )
        found = {dag: int(count) for dag, count in rows}
        if set(found) != expected:
            wrong = sorted(set(found) ^ expected)[:5]
            raise CannotMeasureError(
                f"{len(found)} DAGs are in the database and {len(expected)} were expected; "
                f"they differ in {', '.join(wrong)}:\n{_tail(log)}"
            )
        if few := {dag: count for dag, count in found.items() if count < steps}:
            raise CannotMeasureError(f"DAGs with fewer than {steps} tasks: {few}")

    def _environment(self, dags: Path, database: str) -> dict[str, str]:
        return {
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._server.url(database),
            "AIRFLOW__SCHEDULER__STANDALONE_DAG_PROCESSOR": "True",
            # The first is Airflow 2's name for it, the second Airflow 3's.
            "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "2",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
            # Nothing here calls home: that would be timed too.
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "False",
            "DO_NOT_TRACK": "1",
            **self._variables,
        }


@contextmanager
def stand_in_bucket(bucket: str, dags: Path) -> Iterator[str]:
    """A server of the few calls of Cloud Storage that ask whether something is there; gives STORAGE_EMULATOR_HOST.

    Objects are the files of `dags`, below `dags/` in the bucket.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            head, _, name = path.partition(f"/storage/v1/b/{bucket}")
            answer: dict[str, object] | None = None
            if not head and name in ("", "/"):
                answer = {"kind": "storage#bucket", "name": bucket, "id": bucket}
            elif not head and name.startswith("/o/dags/") and (dags / name.removeprefix("/o/dags/")).is_file():
                answer = {"kind": "storage#object", "name": name.removeprefix("/o/"), "bucket": bucket}
            body = json.dumps(answer or {"error": {"code": 404, "message": "Not Found"}}).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
            """Nothing: a line for each call would only be in the way."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tail(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-2500:]
