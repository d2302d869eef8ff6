"""A PostgreSQL server of a benchmark's own: on a free loopback port, its data in a folder that goes with it.

The programs are those of the distribution's packages. PostgreSQL refuses to run as root, so root runs them as the user
`postgres` that those packages make.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

USER = "airflow"
NEEDED = ("initdb", "pg_ctl", "psql")


class CannotMeasureError(Exception):
    """Raised when something a benchmark needs is missing or fails; the message is for a person."""


def programs() -> Path:
    """The folder of the newest PostgreSQL: below /usr/lib/postgresql, else on PATH.

    Raises:
        CannotMeasureError: there is none.
    """
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    folders = sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    for folder in folders:
        if all((folder / name).exists() for name in NEEDED):
            return folder
    raise CannotMeasureError(
        f"there is no PostgreSQL server ({', '.join(NEEDED)}) in /usr/lib/postgresql/*/bin nor on PATH; "
        "install the package postgresql"
    )


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A running server; a context manager that stops it. Its data are in `folder`, which the caller removes.

    Durability is left as PostgreSQL has it by default: what is measured commits as in a deployment.
    """

    def __init__(self, folder: Path) -> None:
        self._bin = programs()
        self._folder = folder
        self._password = secrets.token_hex(16)
        self._as_user: tuple[str, ...] = ()
        if os.geteuid() == 0:
            if shutil.which("runuser") is None:
                raise CannotMeasureError(
                    "PostgreSQL does not run as root and there is no runuser; run this as another user"
                )
            self._as_user = ("runuser", "-u", "postgres", "--")
        self.port = free_port()

    def __enter__(self) -> Postgres:
        self._folder.mkdir(parents=True)
        password_file = self._folder / "password"
        password_file.write_text(self._password, "utf-8")
        if self._as_user:
            try:
                for path in (self._folder, password_file):
                    shutil.chown(path, "postgres", "postgres")
            except LookupError as error:
                raise CannotMeasureError(
                    "PostgreSQL does not run as root and there is no user postgres; install the package postgresql, "
                    "or run this as another user"
                ) from error
        password_file.chmod(0o600)
        self._folder.chmod(0o700)
        data = str(self._folder / "data")
        # Only over the network of this machine: a socket's path may have 107 bytes and a checkout's may be longer.
        options = f"-p {self.port} -h 127.0.0.1 -c unix_socket_directories= -c max_connections=60"
        self._run(
            "initdb", "-D", data, "-U", USER, f"--pwfile={password_file}", "--auth=scram-sha-256", "-E", "UTF8",
            "--locale=C",
        )  # fmt: skip
        try:
            self._run("pg_ctl", "-D", data, "-o", options, "-l", str(self._folder / "log"), "-w", "start")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        subprocess.run(
            [*self._as_user, str(self._bin / "pg_ctl"), "-D", str(self._folder / "data"), "-m", "immediate", "stop"],
            cwd="/",
            capture_output=True,
            check=False,
        )

    def url(self, database: str) -> str:
        """What SQLAlchemy opens the database by, with psycopg2."""
        return f"postgresql+psycopg2://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def query(self, database: str, sql: str) -> list[list[str]]:
        """The rows of a statement, as text."""
        done = subprocess.run(
            [
                str(self._bin / "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1",
                "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database, "-c", sql,
            ],
            env={"PATH": os.environ.get("PATH", ""), "PGPASSWORD": self._password},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise CannotMeasureError(f"PostgreSQL refused {sql!r}: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines() if line]

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [*self._as_user, str(self._bin / program), *arguments]
        # Not over a pipe: the server that pg_ctl starts would inherit it and hold it open.
        log = self._folder.with_name(f"{self._folder.name}-{program}.log")
        with log.open("w", encoding="utf-8") as out:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode:
            said = log.read_text("utf-8", errors="replace").strip()[-1500:]
            hint = ""
            if self._as_user and "ermission denied" in said:
                hint = f"\nThe user postgres must be able to reach {self._folder.parent}"
            raise CannotMeasureError(f"{program} ended with {done.returncode}: {said}{hint}")
