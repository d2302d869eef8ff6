"""Runs sources in the emulator of PyPI, in its own environment: JSON on stdin, JSON on stdout.

Each source runs in a process of its own, because an error there may leave a lock held for good.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from typing import Any

import yaml

SECONDS = 5


def outcome(source: str, argument: Any) -> list[Any]:
    """`["value", …]` or `["error", text]` of one source, run in this process."""
    from workflows_emulator.main import execute_workflow  # type: ignore[import-not-found,unused-ignore]

    try:
        value = execute_workflow(yaml.safe_load(source), {"args": argument})
        return ["value", json.loads(json.dumps(value))]
    except BaseException as error:
        return ["error", f"{type(error).__name__}: {error}"[:500]]


def apart(source: str, argument: Any) -> list[Any]:
    """The same in a child process; `["hang"]` where it does not end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        os.write(writing, json.dumps(outcome(source, argument)).encode()[:60000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    found: list[Any] = json.loads(text) if text else ["hang"]
    return found


def main() -> None:
    """Read the cases, run them, write what became of them."""
    import workflows_emulator.main  # type: ignore[import-not-found,unused-ignore]

    assert workflows_emulator.main
    logging.disable(logging.CRITICAL)
    cases = json.load(sys.stdin)
    json.dump([apart(case["source"], case["argument"]) for case in cases], sys.stdout)


if __name__ == "__main__":
    main()
