"""What a definition may say beyond AEF's format: who owns it, when it runs, its parameters, and what is tried again.

The `…File` models are what people write; the frozen dataclasses are what the rest of the program works with.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from dataplatform.config.gcp.lake import TopicPath
from dataplatform.config.text import control_character
from dataplatform.config.types import FunctionName, Name

ParameterType = Literal["string", "integer", "number", "boolean"]

RESERVED_PARAMETERS = frozenset(
    {"start_date", "end_date", "query_variables", "workflow_name", "workflow_properties", "parameters"}
)
"""Names that every run's argument has already."""

DEFAULT_OWNER = "data-platform"
MAX_REPETITIONS = 20
MAX_DELAY = 86400

_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """How often something is repeated after it has failed, and the seconds before each repetition (exponential)."""

    count: int
    delay_seconds: int
    max_delay_seconds: int
    multiplier: int


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When runs begin: a cron expression of five fields, read in a time zone."""

    cron: str
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A value that a run may be given."""

    name: str
    type: ParameterType
    default: str | int | float | bool
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What starts a run beside a schedule: a file in a zone of the lake, a message, or an entry of the audit log."""

    name: str
    zone: str | None = None
    """Of the lake; None for what is no file."""
    prefix: str = ""
    """What the file's name begins with."""
    topic: str | None = None
    """`projects/…/topics/…`; None for what is no message, and for a topic that the stack makes."""
    service: str | None = None
    """Whose call is in the audit log; None for what is no entry of it."""
    method: str = ""
    """The call's method."""
    parameters: tuple[tuple[str, str], ...] = ()
    """Parameter of the run and field of the event, sorted."""
    query_variables: tuple[tuple[str, str], ...] = ()
    """Query variable of the run and field of the event, sorted."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a definition says of the pipeline as a whole."""

    description: str = ""
    owner: str = DEFAULT_OWNER
    tags: tuple[str, ...] = ()
    """Sorted, each once."""
    schedule: Schedule | None = None
    parameters: tuple[Parameter, ...] = ()
    """By name."""
    on_failure: str | None = None
    """Function that is told of a failed run."""
    triggers: tuple[Trigger, ...] = ()
    """By name."""


def _wrong(code: str, message: str, remedy: str) -> PydanticCustomError:
    # The message is pydantic's template: braces in it would be fields.
    return PydanticCustomError("dp_form", message.replace("{", "(").replace("}", ")"), {"code": code, "remedy": remedy})


def cron_problem(text: str) -> tuple[str, str] | None:
    """What is wrong with a cron expression, and what would be right. Month and day names and presets are known."""
    if text in _PRESETS:
        return None
    example = "write minute, hour, day of the month, month, day of the week, such as 0 6 * * MON-FRI"
    if text.startswith("@"):
        return "no preset of that name", "use one of " + ", ".join(_PRESETS) + ", or five fields"
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f"a cron expression has five fields, this has {len(fields)}", example
    found: list[frozenset[int]] = []
    for field, (name, low, high, names) in zip(fields, _FIELDS, strict=True):
        values: set[int] = set()
        for part in field.split(","):
            numbers = _cron_part(part, low, high, names)
            if not numbers:
                remedy = f"{name}: a number from {low} to {high}, a range a-b, a list a,b, * or a step such as */5"
                return f"the field for the {name} is wrong", remedy
            values |= numbers
        found.append(frozenset(values))
    if fields[4] == "*" and not any(day <= _LONGEST_MONTHS[month - 1] for day in found[2] for month in found[3]):
        return "there is no such day in that month", "name a day that comes: the schedule would never start a run"
    return None


def _cron_part(part: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    """The numbers of a part of a field; none where it is wrong."""
    match = re.fullmatch(r"(\*|([0-9]{1,2}|[A-Za-z]{3})(?:-([0-9]{1,2}|[A-Za-z]{3}))?)(?:/([0-9]{1,2}))?", part)
    if match is None:
        return set()
    step = int(match[4]) if match[4] else 1
    if match[1] == "*":
        first, last = low, high
    else:
        one, other = _cron_number(match[2], low, names), _cron_number(match[3] or match[2], low, names)
        if one is None or other is None or (match[4] and not match[3]):
            return set()
        first, last = one, other
    if not low <= first <= last <= high or not 1 <= step <= high:
        return set()
    return set(range(first, last + 1, step))


def _cron_number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text.isdigit():
        return int(text)
    return names.index(text.upper()) + low if text.upper() in names else None


def _cron(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("DP122", "expected a cron expression", 'write it as text, such as "0 6 * * *"')
    problem = cron_problem(value)
    if problem:
        raise _wrong("DP324", problem[0], problem[1])
    return _PRESETS.get(value) or " ".join(value.upper().split())


@functools.cache
def _zones() -> frozenset[str]:
    """The zones of the IANA database. Reading their names opens some hundred files."""
    return frozenset(zoneinfo.available_timezones())


def _timezone(value: object) -> str:
    known = _zones()
    if not isinstance(value, str) or value not in known:
        near = next((name for name in sorted(known) if str(value).lower() == name.lower()), None)
        remedy = (
            f"did you mean '{near}'?" if near else "write a name of the IANA database, such as Europe/Berlin or UTC"
        )
        raise _wrong("DP324", "there is no such time zone", remedy)
    return value


def _text(longest: int) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, str):
            return value
        if not value.strip():
            raise _wrong("DP125", "the text is empty", "write something, or leave the key out")
        if len(value) > longest:
            raise _wrong("DP125", f"the text has {len(value)} characters", f"use at most {longest}")
        char = next((c for c in value if c not in "\n\t" and control_character(c)), None)
        if char is not None:
            raise _wrong("DP103", f"the text holds the control character U+{ord(char):04X}", "take it out")
        return value

    return BeforeValidator(check)


Cron = Annotated[str, BeforeValidator(_cron), WithJsonSchema({"type": "string", "minLength": 6})]
TimeZone = Annotated[str, BeforeValidator(_timezone), WithJsonSchema({"type": "string", "minLength": 1})]
Owner = Annotated[str, _text(100), Field(min_length=1, max_length=100)]
Tag = Annotated[str, _text(100), Field(min_length=1, max_length=100)]
Description = Annotated[str, _text(4000), Field(min_length=1, max_length=4000)]
Pool = Annotated[str, _text(250), Field(min_length=1, max_length=250)]
QueryVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
TriggerName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$")]
Scalar = Annotated[Any, WithJsonSchema({"anyOf": [{"type": kind} for kind in ("string", "number", "boolean")]})]


class _FileModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RetriesFile(_FileModel):
    """Repetitions of a whole job that has ended badly, or that was surely not started."""

    count: Annotated[int, Field(ge=1, le=MAX_REPETITIONS)]
    """How often the job is run again after the first time."""
    delay_seconds: Annotated[int, Field(ge=0, le=MAX_DELAY)] = 60
    """Pause before it is run again the first time."""
    max_delay_seconds: Annotated[int, Field(ge=0, le=MAX_DELAY)] = 3600
    """The longest pause."""
    multiplier: Annotated[int, Field(ge=1, le=10)] = 2
    """What each pause is the multiple of the one before."""


class CallRetryFile(_FileModel):
    """Repetitions of a single call on transient answers."""

    count: Annotated[int, Field(ge=0, le=MAX_REPETITIONS)] = 5
    """How often one call is repeated."""
    delay_seconds: Annotated[int, Field(ge=1, le=3600)] = 2
    """Pause before the first repetition."""
    max_delay_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """The longest pause."""
    multiplier: Annotated[int, Field(ge=1, le=10)] = 2
    """What each pause is the multiple of the one before."""


class ScheduleFile(_FileModel):
    """When runs begin."""

    cron: Cron
    """Five fields (minute, hour, day of the month, month, day of the week), or a preset such as @daily."""
    timezone: TimeZone = "UTC"
    """Time zone that the fields are read in, such as Europe/Berlin."""


class FileTriggerFile(_FileModel):
    """A file that arrives in the lake: an object is complete."""

    zone: Name
    """Zone of the stack's lake."""
    prefix: Annotated[str, _text(500), Field(min_length=1, max_length=500)] | None = None
    """What the object's name begins with; any where left out."""


class MessageTriggerFile(_FileModel):
    """A message of Pub/Sub."""

    topic: TopicPath | None = None
    """The topic, as projects/<project>/topics/<name>; the stack makes one where left out."""


class AuditTriggerFile(_FileModel):
    """A call that Cloud Audit Logs writes down, in the stack's region."""

    service: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}(\.[a-z0-9-]{1,62})*\.googleapis\.com$")]
    """Service that was called, such as bigquery.googleapis.com."""
    method: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,199}$")]
    """Method as the log has it, such as google.cloud.bigquery.v2.JobService.InsertJob."""


EventField = Annotated[str, Field(min_length=1, max_length=200)]


class TriggerFile(_FileModel):
    """What starts a run: one of `file`, `message` and `audit`, and which of its fields the run is given."""

    file: FileTriggerFile | None = None
    """A file that arrives in the lake."""
    message: MessageTriggerFile | None = None
    """A message of Pub/Sub."""
    audit: AuditTriggerFile | None = None
    """A call that the audit log has."""
    parameters: dict[str, EventField] = {}
    """Parameter of the pipeline -> field of the event that is its value."""
    query_variables: dict[QueryVariable, EventField] = {}
    """Query variable of the run, such as start_date -> field of the event that is its value."""


class ParameterFile(_FileModel):
    """A value that a run may be given."""

    type: ParameterType
    """What kind of value it is."""
    default: Scalar
    """The value where a run is given none; the stack's pipelines.parameters may replace it."""
    description: Description | None = None
    """What the value is for."""

    @field_validator("default", mode="before")
    @classmethod
    def _is_scalar(cls, value: object) -> object:
        if not isinstance(value, str | int | float | bool):
            raise _wrong("DP122", "expected text, a number, or true or false", "write a single value")
        return value


class OnFailureFile(_FileModel):
    """Who is told of a failed run."""

    function: FunctionName
    """Function that is called, once for each failed run; one of gcp.executors.functions."""


def parameter_problem(name: str, kind: ParameterType, default: object) -> tuple[bool, str, str] | None:
    """What is wrong with a parameter: whether it is its name, the message and the remedy."""
    if not _PARAMETER.fullmatch(name):
        return True, "a parameter's name is 1 to 64 letters, digits and '_', no digit first", "give it such a name"
    if name in RESERVED_PARAMETERS:
        return True, "every run has a value of that name already", "give the parameter another name"
    if not fits(kind, default):
        return False, f"the default is not of the type {kind}", f"write a value of the type {kind}"
    return None


def fits(kind: ParameterType, value: object) -> bool:
    """Whether a value is of a parameter's type."""
    if isinstance(value, bool):
        return kind == "boolean"
    wanted: dict[ParameterType, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float)}
    return kind != "boolean" and isinstance(value, wanted[kind])


def read_as(kind: ParameterType, text: str) -> str | int | float | bool | None:
    """A value of a parameter's type from text, as stack files have values; None where the text is none."""
    if kind == "string":
        return text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower())
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,15})", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,15}", text):
        return float(text)
    return None
