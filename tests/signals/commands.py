"""The commands that get signals, each with settings so small that it takes seconds."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PYTHON: Final = sys.executable
BENCHMARK: Final = (PYTHON, "-m", "benchmark")
INTERRUPTED: Final = 130
_RESULTS: Final = ("--results", "{results}")
# Of a measurement that is this short: valid, or not, as on a machine that does something else as well.
_MEASURED: Final = (0, 3)
# `up` and `down` with a folder of their own, so that what the user has up is not touched.
_SERVICES: Final = """
import sys
from pathlib import Path
from benchmark import __main__ as program
try:
    from benchmark.stack import background
except KeyboardInterrupt:
    sys.exit(130)
background.RUN = Path(sys.argv.pop(1))
program.main()
"""
# `explain` has no option that makes it this short.
_EXPLAIN: Final = """
import sys
from benchmark import __main__ as program
try:
    from benchmark.experiments.gap import plan
    from benchmark.load.plan import Level
except KeyboardInterrupt:
    sys.exit(130)
short, none = plan.Phase(1, (Level(1, 0.2, 0.3),)), plan.Phase(0, ())
plan.quick_plan = lambda: plan.ExplainPlan(
    light=short, cell=short, clock=None, lag=None, whatif=none, map=none, burst_s=0.1, cpu_ms=()
)
program.main()
"""
_SHORT_BENCH: Final = ("--free-ports", "--contenders", "null", "--levels", "1", "--blocks", "1")
_SHORT_LOCUST: Final = ("--free-ports", "--contenders", "null", "--examples", "response-time")
_SHORT_PROFILE: Final = ("--scale", "0.01", "--requests", "2", "--seconds", "0.5", "--profiler", "pyinstrument")
_SHORT_TIMEIT: Final = ("--scale", "0.01", "--max-calls", "2", "--repeat", "1")
_FACTOR: Final = ("--factors", "fan_out", "--from", "sync", "--to", "sync-concurrent")
_SHORT_EXPLAIN: Final = ("--quick", "--blocks", "1", *_FACTOR)
_SHORT_FIRE: Final = ("--contenders", "async", "--faults", "sigterm", "--no-overload")
_NULL: Final = ("--contenders-file", "benchmark/contenders/null/contender.toml")
_SHORT_VERSUS: Final = (
    *_NULL,
    "--free-ports",
    "--scenario",
    "benchmark/scenarios/scenario.toml:scoring",
    "--quick",
    "--blocks",
    "2",
)
_ROW: Final = "async/contender.toml:async"
_SHORT_GATE: Final = ("--free-ports", "--pairs", "1", "--seconds", "0.2", "--allow", "mean_ms=5%")
_STORE: Final = (PYTHON, "-m", "feature_store")
# Nothing is installed, whatever the dates of the files say.
_MAKE: Final = ("make", "--old-file=.venv/installed-benchmark", f"BIN={sys.prefix}/bin")


def _services(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-c", _SERVICES, "{run}", *arguments)


@dataclass(frozen=True)
class Command:
    """A command, and what may be expected of it. {results}, {run}, {port} and {number} are filled in for each trial."""

    name: str
    argv: tuple[str, ...]
    ends: tuple[int, ...] = (0,)  # the exit status, if it comes to its end
    measures: bool = False  # it leaves a run in {results}
    before: tuple[tuple[str, ...], ...] = ()  # what must be done first, every time
    after: tuple[tuple[str, ...], ...] = ()  # what must work afterwards, every time
    recorded: tuple[tuple[str, ...], ...] = ()  # what {results} must hold, once
    beside: tuple[str, ...] = ()  # what must run meanwhile, from the beginning to the end of all trials
    starts_services: bool = False  # if it comes to its end, they stay, until `after`
    stops_services: bool = False  # unless it comes to its end, they may stay, until `after`
    through_make: bool = False  # which answers with a status of its own, and gets signals with all that it runs
    runs_s: float | None = None  # it runs until it is stopped: within how many seconds

    def fill_in(self, argv: Sequence[str], **values: str) -> list[str]:
        for name, value in values.items():
            argv = [argument.replace(f"{{{name}}}", value) for argument in argv]
        return list(argv)


_UP: Final = _services("up", "--free-ports", "--contenders", "async")
_DOWN: Final = _services("down")
_TWO_RUNS: Final = (
    (*BENCHMARK, "bench", "--contenders", "async-aiohttp", *_SHORT_BENCH[:1], *_SHORT_BENCH[3:], *_RESULTS),
) * 2
_SEED: Final = (*_STORE, "seed", "--url", "redis://127.0.0.1:{port}/0", "--entities", "20000", "--seed", "{number}")

COMMANDS: Final = [
    Command("bench", (*BENCHMARK, "bench", *_SHORT_BENCH, *_RESULTS), _MEASURED, measures=True),
    Command(
        "profile",
        (
            *BENCHMARK,
            "profile",
            "--free-ports",
            "--contenders",
            "sync",
            "--scale",
            "0.01",
            "--requests",
            "2",
            "--seconds",
            "0.5",
            "--profiler",
            "pyinstrument",
            *_RESULTS,
        ),
        _MEASURED,
        measures=True,
    ),
    Command(
        "timeit",
        (
            *BENCHMARK,
            "timeit",
            "--contenders",
            "sync",
            "--scale",
            "0.01",
            "--max-calls",
            "2",
            "--repeat",
            "1",
            *_RESULTS,
        ),
        _MEASURED,
        measures=True,
    ),
    Command("locust", (*BENCHMARK, "locust", *_SHORT_LOCUST, "--scale", "0.01", *_RESULTS), _MEASURED, measures=True),
    Command(
        "explain",
        (
            PYTHON,
            "-c",
            _EXPLAIN,
            "explain",
            "--quick",
            "--blocks",
            "1",
            "--factors",
            "fan_out",
            "--free-ports",
            "--from",
            "sync",
            "--to",
            "sync-concurrent",
            *_RESULTS,
        ),
        _MEASURED,
        measures=True,
    ),
    Command(
        "strategies",
        (*BENCHMARK, "strategies", "--quick", "--strategy", "background_task", "--free-ports", *_RESULTS),
        _MEASURED,
        measures=True,
    ),
    Command(
        "promise",
        (*BENCHMARK, "promise", "--shape", "50 for 1s", "--contenders", "async", "--free-ports", *_RESULTS),
        _MEASURED,
        measures=True,
    ),
    Command("selftest", (*BENCHMARK, "selftest", "--quick", "--free-ports", *_RESULTS), _MEASURED, measures=True),
    Command(
        "capacity",
        (*BENCHMARK, "capacity", "--quick", "--slo", "p50<1ms", "--contenders", "async", "--free-ports", *_RESULTS),
        _MEASURED,
        measures=True,
    ),
    Command(
        "plan",
        (*BENCHMARK, "plan", "doc/recorded", "--contenders", "async", "--verify", "--quick", "--free-ports", *_RESULTS),
        _MEASURED,
        measures=True,
    ),
    Command(
        "under-fire",
        (*BENCHMARK, "under-fire", "--quick", *_SHORT_FIRE, *_RESULTS),
        _MEASURED,
        measures=True,
    ),
    Command(
        "versus",
        (*BENCHMARK, "versus", "A=null", "B=null", *_SHORT_VERSUS, *_RESULTS),
        _MEASURED,
        measures=True,
    ),
    Command("scenario init", (*BENCHMARK, "scenario", "init", "curl http://127.0.0.1:9000/")),
    Command(
        "gate",
        (*BENCHMARK, "gate", "--base", _ROW, "--head", _ROW, *_SHORT_GATE, *_RESULTS),
        _MEASURED,
        measures=True,
    ),
    Command(
        "monitor",
        (*BENCHMARK, "monitor", "http://127.0.0.1:{port}", "--for", "3", "--out", "{results}/watched"),
        (0, 1),  # nobody answers there; Ctrl-C is its usual end
    ),
    Command("report", (*BENCHMARK, "report", *_RESULTS), recorded=_TWO_RUNS),
    Command("report of a run", (*BENCHMARK, "report", "{results}/latest"), recorded=_TWO_RUNS),
    Command("compare", (*BENCHMARK, "compare", "{results}/first", "{results}/latest"), _MEASURED, recorded=_TWO_RUNS),
    Command("export", (*BENCHMARK, "export", "{results}/latest", "--to", "csv"), recorded=_TWO_RUNS),
    Command("contenders", (*BENCHMARK, "contenders")),
    Command("up", _UP, after=(_DOWN,), starts_services=True),
    Command("down", _DOWN, before=(_UP,), after=(_DOWN,), stops_services=True),
    Command("seed", _SEED, beside=(*_STORE, "serve", "--no-seed", "--port", "{port}")),
    Command("serve", (*_STORE, "serve", "--port", "{port}"), (0,), runs_s=1.5),
    Command(
        "make bench",
        (*_MAKE, "bench", f"BENCH_ARGS={' '.join((*_SHORT_BENCH, *_RESULTS))}"),
        (0, 2),
        measures=True,
        through_make=True,
    ),
    Command(
        "make experiments",
        (
            *_MAKE,
            "experiment3",
            f"EXPERIMENT_ARGS={' '.join((*_SHORT_LOCUST[:-4], *_SHORT_LOCUST[-2:], *_RESULTS))}",
            "SCALE=0.01",
        ),
        (0, 2),
        measures=True,
        through_make=True,
    ),
    Command(
        "make up",
        (*_MAKE, "up", "UP_ARGS=--free-ports --contenders async"),
        after=((*_MAKE, "down"),),
        starts_services=True,
        through_make=True,
    ),
]
