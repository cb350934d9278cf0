"""The load generator as a process of its own, for tests."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

from benchmark.contenders.discovery import ROOT
from benchmark.load.plan import LoadPlan
from benchmark.record.run import Window
from benchmark.stack.watchdog import Guard

RUNNER = "benchmark.load.runner"


@contextlib.contextmanager
def generator(plan: LoadPlan, guard: Guard, module: str = RUNNER) -> Iterator["subprocess.Popen[str]"]:
    """Start a generator and let it begin."""
    plan_file = plan.samples.parent / "plan.json"
    plan_file.write_text(json.dumps(plan.to_json()))
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(plan_file)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    guard.watch(process.pid)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        guard.release(process.pid)


def generate(plan: LoadPlan, guard: Guard, module: str = RUNNER) -> list[Window]:
    """Carry a plan out and return the windows that the generator has reported."""
    with generator(plan, guard, module) as process:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    events = [json.loads(line) for line in output.splitlines()]
    assert events[0] == {"event": "ready"}
    return [Window(e["users"], e["start_ns"], e["end_ns"]) for e in events if e["event"] == "window"]
