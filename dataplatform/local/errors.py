"""What can go wrong besides what a person wrote, each with the exit status that tells a machine which it was."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit statuses of every command."""

    OK = 0
    INPUT = 1
    CHANGES = 2
    """Only where asked for (`--exit-code`)."""
    CLOUD = 3
    STATE = 4
    """A lock or the state."""
    PARTIAL = 5
    """Some of it was done before the rest failed."""
    USAGE = 64
    INTERRUPTED = 130


class ToolError(Exception):
    """Raised when a command cannot go on; the text is one sentence with the remedy. Commands exit with `status`."""

    status = Exit.CLOUD


class StateError(ToolError):
    """Raised for a lock that somebody holds, and for a state that cannot be read or unlocked."""

    status = Exit.STATE


class PartialError(ToolError):
    """Raised when something was applied before the rest failed or was stopped."""

    status = Exit.PARTIAL


class UsageError(ToolError):
    """Raised when the command line names something that does not exist."""

    status = Exit.USAGE


class RefusedError(ToolError):
    """Raised when what was asked for needs a word more from the person who asks, such as a mass deletion."""

    status = Exit.INPUT
