"""`dp new transformations` and `dp wheel`: a package of transformations to begin with, and the wheel of a release.

A wheel is the same bytes for the same files and release, on every machine: entries are sorted, times fixed, modes
equal. Nothing is executed and nothing is downloaded to build it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import keyword
import re
import zipfile
from pathlib import Path

from dataplatform.local.errors import RefusedError, UsageError

FOLDER = "transformations"
TEMPLATES = Path(__file__).parent / "templates" / FOLDER
REQUIRES = ("pyyaml>=6",)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_WORD = "PACKAGE"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""
_VERSION = re.compile(r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?")
_LEFT_OUT = frozenset({".pyc", ".pyo"})


def new_package(root: Path, name: str) -> list[Path]:
    """Write a package with its tests and its notebook; the files, relative to the project.

    Raises:
        UsageError: the name cannot be a package's.
        RefusedError: there is such a folder already.
    """
    _check_name(name)
    target = root / FOLDER / name
    if target.exists():
        raise RefusedError(f"there is {FOLDER}/{name} already; choose another name")
    made = []
    for template in sorted(TEMPLATES.rglob("*.tmpl")):
        relative = template.relative_to(TEMPLATES).as_posix().removesuffix(".tmpl").replace(_WORD, name)
        file = target / relative
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(template.read_text("utf-8").replace(_WORD, name), "utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}") from None
        made.append(file.relative_to(root))
    return made


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"'{name}' cannot be the name of a package; use lower-case letters, digits and '_', and begin with a letter"
        )


def build_wheel(folder: Path, release: str) -> tuple[str, bytes]:
    """The wheel of a package of transformations: its file name and its bytes.

    Args:
        folder: Of the package: the one with `src/<name>`.
        release: Becomes the wheel's version; it must be one that pip can order.

    Raises:
        UsageError: the folder holds no package, or the release is no version.
    """
    name = folder.resolve().name
    _check_name(name)
    source = folder / "src"
    if not (source / name / "__init__.py").is_file():
        raise UsageError(f"there is no package in {folder}: src/{name}/__init__.py is missing")
    if not _VERSION.fullmatch(release):
        raise UsageError(f"'{release}' is no version of a wheel; write one such as 1.4.0 or 1.4.0+0123abc")
    files = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in sorted((source / name).rglob("*"))
        if path.is_file() and path.suffix not in _LEFT_OUT and "__pycache__" not in path.parts
    }
    info = f"{name}-{release}.dist-info"
    requires = "".join(f"Requires-Dist: {requirement}\n" for requirement in REQUIRES)
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\nRequires-Python: >=3.10\n{requires}".encode()
    )
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: data-platform\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in sorted(files.items()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as wheel:
        # Stored, not compressed: another version of zlib would make other bytes.
        for path, data in [*sorted(files.items()), (f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode())]:
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            wheel.writestr(entry, data)
    return f"{name}-{release}-py3-none-any.whl", buffer.getvalue()


def write_wheel(file: Path, data: bytes) -> Path:
    """Write a wheel; where it is.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    return file


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
