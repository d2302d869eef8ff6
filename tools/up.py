"""`make up`: set-up, the stack in the embedded cloud, the sample pipelines on their engines, and what came of it.

Standard library only: it starts before any environment exists.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """`up.py STACK PIPELINE…`; the exit status is that of the first step that fails."""
    stack, *pipelines = argv
    started = time.monotonic()
    dp = str(ROOT / ".venv" / "bin" / "dp")
    steps = [
        ([sys.executable, str(ROOT / "tools" / "setup.py"), "--for", "up"], "make up"),
        ([dp, "up", stack, "--local"], f"dp up {stack} --local"),
        *(([dp, "run", pipeline, "--local", "--stack", stack], f"dp run {pipeline} --local") for pipeline in pipelines),
        ([dp, "status", stack, "--local"], f"dp status {stack} --local"),
    ]
    for command, again in steps:
        try:
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
        except KeyboardInterrupt:
            # The child has had its own Ctrl-C and said what it did.
            print(f"make up: stopped; go on with: {again}", file=sys.stderr)
            return INTERRUPTED
        if code:
            print(f"make up: {' '.join(command[1:3])} ended with {code}; go on with: {again}", file=sys.stderr)
            return code
    took = time.monotonic() - started
    engine = json.loads((ROOT / ".dp" / "engine.json").read_text("utf-8"))["engine"]
    alone = f"; obtaining the engine alone took {engine['seconds']:.0f} s" if engine["seconds"] else ""
    print(f"make up took {took:.0f} s{alone}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
