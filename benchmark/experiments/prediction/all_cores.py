"""Applies functions on all cores, for simulations while nothing is being measured."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Protocol, TypeVar

from benchmark.record.allowance import whole_cores

Given = TypeVar("Given")
Found = TypeVar("Found")


class Map(Protocol):
    """Applies a function to each item; in several processes, or in this one."""

    def __call__(self, function: Callable[[Given], Found], items: Iterable[Given], /) -> Iterable[Found]: ...


@contextmanager
def all_cores(module: str, at_a_time: int = 1) -> Iterator[Map]:
    """Yield what applies functions in as many processes as there are cores; each of them gets items at a time."""
    # A new interpreter for each process would spend a second on importing the module.
    context = get_context("forkserver")
    context.set_forkserver_preload([module])
    with ProcessPoolExecutor(whole_cores(), mp_context=context, initializer=_end_with_parent) as pool:

        def apply(function: Callable[[Given], Found], items: Iterable[Given]) -> Iterable[Found]:
            return pool.map(function, items, chunksize=at_a_time)

        yield apply


def _end_with_parent() -> None:
    """End this process when the one that gave it work is killed: it would wait for more of it for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
