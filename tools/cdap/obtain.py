"""Obtain what a CDAP sandbox is made of, and keep it outside the checkout.

`${XDG_CACHE_HOME:-~/.cache}/data-platform/cdap/6.11.0-<digest>/` is complete or not there at all: it is made in a
temporary directory beside it and renamed, under a file lock that the kernel releases when its holder dies. The digest
is of the sources here and of the Java that compiled them. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.cdap.config import CDAP
from tools.progress import Progress

JOB = "cdap"
SOURCES = Path(__file__).resolve().parent
_PROVISIONER = "io.cdap.cdap.runtime.spi.provisioner.Provisioner"
_SEAL = "cdap.json"
_JAVA = range(17, 22)
"""Java 17 is what was tried; from 22 on the class reader is too old."""
_INSTALL = "on Debian: apt-get install openjdk-17-jdk-headless maven"


class NotHadError(Exception):
    """Raised when the sandbox cannot be had or does not start; the text is one sentence for the person who asked."""


@dataclass(frozen=True, kw_only=True)
class Java:
    """A Java with its compiler."""

    home: Path
    version: str

    def tool(self, name: str) -> str:
        """The path of one of its executables: `java`, `javac`."""
        return str(self.home / "bin" / name)


def find_java() -> Java:
    """The Java of JAVA_HOME, else of PATH.

    Raises:
        NotHadError: when there is none, when it is too old or too new, or when it has no compiler.
    """
    named = os.environ.get("JAVA_HOME")
    found = str(Path(named) / "bin" / "java") if named else shutil.which("java")
    if found is None or not os.access(found, os.X_OK):
        where = f"in JAVA_HOME ({named})" if named else "on PATH"
        raise NotHadError(f"CDAP needs Java 17 and there is no java {where} ({_INSTALL})")
    home = Path(found).resolve().parent.parent
    done = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)[^"]*"', done.stderr)
    if match is None or int(match[1]) not in _JAVA:
        have = match[0] if match else "of an unknown version"
        raise NotHadError(f"CDAP needs Java 17 (to {_JAVA[-1]}), and {found} is {have} ({_INSTALL})")
    if not os.access(home / "bin" / "javac", os.X_OK):
        raise NotHadError(f"CDAP needs a Java with its compiler, and {home} has no javac ({_INSTALL})")
    return Java(home=home, version=match[0])


def find_maven() -> str:
    """The path of `mvn`.

    Raises:
        NotHadError: when there is none.
    """
    found = shutil.which("mvn")
    if found is None:
        raise NotHadError(f"CDAP's jars are obtained with Maven, and there is no mvn on PATH ({_INSTALL})")
    return found


def directory() -> Path:
    """The folder of all that is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "data-platform" / "cdap"


def name(java: Java) -> str:
    """What is kept is called so: by CDAP's version and a digest of what it is made from."""
    digest = hashlib.sha256(f"{java.version}\0{java.home}\0".encode())
    for file in (SOURCES / "pom.xml", *sorted((SOURCES / "src").glob("*.java"))):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"{CDAP}-{digest.hexdigest()[:16]}"


def ensure(progress: Progress) -> tuple[Path, Java]:
    """The folder with the jars, made where it is not there, and the Java to run it.

    Raises:
        NotHadError: when Java or Maven is missing, or Maven cannot get something.
    """
    java = find_java()
    cache, wanted = directory(), name(java)
    kept = cache / wanted
    if not (kept / _SEAL).is_file():
        maven = find_maven()
        cache.mkdir(parents=True, exist_ok=True)
        with lock(cache / f".lock-{wanted}", progress, "obtains the same CDAP"):
            if not (kept / _SEAL).is_file():
                started = time.monotonic()
                with _making(cache, wanted) as target:
                    _make(target, java, maven, progress)
                    took = round(time.monotonic() - started, 1)
                    (target / _SEAL).write_text(json.dumps({"cdap": CDAP, "seconds": took}) + "\n", "utf-8")
                progress.say(JOB, f"CDAP {CDAP} took {took:.0f} s to obtain, kept in {kept}")
    return kept, java


@contextlib.contextmanager
def lock(file: Path, progress: Progress, doing: str) -> Iterator[None]:
    """Hold a lock; while another process holds it, wait and say so."""
    with file.open("a+", encoding="utf-8") as held:
        said = False
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said:
                    progress.say(JOB, f"another process {doing} now; waiting for it")
                    said = True
                progress.state(JOB, "waiting for the other process")
                time.sleep(0.2)
        yield


@contextlib.contextmanager
def _making(cache: Path, wanted: str) -> Iterator[Path]:
    """A temporary directory that is renamed when the block ends well; call it under the lock."""
    prefix = f".making-{wanted}-"
    for left in cache.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    target = Path(tempfile.mkdtemp(prefix=prefix, dir=cache))
    try:
        yield target
        target.chmod(0o755)
        final = cache / wanted
        if final.exists():  # incomplete: nothing but this function writes here
            shutil.rmtree(final)
        target.rename(final)
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _make(target: Path, java: Java, maven: str, progress: Progress) -> None:
    progress.say(JOB, f"obtaining CDAP {CDAP} with Maven: about 350 MB, two to three minutes the first time")
    _maven(target, java, maven, progress)
    progress.state(JOB, "compiling the class loader and the stand-in for Dataproc")
    boot, stub = target / "boot", target / "stub"
    _run([java.tool("javac"), "-d", str(boot), str(SOURCES / "src" / "BootLoader.java")])
    _run([
        java.tool("javac"), "-nowarn", "-cp", f"{target}/lib/*", "-d", str(stub),
        str(SOURCES / "src" / "StubDataproc.java"),
    ])  # fmt: skip
    with zipfile.ZipFile(target / "stub-dataproc.jar", "w") as jar:
        for file in sorted(stub.rglob("*.class")):
            jar.write(file, file.relative_to(stub).as_posix())
        jar.writestr(f"META-INF/services/{_PROVISIONER}", "sandbox.StubDataproc\n")
    shutil.rmtree(stub)
    progress.state(JOB, "listing Java's packages")
    (target / "opens.args").write_text("".join(f"{line}\n" for line in _opens(java)), "utf-8")


def _maven(target: Path, java: Java, maven: str, progress: Progress) -> None:
    """Run Maven, telling which of its downloads is under way."""
    command = [maven, "-B", "-f", str(SOURCES / "pom.xml"), "package", f"-Dsandbox={target}"]
    environment = {**os.environ, "JAVA_HOME": str(java.home)}
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=target
    ) as running:
        assert running.stdout is not None
        count = 0
        for line in running.stdout:
            lines.append(line)
            if "Downloaded from" in line:
                count += 1
                progress.state(JOB, f"Maven: {count} files")
    if running.returncode:
        errors = [line.strip() for line in lines if "ERROR" in line][:3] or [line.strip() for line in lines[-3:]]
        raise NotHadError(f"Maven could not obtain CDAP: {' '.join(errors)}")
    shutil.rmtree(target / "target", ignore_errors=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHadError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[:500]}")


def _opens(java: Java) -> list[str]:
    """One `--add-opens` for every package of Java: CDAP and Spark look into many, and name none."""
    listed = subprocess.run([java.tool("java"), "--list-modules"], capture_output=True, text=True, check=True)
    found: set[str] = set()
    for line in listed.stdout.split():
        module = line.partition("@")[0]
        told = subprocess.run(
            [java.tool("java"), "--describe-module", module], capture_output=True, text=True, check=True
        )
        for text in told.stdout.splitlines():
            words = text.removeprefix("qualified ").split()
            if words and words[0] in ("exports", "contains", "opens"):
                found.add(f"--add-opens={module}/{words[1]}=ALL-UNNAMED")
    return sorted(found)
