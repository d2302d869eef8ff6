"""Versions of artifacts and ranges of them: `1.2.3-SNAPSHOT`, `system:cdap-data-pipeline[6.0.0,7.0.0)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.cdap.http import Json

_VERSION = re.compile(r"(\d+)(?:\.(\d+)(?:\.(\d+)(?:[.\-](.*))?|[.\-](.*))?|[.\-](.*))?")
_NAME = re.compile(r"[a-zA-Z0-9_.-]+")


class BadRangeError(ValueError):
    """Raised for a range that cannot be read; the text is CDAP's."""


@dataclass(frozen=True)
class Version:
    """A version, ordered as CDAP orders them: a SNAPSHOT comes before its release, any other suffix after it."""

    text: str
    numbers: tuple[int, int, int]
    suffix: str | None

    @property
    def key(self) -> tuple[tuple[int, int, int], int, str]:
        """What versions are compared by."""
        suffix = self.suffix or ""
        rank = 1 if not suffix else 0 if suffix.upper().startswith("SNAPSHOT") else 2
        return (self.numbers, rank, suffix)

    @property
    def snapshot(self) -> bool:
        """Whether it may be replaced."""
        return bool(self.suffix) and str(self.suffix).upper().startswith("SNAPSHOT")

    def shown(self) -> Json:
        """As the API shows it."""
        major, minor, fix = self.numbers
        shown: Json = {"version": self.text, "major": major, "minor": minor, "fix": fix}
        return shown | ({"suffix": self.suffix} if self.suffix else {})


def read(text: str) -> Version | None:
    """The version, or None where the text is none."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, fix, *suffixes = match.groups()
    suffix = next((s for s in suffixes if s), None)
    return Version(text, (int(major), int(minor or 0), int(fix or 0)), suffix)


@dataclass(frozen=True, kw_only=True)
class Range:
    """Versions of one artifact."""

    namespace: str
    name: str
    lower: Version
    upper: Version
    with_lower: bool
    with_upper: bool

    def holds(self, text: str) -> bool:
        """Whether a version is in it."""
        version = read(text)
        if version is None:
            return False
        low, high = self.lower.key, self.upper.key
        return (low < version.key or (self.with_lower and low == version.key)) and (
            version.key < high or (self.with_upper and high == version.key)
        )

    def shown(self) -> Json:
        """As the API shows it."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "lower": self.lower.shown(),
            "upper": self.upper.shown(),
            "isLowerInclusive": self.with_lower,
            "isUpperInclusive": self.with_upper,
        }

    @property
    def text(self) -> str:
        """As it is written."""
        left, right = "[" if self.with_lower else "(", "]" if self.with_upper else ")"
        return f"{self.namespace}:{self.name}{left}{self.lower.text},{self.upper.text}{right}"


def from_shown(shown: Json) -> Range:
    """The range of what `Range.shown` made."""
    lower, upper = read(shown["lower"]["version"]), read(shown["upper"]["version"])
    assert lower is not None
    assert upper is not None
    return Range(
        namespace=shown["namespace"],
        name=shown["name"],
        lower=lower,
        upper=upper,
        with_lower=shown["isLowerInclusive"],
        with_upper=shown["isUpperInclusive"],
    )


def read_range(text: str, namespace: str = "system") -> Range:
    """A range of the header Artifact-Extends, or (without a name before it) of an app's artifact version."""
    start = next((i for i, c in enumerate(text) if c in "[("), -1)
    if start < 0:
        raise BadRangeError(
            f"Invalid artifact range {text}. Could not find '[' or '(' indicating start of artifact lower version."
        )
    head = text[:start]
    if ":" in head:
        namespace, _, head = head.partition(":")
    if head and not _NAME.fullmatch(head):
        raise BadRangeError(
            f"Invalid artifact range {text}. Artifact name '{head}' is invalid. Should only contain alphanumeric"
            " characters and _ or - or ."
        )
    lower_text, comma, rest = text[start + 1 :].partition(",")
    if not comma:
        raise BadRangeError(f"Invalid artifact range {text}. Could not find ',' separating lower and upper verions.")
    end = next((i for i, c in enumerate(rest) if c in "])"), -1)
    if end < 0:
        raise BadRangeError(f"Invalid artifact range {text}. Could not find enclosing ']' or ')'.")
    lower, upper = read(lower_text.strip()), read(rest[:end].strip())
    if lower is None or upper is None:
        which = "lower" if lower is None else "upper"
        raise BadRangeError(f"Invalid artifact range {text}. The {which} version is invalid.")
    if lower.key > upper.key:
        raise BadRangeError(
            f"Invalid artifact range {text}. Lower version {lower.text} is greater than upper version {upper.text}."
        )
    return Range(
        namespace=namespace,
        name=head,
        lower=lower,
        upper=upper,
        with_lower=text[start] == "[",
        with_upper=rest[end] == "]",
    )
