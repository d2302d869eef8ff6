"""Ctrl-C and SIGTERM at any moment: one sentence, the status that is promised, nothing that is not so."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataplatform.diagnostics import InputError, Position
from dataplatform.local.errors import Exit
from dataplatform.local.output import Output, execute
from dataplatform.local.report import FailedError, Report
from dataplatform.local.stop import Stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_either_signal_stops_a_command(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    def body(output: Output) -> None:
        os.kill(os.getpid(), number)
        time.sleep(30)

    before = signal.getsignal(number)
    assert execute(Output("x", True, again="dp x"), body) == 130
    document = json.loads(capsys.readouterr().out)
    assert document["error"] == "stopped; go on with: dp x"
    assert document["exit"] == 130
    assert signal.getsignal(number) is before


def test_what_a_swallowed_stop_left_behind_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A library that takes the exception for one of its own, and then finds fault with what is right."""

    def body(output: Output) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)
        except KeyboardInterrupt:
            pass
        output.diagnostics.add("DP124", Position("Pulumi.dev.yaml", 1, 1), "not so", "nothing")
        raise InputError(output.diagnostics)

    assert execute(Output("x", False), body) == 130
    assert capsys.readouterr().err == "error: stopped; nothing was changed\n"


def test_a_stop_that_came_too_late_changes_nothing() -> None:
    def body(output: Output) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
        except KeyboardInterrupt:
            return

    assert execute(Output("x", False), body) == 0


def test_what_is_ignored_on_purpose_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Stop() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
        assert not stop.asked
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_status_of_a_stop_tells_whether_anything_was_done() -> None:
    report = Report("up", "dev")
    assert FailedError("x", report, partial=False, stopped=True).status == Exit.INTERRUPTED
    assert FailedError("x", report, partial=True, stopped=True).status == Exit.PARTIAL
    assert FailedError("x", report, partial=False).status == Exit.CLOUD


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/x/.dp/page.tmp"), "cannot write /x/.dp/page.tmp: Read-only"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/a"), "No space left on device; free some room"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "a database there is read-only"),
    ],
    ids=["read-only", "full", "database"],
)
def test_what_cannot_be_written_is_no_fault_of_dp(
    problem: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def body(output: Output) -> None:
        raise problem

    assert execute(Output("x", False), body) == Exit.STATE
    assert said in capsys.readouterr().err


def test_while_modules_are_read_there_is_no_traceback(tmp_path: Path) -> None:
    """As `dp` begins: the script's name, the package, and Ctrl-C before the command line is there."""
    (tmp_path / "dp").write_text(
        "import dataplatform, os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n", "utf-8"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "dp")],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "error: stopped; nothing was changed\n"
    assert done.returncode == -signal.SIGINT
