"""What every Google service asks before it does something: project, API, name, references, principals, keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud import store
from localcloud.errors import ApiError
from localcloud.services import google, identity
from localcloud.services.base import Call
from localcloud.store import Row

_BUCKET = "gcp:storage/bucket:Bucket"
ENCRYPTER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
_KEY_LOCATIONS = {"eu": "europe"}
"""Cloud KMS spells one multi-region otherwise than Cloud Storage and BigQuery do; it has no location `eu`."""
_KEY = re.compile(r"^projects/([^/]+)/locations/([^/]+)/keyRings/([^/]+)/cryptoKeys/([^/]+)$")
_ACCOUNT = re.compile(r"^(?:projects/[^/]+/serviceAccounts/)?([^@/\s]+@[a-z0-9.-]+\.gserviceaccount\.com)$")
_MEMBER = re.compile(
    r"^(user|group|domain|serviceAccount|deleted|principal|principalSet|projectOwner|projectEditor|projectViewer"
    r"|iamMember):.+$"
)
_MEMBER_WORDS = frozenset({"allUsers", "allAuthenticatedUsers", "projectOwners", "projectReaders", "projectWriters"})


def require_project(call: Call, project: str | None) -> str:
    """The project's id; it must be one of this world."""
    if not project:
        raise ApiError(
            400,
            "INVALID_ARGUMENT",
            "project: required field is not set: Failed to retrieve project; set it on the resource or in the"
            " provider's configuration (gcp:project)",
        )
    if project.isdigit():
        project = store.project_by_number(call.tx, project) or project
    if store.project_number(call.tx, project) is None:
        raise ApiError(
            403,
            "forbidden",
            f"Permission denied on resource project {project}. (There is no such project in the embedded cloud;"
            f" `localcloud init --project {project}` makes it.)",
        )
    return project


def require_api(call: Call, project: str, service: str | None) -> None:
    """The API must be enabled in the project."""
    if service is None or store.api_enabled(call.tx, project, service):
        return
    number = store.project_number(call.tx, project)
    raise ApiError(
        403,
        "accessNotConfigured",
        f"{google.api_title(service)} has not been used in project {number} before or it is disabled. Enable it by"
        f" visiting https://console.developers.google.com/apis/api/{service}/overview?project={number} then retry. If"
        " you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
    )


def walk(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text inside, with its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from walk(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from walk(inner, (*at, index))
    elif isinstance(value, str):
        yield at, value


def exists(call: Call, path: str) -> bool:
    """Whether the resource of that relative name is there; True for collections the world does not serve."""
    shape = identity.shape_of(path)
    if shape is None:
        return True
    rows = store.find_id(call.tx, path)
    if any(row.token in identity.shapes()[shape] for row in rows):
        return True
    parts = path.split("/")
    project = store.project_by_number(call.tx, parts[1]) if parts[1].isdigit() else None
    if project is not None:
        return exists(call, "/".join(["projects", project, *parts[2:]]))
    # Google makes the network `default`, with a subnetwork in each region, when Compute Engine is enabled.
    default = parts[2:] == ["global", "networks", "default"] or (parts[2], parts[4:]) == (
        "regions",
        ["subnetworks", "default"],
    )
    return default and store.api_enabled(call.tx, parts[1], "compute.googleapis.com")


def require_references(call: Call, inputs: Mapping[str, Any]) -> None:
    """Every resource and service account the inputs name must exist."""
    for at, text in walk(dict(inputs)):
        name = str(at[-1]) if isinstance(at[-1], str) else str(at[-2] if len(at) > 1 else "")
        account = _ACCOUNT.match(text)
        if account and ("account" in name.lower() or (name == "email" and "serviceAccount" in at)):
            require_account(call, account.group(1))
            continue
        path = identity.relative(text)
        if len(text) <= 1000 and path.startswith("projects/") and not exists(call, path):
            raise ApiError(404, "notFound", f"The resource '{path}' was not found")


def require_named(call: Call, names: Mapping[str, str], inputs: Mapping[str, Any]) -> None:
    """What the inputs name by a bare name must exist; `names` says which id an input stands for.

    A name with a slash in it is a path, which `require_references` looks at.
    """
    for path, template in names.items():
        for value in _texts(inputs, path.split(".")):
            _require_name(call, inputs, path, template, value)


def _texts(value: Any, steps: list[str]) -> Iterator[str]:
    """The bare names at a path; a list stands for its elements."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item, steps)
    elif steps:
        yield from _texts(value.get(steps[0]), steps[1:]) if isinstance(value, Mapping) else ()
    elif isinstance(value, str) and value and "/" not in value:
        yield value


def _require_name(call: Call, inputs: Mapping[str, Any], path: str, template: str, value: str) -> None:
    place = {name: str(inputs.get(name) or getattr(call.settings, name, "") or "") for name in ("project", "region")}
    if inputs.get("zone"):
        place["region"] = str(inputs["zone"]).rpartition("-")[0]
    place["region"] = str(inputs.get("location") or place["region"]) if "region" not in inputs else place["region"]
    if path.startswith("subnet.") and isinstance(inputs.get("subnet"), Mapping):
        place["project"] = str(inputs["subnet"].get("projectId") or place["project"])
    for interface in inputs.get("networkInterfaces") or ():
        # Of a Shared VPC the host project is said beside the bare name.
        if isinstance(interface, Mapping) and interface.get("subnetwork") == value:
            place["project"] = str(interface.get("subnetworkProject") or place["project"])
    wanted = template.format(value, **place)
    there = store.find(call.tx, _BUCKET, value) is not None if wanted.startswith("b/") else exists(call, wanted)
    if not there:
        raise ApiError(404, "notFound", f"Resource not found (resource={wanted.removeprefix('b/')}).")


def require_account(call: Call, email: str) -> None:
    """A service account of a project of this world must exist; those of other projects cannot be known."""
    if foreign(call, email) or store.principal_exists(call.tx, email):
        return
    raise ApiError(400, "badRequest", f"Service account {email} does not exist.")


def foreign(call: Call, email: str) -> bool:
    """Whether the address is a service account of a project that is not of this world."""
    local, _, domain = email.partition("@")
    owner = domain.removesuffix(".gserviceaccount.com").removesuffix(".iam")
    if store.project_number(call.tx, owner) is not None:
        return False
    numbers = re.findall(r"\d{6,}", local)
    return not any(store.project_by_number(call.tx, number) for number in numbers)


def require_member(call: Call, member: str) -> None:
    """The member must be well-formed, and exist where that can be told."""
    if member not in _MEMBER_WORDS and not _MEMBER.match(member):
        raise ApiError(
            400, "badRequest", f"Invalid member: {member}. Members are written `type:id`, as in `user:a@b.c`."
        )
    kind, _, rest = member.partition(":")
    if kind == "serviceAccount" and rest.endswith(".gserviceaccount.com"):
        require_account(call, rest)


def require_role(call: Call, role: str) -> None:
    """The role must be written as one, and exist where that can be told."""
    custom = re.match(r"^projects/([^/]+)/roles/([A-Za-z0-9_.]+)$", role)
    if custom:
        row = store.find(call.tx, "gcp:projects/iAMCustomRole:IAMCustomRole", role)
        if store.project_number(call.tx, custom.group(1)) is not None and row is None:
            raise ApiError(404, "notFound", f"The role named {role} was not found.")
        return
    if re.match(r"^organizations/\d+/roles/[A-Za-z0-9_.]+$", role):
        return
    if not re.match(r"^roles/[A-Za-z0-9_.]+$", role) or google.unknown_role(role):
        raise ApiError(400, "badRequest", f"Role {role} is not supported for this resource.")


def agent(call: Call, project: str, service: str) -> str:
    """The address of the service agent of an API (`storage`), whether it exists already or not."""
    number = store.project_number(call.tx, project) or 0
    pattern = google.AGENTS_ON_DEMAND[service][0] if service in google.AGENTS_ON_DEMAND else ""
    return google.agent_email(pattern or google.AGENTS_AT_ENABLEMENT[service][0][0], number)


def make_agent(call: Call, project: str, service: str) -> str:
    """Let the agent of an on-demand service exist, with what the service grants it; returns its address."""
    number = store.project_number(call.tx, project) or 0
    pattern, role = google.AGENTS_ON_DEMAND[service]
    email = google.agent_email(pattern, number)
    add_agent(call, project, service, email, role)
    return email


def add_agent(call: Call, project: str, service: str, email: str, role: str | None) -> None:
    """Let a service agent exist, with its role on the project."""
    if store.principal_exists(call.tx, email):
        return
    store.add_principal(call.tx, email, project, "agent", str(call.world.next_value("uniqueId") + 10**20), service)
    if role is not None:
        store.bind(
            call.tx,
            f"projects/{project}",
            f"roles/{role}",
            f"serviceAccount:{email}",
            origin=f"{service}.googleapis.com",
            project=project,
        )


PUBLISHERS = ("roles/pubsub.publisher", "roles/pubsub.editor", "roles/pubsub.admin")
"""Roles to publish to a topic with."""


def may_publish(call: Call, topic: str, email: str, project: str) -> bool:
    """Whether the account may publish: granted on the topic, or on its project or that of the caller."""
    member, places = f"serviceAccount:{email}", (topic, f"projects/{topic.split('/')[1]}", f"projects/{project}")
    return any(store.granted(call.tx, place, role, member) for role in PUBLISHERS for place in places)


def key_parts(name: str) -> tuple[str, str, str, str]:
    """Project, location, ring and key of a Cloud KMS key name."""
    match = _KEY.match(name)
    if match is None:
        raise ApiError(400, "invalid", f"Invalid Cloud KMS key name: '{name}'.")
    project, location, ring, key = match.groups()
    return project, location, ring, key


def may_use_key(call: Call, key: str, email: str) -> bool:
    """Whether the account may encrypt and decrypt with the key: granted on it, its ring or its project."""
    project, location, ring, _ = key_parts(key)
    places = (key, f"projects/{project}/locations/{location}/keyRings/{ring}", f"projects/{project}")
    member = f"serviceAccount:{email}"
    return any(store.granted(call.tx, place, ENCRYPTER, member) for place in places)


def encrypts(key: Row) -> bool:
    """Whether a key has a version that encrypts: one that was destroyed has none, also once it was imported again."""
    return key.origin != "kept" and bool(key.outputs.get("primaries"))


def require_key(call: Call, key: str, *, location: str, email: str, refusal: ApiError) -> None:
    """A customer-managed key must exist, lie where the data lies, and be usable by the service's agent.

    `refusal` is what the service says when its agent has no grant; Google answers the same for a key that is not there.
    """
    _, key_location, _, _ = key_parts(key)
    row = store.find(call.tx, "gcp:kms/cryptoKey:CryptoKey", key)
    if row is None or not encrypts(row):
        raise refusal
    wanted = location.lower()
    if key_location.lower() != _KEY_LOCATIONS.get(wanted, wanted):
        raise ApiError(
            400,
            "invalid",
            f"Cloud KMS key '{key}' is in location '{key_location}', the resource in '{location}': they must be the"
            " same.",
        )
    if not may_use_key(call, key, email):
        raise refusal
