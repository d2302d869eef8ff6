"""The rights of a stack's identities: what its pipelines need, beside what its program grants.

The need is `dataplatform.compile.access`; what is granted is read out of the very registrations of the program, as
`dp plan` records them. What a component grants an identity for its own sake is listed here with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dataplatform.compile.access import DEFAULT_COMPUTE, Access, Needed
from dataplatform.local.plan_recorder import UNKNOWN_MARKER, RecordedResource, record_decided
from infra.decide import Decided, decide

State = Literal["derived", "component", "missing", "extra", "elsewhere"]

IDENTITIES: Mapping[str, str] = {
    "composer": "composer",
    "workflows": "workflows",
    "datafusion": "data_fusion",
    "triggers": "triggers",
}
"""Account of a stack → the identity that the derivation speaks of. Others are not compared."""

COMPONENT_OWNED: Mapping[tuple[str, str], str] = {
    ("composer", "roles/composer.worker"): "be a worker of the environment",
    ("workflows", "roles/logging.logWriter"): "write the executions' logs",
    ("triggers", "roles/logging.logWriter"): "write the logs of the workflows between events and pipelines",
    ("function:intermediate", "roles/run.invoker"): "call the executors",
    ("data_fusion", "roles/dataproc.worker"): "be a cluster of Dataproc",
    ("data_fusion", "roles/datafusion.runner"): "report to the instance",
    ("data_fusion", "roles/storage.objectUser"): "read and write the lake: what its pipelines do is in the instance",
}
"""Identity and role → why its component grants it whatever the pipelines are."""
BY_THE_STACK_FILE: Mapping[str, str] = {
    "dp:gcp:BigQuery": "the stack file names it under `readers`, `writers` or `job_users`",
    "dp:gcp:DataFusion": "the stack file names it under `iam` or `roles` of Data Fusion",
    "dp:gcp:CloudSql": "the stack file names it under `iam_users` or `accessors`",
    "dp:gcp:KeyAccess": "the stack file names it as a user of a key",
    "dp:gcp:LakeAccess": "the stack file names it under `readers` or `writers`",
    "dp:gcp:Secrets": "the stack file names it under `accessors`",
}
"""Component → where the stack file says whom it grants something."""

_ACCOUNT = "gcp:serviceaccount/account:Account"
_AGENT = "gcp:projects/serviceIdentity:ServiceIdentity"
_ON: Mapping[str, str] = {
    "gcp:bigquery/datasetIamMember:DatasetIamMember": "projects/{project}/datasets/{datasetId}",
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": (
        "projects/{project}/locations/{location}/repositories/{repository}"
    ),
    "gcp:cloudfunctions/functionIamMember:FunctionIamMember": (
        "projects/{project}/locations/{region}/functions/{cloudFunction}"
    ),
    "gcp:cloudfunctionsv2/functionIamMember:FunctionIamMember": (
        "projects/{project}/locations/{location}/functions/{cloudFunction}"
    ),
    "gcp:cloudrunv2/jobIamMember:JobIamMember": "projects/{project}/locations/{location}/jobs/{name}",
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": "projects/{project}/locations/{location}/services/{name}",
    "gcp:dataform/repositoryIamMember:RepositoryIamMember": (
        "projects/{project}/locations/{region}/repositories/{repository}"
    ),
    "gcp:projects/iAMMember:IAMMember": "projects/{project}",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "projects/{project}/secrets/{secretId}",
    "gcp:securitycenter/instanceIamMember:InstanceIamMember": "projects/{project}/locations/{region}/instances/{name}",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "b/{bucket}",
}
_ON_ACCOUNT = "gcp:serviceaccount/iAMMember:IAMMember"


@dataclass(frozen=True, kw_only=True, order=True)
class Granted:
    """One grant of the program to one of the stack's accounts."""

    identity: str
    role: str
    on: str
    """Path of what it is on."""
    by: str = field(default="", compare=False)
    """Type of the component that grants it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A role of an identity on something."""

    identity: str
    role: str
    on: str
    state: State
    because: tuple[tuple[str, str], ...] = ()
    """Pipelines and steps that need it."""
    why: str = ""
    sources: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "identity": self.identity,
            "role": self.role,
            "on": self.on,
            "state": self.state,
            "because": [{"pipeline": pipeline, "step": step} for pipeline, step in self.because],
            "why": self.why,
            "sources": list(self.sources),
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """The table, and what no definition tells."""

    rows: tuple[Row, ...]
    accounts: Mapping[str, str]
    """Identity → its address."""
    untold: tuple[tuple[str, str, str, str], ...]
    """Identity, pipeline, step and what of it is not known."""

    @property
    def exact(self) -> bool:
        """Whether the stack grants what its pipelines need and no more."""
        return not any(row.state in ("missing", "extra") for row in self.rows)


def report(root: Path, stack: str) -> Report:
    """The rights of a stack; raises InputError with what is wrong with it."""
    decided = decide(root, stack)
    return compare(decided, record_decided(decided))


def compare(decided: Decided, resources: Sequence[RecordedResource]) -> Report:
    """What the pipelines of a stack need, beside what these registrations grant."""
    access = decided.pipelines.access
    gcp, names = decided.loaded.platform.gcp, decided.names
    emails: dict[str, str] = {}
    if gcp is not None and names is not None:
        home = f"{gcp.project}.iam.gserviceaccount.com"
        emails = {IDENTITIES[key]: f"{n}@{home}" for key, n in sorted(names.accounts.items()) if key in IDENTITIES}
        if names.executors is not None:
            # Who builds the images runs no pipeline.
            ids = {key: n for key, n in names.executors.accounts.items() if key != "build"}
            emails |= {f"function:{key}": f"{n}@{home}" for key, n in sorted(ids.items())}
        # The workflows of a domain run as an account of its own project.
        for domain, compiled in decided.pipelines.domains.items():
            if compiled.workflows and decided.loaded.platform.pipelines is not None:
                own = decided.loaded.platform.pipelines.domains[domain].project
                emails[f"workflows:{domain}"] = f"{names.accounts['workflows']}@{own}.iam.gserviceaccount.com"
                access |= _renamed(compiled.access, domain)
    given = {grant for grant in granted(resources) if grant.identity in emails.values()}
    known = {email: identity for identity, email in emails.items()}
    rows = list(_needed(access, emails, given))
    wanted = {(row.identity, row.role, row.on) for row in rows}
    for grant in sorted(given):
        identity = known[grant.identity]
        if (identity, grant.role, grant.on) not in wanted:
            # An identity of a domain is called after it.
            reasons = (COMPONENT_OWNED.get((key, grant.role)) for key in (identity, identity.partition(":")[0]))
            why = next(filter(None, reasons), None) or BY_THE_STACK_FILE.get(grant.by, "")
            state: State = "component" if why else "extra"
            rows.append(Row(identity=identity, role=grant.role, on=grant.on, state=state, why=why))
    return Report(
        rows=tuple(sorted(rows, key=lambda row: (row.identity, row.state == "component", row.role, row.on))),
        accounts=emails,
        untold=tuple((item.identity, *item.because, item.what) for item in sorted(access.untold)),
    )


def _renamed(access: Access, domain: str) -> Access:
    """The needs of a domain's own identities, which are called after it."""
    return Access(
        needed=frozenset(replace(item, identity=f"{item.identity}:{domain}") for item in access.needed),
        untold=frozenset(replace(item, identity=f"{item.identity}:{domain}") for item in access.untold),
    )


def _needed(access: Access, emails: Mapping[str, str], given: set[Granted]) -> Iterator[Row]:
    grouped: dict[tuple[str, str, str, bool], list[Needed]] = {}
    for item in sorted(access.needed):
        key = (item.identity, item.right.role, item.right.on.path, item.elsewhere)
        grouped.setdefault(key, []).append(item)
    for (identity, role, on, elsewhere), items in grouped.items():
        there = Granted(identity=emails.get(identity, ""), role=role, on=on) in given
        state: State = "elsewhere" if elsewhere else "derived" if there else "missing"
        yield Row(
            identity=identity,
            role=role,
            on=on,
            state=state,
            because=tuple(item.because for item in items),
            why="; ".join(dict.fromkeys(item.why for item in items)),
            sources=tuple(dict.fromkeys(item.source for item in items)),
        )


def granted(resources: Sequence[RecordedResource]) -> Iterator[Granted]:
    """The grants to service accounts that the program makes; those to Google's own agents are not among them."""
    by_urn = {resource.urn: resource for resource in resources}
    for resource in resources:
        grant = grant_of(resource, by_urn)
        if grant is not None:
            yield grant


def grant_of(resource: RecordedResource, by_urn: Mapping[str, RecordedResource]) -> Granted | None:
    """The grant that a registration makes to a service account; None where it makes none."""
    kind = resource.type.rpartition(":")[2]
    if not resource.type.startswith("gcp:") or not kind.lower().endswith("iammember"):
        return None
    near = [by_urn[urn] for urn in resource.dependencies if urn in by_urn]
    identity = _member(resource, near)
    if not identity:
        return None
    role, component = str(resource.inputs.get("role")), by_urn.get(resource.parent)
    on = _on(resource, near, identity)
    return Granted(identity=identity, role=role, on=on, by=component.type if component is not None else "")


def _member(resource: RecordedResource, near: Iterable[RecordedResource]) -> str:
    """Address of the account that is granted something, empty where it is none of the stack's.

    The member is an output of the account's, so it is not known yet; what the grant waits for tells which it is.
    """
    member = str(resource.inputs.get("member") or "")
    if member != UNKNOWN_MARKER:
        return member.removeprefix("serviceAccount:")
    found = [other for other in near if other.type == _ACCOUNT]
    if resource.type == _ON_ACCOUNT and any(other.type == _AGENT for other in near):
        return ""
    found.sort(key=lambda account: account.parent != resource.parent)
    return _email(found[0]) if found else ""


def _email(account: RecordedResource) -> str:
    return f"{account.inputs.get('accountId')}@{account.inputs.get('project')}.iam.gserviceaccount.com"


def _on(resource: RecordedResource, near: Iterable[RecordedResource], identity: str) -> str:
    inputs = {key: str(value) for key, value in resource.inputs.items()}
    if resource.type == _ON_ACCOUNT:
        path = inputs.get("serviceAccountId", "")
        if path != UNKNOWN_MARKER:
            return path
        others = [other for other in near if other.type == _ACCOUNT and _email(other) != identity]
        email = _email(others[0]) if others else DEFAULT_COMPUTE
        project = identity.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
        return f"projects/{others[0].inputs.get('project') if others else project}/serviceAccounts/{email}"
    template = _ON.get(resource.type)
    if template is None:
        return f"{resource.type} {resource.name}"
    return template.format_map(_Known(inputs))


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return UNKNOWN_MARKER


_MARKS: Mapping[State, str] = {
    "derived": " ",
    "component": "c",
    "missing": "-",
    "extra": "+",
    "elsewhere": "e",
}


def lines(report: Report) -> Iterator[str]:
    """The table as text."""
    cells = [(_MARKS[r.state], r.identity, r.role, r.on, _because(r)) for r in report.rows]
    head = ("", "identity", "role", "on", "because of")
    widths = [max(len(row[column]) for row in [head, *cells]) for column in range(4)]
    for row in [head, *cells]:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
    for identity, pipeline, step, what in report.untold:
        yield f"{identity}: {pipeline}/{step}: not known: {what}; grant it beside the stack"
    counts = {state: sum(row.state == state for row in report.rows) for state in _MARKS}
    said = [f"{counts['derived']} derived", f"{counts['component']} of components (c)"]
    said += [f"{counts[state]} {state} ({_MARKS[state]})" for state in ("missing", "extra", "elsewhere")]
    yield ", ".join(said)


def _because(row: Row, most: int = 3) -> str:
    shown = [f"{pipeline}/{step}" for pipeline, step in row.because[:most]]
    more = len(row.because) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if shown else row.why


def markdown(report: Report) -> str:
    """The table as a page has it."""
    rows = ["| identity | role | on | because of |", "|---|---|---|---|"]
    for row in report.rows:
        state = "" if row.state in ("derived", "component") else f" ({row.state})"
        rows.append(f"| {row.identity} | `{row.role}`{state} | `{row.on}` | {_because(row, most=6)} |")
    return "\n".join(rows) + "\n"
