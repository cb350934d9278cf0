"""One contender's figures, each as its values by block: what two runs are compared by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmark.analysis.stats import percentile
from benchmark.analysis.validity import run_reasons
from benchmark.analysis.windows import LevelFigures, level_figures
from benchmark.contenders.law import law_of
from benchmark.errors import RecordError
from benchmark.experiments.timeit import fit
from benchmark.experiments.timeit.repeats import read_repeats
from benchmark.experiments.timeit.summarise import complete_repeats, repeat_sums
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import Run

LOW_USERS = 1
PEAK_RATE = "peak rate"
PERCENTS = (50, 95, 99)


@dataclass(frozen=True)
class Figure:
    """A quantity of one contender: one value per block of fresh processes."""

    name: str  # the same in both runs
    unit: str
    lower_is_better: bool
    values: tuple[float, ...]
    valid: bool = True
    plan: str = ""  # what both runs must have planned alike for the figure to mean the same
    absent: str = "not measured"  # what it means if the other run has no such figure

    @property
    def key(self) -> str:
        return f"{self.name} {self.plan}"


def figures_of(run: Run, label: str, tails_at: int | None = None) -> dict[str, Figure]:
    """Return a contender's figures by key, in reading order. Raises RecordError if the run cannot be compared.

    `tails_at` is the number of users at which there are percentiles besides those at low load: that of the
    other run's peak, so that both runs have them at the same load; its own peak's by default.
    """
    command = run.manifest["command"]
    if command not in _READERS:
        raise RecordError(f"{run.path.name} is a run of `{command}`, expected one of {', '.join(_READERS)}")
    try:
        at = peak_users(run, label) if tails_at is None else tails_at
        return {figure.key: figure for figure in _READERS[command](run, label, at)}
    except (KeyError, ValueError, OSError) as error:
        raise RecordError(f"{run.path.name} cannot be read: {error!r}") from error


def peak_users(run: Run, label: str) -> int | None:
    """Return at how many users a contender had its peak, None without one."""
    peak = run.summary["contenders"][label].get("peak")
    return int(peak["users"]) if peak else None


def _of_bench(run: Run, label: str, tails_at: int | None) -> list[Figure]:
    entry = run.summary["contenders"][label]
    by_level = _by_level(run, label)
    counts = _stands(run, entry)
    valid = {level["users"]: counts and level["valid"] for level in entry["levels"]}
    found = []
    if LOW_USERS in valid:
        low = by_level.get(LOW_USERS, [])
        found += [_mean("low-load mean latency", low, valid[LOW_USERS])]
        found += _tails("low-load p{} latency", low, valid[LOW_USERS])
    if entry["peak"]:
        stands = valid.get(entry["peak"]["users"], False) and not _higher_but_invalid(entry)
        found += _of_peak(by_level.get(entry["peak"]["users"], []), stands, planned_users(run.manifest))
    for users, stands in valid.items():
        if users != LOW_USERS:  # there, in a closed loop, the rate is but the latency turned upside down
            blocks = by_level.get(users, [])
            rates = tuple(block.rps for block in blocks)
            found.append(Figure(f"rate at {users} users", "requests/s", False, rates, stands))
            found.append(_mean(f"mean latency at {users} users", blocks, stands))
            if users == tails_at:
                found += _tails(f"p{{}} latency at {users} users", blocks, stands)
    return found


def _of_peak(blocks: Sequence[LevelFigures], stands: bool, tried: str) -> list[Figure]:
    """Return what is said of the peak: how high a rate climbs depends on the levels that were tried."""
    rates, cpu_ms = tuple(block.rps for block in blocks), tuple(map(_cpu_ms, blocks))
    absent = "none for the same numbers of users"
    return [
        Figure(PEAK_RATE, "requests/s", False, rates, stands, tried, absent),
        Figure("CPU per request", "ms", True, cpu_ms, stands, tried, absent),
    ]


def _higher_but_invalid(entry: Mapping[str, Any]) -> bool:
    """Whether an INVALID level reached a higher rate than the peak, which then is that of the rest only."""
    return any(not level["valid"] and level["rps"] > entry["peak"]["rps"] for level in entry["levels"])


def pair_of(a: Run, label_a: str, b: Run, label_b: str) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """Return the figures of a contender of A and of one of B, percentiles at A's peak. Raises RecordError.

    A rate that may rise beyond the levels of either run is the highest that was seen, and no peak.
    """
    ours, theirs = figures_of(a, label_a), figures_of(b, label_b, peak_users(a, label_a))
    if _is_peak(a, label_a) and _is_peak(b, label_b):
        return ours, theirs
    return _without_peak(ours), _without_peak(theirs)


def _is_peak(run: Run, label: str) -> bool:
    """Whether a run held levels on either side of a contender's peak; records that do not say so are believed."""
    return bool((run.summary["contenders"][label].get("peak") or {}).get("bracketed", True))


def _without_peak(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    renamed = (replace(each, name="highest rate") if each.name == PEAK_RATE else each for each in figures.values())
    return {figure.key: figure for figure in renamed}


def planned_users(manifest: Mapping[str, Any]) -> str:
    """Return the numbers of users that a run was to try, empty for a command that has none."""
    plan = manifest["plan"]
    return ", ".join(str(level["users"]) for part in ("levels", "climb") for level in plan.get(part, []))


def _of_timeit(run: Run, label: str, _: int | None) -> list[Figure]:
    timings = read_repeats(run.path)
    sums = repeat_sums(timings[timings["contender"] == label])
    whole = [repeat for repeat in complete_repeats(run.cells(), label) if repeat in sums]
    slopes = tuple(float(fit.slopes_ms(sums[repeat])) for repeat in whole)
    return [Figure("time per call", "ms", True, slopes, _stands(run, run.summary["contenders"][label]))]


_READERS = {"bench": _of_bench, "timeit": _of_timeit}


def _by_level(run: Run, label: str) -> dict[int, list[LevelFigures]]:
    """Return the blocks with a checked answer, by number of users."""
    contender = next(each for each in recorded_contenders(run.manifest) if each.label == label)
    by_level: dict[int, list[LevelFigures]] = {}
    for cell in run.cells():
        if cell.contender != label:
            continue
        for block in level_figures(cell, run.cell_samples(cell), run.cell_resources(cell), law_of(contender)):
            if block.n:
                by_level.setdefault(block.users, []).append(block)
    return dict(sorted(by_level.items()))


def _stands(run: Run, entry: Mapping[str, Any]) -> bool:
    """Whether a contender's figures are VALID, but for what is said about single levels."""
    about_levels = tuple(f"{level['users']} users" for level in entry.get("levels", []) if not level["valid"])
    faults = [reason for reason in entry["reasons"] if not (about_levels and reason.startswith(about_levels))]
    return not faults and not run_reasons(run.manifest["busy_before_start"])


def _mean(name: str, blocks: Sequence[LevelFigures], valid: bool) -> Figure:
    return Figure(name, "ms", True, tuple(block.mean_ms for block in blocks), valid)


def _tails(name: str, blocks: Sequence[LevelFigures], valid: bool) -> list[Figure]:
    """Return the percentiles for which the samples of every block suffice, p50 first."""
    found = []
    for percent in PERCENTS:
        each_ms = [percentile(block.latencies_ms, percent) for block in blocks]
        values = tuple(ms for ms in each_ms if ms is not None)
        if values and len(values) == len(blocks):
            found.append(Figure(name.format(percent), "ms", True, values, valid, absent="too few samples, or no level"))
    return found


def _cpu_ms(block: LevelFigures) -> float:
    return sum(ms for role, ms in block.cpu_ms_per_request.items() if role != GENERATOR_ROLE)
