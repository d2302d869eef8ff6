"""The datasets that a query of BigQuery names, for the permissions it asks for.

Names after the words a table follows, outside of comments and strings. What stands there as a part of another table
(`FROM t, t.items`) has that table's name or alias first.
"""

from __future__ import annotations

import re

_NOISE = re.compile(
    r"""--[^\n]*|\#[^\n]*|/\*.*?\*/|[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""",
    re.DOTALL,
)
_TAIL = r"\s*\.\s*(?:`[^`]+`|[A-Za-z_*][\w*]*)"
_NAME = rf"(?:`[^`]+`(?:{_TAIL})*|[A-Za-z_][\w-]*(?:{_TAIL})+)"
_WRITES = re.compile(
    rf"\b(?:INSERT(?:\s+INTO)?|MERGE(?:\s+INTO)?|UPDATE|DELETE(?:\s+FROM)?|TRUNCATE\s+TABLE|(?:CREATE|DROP|ALTER)\s+"
    rf"(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+)?(?:TABLE|VIEW|MODEL)(?:\s+IF(?:\s+NOT)?\s+EXISTS)?)\s+({_NAME})",
    re.IGNORECASE,
)
_READS = re.compile(
    rf"\b(?<!DISTINCT\s)(?:FROM|JOIN|USING|CALL)\s+({_NAME}(?:\s+(?:AS\s+)?\w+)?(?:\s*,\s*{_NAME}(?:\s+(?:AS\s+)?\w+)?)*)",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(rf"[(,]\s*(?:TABLE|MODEL)\s+({_NAME})", re.IGNORECASE)
_PART = re.compile(r"\b(?:EXTRACT|TRIM)\s*\([^()]*?\bFROM\b", re.IGNORECASE)
_ALIAS = re.compile(rf"{_NAME}\s+(?:AS\s+)?([A-Za-z_]\w*)", re.IGNORECASE)


def datasets_of(query: str, project: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The datasets that are read and those that are written, each with its project."""
    text = _PART.sub(" ", _NOISE.sub(" '' ", query))
    aliases = {name.lower() for name in _ALIAS.findall(text)}
    written = {found for name in _WRITES.findall(text) if (found := _dataset(name, project, aliases))}
    rest = _WRITES.sub(" ", text)
    names = [name for listed in _READS.findall(rest) for name in re.findall(_NAME, listed)]
    names += _ARGUMENT.findall(rest)
    read = {found for name in names if (found := _dataset(name, project, aliases))}
    return read - written, written


def _dataset(name: str, project: str, aliases: set[str]) -> tuple[str, str] | None:
    parts = [
        part
        for piece in re.split(r"\s*\.\s*(?=(?:[^`]*`[^`]*`)*[^`]*$)", name)
        for part in piece.strip("` ").split(".")
    ]
    upper = [part.upper() for part in parts]
    if "INFORMATION_SCHEMA" in upper:
        parts = [*parts[: upper.index("INFORMATION_SCHEMA")], "INFORMATION_SCHEMA"]
        if len(parts) > 1 and parts[-2].lower().startswith("region-"):
            return None
    if len(parts) == 2 and parts[0].lower() not in aliases | {"ml", "ai"}:
        return project, parts[0]
    return (parts[0], parts[1]) if len(parts) == 3 else None
