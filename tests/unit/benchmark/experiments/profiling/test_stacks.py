"""What the CPU sampler wrote, read back and counted."""

import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from dis import opmap
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import cast

import pytest

from benchmark.experiments.profiling.libraries import Frame
from benchmark.experiments.profiling.recorders import CpuSampler
from benchmark.experiments.profiling.stacks import Growth, LibraryShare, count_shares, fold, read_stacks

SITE = "/v/lib/python3.11/site-packages"
HEADER = b"Stack (most recent call first):\n"
ONE = (
    HEADER
    + f'  File "{SITE}/httpx/a.py", line 1 in inner\n  File "/p/async_api/model_client.py", line 22 in f\n'.encode()
)
TWO = HEADER + b'  File "/p/contract/schema.py", line ??? in <lambda>\n'
CUT = HEADER + f'  File "{SITE}/redis/client.py", line 3 in get\n  ...\n'.encode()
MIXED = HEADER + b'  File "/p/a.py", li  File "ne 3 in a\n'


def test_stacks_are_read_innermost_first() -> None:
    (stack,) = read_stacks(ONE, 0, len(ONE))
    assert stack == (Frame(f"{SITE}/httpx/a.py", "inner"), Frame("/p/async_api/model_client.py", "f"))


def test_only_stacks_that_begin_between_the_offsets_are_read() -> None:
    written = ONE + TWO + CUT
    assert len(list(read_stacks(written, 0, len(written)))) == 3
    assert [s[0].function for s in read_stacks(written, 1, len(ONE) + 1)] == ["<lambda>"]
    assert list(read_stacks(written, len(ONE), len(ONE))) == []


def test_a_stack_that_is_cut_off_at_the_depth_limit_counts() -> None:
    (stack,) = read_stacks(CUT, 0, len(CUT))
    assert stack == (Frame(f"{SITE}/redis/client.py", "get"),)


def test_a_stack_that_two_threads_wrote_over_each_other_counts_for_nobody() -> None:
    stacks = list(read_stacks(MIXED + TWO, 0, 10_000))
    assert stacks[0] == ()
    assert count_shares(stacks) == [LibraryShare("own code", "elsewhere", 1)]


def test_shares_count_library_and_stage_the_most_first() -> None:
    written = TWO + ONE + ONE
    assert count_shares(read_stacks(written, 0, len(written))) == [
        LibraryShare("httpx", "models", 2),
        LibraryShare("own code", "elsewhere", 1),
    ]


def test_folded_stacks_are_outermost_first_with_their_count() -> None:
    written = ONE + ONE
    assert fold(read_stacks(written, 0, len(written))) == "async_api/model_client.py:f;httpx/a.py:inner 2\n"


def test_growth_tells_what_was_written_between_two_moments(tmp_path: Path) -> None:
    growth = Growth(tmp_path)
    (tmp_path / "a.stacks").write_bytes(ONE + TWO + CUT)
    growth._seen = [
        (0, {}),
        (100, {"a.stacks": len(ONE)}),
        (200, {"a.stacks": len(ONE + TWO)}),
        (300, {"a.stacks": len(ONE + TWO + CUT)}),
    ]
    assert [stack[0].function for stack in growth.stacks_between(110, 190)] == ["<lambda>"]
    assert len(list(growth.stacks_between(0, 300))) == 3


@pytest.fixture
def handled(tmp_path: Path) -> Iterator[Path]:
    """Have SIGPROF write the running thread's stack to a file, as the sampler does."""
    path = tmp_path / "one.stacks"
    with path.open("wb", buffering=0) as file:
        faulthandler.register(signal.SIGPROF, file, all_threads=False)
        yield path
        faulthandler.unregister(signal.SIGPROF)


def test_the_interpreter_writes_stacks_in_the_form_that_is_read(handled: Path) -> None:
    os.kill(os.getpid(), signal.SIGPROF)
    written = handled.read_bytes()
    (stack,) = read_stacks(written, 0, len(written))
    assert stack[0] == Frame(__file__, "test_the_interpreter_writes_stacks_in_the_form_that_is_read")


def test_the_handler_on_an_event_loop_writes_the_same_form(tmp_path: Path) -> None:
    sampler = CpuSampler(tmp_path, "scoring")
    with (tmp_path / "one.stacks").open("wb", buffering=0) as file:
        sampler._file = file
        sampler._write_stack(0, sys._getframe())
    written = (tmp_path / "one.stacks").read_bytes()
    (stack,) = read_stacks(written, 0, len(written))
    assert stack[0] == Frame(__file__, "test_the_handler_on_an_event_loop_writes_the_same_form")
    assert len(stack) > 3


def test_a_signal_that_came_before_a_function_began_counts_for_its_caller(tmp_path: Path) -> None:
    caller = SimpleNamespace(f_code=sys._getframe().f_code, f_lasti=0, f_lineno=1, f_back=None)
    code = (lambda: None).__code__
    begun = SimpleNamespace(f_code=code, f_lasti=code.co_code.index(opmap["RESUME"]), f_lineno=1, f_back=caller)
    sampler = CpuSampler(tmp_path, "scoring")
    with (tmp_path / "one.stacks").open("wb", buffering=0) as file:
        sampler._file = file
        sampler._write_stack(0, cast(FrameType, begun))
    written = (tmp_path / "one.stacks").read_bytes()
    (stack,) = read_stacks(written, 0, len(written))
    assert [frame.function for frame in stack] == [caller.f_code.co_name]
