"""What the harness does with what the load generator says."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from benchmark.cell import _follow
from benchmark.record import Cell, Window


def saying(done: list[str], *events: dict[str, Any]) -> Iterator[bytes]:
    """Say one event after the other, as a generator does, and write down when."""
    for event in events:
        done.append(f"says {event['event']}")
        yield json.dumps(event).encode()


def test_cpu_is_sampled_when_a_window_has_ended_and_at_no_other_word() -> None:
    done: list[str] = []
    cell = Cell(block=0, contender="a", seed=1)
    words = saying(
        done,
        {"event": "tick", "users": 2},
        {"event": "window", "users": 2, "start_ns": 10, "end_ns": 20},
        {"event": "tick", "users": 4},
        {"event": "window", "users": 4, "start_ns": 30, "end_ns": 40},
    )
    generator = SimpleNamespace(stdout=words, wait=lambda: None)
    stack = SimpleNamespace(check_alive=lambda: None)
    _follow(cast(Any, generator), cast(Any, stack), cell, done.append, lambda: done.append("sample"))
    assert cell.windows == [Window(2, 10, 20), Window(4, 30, 40)]
    assert done == [
        *("says tick", "2 users"),
        *("says window", "sample", "2 users"),
        *("says tick", "4 users"),
        *("says window", "sample", "4 users"),
    ]
