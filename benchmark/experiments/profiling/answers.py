"""The answers of a run: what a request costs in CPU, where contenders differ, and how much of its time it waits.

What is INVALID supports no answer. The CPU of two contenders differs if it does so by more than may be left without
a library; a share differs from another if the stacks counted differ by more than chance.
"""

from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any, Final

from benchmark.experiments.profiling.libraries import kind_of
from benchmark.experiments.profiling.standing import Entries, Entry, entries_of, run_faults, stands
from benchmark.experiments.profiling.summarise import MAX_NOT_ATTRIBUTED, WAITING_MODELS
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)


def answers(summary: Mapping[str, Any]) -> list[Answer]:
    """Return what the run answers, in reading order."""
    entries = entries_of(summary)
    said = [*_cpu(with_cpu(entries)), *_waiting(with_wall(entries))]
    if not said:
        measured = any(each["cpu_ms_counted"] or each["wall_split_ms"] for each in entries.values())
        said = [_SAY.nobody_valid() if measured else _SAY.nobody_measured()]
    state = [
        (_SAY.interrupted, not summary["complete"]),
        (_SAY.condemned, bool(run_faults(summary))),
        (_SAY.shortened, summary.get("scale", 1) < 1),
    ]
    return [Answer(text) for text in [*said, *(say() for say, applies in state if applies)]]


def with_cpu(entries: Entries) -> Entries:
    """Return the contenders whose CPU by library is VALID."""
    return {name: e for name, e in entries.items() if e["cpu_ms_counted"] and stands(e, "cpu_reasons")}


def with_wall(entries: Entries) -> Entries:
    """Return the contenders whose split of the wall clock is VALID."""
    return {name: e for name, e in entries.items() if e["wall_split_ms"] and stands(e, "wall_reasons")}


def waiting_share(entry: Entry) -> float:
    """Return how much of its time a request waits for the models."""
    return float(entry["wall_split_ms"][WAITING_MODELS] / sum(entry["wall_split_ms"].values()))


def largest(by_name: Mapping[str, float], ms_per_stack: float) -> list[str]:
    """Return the largest, and those within two standard errors of it, of the number of stacks."""
    first, *rest = sorted(by_name, key=lambda name: -by_name[name])
    within = [n for n in rest if by_name[first] - by_name[n] < 2 * _error_ms(by_name[first] + by_name[n], ms_per_stack)]
    return [first, *within]


def ms_per_stack(entry: Entry) -> float:
    """Return for how many ms per request one sampled stack stands."""
    return float(sum(entry["cpu_by_library"].values()) / entry["cpu_samples"])


def _error_ms(ms: float, ms_per_stack: float) -> float:
    """Return the standard error of so many ms per request: that of the number of stacks (Poisson)."""
    return sqrt(ms * ms_per_stack)


def _cpu(valid: Entries) -> list[str]:
    """Say what a request costs, and where the costliest and the cheapest contender differ."""
    if not valid:
        return []
    ranked = sorted(valid, key=lambda name: valid[name]["cpu_ms_counted"])
    low, high = ranked[0], ranked[-1]
    ms = {name: float(valid[name]["cpu_ms_counted"]) for name in (low, high)}
    if low == high:
        shares = valid[low]["cpu_by_library"]
        libraries = largest(shares, ms_per_stack(valid[low]))
        return [_SAY.one(name=low, ms=ms[low], libraries=libraries, share=shares[libraries[0]] / ms[low])]
    given = {"low": low, "low_ms": ms[low], "high": high, "high_ms": ms[high]}
    if ms[high] - ms[low] < MAX_NOT_ATTRIBUTED * ms[high]:
        return [_SAY.alike(**given)]
    return [_SAY.differ(**given), *_where_they_differ(valid, low, high, ms[high] - ms[low])]


def _where_they_differ(valid: Entries, low: str, high: str, difference_ms: float) -> list[str]:
    """Say which kind of library makes the largest part of a difference; nothing where it may be chance."""
    by_kind = {name: valid[name]["cpu_by_kind"] for name in (low, high)}
    gaps = {kind: ms - by_kind[low].get(kind, 0.0) for kind, ms in by_kind[high].items()}
    kind = max(gaps, key=lambda each: gaps[each])
    found = {name: float(by_kind[name].get(kind, 0.0)) for name in (low, high)}
    if gaps[kind] < 2 * sqrt(sum(_error_ms(ms, ms_per_stack(valid[n])) ** 2 for n, ms in found.items())):
        return []
    libraries = {
        name: max((lib for lib in by_lib if kind_of(lib) == kind), key=lambda lib: by_lib[lib], default="")
        for name in (low, high)
        for by_lib in [valid[name]["cpu_by_library"]]
    }
    given = {"low": low, "low_ms": found[low], "low_library": libraries[low], "most": gaps[kind] > difference_ms / 2}
    return [_SAY.where_they_differ(kind=kind, high=high, high_ms=found[high], high_library=libraries[high], **given)]


def _waiting(valid: Entries) -> list[str]:
    shares = [waiting_share(entry) for entry in valid.values()]
    return [_SAY.waiting(share=min(shares), count=len(shares))] if shares else []
