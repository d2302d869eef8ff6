"""Where an object of a bucket lies on disk.

The mapping keeps names readable (`dags/orders.py` is `dags/orders.py`) and never leaves the bucket's folder:

- a name is split at `/`; an empty part becomes `%`, `.` becomes `%2E`, `..` becomes `%2E%2E`;
- `%`, control characters, backslash and the characters Windows refuses are percent-encoded;
- a part of more than 200 bytes is cut to 150 bytes, then `%~` and 32 digits of the part's SHA-256 follow;
- Cloud Storage allows `a` beside `a/b`, a file system does not: whoever comes second gets `%file` or `%dir` appended
  to the part in question. Which one it was is kept in the world's database (`objects.path`).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

_ENCODED = re.compile(r'[%\x00-\x1f\x7f\\:*?"<>|]')
_LONGEST = 200
_KEPT = 150


def encode_part(part: str) -> str:
    """The file name of one part of an object name."""
    if part == "":
        return "%"
    if part in (".", ".."):
        return part.replace(".", "%2E")
    text = _ENCODED.sub(lambda m: "".join(f"%{b:02X}" for b in m.group().encode()), part)
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= _LONGEST:
        return text
    cut = raw[:_KEPT].decode("utf-8", "ignore").rstrip("%0123456789ABCDEF")
    return f"{cut}%~{hashlib.sha256(part.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def natural_path(name: str) -> tuple[str, ...]:
    """The parts of an object's file path below its bucket, before clashes are looked at."""
    return tuple(encode_part(part) for part in name.split("/"))


def decode_path(parts: tuple[str, ...]) -> str | None:
    """The object name of a file someone laid into a bucket by hand; None where no name maps there."""
    names = []
    for part in parts:
        plain = part.removesuffix("%file").removesuffix("%dir")
        if "%~" in plain:
            return None
        names.append("" if plain in ("%", "") else unquote(plain))
    return "/".join(names)


def free_path(bucket: Path, name: str) -> str:
    """Relative path for a new object: its natural path, moved aside where a file or a folder is in the way."""
    parts = natural_path(name)
    here = bucket
    chosen = []
    for part in parts[:-1]:
        folder = part if not (here / part).is_file() else f"{part}%dir"
        chosen.append(folder)
        here /= folder
    last = parts[-1] if not (here / parts[-1]).is_dir() else f"{parts[-1]}%file"
    return "/".join([*chosen, last])
