"""What a recorded run says of a contender: its latency alone, and the CPU and memory that a request takes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from benchmark.analysis.schema import LOAD_GENERATOR, ContenderSummary, LevelSummary, Summary, parse_summary
from benchmark.contenders.discovery import ROOT, Contender, discover
from benchmark.errors import PlanRefused, RecordError
from benchmark.experiments.sizing.schema import UNKNOWN
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY

RECORDED: Final = ROOT / "doc" / "recorded" / SUMMARY
_OF_EXPLAIN: Final = "contenders.json"  # the contenders of a run of `explain`, as `bench` summarises them
_COMMANDS: Final = ("bench", "explain")
_NEEDED: Final = "expected a run of `bench` or `explain`, such as results/latest after `make bench`"


@dataclass(frozen=True)
class Costs:
    """What a request cost at one number of users: CPU in ms by role."""

    users: int
    rps: float
    cpu_ms: Mapping[str, float]


@dataclass(frozen=True)
class Learnt:
    """What a run says of one contender."""

    contender: Contender  # with the settings that it ran with
    title: str
    floor_ms: float  # of its models alone, on average
    lone_ms: float  # mean latency of a single user
    levels: tuple[Costs, ...]  # by users, up to the highest rate
    rss_mb: Mapping[str, float]

    @property
    def name(self) -> str:
        return self.contender.label

    @property
    def at_peak(self) -> Costs:
        return self.levels[-1]

    def scoring_ms_at(self, rate_rps: float) -> float:
        """Return the CPU of the scoring handler for a request, at a rate: a line between the levels."""
        points = sorted((level.rps, level.cpu_ms["scoring"]) for level in self.levels)
        rates, costs = zip(*points, strict=True)
        return float(np.interp(rate_rps, rates, costs))


@dataclass(frozen=True)
class Source:
    """A recorded run: what it says of each contender, or why it says nothing of it."""

    path: Path
    started_utc: str
    cores: int
    machine: str  # its processor
    learnt: tuple[Learnt, ...]
    refused: Mapping[str, str]  # by contender, why nothing can be planned


def find_source(results: Path) -> Path:
    """Return the newest complete run that a plan can start from, or else the recorded one."""
    runs = sorted((path for path in results.glob("*Z-*") if path.name.endswith(_COMMANDS)), reverse=True)
    return next((path for path in runs if _is_complete(path)), RECORDED)


def _is_complete(path: Path) -> bool:
    try:
        return bool(json.loads(_summary_file(path).read_text())["complete"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_source(path: Path, names: Sequence[str]) -> Source:
    """Return what a run says of the named contenders, or of all that are none of the harness. Raises PlanRefused."""
    file = _summary_file(path)
    summary = _summary(path, file)
    unknown = [name for name in names if name not in summary.contenders]
    if unknown:
        raise PlanRefused(f"{path} has no contender {unknown[0]!r}, expected one of {', '.join(summary.contenders)}")
    rows = _rows(file.parent)
    found: list[Learnt] = []
    refused: dict[str, str] = {}
    for name in names or summary.rivals:
        entry = summary.contenders[name]
        if why := _why_not(name, entry, rows):
            refused[name] = why
        else:
            found.append(_learnt(rows[name], entry))
    if not found:
        said = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise PlanRefused(f"nothing can be planned from {path} ({said}): {_NEEDED}")
    machine = summary.environment.get("machine") or {}
    return Source(
        path=path,
        started_utc=summary.started_utc,
        cores=int(machine.get("cores") or 1),
        machine=str(machine.get("cpu_model") or UNKNOWN),
        learnt=tuple(found),
        refused=refused,
    )


def _summary_file(path: Path) -> Path:
    if path.is_file():
        return path
    of_explain = path / _OF_EXPLAIN
    return of_explain if of_explain.exists() else path / SUMMARY


def _summary(path: Path, file: Path) -> Summary:
    try:
        document = json.loads(file.read_text())
    except OSError as error:
        raise PlanRefused(f"{path} cannot be read as a run ({error.strerror}): {_NEEDED}") from error
    except ValueError as error:
        raise PlanRefused(f"{file} is not readable as JSON: {_NEEDED}") from error
    command = document.get("command") if isinstance(document, dict) else None
    if command not in _COMMANDS:
        raise PlanRefused(f"{path} is a run of `{command}`, which says nothing of CPU by users: {_NEEDED}")
    try:
        return parse_summary(document)
    except (ValidationError, RecordError) as error:
        raise PlanRefused(f"{file} does not say what each contender's request costs: {_NEEDED}") from error


def _rows(folder: Path) -> dict[str, Contender]:
    """Return the contenders by label: as they were recorded, or where nothing else is kept, as they are today.

    A run of `explain` has no row whose label is the contender's name, and many that vary it; the first is as it stands.
    """
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return {name: each.model_copy(update={"label": name}) for name, each in discover().items()}
    document: dict[str, Any] = json.loads(manifest.read_text())
    rows = {each.label: each for each in recorded_contenders(document)}
    as_they_stand = {each.name: each.model_copy(update={"label": each.name}) for each in reversed(rows.values())}
    return {**as_they_stand, **rows}


def _why_not(name: str, entry: ContenderSummary, rows: Mapping[str, Contender]) -> str:
    if name not in rows:
        return "its settings are not known any more"
    if entry.harness_floor:
        return "it measures the load generator"
    if not entry.low_load or not _standing(entry):
        return "it has no VALID level"
    if not any(_own_cpu(level) for level in _standing(entry)):
        return "it has no CPU figures, as its processes were not observed"
    if not entry.rss_mb.get("scoring"):
        return "it has no memory figures"
    return ""


def _standing(entry: ContenderSummary) -> list[LevelSummary]:
    """Return the VALID levels up to that with the highest rate."""
    levels = [level for level in entry.standing_levels if level.rps]
    if not levels:
        return []
    peak = max(levels, key=lambda level: level.rps)
    return [level for level in levels if level.users <= peak.users]


def _own_cpu(level: LevelSummary) -> bool:
    return any(ms > 0 for role, ms in level.cpu_ms_per_request.items() if role != LOAD_GENERATOR)


def _learnt(contender: Contender, entry: ContenderSummary) -> Learnt:
    assert entry.low_load is not None
    levels = [level for level in _standing(entry) if _own_cpu(level)]
    return Learnt(
        contender=contender,
        title=entry.title,
        floor_ms=entry.floor_ms,
        lone_ms=entry.low_load.mean_ms,
        levels=tuple(Costs(level.users, level.rps, dict(level.cpu_ms_per_request)) for level in levels),
        rss_mb=dict(entry.rss_mb),
    )
