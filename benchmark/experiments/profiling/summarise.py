"""The record of a run -> its summary: CPU by library, the wall clock of one request, what each profiler cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from benchmark.analysis.findings import finding
from benchmark.analysis.level_figures import LevelFigures, level_figures
from benchmark.analysis.reasons import Reason, because, failure, plain
from benchmark.analysis.summary import against, summary_head
from benchmark.analysis.validity import MAX_DRIFT, disturbance_reasons, level_reasons
from benchmark.analysis.wording import at_users
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.experiments.profiling.export import list_profiles
from benchmark.experiments.profiling.libraries import by_kind
from benchmark.experiments.profiling.recorders import CPU_SAMPLER
from benchmark.record.damage import reading
from benchmark.record.resources import Disturbance
from benchmark.record.run import Run, TrialRecord
from contract.timing import parse_server_timing

CallsRow = dict[str, Any]

QUESTION: Final = "Where does the time of a request go?"
PLAIN, SAMPLED = 0, 1  # the blocks of a run: without the CPU sampler, and the first one with it
CALLS: Final = "calls.jsonl"
MAX_NOT_ATTRIBUTED: Final = 0.10  # of the CPU that the operating system counted
ROLE: Final = "scoring"  # whose CPU is attributed

WAITING_MODELS: Final = "waiting for the models"
WAITING_REDIS: Final = "waiting for Redis"
RUNNING: Final = "running"
AROUND: Final = "on the way"


_NOT_MEASURED: Final = "not_measured"


class _CsvTable(NamedTuple):
    file: str
    columns: tuple[str, ...]


SHARES: Final = _CsvTable("cpu_by_library.csv", ("contender", "users", "library", "kind", "stage", "samples"))


def summarise(run: Run, contenders: Sequence[Contender]) -> dict[str, Any]:
    """Return the summary of a run."""
    manifest = run.manifest
    shares, calls = _read_shares(run), run.lines(CALLS)
    entries = {c.label: _entry(run, c, shares, calls) for c in contenders}
    measured = f"{sum(_was_measured(entry) for entry in entries.values())} of {len(entries)} contenders were measured"
    document: dict[str, Any] = plain(
        {
            **summary_head(manifest, against(entries), not run.interrupted, measured),
            "findings": [
                finding(
                    QUESTION,
                    label,
                    "cpu_ms_per_request",
                    "ms",
                    entry["cpu_ms_counted"],
                    [*entry["faults"], *entry["cpu_reasons"]],
                )
                for label, entry in entries.items()
                if entry["cpu_ms_counted"]
            ],
            "scale": manifest["plan"].get("scale", 1.0),
            "users": manifest["plan"]["users"],
            "contenders": entries,
        }
    )
    return document


def _was_measured(entry: Mapping[str, Any]) -> bool:
    return all(reason.code != _NOT_MEASURED for reason in entry["reasons"])


def _entry(run: Run, contender: Contender, shares: pd.DataFrame, calls: Sequence[CallsRow]) -> dict[str, Any]:
    plan = run.manifest["plan"]
    trials = [cell for cell in run.trials() if cell.contender == contender.label]
    failed = _failure(trials)
    cells = {cell.block: cell for cell in trials if not cell.part}
    held = {block: _by_users(run, contender, cell) for block, cell in cells.items()}
    plain = held.get(PLAIN, {})
    attempts = [block for block in cells if block >= SAMPLED]
    sampled = held[max(attempts)] if attempts else {}  # the last attempt is the one that counts
    own_shares = shares[shares["contender"] == contender.label]
    own_calls = [row for row in calls if row["contender"] == contender.label]
    many = own_shares[own_shares["users"] == plan["users"]].groupby("library")["samples"].sum()
    cpu = attribute({str(name): int(n) for name, n in many.items()}, sampled.get(plan["users"]), plan)
    reasons = ([failed] if failed else []) + _reasons(contender, [plain, sampled], cpu, own_calls)
    if not (plain or own_calls or reasons):
        reasons.append(because(_NOT_MEASURED))
    return {
        "title": contender.title,
        "floor_ms": round(law_of(contender).floor_ms, 3),
        "valid": not reasons,
        "reasons": reasons,
        # Why all of it is INVALID; other reasons strike what rests on what they are about.
        "faults": [failed] if failed else [],
        "notes": _notes([plain, sampled]),
        **cpu,
        **part_reasons(contender, plain, sampled, cpu, plan["users"]),
        "wall_split_ms": _wall_split(run, cells.get(PLAIN), own_shares, plain.get(1), sampled.get(1), plan),
        "profiler_cost": _sampler_cost(plain, sampled) + _call_costs(own_calls),
        "sampling_attempts": len(attempts),
        "profiles": list_profiles(run.path / "profiles" / contender.label),
    }


def _failure(trials: Sequence[TrialRecord]) -> Reason | None:
    """Return why a contender could not be measured: the last of its trials has failed. Earlier ones were repeated."""
    last = trials[-1] if trials else None
    return failure(last.code, last.reason) if last and last.status == "failed" else None


@dataclass(frozen=True)
class HeldLevel:
    """A level as one cell held it: its figures, and how many requests its window holds, shares of requests included."""

    figures: LevelFigures
    requests: float

    @property
    def cpu_ms(self) -> float:
        """CPU of the scoring handler per request, as the operating system counted it."""
        return self.figures.cpu_ms_per_request.get(ROLE, float("nan"))


def attribute(samples: Mapping[str, int], held: HeldLevel | None, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CPU of the scoring handler in ms per request, by library, beside what the system counted.

    Each stack stands for the CPU time that lies between two of them. Nothing is scaled: what the
    sum lacks (or, if negative, has too much) is `cpu_not_attributed`.
    """
    if held is None or not held.requests or not samples or not np.isfinite(held.cpu_ms):
        return {"cpu_by_library": {}, "cpu_by_kind": {}, "cpu_not_attributed": None, "cpu_ms_counted": None}
    each_ms = plan["sample_every_ms"] / held.requests
    by_library = {name: n * each_ms for name, n in sorted(samples.items(), key=lambda item: -item[1])}
    return {
        "cpu_by_library": {name: _r(ms) for name, ms in by_library.items()},
        "cpu_by_kind": {kind: _r(ms) for kind, ms in by_kind(by_library).items()},
        "cpu_not_attributed": _r(held.cpu_ms - sum(by_library.values())),
        "cpu_ms_counted": _r(held.cpu_ms),
        "cpu_samples": sum(samples.values()),
        "cpu_requests": round(held.requests),
    }


def _by_users(run: Run, contender: Contender, cell: TrialRecord) -> dict[int, HeldLevel]:
    found = level_figures(cell, run.cell_samples(cell), run.cell_resources(cell), law_of(contender))
    return {
        figures.users: HeldLevel(figures, figures.rps * window.seconds)
        for figures, window in zip(found, cell.windows, strict=True)
    }


def _reasons(
    contender: Contender,
    cells: Sequence[Mapping[int, HeldLevel]],
    cpu: Mapping[str, Any],
    calls: Sequence[CallsRow],
) -> list[Reason]:
    """Return why figures of a contender are not to be believed."""
    reasons = _level_reasons(contender, cells) + _attribution_reasons(cpu)
    reasons += [
        because("failed_calls", errors=len(row["errors"]), example=row["errors"][0]).at(part=f"calls ({_name(row)})")
        for row in calls
        if row["errors"]
    ]
    reasons += [
        reason.at(part=f"calls ({_name(row)})") for row in calls for reason in disturbance_reasons([_others(row)])
    ]
    return reasons


def _others(row: CallsRow) -> Disturbance:
    """Return what others had of the machine during some calls; nothing is known of that in older records."""
    return Disturbance(row.get("foreign_share"), row.get("steal_share"))


def part_reasons(
    contender: Contender,
    plain: Mapping[int, HeldLevel],
    sampled: Mapping[int, HeldLevel],
    cpu: Mapping[str, Any],
    users: int,
) -> dict[str, list[Reason]]:
    """Return why the CPU by library, and why the split of the wall clock, is INVALID.

    The one rests on the sampled level alone, the other on a single user, without the sampler and with it. What a
    profiler costs, call by call, bears on neither.
    """
    alone = [{1: held[1]} if 1 in held else {} for held in (plain, sampled)]
    many = {users: sampled[users]} if users in sampled else {}
    return {
        "cpu_reasons": _level_reasons(contender, [{}, many]) + _attribution_reasons(cpu),
        "wall_reasons": _level_reasons(contender, alone),
    }


def _level_reasons(contender: Contender, cells: Sequence[Mapping[int, HeldLevel]]) -> list[Reason]:
    """Return why levels are INVALID; the cells are that without a profiler and the sampled one."""
    return [
        reason.at(part="sampled" if block else "without a profiler", users=users)
        for block, by_users in enumerate(cells)
        for users, held in by_users.items()
        for reason in level_reasons(contender, [replace(held.figures, drift=0.0)])  # see _notes
    ]


def _attribution_reasons(cpu: Mapping[str, Any]) -> list[Reason]:
    rest, counted = cpu["cpu_not_attributed"], cpu["cpu_ms_counted"]
    if not counted or abs(rest) <= MAX_NOT_ATTRIBUTED * counted:
        return []
    return [because("not_attributed", share=rest / counted, limit=MAX_NOT_ATTRIBUTED)]


def _notes(cells: Sequence[Mapping[int, HeldLevel]]) -> list[str]:
    """Return where the rate was not steady.

    That does not condemn a figure here: stacks and CPU are of the very same window, and are its means.
    """
    return [
        f"{at_users(users)}, {'sampled' if block else 'without a profiler'}: the rate changed by "
        f"{held.figures.drift:+.0%} within the window"
        for block, by_users in enumerate(cells)
        for users, held in by_users.items()
        if abs(held.figures.drift) > MAX_DRIFT
    ]


def _wall_split(
    run: Run,
    cell: TrialRecord | None,
    shares: pd.DataFrame,
    plain: HeldLevel | None,
    sampled: HeldLevel | None,
    plan: Mapping[str, Any],
) -> dict[str, float | None]:
    """Return the mean latency at one user, in ms, split by what the request was waiting for.

    Latency, stages and CPU are of the cell without a profiler. What of the CPU was used on behalf of
    the models and of Redis is told by the sampled cell, and is not waiting.
    """
    if cell is None or plain is None or sampled is None or not plain.figures.n or not sampled.requests:
        return {}
    samples = run.cell_samples(cell)
    stages = stage_means_ms(samples[(samples["users"] == 1) & samples["measured"] & samples["ok"]]["server_timing"])
    if not {"models", "features"} <= stages.keys():
        return {}
    alone = shares[shares["users"] == 1].groupby("stage")["samples"].sum()
    used_ms = {str(stage): n * plan["sample_every_ms"] / sampled.requests for stage, n in alone.items()}
    models_ms = stages["models"] - used_ms.get("models", 0.0)
    redis_ms = stages["features"] - used_ms.get("features", 0.0)
    rest_ms = plain.figures.mean_ms - models_ms - redis_ms
    # An event loop also works while the request waits; that part of the CPU does not lengthen it.
    running_ms = min(plain.cpu_ms, rest_ms)
    split = {
        WAITING_MODELS: models_ms,
        WAITING_REDIS: redis_ms,
        RUNNING: running_ms,
        AROUND: rest_ms - running_ms,
    }
    return {name: _r(ms) for name, ms in split.items()}


def stage_means_ms(headers: pd.Series) -> dict[str, float]:
    """Return the mean of each stage in ms over Server-Timing headers."""
    sums: dict[str, list[float]] = {}
    for header in headers.dropna():
        for stage, durations in parse_server_timing(header).items():
            sums.setdefault(stage, []).append(sum(durations))
    return {stage: float(np.mean(durations)) for stage, durations in sums.items()}


def _sampler_cost(plain: Mapping[int, HeldLevel], sampled: Mapping[int, HeldLevel]) -> list[dict[str, Any]]:
    """Return what the CPU sampler added, at each number of users."""
    return [
        _cost(
            CPU_SAMPLER,
            ROLE,
            users,
            (float(np.median(plain[users].figures.latencies_ms)), plain[users].cpu_ms),
            (float(np.median(held.figures.latencies_ms)), held.cpu_ms),
            held.figures.n,
        )
        for users, held in sampled.items()
        if held.figures.n and users in plain and plain[users].figures.n
    ]


def _call_costs(calls: Sequence[CallsRow]) -> list[dict[str, Any]]:
    """Return what each profiler added, call by call; a side's CPU is that of the processes it profiles."""
    without = next((row for row in calls if not row["side"] and row["latencies_ms"]), None)
    if without is None:
        return []
    return [
        _cost(row["profiler"], row["side"], 1, _figures(without, row["side"]), _figures(row, row["side"]), _n(row))
        for row in calls
        if row["side"] and row["latencies_ms"]
    ]


def _figures(row: CallsRow, side: str) -> tuple[float, float]:
    """Return the median latency and the CPU per request of a side, in ms."""
    roles = ("client",) if side == "client" else ("scoring", "model")
    cpu_ms = sum(row["cpu_ms"].get(role, 0.0) for role in roles)
    return float(np.median(row["latencies_ms"])), cpu_ms / (_n(row) + len(row["errors"]))


def _cost(
    profiler: str, side: str, users: int, without: tuple[float, float], with_it: tuple[float, float], n: int
) -> dict[str, Any]:
    return {
        "profiler": profiler,
        "side": side,
        "users": users,
        "n": n,
        "p50_ms_without": _r(without[0]),
        "p50_ms_with": _r(with_it[0]),
        "cpu_ms_without": _r(without[1]),
        "cpu_ms_with": _r(with_it[1]),
    }


def _n(row: CallsRow) -> int:
    return len(row["latencies_ms"])


def _name(row: CallsRow) -> str:
    return f"{row['profiler']}, {row['side']}" if row["side"] else "no profiler"


def _read_shares(run: Run) -> pd.DataFrame:
    path = run.path / SHARES.file
    with reading(path):
        empty = pd.DataFrame(columns=list(SHARES.columns))
        return pd.read_csv(path)[list(SHARES.columns)] if path.exists() else empty


def _r(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
