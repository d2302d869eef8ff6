"""The limits of Cloud Workflows, as data.

Source: the tables of https://cloud.google.com/workflows/quotas (step limits, parallel steps, resource limits), the
discovery documents `workflows.v1` and `workflowexecutions.v1` (labels, description, environment variables, argument)
and https://cloud.google.com/workflows/docs/reference/stdlib/http/get (HTTP timeout).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

KIB = 1024

SOURCE_BYTES = 128 * KIB
EXPRESSION_CHARACTERS = 400
ASSIGNMENTS_PER_STEP = 50
CONDITIONS_PER_SWITCH = 50
BRANCHES_PER_STEP = 10
PARALLEL_DEPTH = 2
CONCURRENT_BRANCHES = 20
UNHANDLED_EXCEPTIONS = 100
CALL_DEPTH = 20
STEPS_PER_EXECUTION = 100_000
STRING_BYTES = 256 * KIB
VARIABLES_BYTES = 512 * KIB
ARGUMENT_BYTES = 32 * KIB
HTTP_RESPONSE_BYTES = 2048 * KIB
HTTP_TIMEOUT_SECONDS = 1800
HTTP_DEFAULT_TIMEOUT_SECONDS = 300.0
SLEEP_SECONDS = 31_536_000
CONNECTOR_TIMEOUT_SECONDS = 31_536_000
LABELS = 64
LABEL_CHARACTERS = 63
DESCRIPTION_CHARACTERS = 1000
ENVIRONMENT_VARIABLES = 20
ENVIRONMENT_VARIABLE_BYTES = 4 * KIB
WORKFLOW_ID_CHARACTERS = 64
WORKFLOWS_PER_PROJECT = 10_000

_QUOTAS = "https://cloud.google.com/workflows/quotas"
_API = "discovery document workflows.v1"
_HTTP = "https://cloud.google.com/workflows/docs/reference/stdlib/http/request"
_CONNECTORS = "https://cloud.google.com/workflows/docs/reference/googleapis"


@dataclass(frozen=True)
class Limit:
    """One limit: the words used for it, the figure, whether it is enforced at deploy or at run, and its source."""

    words: str
    value: int | float
    enforced: Literal["deploy", "run"]
    source: str


LIMITS = (
    Limit("source code size (bytes)", SOURCE_BYTES, "deploy", _QUOTAS),
    Limit("expression length (characters)", EXPRESSION_CHARACTERS, "deploy", _QUOTAS),
    Limit("assignments per step", ASSIGNMENTS_PER_STEP, "deploy", _QUOTAS),
    Limit("conditions per switch", CONDITIONS_PER_SWITCH, "deploy", _QUOTAS),
    Limit("branches per parallel step", BRANCHES_PER_STEP, "deploy", _QUOTAS),
    Limit("nesting of parallel steps", PARALLEL_DEPTH, "run", _QUOTAS),
    Limit("concurrent branches and iterations", CONCURRENT_BRANCHES, "run", _QUOTAS),
    Limit("unhandled exceptions of parallel steps", UNHANDLED_EXCEPTIONS, "run", _QUOTAS),
    Limit("call stack depth", CALL_DEPTH, "run", _QUOTAS),
    Limit("steps per execution", STEPS_PER_EXECUTION, "run", _QUOTAS),
    Limit("string length (bytes)", STRING_BYTES, "run", _QUOTAS),
    Limit("memory for variables (bytes)", VARIABLES_BYTES, "run", _QUOTAS),
    Limit("argument size (bytes)", ARGUMENT_BYTES, "run", _QUOTAS),
    Limit("HTTP response size (bytes)", HTTP_RESPONSE_BYTES, "run", _QUOTAS),
    Limit("HTTP timeout (seconds)", HTTP_TIMEOUT_SECONDS, "run", _HTTP),
    Limit("connector timeout (seconds)", CONNECTOR_TIMEOUT_SECONDS, "run", _CONNECTORS),
    Limit("sleep (seconds)", SLEEP_SECONDS, "run", _QUOTAS),
    Limit("workflows per project", WORKFLOWS_PER_PROJECT, "deploy", _QUOTAS),
    Limit("workflow id (characters)", WORKFLOW_ID_CHARACTERS, "deploy", _API),
    Limit("labels", LABELS, "deploy", _API),
    Limit("label key or value (characters)", LABEL_CHARACTERS, "deploy", _API),
    Limit("description (characters)", DESCRIPTION_CHARACTERS, "deploy", _API),
    Limit("environment variables", ENVIRONMENT_VARIABLES, "deploy", _API),
    Limit("environment variable (bytes)", ENVIRONMENT_VARIABLE_BYTES, "deploy", _API),
)
"""Every limit that is enforced."""

FIGURES = MappingProxyType({limit.words: limit.value for limit in LIMITS})
"""The figures by the words used for them in messages and documentation."""
