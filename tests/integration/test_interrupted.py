"""A command that is interrupted ends with 130, whatever it does at that moment, and never in a traceback."""

import os
import signal
import subprocess
import sys

import pytest

from benchmark.contenders.discovery import ROOT

pytestmark = pytest.mark.integration

INTERRUPTED = 130
# In the middle of `report`, which measures nothing, and there within an `exec`, as most dataclasses begin with one.
REPORTING = """
import os, signal, sys, time
from benchmark.experiments import index

number = int(sys.argv.pop())

def interrupted(_):
    exec("os.kill(os.getpid(), number); time.sleep(30)", globals())

index.write_joined_report = interrupted
import runpy
runpy.run_module("benchmark", run_name="__main__", alter_sys=False)
"""
# In a callback of Python's own, where whatever is raised is ignored.
IN_A_CALLBACK = """
import os, runpy, sys, time, weakref
from benchmark.experiments import index

number = int(sys.argv.pop())

class Thing:
    pass

def interrupted(_):
    thing = Thing()
    seen = weakref.ref(thing, lambda _: (os.kill(os.getpid(), number), time.sleep(0.01)))
    del thing
    time.sleep(10)
    return "not interrupted"

index.write_joined_report = interrupted
runpy.run_module("benchmark", run_name="__main__", alter_sys=False)
"""
# While the program itself is imported, which is most of the time that a short command takes.
STARTING = """
import builtins, runpy, sys
real = builtins.__import__

def imported(name, *rest, **named):
    if name == "typer":
        raise KeyboardInterrupt
    return real(name, *rest, **named)

builtins.__import__ = imported
runpy.run_module(sys.argv.pop(), run_name="__main__")
"""


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", program, *arguments]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_measures_nothing_is_interrupted_as_those_that_do(number: signal.Signals) -> None:
    ended = run(REPORTING, "report", str(int(number)))
    assert (ended.returncode, ended.stdout, ended.stderr) == (INTERRUPTED, "interrupted\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_where_errors_are_ignored_is_not_lost(number: signal.Signals) -> None:
    ended = run(IN_A_CALLBACK, "report", str(int(number)))
    assert (ended.returncode, ended.stdout, ended.stderr) == (INTERRUPTED, "interrupted\n", "")


@pytest.mark.parametrize("module", ["benchmark", "feature_store"])
def test_a_command_that_is_interrupted_before_it_has_begun_ends_without_a_traceback(module: str) -> None:
    ended = run(STARTING, module)
    assert (ended.returncode, ended.stdout, ended.stderr) == (INTERRUPTED, "", "")
