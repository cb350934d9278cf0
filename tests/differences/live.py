"""What `--live` costs while something is measured, and whether it changes what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmark.analysis.level_figures import CPU_USERS, LOW_USERS, level_figures
from benchmark.analysis.stats import block_interval, ratio_interval
from benchmark.contenders.answer_law import law_of
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.manifest import recorded_contenders
from benchmark.record.resources import HARNESS, cpu_ns_between
from benchmark.record.run import Run
from tests.differences.running import benchmark, benchmark_read_live, newest

MOST_CORES: Final = 0.01
_TOGETHER: Final = 1 - 0.05 / 3  # so that three intervals hold together in 95 %: Bonferroni
_CONTENDER: Final = "async"


@dataclass(frozen=True)
class Measured:
    """The figures of one run, means over its blocks."""

    harness_cores: float  # that the harness used in the measured windows
    mean_ms: float  # latency of one user
    rps: float
    cpu_ms: float  # of the services, per request; as the rate that of `CPU_USERS` users


def measured_once(folder: Path, seed: int, live: bool) -> Measured:
    """Measure a short run, with its live page and a reader of it or without."""
    words = ["bench", "--contenders", _CONTENDER, "--levels", f"{LOW_USERS},{CPU_USERS}", "--blocks", "2"]
    words += ["--seed", str(seed), "--free-ports"]
    if live:
        status, events = benchmark_read_live(words, folder)
        assert events, "the live page sent nothing"
    else:
        status = benchmark(words, folder).returncode
    return _figures(newest(folder / "results", status))


def is_free(off: Sequence[Measured], on: Sequence[Measured]) -> bool:
    """Print what the page changes; return whether it costs little and no difference is shown."""
    cost = block_interval([b.harness_cores - a.harness_cores for a, b in zip(off, on, strict=True)])
    print(f"the page costs {cost.value:+.2%} of a core ({_ends(cost.low, cost.high)})")
    shown = False
    for name in ("mean_ms", "rps", "cpu_ms"):
        ratio = ratio_interval([getattr(each, name) for each in on], [getattr(each, name) for each in off], _TOGETHER)
        low, high = (None if end is None else end - 1 for end in (ratio.low, ratio.high))
        shown |= low is not None and high is not None and not low <= 0 <= high
        print(f"{name}: {ratio.value - 1:+.1%} ({_ends(low, high)})")
    return cost.value <= MOST_CORES and not shown


def _ends(low: float | None, high: float | None) -> str:
    return "no interval from a single pair" if low is None or high is None else f"{low:+.2%} to {high:+.2%}"


def _figures(run: Run) -> Measured:
    (contender,) = (each for each in recorded_contenders(run.manifest) if each.name == _CONTENDER)
    cores: list[float] = []
    by_users: dict[int, list[tuple[float, float, float]]] = {LOW_USERS: [], CPU_USERS: []}
    for trial in (each for each in run.trials() if each.contender == _CONTENDER):
        resources = run.cell_resources(trial)
        own = resources[resources["role"] == HARNESS]
        cores += [cpu_ns_between(own, at.start_ns, at.end_ns) / (at.end_ns - at.start_ns) for at in trial.windows]
        for level in level_figures(trial, run.cell_samples(trial), resources, law_of(contender)):
            cpu_ms = sum(ms for role, ms in level.cpu_ms_per_request.items() if not role.startswith(GENERATOR_ROLE))
            by_users[level.users].append((level.mean_ms, level.rps, cpu_ms))
    alone, many = ([_mean(column) for column in zip(*by_users[n], strict=True)] for n in (LOW_USERS, CPU_USERS))
    return Measured(_mean(cores), alone[0], many[1], many[2])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
