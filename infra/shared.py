"""The base stack that other stacks refer to: its outputs, by name.

Where there is no engine to ask, as in `dp plan`, an output is unknown; once the base stack is there, one that it lacks
is an error that names it.
"""

from __future__ import annotations

import pulumi


class BaseOutputs:
    """Outputs of a stack of this project.

    Args:
        stack: The stack's name.
    """

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._reference = pulumi.StackReference(
            "base", stack_name=f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
        )

    def text(self, name: str) -> pulumi.Output[str]:
        """An output that is text."""
        return self._reference.get_output(name).apply(lambda value: self._known(name, value))

    def entry(self, name: str, key: str) -> pulumi.Output[str]:
        """An entry of an output that is a mapping."""
        return self._reference.get_output(name).apply(
            lambda values: self._known(f"{name}.{key}", (values or {}).get(key))
        )

    def _known(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise ValueError(
                f"the base stack '{self._stack}' has no output {name}: bring it up first (dp up {self._stack})"
            )
        return value
