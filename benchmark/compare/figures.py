"""One contender's figures, each as its values by block: what two runs are compared by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.errors import RecordError
from benchmark.experiment2_timeit import fit
from benchmark.experiment2_timeit.repeats import read_repeats
from benchmark.experiment2_timeit.summary import complete_repeats, repeat_sums
from benchmark.law import law_of
from benchmark.levels import GENERATOR_ROLE, LevelFigures, level_figures
from benchmark.manifest import recorded_contenders
from benchmark.record import Run
from benchmark.validity import run_reasons

LOW_USERS = 1


@dataclass(frozen=True)
class Figure:
    """A quantity of one contender: one value per block of fresh processes."""

    name: str  # the same in both runs
    unit: str
    lower_is_better: bool
    values: tuple[float, ...]
    valid: bool = True
    plan: str = ""  # what both runs must have planned alike for the figure to mean the same

    @property
    def key(self) -> str:
        return f"{self.name} {self.plan}"


def figures_of(run: Run, label: str) -> dict[str, Figure]:
    """Return a contender's figures by key, in reading order. Raises RecordError if the run cannot be compared."""
    command = run.manifest["command"]
    if command not in _READERS:
        raise RecordError(f"{run.path.name} is a run of `{command}`, expected one of {', '.join(_READERS)}")
    try:
        return {figure.key: figure for figure in _READERS[command](run, label)}
    except (KeyError, ValueError, OSError) as error:
        raise RecordError(f"{run.path.name} cannot be read: {error!r}") from error


def _of_bench(run: Run, label: str) -> list[Figure]:
    entry = run.summary["contenders"][label]
    by_level = _by_level(run, label)
    counts = _stands(run, entry)
    valid = {level["users"]: counts and level["valid"] for level in entry["levels"]}
    found = []
    if LOW_USERS in by_level:
        found.append(_latency("low-load mean latency", by_level[LOW_USERS], valid.get(LOW_USERS, False)))
    if entry["peak"]:
        users = entry["peak"]["users"]
        blocks, stands = by_level.get(users, []), valid.get(users, False)
        # How high a rate climbs depends on the levels that were tried.
        tried = planned_users(run.manifest)
        rates = tuple(block.rps for block in blocks)
        found.append(Figure("peak rate", "requests/s", False, rates, stands, tried))
        found.append(Figure("CPU per request", "ms", True, tuple(map(_cpu_ms, blocks)), stands, tried))
    for users, blocks in by_level.items():
        if users != LOW_USERS:  # there, in a closed loop, the rate is but the latency turned upside down
            rates = tuple(block.rps for block in blocks)
            found.append(Figure(f"rate at {users} users", "requests/s", False, rates, valid.get(users, False)))
            found.append(_latency(f"mean latency at {users} users", blocks, valid.get(users, False)))
    return found


def planned_users(manifest: Mapping[str, Any]) -> str:
    """Return the numbers of users that a run was to try, empty for a command that has none."""
    plan = manifest["plan"]
    return ", ".join(str(level["users"]) for part in ("levels", "climb") for level in plan.get(part, []))


def _of_timeit(run: Run, label: str) -> list[Figure]:
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


def _latency(name: str, blocks: list[LevelFigures], valid: bool) -> Figure:
    return Figure(name, "ms", True, tuple(block.mean_ms for block in blocks), valid)


def _cpu_ms(block: LevelFigures) -> float:
    return sum(ms for role, ms in block.cpu_ms_per_request.items() if role != GENERATOR_ROLE)
