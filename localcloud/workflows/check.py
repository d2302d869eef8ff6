"""The deploy-time check: what the service refuses when a workflow is created or updated.

Messages have the service's form, `main.workflows.yaml:LINE:COLUMN: parse error: in workflow 'main', step 'x': …`.
The service stops at the first error; here all are reported, in the order of the lines.
"""

from __future__ import annotations

from localcloud.workflows.builder import build
from localcloud.workflows.jumps import check_jumps
from localcloud.workflows.names import check_names
from localcloud.workflows.program import Program
from localcloud.workflows.report import Problem, Report
from localcloud.workflows.source import SourceError, load


class DeployError(Exception):
    """Raised for a definition that the service would not deploy; `problems` are the reasons as text."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def compile_source(text: str) -> Program:
    """The program of a source. Raises DeployError with every problem found."""
    report = Report()
    try:
        root = load(text)
    except SourceError as error:
        raise DeployError([Problem(error.line, error.column, error.message).text()]) from None
    program = build(root, report)
    for routine in program.routines.values():
        check_jumps(routine, report)
    check_names(program, report)
    if report.problems:
        raise DeployError(report.texts())
    return program


def check_source(text: str) -> list[str]:
    """Every reason for which the service would refuse the source; empty where it would deploy it."""
    try:
        compile_source(text)
    except DeployError as error:
        return error.problems
    return []
