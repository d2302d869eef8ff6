"""No accidental mass delete: which planned deletions and replacements want a word more.

An `up` that would delete or replace something that holds data, all of a kind, or more than a fifth of the stack is
refused until `--allow-deletes N` names how many objects go. The engine's own `protect` is independent of this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dataplatform.local.events import REPLACING, Operation

HOLDS_DATA = {
    "gcp:storage/bucket:Bucket": "the bucket's objects",
    "gcp:kms/cryptoKey:CryptoKey": "what is encrypted with the key",
    "gcp:kms/keyRing:KeyRing": "what is encrypted with its keys",
    "gcp:secretmanager/secret:Secret": "the secret's versions",
    "gcp:secretmanager/secretVersion:SecretVersion": "the secret's value",
    "gcp:datafusion/instance:Instance": "its pipelines and their history",
    "dp-cdap:datafusion:Namespace": "the history of its pipelines",
    "dp-cdap:datafusion:Pipeline": "its versions and the history of its runs",
    "gcp:composer/environment:Environment": "its metadata database and DAG bucket",
    "gcp:bigquery/dataset:Dataset": "its tables",
    "gcp:bigquery/table:Table": "its rows",
    "gcp:sql/databaseInstance:DatabaseInstance": "its databases",
    "gcp:pubsub/topic:Topic": "undelivered messages",
    "azure-native:storage:StorageAccount": "its containers",
    "azure-native:keyvault:Vault": "its secrets and keys",
    "azure-native:databricks:Workspace": "its notebooks, jobs and tables",
    "azure-native:datafactory:Factory": "its run history",
}
"""What is lost with each type that holds data."""

FIFTH = 0.2


@dataclass(frozen=True)
class Verdict:
    """How many objects would go, and why that wants a word more (nothing where it does not)."""

    count: int
    reasons: tuple[str, ...]

    def allows(self, named: int | None) -> bool:
        """Whether the run may go on with `--allow-deletes named`."""
        return not self.reasons or named == self.count


def judge(operations: Iterable[Operation], existing: Mapping[str, str]) -> Verdict:
    """Judge a preview; `existing` is the state's custom resources, URN to type, providers left out."""
    going = {o.urn: o for o in operations if o.custom and (o.op == "delete" or o.op in REPLACING) and o.urn in existing}
    if not going:
        return Verdict(0, ())
    reasons = []
    for operation in going.values():
        lost = HOLDS_DATA.get(operation.type)
        if lost:
            verb = "deletes" if operation.op == "delete" else "replaces"
            because = f" (because of {', '.join(operation.keys)})" if operation.keys else ""
            reasons.append(f"{verb} {operation.name}{because}, and with it {lost}")
    kinds, gone = Counter(existing.values()), Counter(o.type for o in going.values())
    reasons += [f"takes all {n} of {kind}" for kind, n in sorted(gone.items()) if n == kinds[kind] and n > 1]
    reasons += [f"takes the only {kind}" for kind, n in sorted(gone.items()) if n == kinds[kind] == 1]
    if len(going) > FIFTH * len(existing):
        reasons.append(f"takes {len(going)} of the stack's {len(existing)} resources, more than a fifth")
    return Verdict(len(going), tuple(reasons))
