"""The figures of a `bench` run by which two runs are compared."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.analysis.comparable import PEAK_RATE, Comparable, contender_stands, planned_users
from benchmark.analysis.level_figures import LOW_USERS, LevelFigures, level_figures
from benchmark.analysis.stats import percentile
from benchmark.contenders.answer_law import law_of
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import Run

PERCENTS = (50, 95, 99)


def comparable(run: Run, label: str, tails_at: int | None) -> list[Comparable]:
    entry = run.summary["contenders"][label]
    by_level = _by_level(run, label)
    counts = contender_stands(run, entry)
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
            found.append(Comparable(f"rate at {users} users", "requests/s", False, rates, stands))
            found.append(_mean(f"mean latency at {users} users", blocks, stands))
            if users == tails_at:
                found += _tails(f"p{{}} latency at {users} users", blocks, stands)
    return found


def _of_peak(blocks: Sequence[LevelFigures], stands: bool, tried: str) -> list[Comparable]:
    """Return what is said of the peak: how high a rate climbs depends on the levels that were tried."""
    rates, cpu_ms = tuple(block.rps for block in blocks), tuple(map(_cpu_ms, blocks))
    absent = "none for the same numbers of users"
    return [
        Comparable(PEAK_RATE, "requests/s", False, rates, stands, tried, absent),
        Comparable("CPU per request", "ms", True, cpu_ms, stands, tried, absent),
    ]


def _higher_but_invalid(entry: Mapping[str, Any]) -> bool:
    """Whether an INVALID level reached a higher rate than the peak, which then is that of the rest only."""
    return any(not level["valid"] and level["rps"] > entry["peak"]["rps"] for level in entry["levels"])


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


def _mean(name: str, blocks: Sequence[LevelFigures], valid: bool) -> Comparable:
    return Comparable(name, "ms", True, tuple(block.mean_ms for block in blocks), valid)


def _tails(name: str, blocks: Sequence[LevelFigures], valid: bool) -> list[Comparable]:
    """Return the percentiles for which the samples of every block suffice, p50 first."""
    found = []
    for percent in PERCENTS:
        each_ms = [percentile(block.latencies_ms, percent) for block in blocks]
        values = tuple(ms for ms in each_ms if ms is not None)
        if values and len(values) == len(blocks):
            found.append(
                Comparable(name.format(percent), "ms", True, values, valid, absent="too few samples, or no level")
            )
    return found


def _cpu_ms(block: LevelFigures) -> float:
    return sum(ms for role, ms in block.cpu_ms_per_request.items() if role != GENERATOR_ROLE)
