"""A real CDAP on this machine, to try pipelines on: started and stopped by tools/cdap/sandbox.py of the checkout.

What is obtained (350 MB) is kept outside the checkout; a sandbox's data are in its home, `.dp/cdap` by default. Two
that start the same one at once get the same one. Needs Java 17 with its compiler, and Maven the first time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataplatform.datafusion.errors import DataFusionError

_TOOL = Path(__file__).resolve().parents[2] / "tools" / "cdap" / "sandbox.py"


class SandboxError(DataFusionError):
    """Raised when there can be no sandbox: something is missing or it did not start. One sentence for the user."""


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A sandbox that runs."""

    url: str
    """What an instance's API endpoint is: paths go on with `/v3/…`."""
    pid: int
    home: Path


def up(home: Path | None = None, *, fresh: bool = False, unrecoverable: bool = True) -> Sandbox:
    """Start the sandbox of that home, or find that it runs; progress goes to standard error.

    Args:
        home: folder of its data; `.dp/cdap` of the checkout by default.
        fresh: begin with no data.
        unrecoverable: whether namespaces can be deleted.

    Raises:
        SandboxError: when Java or Maven is missing, a download fails, or CDAP does not start.
    """
    options = [*(["--fresh"] if fresh else []), *([] if unrecoverable else ["--locked"])]
    return _sandbox(_call("up", home, *options))


def down(home: Path | None = None) -> bool:
    """Stop it; whether it ran. Its data stay."""
    return bool(_call("down", home)["ran"])


def status(home: Path | None = None) -> Sandbox | None:
    """The sandbox of that home, if it runs."""
    found = _call("status", home)
    return _sandbox(found) if "url" in found else None


def _sandbox(found: dict[str, Any]) -> Sandbox:
    return Sandbox(url=str(found["url"]), pid=int(found["pid"]), home=Path(found["home"]))


def _call(command: str, home: Path | None, *options: str) -> dict[str, Any]:
    if not _TOOL.is_file():
        raise SandboxError(f"a CDAP sandbox is started from a checkout of this project: there is no {_TOOL}")
    where = ["--home", str(home.absolute())] if home is not None else []
    # Standard error is the caller's: what takes minutes says so while it does.
    done = subprocess.run(
        [sys.executable, str(_TOOL), command, "--json", *where, *options],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise SandboxError(f"{_TOOL.name} {command} ended with {done.returncode} and told nothing") from None
    if not answer.get("ok"):
        raise SandboxError(str(answer.get("error")))
    return answer
