"""The official download of the CLI: the release archive of get.pulumi.com, checked against the published SHA-256.

It gives up within seconds on a host that cannot be resolved or reached. `DATAPLATFORM_ENGINE_URL` names a mirror: a
base URL with the same file names.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import queue
import shutil
import tarfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tools.engine_common import JOB, NotHadError, Version
from tools.progress import Progress

BASE = "https://get.pulumi.com/releases/sdk"
CHECKSUMS = "https://github.com/pulumi/pulumi/releases/download/v{version}"
CONNECT_SECONDS = 5.0
"""How long a host may take to answer at all, its name's resolution included."""
STALL_SECONDS = 20.0
"""How long a download may stand still."""


def platform_name() -> str:
    """`linux-x64`, as in the archive's name."""
    systems = {"Linux": "linux", "Darwin": "darwin", "Windows": "windows"}
    machines = {"x86_64": "x64", "amd64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    system, machine = platform.system(), platform.machine()
    return f"{systems.get(system, system.lower())}-{machines.get(machine, machine)}"


def obtain(root: Path, wanted: Version, target: Path, progress: Progress) -> None:
    """Put the official executables into `target/bin`.

    Raises:
        NotHadError: when the archive or its checksum cannot be had, or they do not agree.
    """
    del root
    mirror = os.environ.get("DATAPLATFORM_ENGINE_URL", "").rstrip("/")
    archive = f"pulumi-v{wanted}-{platform_name()}.tar.gz"
    listing = f"pulumi-{wanted}-checksums.txt"
    bases = [mirror] if mirror else [BASE, CHECKSUMS.format(version=wanted)]
    checksum = _checksum(bases, listing, archive, progress)

    file = target / archive
    digest = hashlib.sha256()
    with _open(f"{bases[0]}/{archive}", progress) as response, file.open("wb") as out:
        total, done = int(response.headers.get("Content-Length") or 0), 0
        try:
            while chunk := response.read(1 << 20):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                of = f" of {total >> 20}" if total else ""
                progress.state(JOB, f"downloaded {done >> 20}{of} MB")
        except (OSError, http.client.HTTPException) as error:
            raise NotHadError(f"the download broke off after {done >> 20} MB ({error})") from None
    if digest.hexdigest() != checksum:
        raise NotHadError(f"the SHA-256 of {archive} is not the published one; it was thrown away")
    _unpack(file, target / "bin")
    file.unlink()


class _AnsweredError(NotHadError):
    """Raised when a host was reached and refused: another place may still have the file."""


def _checksum(bases: list[str], listing: str, archive: str, progress: Progress) -> str:
    """The published digest; the release page has it where the download host has not."""
    for base in bases:
        try:
            with _open(f"{base}/{listing}", progress) as response:
                text = response.read(1 << 20).decode("utf-8", "replace")
        except _AnsweredError:
            continue
        for line in text.splitlines():
            parts = line.split()
            if len(parts) == 2 and parts[1].lstrip("*") == archive:
                return str(parts[0].lower())
    raise NotHadError(f"no checksum of {archive} is published")


def _open(url: str, progress: Progress) -> Any:
    """The open response; the name's resolution has no time-out of its own, so a thread does the waiting."""
    host = url.split("/")[2]
    progress.state(JOB, f"asking {host}")
    answers: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=CONNECT_SECONDS))
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=CONNECT_SECONDS + 1)
    except queue.Empty:
        raise NotHadError(f"{host} did not answer within {CONNECT_SECONDS:.0f} s") from None
    if isinstance(answer, urllib.error.HTTPError):
        raise _AnsweredError(f"{host} answered {answer.code} for {url.rsplit('/', 1)[1]}")
    if isinstance(answer, Exception):
        raise NotHadError(f"{host} cannot be reached ({getattr(answer, 'reason', answer)})")
    connection = getattr(getattr(answer, "fp", None), "raw", None)
    sock = getattr(connection, "_sock", None)
    if sock is not None:
        sock.settimeout(STALL_SECONDS)
    return answer


def _unpack(archive: Path, into: Path) -> None:
    """The executables of the archive's one folder, by their base names; nothing else of it is used."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).name
                source = tar.extractfile(member) if member.isfile() and name.startswith("pulumi") else None
                if source is None:
                    continue
                with source, (into / name).open("wb") as out:
                    shutil.copyfileobj(source, out)
                (into / name).chmod(0o755)
    except (tarfile.TarError, OSError) as error:
        raise NotHadError(f"{archive.name} cannot be unpacked ({error})") from None
