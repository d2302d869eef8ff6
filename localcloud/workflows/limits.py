"""The limits of Cloud Workflows, as data.

Source: the tables of https://cloud.google.com/workflows/quotas (step limits, parallel steps, resource limits), the
discovery documents `workflows.v1` and `workflowexecutions.v1` (labels, description, environment variables, argument)
and https://cloud.google.com/workflows/docs/reference/stdlib/http/get (HTTP timeout).
"""

from __future__ import annotations

from types import MappingProxyType

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
LABELS = 64
LABEL_CHARACTERS = 63
DESCRIPTION_CHARACTERS = 1000
ENVIRONMENT_VARIABLES = 20
ENVIRONMENT_VARIABLE_BYTES = 4 * KIB
WORKFLOW_ID_CHARACTERS = 64
WORKFLOWS_PER_PROJECT = 10_000

FIGURES = MappingProxyType(
    {
        "source code size (bytes)": SOURCE_BYTES,
        "expression length (characters)": EXPRESSION_CHARACTERS,
        "assignments per step": ASSIGNMENTS_PER_STEP,
        "conditions per switch": CONDITIONS_PER_SWITCH,
        "branches per parallel step": BRANCHES_PER_STEP,
        "nesting of parallel steps": PARALLEL_DEPTH,
        "concurrent branches and iterations": CONCURRENT_BRANCHES,
        "unhandled exceptions of parallel steps": UNHANDLED_EXCEPTIONS,
        "call stack depth": CALL_DEPTH,
        "steps per execution": STEPS_PER_EXECUTION,
        "string length (bytes)": STRING_BYTES,
        "memory for variables (bytes)": VARIABLES_BYTES,
        "argument size (bytes)": ARGUMENT_BYTES,
        "HTTP response size (bytes)": HTTP_RESPONSE_BYTES,
    }
)
"""Every limit that is enforced, by the words used for it in messages and documentation."""
