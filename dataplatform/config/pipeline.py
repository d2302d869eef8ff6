"""Pipeline definitions: AEF's LEVEL / THREAD / STEP format, and what a checked definition is.

The `…File` models are the format as people write it, with AEF's own key names as aliases; an editor's schema comes from
them. The frozen dataclasses are what the rest of the program works with. Every key of the format is either given a
meaning here or refused in `dataplatform.config.definitions`; none is read and then ignored.

Deliberately absent: READ_INPUT_FROM. It is declared so that it can be refused with its reason: a job hands back its id
and its state, so there is no output that another step could read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from dataplatform.config.datafusion_definition import FusionRuns
from dataplatform.config.options import (
    CallRetryFile,
    Description,
    OnFailureFile,
    Options,
    Owner,
    ParameterFile,
    Pool,
    Repeat,
    RetriesFile,
    ScheduleFile,
    Tag,
    TriggerFile,
    TriggerName,
)
from dataplatform.config.text import control_character
from dataplatform.diagnostics import Position

Engine = Literal["airflow", "workflows"]
"""The engines a definition can be compiled for."""

ENGINES: Mapping[str, Engine] = {"cloud_workflows": "workflows", "composer": "airflow"}
"""AEF's name of an engine → ours."""

DEFAULT_WAIT_SECONDS = 30
"""Pause before each status call where WAIT_TIME_SECONDS is left out."""

DEFAULT_TIMEOUT_SECONDS = 3600
"""A step's timeout where neither TIMEOUT_SECONDS nor ASYNC_TIMEOUT_LOOP_IN_MINUTES is given."""

DEFAULT_SYNC_TIMEOUT_SECONDS = 540
"""The same for TYPE sync: the longest that a first-generation Cloud Function may run."""

MAX_SYNC_SECONDS = 1800
"""The longest that Cloud Workflows waits for the answer to a call."""

MAX_SECONDS = 365 * 86400
"""No step may last longer than Cloud Workflows lets an execution last: a year."""

MAX_JOB_NAME = 200
MAX_ID = 64

WHOLE = re.compile(r"0|[1-9][0-9]{0,9}")
"""A whole number in a string, as AEF writes numbers."""


def _whole_number(value: object) -> int:
    """A whole number as AEF writes it (a string) or as JSON has it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and WHOLE.fullmatch(value):
        return int(value)
    raise PydanticCustomError(
        "dp_form", "expected a whole number", {"code": "DP122", "remedy": 'write it in digits, such as 30 or "30"'}
    )


def _identifier(value: object) -> str:
    """An id as AEF writes it (a string), or a number that stands for its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return _plain_text(value, MAX_ID)
    raise PydanticCustomError(
        "dp_form", "expected an identifier", {"code": "DP122", "remedy": 'write it as text, such as "1" or "J01"'}
    )


def _job_name(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError(
            "dp_form",
            "expected a name",
            {"code": "DP122", "remedy": 'write it as text in quotes, such as "load_orders"'},
        )
    return _plain_text(value, MAX_JOB_NAME)


def _plain_text(value: str, longest: int) -> str:
    if not value.strip():
        raise PydanticCustomError("dp_form", "the text is empty", {"code": "DP125", "remedy": "give it a name"})
    if len(value) > longest:
        raise PydanticCustomError(
            "dp_form",
            "the text has {length} characters",
            {"code": "DP125", "remedy": f"use at most {longest}", "length": len(value)},
        )
    char = control_character(value)
    if char is not None:
        raise PydanticCustomError(
            "dp_form",
            "the text holds the control character U+{hex}",
            {"code": "DP103", "remedy": "take it out", "hex": f"{ord(char):04X}"},
        )
    return value


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise PydanticCustomError(
        "dp_form", "expected True or False", {"code": "DP122", "remedy": 'write "True" or "False"'}
    )


def _refused(reason: str) -> BeforeValidator:
    """For a key of the format that can have no meaning: only an empty value is let through."""

    def check(value: object) -> None:
        if value not in ("", None):
            raise PydanticCustomError(
                "dp_form", "this key is not supported", {"code": "DP312", "remedy": reason, "key": True}
            )

    return BeforeValidator(check)


_EMPTY_SCHEMA: dict[str, Any] = {"enum": ["", None]}
_WHOLE_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^(0|[1-9][0-9]{0,9})$"}]}

LevelId = Annotated[int, BeforeValidator(_whole_number), Field(ge=0, le=999999), WithJsonSchema(_WHOLE_SCHEMA)]
Seconds = Annotated[int, BeforeValidator(_whole_number), Field(ge=1, le=MAX_SECONDS), WithJsonSchema(_WHOLE_SCHEMA)]
Minutes = Annotated[
    int, BeforeValidator(_whole_number), Field(ge=1, le=MAX_SECONDS // 60), WithJsonSchema(_WHOLE_SCHEMA)
]
Identifier = Annotated[
    str,
    BeforeValidator(_identifier),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": MAX_ID}]}),
]
JobName = Annotated[
    str,
    BeforeValidator(_job_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_JOB_NAME, "pattern": "\\S"}),
]
Flag = Annotated[
    bool,
    BeforeValidator(_flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["True", "False", "true", "false"]}]}),
]


Properties = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string", "minLength": 2}]})]
Next = Annotated[
    str | None,
    BeforeValidator(lambda value: None if value in ("", None) else _identifier(value)),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "null"}, {"type": "string", "maxLength": MAX_ID}]}),
]
ReadInputFrom = Annotated[
    None,
    _refused(
        "leave it out: a job hands back its id and its state and no output; "
        "hand values over in STEP_PROPERTIES or in the job parameter file"
    ),
    WithJsonSchema(_EMPTY_SCHEMA),
]
WorkflowsName = Annotated[
    str | None,
    BeforeValidator(lambda value: None if value in ("", None) else _job_name(value)),
    WithJsonSchema({"anyOf": [{"type": "null"}, {"type": "string", "maxLength": MAX_JOB_NAME}]}),
]
StepType = Literal["async", "sync", "workflows"]
ChosenRunner = Literal["http", "operators"]
"""What a person may choose for a step's job; see `dataplatform.config.executors`."""


class _FileModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StepFile(_FileModel):
    """A step as it is written."""

    job_id: Identifier = Field(alias="JOB_ID", description="Unique in the pipeline.")
    job_name: JobName = Field(alias="JOB_NAME", description="Name of the step and of its job parameter file.")
    type: StepType = Field(
        "async",
        alias="TYPE",
        description="async: the executor starts the job and is then asked how it is. sync: one call does the work. "
        "workflows: another pipeline is run.",
    )
    function_id_name: str | None = Field(None, alias="FUNCTION_ID_NAME", description="Executor that starts the job.")
    function_status_name: str | None = Field(
        None,
        alias="FUNCTION_STATUS_NAME",
        description="Executor that reports on the job; the starting one if left out.",
    )
    composer_step: str | None = Field(
        None, alias="COMPOSER_STEP", description="Executor of the job, in definitions written for Composer."
    )
    wait_time_seconds: Seconds = Field(
        DEFAULT_WAIT_SECONDS, alias="WAIT_TIME_SECONDS", description="Pause before each status call."
    )
    timeout_seconds: Seconds | None = Field(
        None,
        alias="TIMEOUT_SECONDS",
        description="The step fails after so many seconds; 3600 where no timeout is given.",
    )
    async_timeout_loop_in_minutes: Minutes | None = Field(
        None, alias="ASYNC_TIMEOUT_LOOP_IN_MINUTES", description="The step fails after so many minutes."
    )
    continue_if_fail: Flag = Field(
        False, alias="CONTINUE_IF_FAIL", description="Whether the thread goes on when this step has failed."
    )
    step_properties: Properties = Field(
        None, alias="STEP_PROPERTIES", description="What the executor gets: a JSON object, or its text in a string."
    )
    last_step: Flag = Field(False, alias="LAST_STEP", description="May stand on the last step only.")
    next: Next = Field(None, alias="NEXT")
    read_input_from: ReadInputFrom = Field(None, alias="READ_INPUT_FROM")
    function_name: str | None = Field(
        None, alias="FUNCTION_NAME", description="Executor that does the work of a step of TYPE sync."
    )
    workflows_name: WorkflowsName = Field(
        None, alias="workflows_name", description="Pipeline that a step of TYPE workflows runs."
    )
    retries: RetriesFile | None = Field(
        None, alias="RETRIES", description="Run the job again when it has ended badly; not at all where left out."
    )
    call_retry: CallRetryFile | None = Field(
        None, alias="CALL_RETRY", description="How often a single call is repeated on transient answers."
    )
    pool: Pool | None = Field(
        None, alias="POOL", description="Airflow pool that the step takes a slot of; Composer definitions only."
    )
    run: ChosenRunner | None = Field(
        None,
        alias="RUN",
        description="How Airflow runs the job: over HTTP by the executor's function, or with an operator of Airflow's "
        "providers. The definition's run where left out.",
    )


class ThreadFile(_FileModel):
    """A thread as it is written: its steps run one after the other."""

    thread_id: Identifier = Field(alias="THREAD_ID", description="Unique in its level.")
    steps: list[StepFile] = Field(alias="STEPS", json_schema_extra={"minItems": 1})


class LevelFile(_FileModel):
    """A level as it is written: its threads run at the same time."""

    level_id: LevelId = Field(alias="LEVEL_ID", description="Consecutive numbers, in the order of the levels.")
    threads: list[ThreadFile] = Field(alias="THREADS", json_schema_extra={"minItems": 1})


class DefinitionFile(_FileModel):
    """A definition file."""

    engine: Literal["cloud_workflows", "composer"] = Field(description="The engine the definition was written for.")
    definition: list[LevelFile] = Field(
        description="The levels. One starts when all threads of the one before ended.",
        json_schema_extra={"minItems": 1},
    )
    description: Description | None = Field(None, description="What the pipeline is for.")
    owner: Owner | None = Field(None, description="Person or team to ask about the pipeline.")
    tags: list[Tag] = Field([], description="Words to find the pipeline by.")
    schedule: ScheduleFile | None = Field(None, description="When runs begin; on request only where left out.")
    parameters: dict[str, ParameterFile] = Field(
        {}, description="Values a run may be given, by name; $parameter:name stands for one in STEP_PROPERTIES."
    )
    on_failure: OnFailureFile | None = Field(None, description="Who is told of a failed run.")
    triggers: dict[TriggerName, TriggerFile] = Field(
        {}, description="Files and messages that start a run on Cloud Workflows, by name."
    )
    run: ChosenRunner | None = Field(
        None,
        description="How Airflow runs the jobs of the steps that do not say it themselves; the stack's "
        "gcp.executors.run where left out.",
    )


@dataclass(frozen=True, kw_only=True)
class JobFile:
    """A job parameter file that was read."""

    file: str
    values: Mapping[str, Any]
    """Its keys and JSON data."""
    positions: Mapping[str, Position] = field(default_factory=dict, compare=False, repr=False)
    """Key → where its value stands."""
    broken: bool = False
    """Whether the file is not to be read; its own diagnostics say why."""


@dataclass(frozen=True, kw_only=True)
class StepDef:
    """A step that was checked."""

    job_id: str
    job_name: str
    type: StepType = "async"
    executor: str
    """Function that starts the job; of TYPE workflows the pipeline that is run."""
    status_executor: str
    """Function that reports on it."""
    wait_time_seconds: int = DEFAULT_WAIT_SECONDS
    timeout_seconds: int | None = None
    """As written; None where the key is left out."""
    async_timeout_loop_in_minutes: int | None = None
    """As written; None where the key is left out."""
    continue_if_fail: bool = False
    step_properties: dict[str, Any] = field(default_factory=dict)
    """JSON data; empty where the key is left out."""
    retries: Repeat | None = None
    call_retry: Repeat | None = None
    pool: str | None = None
    run: ChosenRunner | None = None
    job_file: JobFile | None = None
    """Its job parameter file, where there is one that can be read."""
    position: Position = field(default=Position(""), compare=False)
    """Where the step's object begins."""
    positions: Mapping[str, Position] = field(default_factory=dict, compare=False, repr=False)
    """AEF key → where its value stands, for the keys the file has."""

    @property
    def timeout(self) -> int:
        """Seconds after which the step has failed. The two keys agree where both are given."""
        if self.timeout_seconds is not None:
            return self.timeout_seconds
        if self.async_timeout_loop_in_minutes is not None:
            return self.async_timeout_loop_in_minutes * 60
        return DEFAULT_SYNC_TIMEOUT_SECONDS if self.type == "sync" else DEFAULT_TIMEOUT_SECONDS

    def position_of(self, key: str) -> Position:
        """Where the value of an AEF key stands, or the step where the file does not have the key."""
        return self.positions.get(key, self.position)


@dataclass(frozen=True, kw_only=True)
class ThreadDef:
    """Steps that run one after the other."""

    thread_id: str
    steps: tuple[StepDef, ...]
    position: Position = field(default=Position(""), compare=False)


@dataclass(frozen=True, kw_only=True)
class LevelDef:
    """Threads that run at the same time. The next level starts when all of them have ended."""

    level_id: str
    threads: tuple[ThreadDef, ...]
    position: Position = field(default=Position(""), compare=False)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One pipeline definition that was checked and is right."""

    name: str
    """The file's name without its ending; workflow id and DAG id derive from it."""
    engines: tuple[Engine, ...]
    """The engines the file names."""
    levels: tuple[LevelDef, ...]
    file: str
    """The file as a person would type it: relative to the project's root where it lies below it."""
    sha256: str
    """Of the file's bytes, in hex."""
    options: Options = field(default_factory=Options)
    run: ChosenRunner | None = None
    """How Airflow runs the jobs of steps that do not say it themselves."""
    fusion: FusionRuns | None = None
    """Of `kind: datafusion`: what it says; there are no levels then."""
    positions: Mapping[str, Position] = field(default_factory=dict, compare=False, repr=False)
    """Top-level key → where its value stands, for the keys the file has; of `kind: datafusion` dotted paths too."""

    def steps(self) -> tuple[StepDef, ...]:
        """All steps in the order of the file."""
        return tuple(step for level in self.levels for thread in level.threads for step in thread.steps)
