"""Who may do something: IAM members as a stack file writes them, and the stack's own identities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dataplatform.config.document import Path
from dataplatform.config.platform import Gcp
from dataplatform.config.text import shown
from dataplatform.diagnostics import nearest

if TYPE_CHECKING:
    from dataplatform.config.findings import Findings

IDENTITIES: Final = ("composer", "data_fusion", "workflows")
"""Parts of a stack that run as an identity of their own, which `$<name>` stands for."""
PUBLIC: Final = ("allUsers", "allAuthenticatedUsers")
MEMBER: Final = re.compile(
    r"(?:user|group|serviceAccount):[^\s@:]+@[^\s@]+\.[^\s@]+|serviceAccount:[^\s@\[]+\.svc\.id\.goog\[[^\s\]]+\]"
    r"|domain:[^\s@]+\.[^\s@]+|(?:principal|principalSet):\S+|deleted:\w+:\S+|\$[a-z_]+"
)
_ADDRESSES: Final = {
    "serviceAccount": "<name>@<project>.iam.gserviceaccount.com",
    "user": "<name>@<company's domain>",
    "group": "<name>@<company's domain>",
    "domain": "<company's domain>",
}


def check_members(
    gcp: Gcp, members: Sequence[str], at: Path, findings: Findings, *, public: str, references: bool = True
) -> None:
    """Every member is one, none is the public, a reference names an identity of the stack, and none stands twice.

    Args:
        gcp: The stack.
        members: As written.
        at: Where the list is.
        findings: What takes down what is wrong.
        public: What everybody's being a member would do.
        references: Whether references are looked up here.
    """
    for index, member in enumerate(members):
        here = (*at, index)
        if member in PUBLIC:
            findings.tell("DP124", here, f"{shown(member)} {public}", "name who it is for")
        elif not MEMBER.fullmatch(member) and (kind := member.partition(":")[0]) in _ADDRESSES:
            message = f"what follows {kind}: in {shown(member)} is no address"
            findings.tell("DP124", here, message, f"write {kind}:{_ADDRESSES[kind]}")
        elif not MEMBER.fullmatch(member):
            findings.tell(
                "DP124",
                here,
                f"{shown(member)} is not a member",
                "write user:…, group:…, serviceAccount:… or an identity of the stack such as $composer",
            )
        elif references and member in members[:index]:
            findings.tell("DP124", here, f"{shown(member)} stands here twice", "take one of them out")
        elif references and member.startswith("$"):
            known = [f"${name}" for name in IDENTITIES if getattr(gcp, name) is not None]
            if member not in known:
                findings.tell(
                    "DP218",
                    here,
                    f"{shown(member)} names no identity of this stack",
                    nearest(member, known) if known else "write a member such as group:…",
                    needs=tuple(("gcp", name) for name in IDENTITIES),
                )
