"""What the providers' own validators accept, for the properties whose table line has `validator_text`.

`validator_text` holds what the real validator answered to a few probes (`'__probe__': expected FIELD to be …`). The
answer's wording tells which validator it is; each family is implemented here and gives its message in the same words.

Left opaque, because their rule could be read neither from a probe nor from the notes (`OPAQUE`): instance metadata, the
workspace group's display name, a repository's path, an instance profile beyond `arn:`, a global init script's name
beyond not being empty, and five Entra descriptions whose upper length is above the longest probe (300 characters).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OPAQUE = frozenset(
    {
        "compute.ValidateInstanceMetadata",
        "scim.ResourceGroup.func1.ToDiagFunc.2",
        "repos.validatePath",
        "applications.applicationResource.StringLenBetween.StringLenBetween.func13",
        "applications.ApplicationRegistrationResource.Arguments.StringLenBetween.StringLenBetween.func3",
        "groups.groupResource.StringLenBetween.StringLenBetween.func11",
        "serviceprincipals.servicePrincipalResource.StringLenBetween.StringLenBetween.func5",
        "serviceprincipals.servicePrincipalResource.StringLenBetween.StringLenBetween.func6",
    }
)

Validator = Callable[[Any, str, str], str | None]
"""(value, field, value as shown) -> the message, or None where the value is accepted."""

_UUID = re.compile(r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$")
_RFC3339 = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$")


def _cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(text) % 4 == 0


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def rfc3339(text: str) -> datetime | None:
    """A time with its offset, None where the text is none."""
    if not _RFC3339.match(text):
        return None
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None


def _not_empty(value: Any, field: str, _shown: str) -> str | None:
    return None if value != "" else f"expected {field} to not be an empty string, got "


def _not_blank(value: Any, field: str, _shown: str) -> str | None:
    return None if str(value).strip() else f"expected {field} to not be an empty string or whitespace"


def _uuid(value: Any, field: str, shown: str) -> str | None:
    return None if _UUID.match(str(value)) else f"expected {field} to be a valid UUID, got {shown}"


def _iam_member(value: Any, field: str, shown: str) -> str | None:
    text = str(value)
    if text.startswith("deleted:"):
        return f"invalid value for {field} (Terraform does not support IAM members for deleted principals)"
    if re.search(r".+:.+|allUsers|allAuthenticatedUsers", text):
        return None
    return (
        f'invalid value "{shown}" for {field} (IAM members must have one of the values outlined here: '
        "https://cloud.google.com/billing/docs/reference/rest/v1/Policy#Binding)"
    )


def _time(value: Any, field: str, shown: str) -> str | None:
    if rfc3339(str(value)):
        return None
    return (
        f'expected {field} to be a valid RFC3339 date, got "{shown}": parsing time "{shown}" as '
        '"2006-01-02T15:04:05Z07:00"'
    )


def _uri(value: Any, field: str, _shown: str) -> str | None:
    text = str(value)
    if not text:
        return f"URI must not be empty for {field}"
    if text.startswith("urn:") and len(text.split(":")) >= 3:
        return None
    try:
        host = urlsplit(text).netloc
    except ValueError:
        host = ""
    return None if host else f"URI has no host for {field}"


def _url(value: Any, field: str, shown: str) -> str | None:
    text = str(value)
    if not text:
        return f"expected {field} url to not be empty, got "
    try:
        parts = urlsplit(text)
    except ValueError:
        return f"expected {field} to be a valid url, got {shown}"
    if not parts.netloc:
        return f"expected {field} to have a host, got {shown}"
    return (
        None
        if parts.scheme in ("http", "https")
        else f'expected {field} to have a url with schema of: "http,https", got {shown}'
    )


def _base64_string(value: Any, field: str, shown: str) -> str | None:
    return None if _base64(str(value)) else f"expected {field} to be a base64 string, got {shown}"


def _base64_value(value: Any, field: str, _shown: str) -> str | None:
    if _base64(str(value)):
        return None
    return (
        f"could not decode {field} as a valid base64 value. Please use the terraform base64 functions such as "
        "base64encode() or filebase64() to supply a valid base64 string"
    )


def _base64_key(value: Any, _field: str, _shown: str) -> str | None:
    return (
        None
        if _base64(str(value))
        else "Failed to decode (base64) customer_encryption, expecting valid base64 encoded key"
    )


def _segments(kind: str, words: str) -> Validator:
    def validate(value: Any, _field: str, shown: str) -> str | None:
        text = str(value)
        if not text:
            return 'parsing "": cannot parse an empty string'
        parts = [part for part in text.split("/") if part]
        if len(parts) == 2 and parts[0] == kind and text.startswith("/"):
            return None
        return (
            f'parsing "{shown}": parsing the {words} ID: expected an ID of the form /{kind}/<id>, '
            f"which was parsed into {len(parts)} segments"
        )

    return validate


def _json_text(value: Any, field: str, _shown: str) -> str | None:
    text = str(value)
    if text == "" or _json(text) is not None or text.strip() == "null":
        return None
    return f"{field} contains an invalid JSON: invalid character '{text.lstrip()[:1]}' looking for beginning of value"


def _json_array(value: Any, field: str, shown: str) -> str | None:
    if value == "":
        return '"schema" is not a JSON array: unexpected end of JSON input'
    found = _json_text(value, field, shown)
    if found is None and not isinstance(_json(str(value)), list):
        return '"schema" is not a JSON array'
    if found is None and None in _json(str(value)):
        return '"schema" contains a nil element'
    return found


def _policy(value: Any, _field: str, shown: str) -> str | None:
    return None if isinstance(_json(str(value)), dict) else f"Could not unmarshal policy data {shown}"


def _file(value: Any, _field: str, shown: str) -> str | None:
    return None if value and Path(str(value)).exists() else f"File {shown} does not exist"


def _path(value: Any, _field: str, _shown: str) -> str | None:
    return None if value else "Path must not be empty"


def _secret_name(value: Any, field: str, _shown: str) -> str | None:
    if re.match(r"^[\w.@_/-]{1,128}$", str(value)):
        return None
    return (
        f"invalid value for {field} (Must consist of alphanumeric characters, dashes, underscores, and "
        "periods, and may not exceed 128 characters.)"
    )


def _cidr_range(value: Any, field: str, shown: str) -> str | None:
    return None if _cidr(str(value)) else f"{field} is not a valid IP CIDR range: invalid CIDR address: {shown}"


def _cidr_value(value: Any, field: str, shown: str) -> str | None:
    return (
        None
        if _cidr(str(value))
        else f"expected {field} to be a valid CIDR Value, got {shown}: invalid CIDR address: {shown}"
    )


def _cidr_20(value: Any, _field: str, shown: str) -> str | None:
    text = str(value)
    if not _cidr(text):
        return f"Invalid CIDR range: invalid CIDR address: {shown}"
    return None if text.endswith("/20") else f"Composer Internal IPv4 CIDR range must have size /20, got {shown}"


def _address_or_cidr(value: Any, field: str, shown: str) -> str | None:
    if _address(str(value)) or _cidr(str(value)):
        return None
    return f"expected {field} to contain a valid IPv4 address, got: {shown}"


def _arn(value: Any, _field: str, _shown: str) -> str | None:
    return (
        None
        if re.match(r"^arn:aws[\w-]*:[^:]*:[^:]*:[^:]*:.+$", str(value))
        else "Unknown attribute: ARN type associated with attribute is not known"
    )


def _scope_value(value: Any, _field: str, _shown: str) -> str | None:
    if len(str(value)) > 249:
        return "Value must be between 0-249 characters in length"
    if re.search(r"[^A-Za-z0-9!#$%&'()*+,\-./:;<=>?@\[\]^_`{|}~]", str(value)):
        return "Value must be alphanumeric with these allowed characters: !#$%&'()*+,-./:;<=>?@[]^+_`{|}~"
    return None


def _dataset_id(value: Any, field: str, _shown: str) -> str | None:
    if not re.match(r"^[0-9A-Za-z_]+$", str(value)):
        return f"{field} must contain only letters (a-z, A-Z), numbers (0-9), or underscores (_)"
    return None if len(str(value)) <= 1024 else f"{field} cannot be greater than 1,024 characters"


def _expiration(value: Any, field: str, _shown: str) -> str | None:
    return None if float(value) >= 3_600_000 else f"{field} cannot be shorter than 3600000 milliseconds (one hour)"


def _asn(value: Any, field: str, shown: str) -> str | None:
    number = int(float(value))
    if 64512 <= number <= 65534 or 4_200_000_000 <= number <= 4_294_967_294 or number == 16550:
        return None
    return (
        f"expected {field} to be a RFC6996-compliant Local ASN: must be either in the private ASN ranges: "
        f"[64512..65534], [4200000000..4294967294]; or be the value of [16550], got {shown}"
    )


def _cluster_name(value: Any, field: str, _shown: str) -> str | None:
    text = str(value)
    if len(text) > 55:
        return f"{field} cannot be longer than 55 characters"
    if not re.match(r"^[a-z0-9-]*$", text):
        return f"{field} can only contain lowercase letters, numbers and hyphens"
    if not re.match(r"^[a-z]", text):
        return f"{field} must start with a letter"
    return None if re.search(r"[a-z0-9]$", text) else f"{field} must end with a number or a letter"


def _record_name(value: Any, field: str, shown: str) -> str | None:
    if not value:
        return "the empty string is not a valid name field value"
    if str(value).endswith("."):
        return None
    return (
        f'{field} ("{shown}") doesn\'t end with ".", name field must end with trailing dot, for example '
        "test.example.com. (note the trailing dot)"
    )


def _pool_id(allowed_suffix: str | None) -> Validator:
    def validate(value: Any, field: str, shown: str) -> str | None:
        text = str(value)
        if text.startswith("gcp-"):
            return f'{field} ("{shown}") can not start with "gcp-"'
        if allowed_suffix and text.endswith(allowed_suffix):
            return None
        if len(text) < 4:
            return f"{field} cannot be smaller than 4 characters"
        if len(text) > 32:
            return f"{field} cannot be greater than 32 characters"
        if re.match(r"^[a-z0-9-]+$", text):
            return None
        tail = f", or end in '{allowed_suffix}'" if allowed_suffix else ""
        joiner = "," if allowed_suffix else ", or"
        return f"{field} must contain only lowercase letters (a-z), numbers (0-9){joiner} dashes (-){tail}"

    return validate


def _rotation(value: Any, _field: str, shown: str) -> str | None:
    match = re.match(r"^([0-9.]*\d)s$", str(value))
    if not match:
        return f"Invalid rotation period format: {shown}"
    try:
        seconds = float(match.group(1))
    except ValueError:
        return f"Invalid rotation period format: {shown}"
    if seconds < 86400:
        return f"Rotation period must be greater than one day: {shown}"
    fraction = match.group(1).partition(".")[2]
    return None if len(fraction) <= 9 else f"Rotation period cannot have more than 9 fractional digits: {shown}"


def _project_name(value: Any, _field: str, shown: str) -> str | None:
    if re.match(r"^[a-zA-Z0-9\-'\"\s!]{4,30}$", str(value)):
        return None
    return (
        f'"{shown}" name must be 4 to 30 characters with lowercase and uppercase letters, numbers, hyphen, '
        "single-quote, double-quote, space, and exclamation point."
    )


def _project_id(value: Any, _field: str, shown: str) -> str | None:
    if re.match(r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$", str(value)):
        return None
    return (
        f'"{shown}" project_id must be 6 to 30 with lowercase letters, digits, hyphens and start with a '
        "letter. Trailing hyphens are prohibited."
    )


def _service(value: Any, _field: str, shown: str) -> str | None:
    if re.match(r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", str(value)):
        return None
    return f"expected {shown} to be a domain like serviceusage.googleapis.com"


def _label_keys(value: Any, _field: str, _shown: str) -> str | None:
    for key in value:
        if not re.match(r"^[a-z0-9_-]{1,63}$", key):
            return (
                f'"{key}" is an invalid label key. See '
                "https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels"
            )
    return None


def _role_entity(value: Any, _field: str, shown: str) -> str | None:
    return None if len(str(value).split(":")) == 2 else f"Role entity pairs must be formatted as 'ROLE:entity': {shown}"


def _topic(value: Any, field: str, _shown: str) -> str | None:
    if not str(value).startswith("//pubsub.googleapis.com/"):
        return None
    return f"{field} must not start with '//pubsub.googleapis.com/'"


def _script_name(value: Any, field: str, _shown: str) -> str | None:
    return None if value else f"invalid value for {field} (Name should match regex!)"


def _token_version(value: Any, _field: str, _shown: str) -> str | None:
    return None if int(float(value)) in (1, 2) else "Value must be one of: 1, 2"


def _nickname(value: Any, _field: str, _shown: str) -> str | None:
    return (
        None
        if not re.search(r'[@()\\\[\]";:<>, ]', str(value))
        else 'Value cannot contain these characters: @()\\[]";:<>,SPACE'
    )


def _language(value: Any, field: str, _shown: str) -> str | None:
    return (
        None
        if re.match(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", str(value))
        else f"value is not a well-formed language for {field}"
    )


def _email(value: Any, field: str, _shown: str) -> str | None:
    if not value:
        return f"value must not be empty for {field}"
    return None if re.match(r"^[^@\s]+@[^@\s]+$", str(value)) else f"value must be a valid email address for {field}"


def _env_variables(value: Any, _field: str, _shown: str) -> str | None:
    for key in value:
        if not re.search(r"[a-zA-Z_][a-zA-Z0-9_]*.", key):
            return f'env_variable "{key}" must match regexp "[a-zA-Z_][a-zA-Z0-9_]*."'
        if re.search(r"AIRFLOW__[A-Z0-9_]+__[A-Z0-9_]+", key):
            return f'env_variable "{key}" cannot match regexp "AIRFLOW__[A-Z0-9_]+__[A-Z0-9_]+"'
        if key in RESERVED_ENV_VARIABLES:
            return f'env_variable "{key}" is a reserved name and cannot be used'
    return None


RESERVED_ENV_VARIABLES = frozenset(
    {
        "AIRFLOW_HOME",
        "C_FORCE_ROOT",
        "CONTAINER_NAME",
        "DAGS_FOLDER",
        "GCP_PROJECT",
        "GCS_BUCKET",
        "GKE_CLUSTER_NAME",
        "SQL_DATABASE",
        "SQL_INSTANCE",
        "SQL_PASSWORD",
        "SQL_PROJECT",
        "SQL_REGION",
        "SQL_USER",
    }
)


def _pypi_packages(value: Any, _field: str, _shown: str) -> str | None:
    for key in value:
        if key != key.lower():
            return f'PYPI package "{key}" can only contain lowercase characters'
        if not re.match(r"^([a-z0-9]|[a-z0-9][a-z0-9._-]*[a-z0-9])$", key):
            return f'Invalid PYPI package name "{key}": extras and version go into the value'
    return None


def _http_headers(value: Any, field: str, _shown: str) -> str | None:
    for key in value:
        if key == "Content-Length" or re.search(r"(X-Google-|X-AppEngine-).*", key):
            return f"Cannot set the {key} header on {field}"
    return None


# A part of the validator's answer -> the validator. Order matters where one text holds another.
_BY_TEXT: tuple[tuple[str, Validator], ...] = (
    ("empty string or whitespace", _not_blank),
    ("to be a valid UUID", _uuid),
    ("IAM members must have one of", _iam_member),
    ("valid RFC3339 date", _time),
    ("URI has no host", _uri),
    ("to be a base64 string", _base64_string),
    ("could not decode FIELD as a valid base64", _base64_value),
    ("Failed to decode (base64)", _base64_key),
    ("parsing the Application ID", _segments("applications", "Application")),
    ("parsing the ServicePrincipal ID", _segments("servicePrincipals", "ServicePrincipal")),
    ('"schema" is not a JSON array', _json_array),
    ("contains an invalid JSON", _json_text),
    ("Could not unmarshal policy data", _policy),
    ("File __probe__ does not exist", _file),
    ("Path must not be empty", _path),
    ("may not exceed 128 characters", _secret_name),
    ("to contain a valid IPv4 address", _address_or_cidr),
    ("is not a valid IP CIDR range", _cidr_range),
    ("to be a valid CIDR Value", _cidr_value),
    ("Invalid CIDR range", _cidr_20),
    ("ARN type associated", _arn),
    ("Value must be between 0-249", _scope_value),
    ("or underscores (_)", _dataset_id),
    ("3600000 milliseconds", _expiration),
    ("RFC6996", _asn),
    ("cannot be longer than 55 characters", _cluster_name),
    ("doesn't end with", _record_name),
    ("or end in '.svc.id.goog'", _pool_id(".svc.id.goog")),
    ("FIELD cannot be smaller than 4 characters", _pool_id(None)),
    ("Invalid rotation period", _rotation),
    ("name must be 4 to 30", _project_name),
    ("project_id must be 6 to 30", _project_id),
    ("to be a domain like", _service),
    ("is an invalid label key", _label_keys),
    ("Role entity pairs", _role_entity),
    ("does not start with '//pubsub", _topic),
    ("Name should match regex", _script_name),
    ("Value must be one of: 1, 2", _token_version),
    ("Value cannot contain these characters", _nickname),
    ("well-formed language", _language),
    ("valid email address", _email),
    ("env_variable", _env_variables),
    ("PYPI package", _pypi_packages),
    ("to have a host", _url),
)

_BY_NAME: dict[str, Validator] = {
    "cloudscheduler.ResourceCloudSchedulerJob.validateHttpHeaders.func4": _http_headers,
    "cloudscheduler.ResourceCloudSchedulerJob.validateHttpHeaders.func6": _http_headers,
}


def validators(text: str | None, name: str | None) -> tuple[Validator, ...]:
    """The validators a property's `validator_text` and `validator` stand for, in the order they run."""
    found: list[Validator] = []
    if text:
        length = re.search(r"must be between (\d+) and (\d+) characters long", text)
        if length:
            found.append(_length(int(length.group(1)), int(length.group(2))))
        family = next((validate for part, validate in _BY_TEXT if part in text), None)
        if "to not be an empty string, got" in text:
            found.append(_not_empty)
        if family is not None:
            found.append(family)
    if name in _BY_NAME:
        found.append(_BY_NAME[name])
    return tuple(found)


def _length(least: int, most: int) -> Validator:
    def validate(value: Any, field: str, shown: str) -> str | None:
        if least <= len(str(value)) <= most:
            return None
        return f'"{field}" ("{shown}") must be between {least} and {most} characters long'

    return validate
