"""Which dependencies of an inventory mean something to a cloud, and which only put one component after another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.services import google
from localcloud.services.checks import walk
from tests.promises.bringup import Created, Run, behind

API, AGENT, KEY = "an API before its use", "a service agent before its grant", "a key's grant before its consumer"
ACCOUNT, NAMED = "an account before its grant", "what is named before what names it"
PEERING, ROLE = "a network's connection before a private instance", "a role before who runs with it"
_SERVICE, _IDENTITY = "gcp:projects/service:Service", "gcp:projects/serviceIdentity:ServiceIdentity"
_KEY_GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
_CONNECTION = "gcp:servicenetworking/connection:Connection"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A create that must come before another, and why."""

    kind: str
    first: Created
    then: Created

    @property
    def label(self) -> tuple[str, str, str]:
        """By what edges are one of a kind: the kind, and what is on either side."""
        return self.kind, _side(self.first), short(self.then)


def short(one: Created) -> str:
    """`gcp:Bucket`, as tables of this module name types; two of Azure's are called Workspace."""
    package, _, rest = one.token.partition(":")
    module, kind = rest.rpartition(":")[0].partition("/")[0], rest.rpartition(":")[2]
    return f"{package}:{module}:{kind}" if module not in ("index", "") else f"{package}:{kind}"


def _side(one: Created) -> str:
    """The type, with the API or the role where it says more."""
    if one.token in (_SERVICE, _IDENTITY):
        return f"{short(one)} {str(one.inputs.get('service')).partition('.')[0]}"
    member = str(one.inputs.get("member") or "")
    if member:
        agent = member.rpartition("@")[2].partition(".")[0] if "gserviceaccount" in member else "person"
        owner = "account" if member.endswith(".iam.gserviceaccount.com") and "gcp-sa-" not in member else agent
        return f"{short(one)} {one.inputs.get('role')} {agent if _is_agent(member) else owner}"
    return short(one)


def _is_agent(member: str) -> bool:
    return bool(re.search(r"service-\d+@|bq-\d+@", member))


def edges(run: Run) -> Iterator[Edge]:
    """All dependencies between creates that mean something, and that nothing else of the graph implies.

    Where a third create waits for the first and is waited for by the other, the other cannot be made without the first
    for want of the third: that edge is shown by the third.
    """
    before = {urn: behind(run.created, urn) for urn in run.created}
    for then in run.created.values():
        texts = frozenset(text for _, text in walk(_plain(then.inputs)))
        for urn in sorted(then.needs):
            if any(urn in before[other] for other in before[then.urn]):
                continue
            first = run.created[urn]
            kind = why(first, then, texts)
            if kind is not None:
                yield Edge(kind=kind, first=first, then=then)


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def why(first: Created, then: Created, texts: frozenset[str]) -> str | None:
    """What the first is to the other; None: nothing that a cloud knows of."""
    if first.token == _SERVICE:
        # What is granted in another project is asked of the API there.
        here = then.inputs.get("project") in (None, first.inputs.get("project"))
        return API if here and google.api_of(then.token) == first.inputs.get("service") else None
    member = str(then.inputs.get("member") or "").partition(":")[2]
    if first.token == _IDENTITY:
        return AGENT if member and member == first.outputs.get("email") else None
    if first.token == _KEY_GRANT:
        return KEY if first.inputs.get("cryptoKeyId") in texts else None
    if first.token == _CONNECTION:
        return PEERING if any(_same_network(text, str(first.inputs.get("network"))) for text in texts) else None
    if first.token.endswith(":serviceaccount/account:Account") and member == first.outputs.get("email"):
        return ACCOUNT
    granted = str(first.inputs.get("member") or "").partition(":")[2]
    if granted and (granted in texts or any(text.endswith(f"/serviceAccounts/{granted}") for text in texts)):
        return ROLE
    if not first.inputs.get("member") and any(first.id == text or _link(text) == _link(first.id) for text in texts):
        return NAMED
    principal = first.outputs.get("principalId") or (first.outputs.get("identity") or {}).get("principalId")
    if principal and principal in texts:
        return ACCOUNT
    return None


def _link(text: str) -> str:
    return re.sub(r"^https://www\.googleapis\.com/compute/v1/", "", text)


def _same_network(text: str, network: str) -> bool:
    return "/networks/" in text and _link(text) == _link(network)
