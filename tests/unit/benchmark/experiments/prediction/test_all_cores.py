"""Processes that simulate end when they are no longer needed, and when nobody is left who needs them."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.experiments.prediction.all_cores import all_cores

PROGRAM = """
import time
from benchmark.experiments.prediction.all_cores import all_cores
with all_cores("benchmark.experiments.prediction.all_cores") as apply:
    print(*apply(abs, [-1]), flush=True)
    list(apply(time.sleep, [{seconds}] * 8))
"""


def test_items_come_back_in_order() -> None:
    with all_cores(__name__, at_a_time=2) as apply:
        assert list(apply(abs, range(-5, 0))) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("seconds", [0, 30])  # they wait for work, or are at it
def test_none_is_left_when_the_one_that_needs_them_is_killed(seconds: int) -> None:
    wait = "" if seconds else "\n    time.sleep(60)"
    argv = [sys.executable, "-c", PROGRAM.format(seconds=seconds) + wait]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        assert program.stdout.readline() == "1\n"
        started = psutil.Process(program.pid).children(recursive=True)
        assert len(started) >= 3  # those that simulate, and Python's own two
        os.kill(program.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(started, timeout=30)
    for each in left:
        each.kill()
    assert not left
