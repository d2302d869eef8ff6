"""Problems of a definition, collected with their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from localcloud.workflows.source import Node

FILE = "main.workflows.yaml"
"""The name under which the service shows a definition, whatever the file was called."""


@dataclass(frozen=True, order=True)
class Problem:
    """One reason for which a definition is not deployed."""

    line: int
    column: int
    message: str
    workflow: str = ""
    step: str = ""

    def text(self) -> str:
        """The line the service would answer with."""
        places = [f"in workflow '{self.workflow}'"] if self.workflow else []
        places += [f"step '{self.step}'"] if self.step else []
        where = ", ".join(places) + ": " if places else ""
        return f"{FILE}:{self.line}:{self.column}: parse error: {where}{self.message}"


@dataclass
class Report:
    """The problems found so far; `workflow` and `step` say where the reader is."""

    workflow: str = ""
    step: str = ""
    problems: list[Problem] = field(default_factory=list)

    def add(self, message: str, line: int, column: int) -> None:
        """Record a problem."""
        problem = Problem(line, column, message, self.workflow, self.step)
        if problem not in self.problems:
            self.problems.append(problem)

    def at(self, node: Node, message: str) -> None:
        """Record a problem at a node's place."""
        self.add(message, node.line, node.column)

    def texts(self) -> list[str]:
        """All problems as text, by line."""
        return [p.text() for p in sorted(self.problems)]
