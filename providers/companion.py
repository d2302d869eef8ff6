"""A server that a provider starts for itself: the embedded cloud's, while there is an engine that wants it.

The command prints the server's address on its first line and serves until its standard input ends. That is the pipe
held here, so the server ends with this process, however this one ends, and nobody has to find a port or to clean up.
"""

from __future__ import annotations

import functools
import re
import select
import shlex
import subprocess
import time

from providers.base import ProviderError

RUN = "run:"
"""What an address begins with that is a command."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d{1,5}")
_PATIENCE = 60.0


def address(named: str) -> str:
    """The address itself, or that of the server that the command in it starts; each command is started once.

    Raises:
        ProviderError: when the command gives no address.
    """
    return _started(named.removeprefix(RUN).strip()) if named.startswith(RUN) else named


@functools.cache
def _started(command: str) -> str:
    try:
        words = shlex.split(command)
        server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    except (OSError, ValueError, IndexError) as error:
        raise ProviderError(f"cannot run '{command}' ({error})") from None
    assert server.stdin is not None
    assert server.stdout is not None
    line = b""
    end = time.monotonic() + _PATIENCE
    while not line.endswith(b"\n") and time.monotonic() < end:
        ready, _, _ = select.select([server.stdout], [], [], 1.0)
        if not ready:
            continue
        byte = server.stdout.read(1)
        if not byte:
            break
        line += byte
    text = line.decode(errors="replace").strip()
    if not _ADDRESS.fullmatch(text):
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()
        raise ProviderError(f"'{command}' gives no address such as http://127.0.0.1:8080")
    _held.append(server)
    return text


_held: list[subprocess.Popen[bytes]] = []
"""Kept for as long as this process lives: losing one would close its standard input."""
