"""How a command hears that it is to stop: Ctrl-C, and SIGTERM as a CI system sends it, are one thing."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Stop:
    """While it is entered, SIGTERM raises KeyboardInterrupt as SIGINT does, and `asked` remembers either.

    A library may take the exception for one of its own: pydantic does, in the middle of making a validator. What such a
    command then has to say is not true, and `asked` tells.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        """Listen; nothing where a signal is ignored on purpose (`nohup`), or outside of the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return self
        for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
            if signal.getsignal(number) == usual:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the signals as they were."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        raise KeyboardInterrupt
