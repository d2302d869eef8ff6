"""Errors of a running workflow: what `try / except` catches and what an execution fails with.

Tags are those of https://cloud.google.com/workflows/docs/reference/syntax/error-types. `KeyError` and `IndexError`
carry `LookupError` too, as the service's own error maps do.
"""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.workflows.values import Value, json_text

_PARENTS = {"KeyError": ("LookupError",), "IndexError": ("LookupError",)}


@dataclass(frozen=True)
class TraceElement:
    """One place of a stack trace."""

    routine: str
    step: str
    line: int
    column: int


class WorkflowError(Exception):
    """An error of the workflow's own: raise it for whatever a workflow may catch.

    `payload` is what `except: as: e` binds: a map for the system's errors, a string or a map for raised ones.
    `raised` tells a `raise` step's error from one of the system.
    """

    def __init__(self, payload: Value, *, raised: bool = False) -> None:
        super().__init__(payload if isinstance(payload, str) else json_text(payload))
        self.payload = payload
        self.raised = raised
        self.trace: tuple[TraceElement, ...] = ()

    def headline(self) -> str:
        """The first line of the error's context."""
        if isinstance(self.payload, dict) and not self.raised:
            return str(self.payload.get("message", ""))
        return f"RuntimeError: {json_text(self.payload)}"

    def has_tag(self, tag: str) -> bool:
        """Whether the error map carries the tag."""
        tags = self.payload.get("tags") if isinstance(self.payload, dict) else None
        return isinstance(tags, list) and tag in tags

    def as_error(self) -> dict[str, object]:
        """The `error` object of an execution: payload, context and stack trace."""
        places = "".join(f'\nin step "{t.step}", routine "{t.routine}", line: {t.line}' for t in self.trace)
        return {
            "payload": json_text(self.payload),
            "context": self.headline() + places,
            "stackTrace": {
                "elements": [
                    {
                        "routine": t.routine,
                        "step": t.step,
                        "position": {"line": str(t.line), "column": str(t.column), "length": str(len(t.step))},
                    }
                    for t in self.trace
                ]
            },
        }


def failure(tag: str, message: str) -> WorkflowError:
    """A system error with its tag; the tags KeyError and IndexError, and only they, are named in the message."""
    named = f"{tag}: {message}" if tag in _PARENTS or tag == "ZeroDivisionError" else message
    return WorkflowError({"message": named, "tags": [tag, *_PARENTS.get(tag, ())]})


def type_error(message: str) -> WorkflowError:
    """A TypeError."""
    return failure("TypeError", message)


def value_error(message: str) -> WorkflowError:
    """A ValueError."""
    return failure("ValueError", message)


def key_error(key: str) -> WorkflowError:
    """A KeyError for a missing key."""
    return failure("KeyError", f"key not found: {key}")
