"""What the page of a locust run reads: its summary as typed values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import ContenderSummary, Summary, parse_summary
from benchmark.experiments.breaking_point.observations import LocustRun, read_locust_runs
from benchmark.experiments.breaking_point.summarise import BreakingPointEntry, OpenLoopEntry

_REASONS: Final = TypeAdapter(tuple[Reason, ...])
_POINT: Final = TypeAdapter(BreakingPointEntry | None)
_OPEN_LOOP: Final = TypeAdapter(OpenLoopEntry | None)


@dataclass(frozen=True)
class Entry:
    """One contender's figures; None for what was not measured."""

    runs: tuple[LocustRun, ...]
    breaking_point: BreakingPointEntry | None
    open_loop: OpenLoopEntry | None
    faults: tuple[Reason, ...] = ()  # why all of it is INVALID; what is wrong with a part stands with the part

    def against(self, reasons: Iterable[Reason]) -> tuple[Reason, ...]:
        """Return why a part with these reasons of its own is INVALID; nothing if it is VALID."""
        return (*self.faults, *reasons)

    def last(self, example: str) -> LocustRun | None:
        """Return the run of an example; of several tries, the last."""
        return next((found for found in reversed(self.runs) if found.example == example), None)


@dataclass(frozen=True)
class LocustData:
    """A run: `common` is what its summary shares with those of other commands."""

    common: Summary
    scale: float
    entries: Mapping[str, Entry]  # by contender

    @property
    def contenders(self) -> Mapping[str, ContenderSummary]:
        return self.common.contenders

    @property
    def breaking_points(self) -> dict[str, BreakingPointEntry]:
        """Where the contenders broke, of those for which that was looked for."""
        return {name: each.breaking_point for name, each in self.entries.items() if each.breaking_point}


def parse(summary: Mapping[str, Any]) -> LocustData:
    """Return a summary as typed values. Raises pydantic.ValidationError naming what does not fit."""
    common = parse_summary(summary)
    return LocustData(
        common=common,
        scale=summary["scale"],
        entries={name: _entry(entry, common.faults) for name, entry in summary["contenders"].items()},
    )


def _entry(entry: Mapping[str, Any], run_faults: Sequence[Reason]) -> Entry:
    # A record without faults does not say what its reasons are about: they strike all of it.
    return Entry(
        faults=(*run_faults, *_REASONS.validate_python(entry.get("faults", entry["reasons"]))),
        runs=read_locust_runs(entry["examples"]),
        breaking_point=_POINT.validate_python(entry["breaking_point"]),
        open_loop=_OPEN_LOOP.validate_python(entry["open_loop"]),
    )
