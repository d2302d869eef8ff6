"""The Pulumi CLI as a child process: found, started in its environment, listened to, interrupted once.

The program is never run in this process: what runs is the unmodified project directory, as plain `pulumi` runs it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataplatform.local.display import Display
from dataplatform.local.engine_env import engine_env, state_directory
from dataplatform.local.errors import StateError, ToolError
from dataplatform.local.events import Run, Tail
from dataplatform.local.leftovers import RUN_MARK, run_mark

POLL = 0.05
"""Seconds between two looks at the engine's events."""


@dataclass(frozen=True)
class Result:
    """How a run of the engine ended."""

    run: Run
    code: int
    interrupted: bool
    log: Path
    """What the CLI itself printed."""


class Engine:
    """The CLI for one local stack of one checkout."""

    def __init__(self, root: Path, stack: str) -> None:
        self.root = root
        self.stack = stack
        self.project = project_name(root)
        self.state = state_directory(root)
        self.environment = {**os.environ, **engine_env(root, local=True), "PULUMI_DEBUG_COMMANDS": "true"}
        # Marks every process of this run, so that what a killed run left behind can be told from everything else.
        self.environment[RUN_MARK] = run_mark(root)
        self.executable = self._find()

    def _find(self) -> str:
        found = self.root / ".dp" / "engine" / "pulumi"
        if not found.exists():
            raise ToolError("the Pulumi engine has not been obtained for this checkout; run: make setup")
        return str(found)

    @property
    def checkpoint(self) -> Path:
        """The stack's state file."""
        return self.state / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"

    def call(self, *arguments: str, given: str | None = None) -> str:
        """Run a short command and return what it printed.

        Raises:
            StateError: when it refuses.
        """
        done = subprocess.run(
            [self.executable, *arguments, "--non-interactive", "--color", "never"],
            cwd=self.root,
            env=self.environment,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StateError(explain(done.stderr + done.stdout, f"pulumi {' '.join(arguments[:2])}"))
        return done.stdout

    def ensure_stack(self) -> bool:
        """Create the stack where it does not exist; True when it was created."""
        self.state.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            return False
        self.call("stack", "init", self.stack, "--no-select")
        return True

    def export(self) -> dict[str, Any]:
        """The stack's deployment, secrets encrypted."""
        exported: dict[str, Any] = json.loads(self.call("stack", "export", "--stack", self.stack))
        return exported

    def import_(self, deployment: dict[str, Any]) -> None:
        """Replace the stack's deployment."""
        self.call("stack", "import", "--stack", self.stack, given=json.dumps(deployment))

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; a secret one is the text `[secret]`."""
        shown: dict[str, Any] = json.loads(self.call("stack", "output", "--json", "--stack", self.stack))
        return shown

    def drive(self, command: str, options: Sequence[str], display: Display, doing: str) -> Result:
        """Run `up`, `preview`, `refresh` or `destroy`, showing each resource; Ctrl-C is passed on once.

        Raises:
            StateError: when the stack cannot be opened.
        """
        logs = self.root / ".dp" / "log"
        logs.mkdir(parents=True, exist_ok=True)
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{command}-{self.stack}-{os.getpid()}"
        events, log = logs / f"{name}.events", logs / f"{name}.log"
        # Plain text and only what the CLI shows by itself; secret values are masked by it in both files.
        arguments = [command, "--stack", self.stack, "--event-log", str(events), "--color", "never"]
        arguments += ["--non-interactive", "--suppress-permalink", "--suppress-progress", *options]
        run, tail = Run(), Tail(events)
        interrupted = 0
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                [self.executable, *arguments],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # A group of its own: the terminal's Ctrl-C reaches us, and we decide what the engine hears.
                process_group=0,
                preexec_fn=_end_with_parent(),
            )
            ended = False
            while True:
                try:
                    if ended:
                        _take(run, tail, display)
                        break
                    ended = process.poll() is not None
                    _take(run, tail, display)
                    display.heartbeat(run, doing)
                    if not ended:
                        time.sleep(POLL)
                except KeyboardInterrupt:
                    interrupted += 1
                    with contextlib.suppress(ProcessLookupError):
                        if interrupted == 1:
                            display.line("  stopping: what is in flight is let end; Ctrl-C again ends it at once")
                            process.send_signal(signal.SIGINT)
                        else:
                            process.kill()
        events.unlink(missing_ok=True)
        if process.returncode > 0 and not run.operations and not run.errors:
            # It ended before it began: with the stack's secrets, its lock or its state.
            sentence = known(log.read_text("utf-8", errors="replace"))
            if sentence is not None:
                raise StateError(sentence)
        return Result(run, process.returncode, interrupted > 0, log)


def _take(run: Run, tail: Tail, display: Display) -> None:
    for event in tail.new():
        operation = run.read(event)
        if operation is not None:
            display.operation(operation)


def _end_with_parent() -> Callable[[], None] | None:
    """On Linux: let the kernel interrupt the child when this process dies, however it dies.

    Without it a killed `dp` would leave an engine that goes on changing things with nobody listening.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def request() -> None:
        libc.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG

    return request


def project_name(root: Path) -> str:
    """The `name` of Pulumi.yaml."""
    import yaml

    name = yaml.safe_load((root / "Pulumi.yaml").read_text("utf-8")).get("name")
    if not isinstance(name, str):
        raise ToolError(f"{root / 'Pulumi.yaml'} has no name")
    return name


_KNOWN = {
    "incorrect passphrase": "the state cannot be unlocked, its passphrase is another one; "
    "set PULUMI_CONFIG_PASSPHRASE to the stack's own, or unset it for the sandbox's",
    "passphrase must be set": "the stack's passphrase is missing; "
    "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_CONFIG_PASSPHRASE_FILE": "the passphrase cannot be read; check PULUMI_CONFIG_PASSPHRASE_FILE",
    "currently locked": "the stack is locked by another run; wait for it to end and try again",
    "constructing secrets manager": "the stack's secrets cannot be unlocked; "
    "check the secrets provider in its stack file, and PULUMI_CONFIG_PASSPHRASE",
}


def known(text: str) -> str | None:
    """One sentence with the remedy for what the CLI said, where it is known."""
    return next((sentence for sign, sentence in _KNOWN.items() if sign in text), None)


def explain(text: str, command: str) -> str:
    """One sentence for what the CLI said: with the remedy where it is known, else its own last line."""
    sentence = known(text)
    if sentence is not None:
        return sentence
    lines = [line.removeprefix("error: ").strip() for line in text.splitlines() if line.strip()]
    return f"{command} failed: {lines[-1] if lines else 'it said nothing'}"
