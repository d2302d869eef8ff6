"""File names: reversible, and different on file systems that fold case."""

from __future__ import annotations

import random

import pytest

from dataplatform.datafusion.names import decode, encode, file_names

NAMES = [
    "orders",
    "two words",
    "a/b",
    "..",
    ".hidden",
    "trailing.",
    "trailing ",
    "a~b",
    "a%41",
    "ümläut",
    "u\u0308",  # the same letter in its other spelling
    "日本語",
    "con",
    "NUL.txt",
    "x@y",
    "tab\t",
    'q"<>|?*:\\',
    "🙂",
    "\ud800",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back(name: str) -> None:
    text = encode(name)
    assert decode(text) == name
    assert not set(text) & set('/\\:*?"<>|\t')
    assert text not in (".", "..")
    assert not text.startswith(".")
    assert text.encode()


def test_any_names_come_back_and_never_meet() -> None:
    r = random.Random(11)
    letters = "aAbB/%~@. é\u0301日\x00\x7f"
    names = {"".join(r.choice(letters) for _ in range(r.randint(1, 6))) for _ in range(3000)}
    found = file_names((name,) for name in names)
    assert len({text.casefold() for text in found.values()}) == len(names)
    assert all(decode(text) == name for (name,), text in found.items())


def test_case_alone_is_told_apart_and_the_lower_case_name_stays_plain() -> None:
    found = file_names([("orders",), ("Orders",), ("ORDERS",)])
    assert found[("orders",)] == "orders"
    assert len({text.casefold() for text in found.values()}) == 3
    assert file_names([("Orders",)]) == {("Orders",): "Orders"}


def test_a_name_that_is_too_long_for_a_file_keeps_its_beginning_and_a_mark() -> None:
    a, b = "x" * 400 + "a", "x" * 400 + "b"
    assert len(encode(a)) < 200
    assert encode(a) != encode(b)
