"""Calls at the same time, with a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def gather(function: Callable[[T], R], items: Iterable[T], limit: int) -> list[R]:
    """The function of every item, in the items' order, at most `limit` at a time. The first failure ends it."""
    todo = list(items)
    if len(todo) < 2 or limit < 2:
        return [function(item) for item in todo]
    with ThreadPoolExecutor(max_workers=min(limit, len(todo))) as pool:
        futures = [pool.submit(function, item) for item in todo]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        if any(future.exception() is not None for future in done):
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in futures if not future.cancelled()]
