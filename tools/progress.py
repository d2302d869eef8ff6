"""What a long set-up shows while it runs: lines that stay, and one line of what is in flight.

On a terminal the line in flight is rewritten at least every second; elsewhere (a log, CI) it is printed as a plain line
every ten seconds. Standard library only, because it runs before any environment exists.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

PLAIN_INTERVAL = 10.0
"""Seconds between two plain lines of the same job where nobody watches a terminal."""


class Progress:
    """Shows several jobs at once, from several threads."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._lock = threading.RLock()
        self._states: dict[str, tuple[str, float]] = {}
        self._shown: dict[str, float] = {}
        self._drawn = False
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None

    def __enter__(self) -> Progress:
        self._ticker = threading.Thread(target=self._tick, daemon=True, name="progress")
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._ticker is not None:
            self._ticker.join()
        with self._lock:
            self._erase()
            self._stream.flush()

    def say(self, job: str, text: str) -> None:
        """Print a line that stays."""
        with self._lock:
            self._erase()
            self._stream.write(f"{job}: {text}\n")
            self._shown[job] = time.monotonic()
            self._draw()
            self._stream.flush()

    def state(self, job: str, text: str) -> None:
        """Say what a job does now; shown until `done` or the next state."""
        with self._lock:
            since = self._states[job][1] if job in self._states else time.monotonic()
            self._shown.setdefault(job, time.monotonic())
            self._states[job] = (text, since)

    def done(self, job: str) -> None:
        """The job has ended: it is no longer in flight."""
        with self._lock:
            self._states.pop(job, None)
            self._erase()
            self._draw()

    def _tick(self) -> None:
        while not self._stop.wait(0.5):
            with self._lock:
                if self._terminal:
                    self._erase()
                    self._draw()
                else:
                    self._plain()
                self._stream.flush()

    def _plain(self) -> None:
        now = time.monotonic()
        for job, (text, since) in self._states.items():
            if now - self._shown.get(job, 0.0) >= PLAIN_INTERVAL:
                self._shown[job] = now
                self._stream.write(f"{job}: {text} ({now - since:.0f} s)\n")

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._drawn = False

    def _draw(self) -> None:
        if not self._terminal or not self._states:
            return
        now = time.monotonic()
        line = " · ".join(f"{job}: {text} ({now - since:.0f} s)" for job, (text, since) in self._states.items())
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(line if len(line) <= width else line[: width - 1] + "…")
        self._drawn = True
