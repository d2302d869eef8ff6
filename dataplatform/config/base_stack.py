"""A stack that refers to a base stack, and the base stack's file: what can be told before either is brought up."""

from __future__ import annotations

from collections.abc import Mapping

from dataplatform.config.stackfile import StackFile
from dataplatform.config.text import dotted, shown
from dataplatform.diagnostics import Diagnostics, nearest

_AT = ("azure", "base")


def check_base(mine: StackFile, everything: Mapping[str, StackFile], diagnostics: Diagnostics) -> None:
    """The base stack that a stack names is there, and has what is used of it.

    Args:
        mine: The stack.
        everything: All stacks of the project, by name.
        diagnostics: Gets what is wrong.
    """
    azure = mine.partial.azure if mine.partial is not None else None
    base = azure.base if azure is not None else None
    if base is None or any(path[: len(_AT)] == _AT for path in mine.unsure):
        return

    def tell(key: str, message: str, remedy: str) -> None:
        position, source = mine.place((*_AT, key))
        diagnostics.add("DP253", position, message, remedy, source=source, path=dotted(("platform", *_AT, key)))

    theirs = everything.get(base.stack)
    if base.stack == mine.name:
        tell("stack", "a stack is not its own base", "name the stack that environments share, such as base")
        return
    if theirs is None:
        others = sorted(name for name in everything if name != mine.name)
        remedy = nearest(base.stack, others) if others else "add one"
        tell("stack", f"there is no stack {shown(base.stack)} (no file Pulumi.{base.stack}.yaml)", remedy)
        return
    found = theirs.partial.azure if theirs.partial is not None else None
    if theirs.partial is None or any(path[0] == "azure" for path in theirs.unsure):
        return  # its own mistakes are told there
    if found is None:
        tell("stack", f"the stack {shown(base.stack)} has nothing on Azure", "add azure to it, or take base out")
        return
    if found.base is not None:
        tell("stack", f"the stack {shown(base.stack)} refers to a base itself", f"take base out of {base.stack}")
    filesystems = found.lake.filesystems if found.lake is not None else {}
    if base.test_data not in filesystems:
        message = f"the lake of {shown(base.stack)} has no filesystem {shown(base.test_data)}"
        remedy = nearest(base.test_data, filesystems) if filesystems else f"add azure.lake to {base.stack}"
        tell("test_data", message, remedy)
