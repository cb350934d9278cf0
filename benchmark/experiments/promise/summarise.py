"""The record of a run -> its summary: each objective kept, broken, or not to be told, as a whole and step by step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.promises import good_requests, judge_promise, outages, tails_by_second, together
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.stats import percentile
from benchmark.analysis.summary import failures_of, summary_head
from benchmark.analysis.validity import MAX_GENERATOR_CPU, disturbance_reasons, most_late
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.experiments.promise.schema import (
    Outcome,
    PhaseOutcome,
    PromiseEntry,
    PromiseSummary,
    Second,
    Trouble,
)
from benchmark.load.objectives import Objective
from benchmark.measure.locust_process import late_arrivals
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.manifest import recorded_contenders
from benchmark.record.resources import SURROUNDING_ROLES, cpu_ns_between, disturbance_between
from benchmark.record.run import SUMMARY, Run, TrialRecord, Window, read_samples

QUESTION: Final = "Does each contender keep its promise under this load?"
_WARMUP_WINDOWS: Final = 1
_TAIL: Final = 0.99  # of the latency that is shown second by second
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError."""
    manifest, trials, plan = run.manifest, run.trials(), run.manifest["plan"]
    contenders = recorded_contenders(manifest)
    entries = {
        each.label: _entry(run, each, [trial for trial in trials if trial.contender == each.label])
        for each in contenders
    }
    done = [trial for trial in trials if trial.status != "interrupted"]
    against = {label: entry.reasons for label, entry in entries.items()}
    measured = f"{len(done)} of {len(contenders)} contenders were measured"
    summary = PromiseSummary(
        **summary_head(manifest, against, len(done) == len(contenders), measured),
        shape=plan["shape"],
        objectives=tuple(each["written"] for each in plan["objectives"]),
        limits_ms=tuple(each["limit_ms"] for each in plan["objectives"]),
        expected=tuple(plan["expected"]),
        required=tuple(plan["required"]),
        contenders=entries,
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def _entry(run: Run, contender: Contender, trials: Sequence[TrialRecord]) -> PromiseEntry:
    facts = {
        "title": contender.title,
        "floor_ms": round(law_of(contender).floor_ms, 3),
        "harness_floor": contender.harness_floor,
    }
    measured = [trial for trial in trials if len(trial.windows) > _WARMUP_WINDOWS]
    reasons = failures_of(trials)
    if not measured:
        reasons = reasons or [because("not_measured")]
        return PromiseEntry(**facts, valid=False, reasons=tuple(reasons))
    trial = measured[-1]
    window, resources = trial.windows[_WARMUP_WINDOWS], run.cell_resources(trial)
    due = _due(read_samples(run.file("samples", trial, ".csv")), window)
    reasons += _reasons(due, resources, window)
    objectives = [Objective(**each) for each in run.manifest["plan"]["objectives"]]
    failed = due[~due["ok"]]
    return PromiseEntry(
        **facts,
        valid=not reasons,
        reasons=tuple(reasons),
        **_judged(due, objectives, run.manifest["plan"]["phases"]),
        failed=len(failed),
        first_error=str(failed["error"].iloc[0]) if len(failed) else "",
        cpu_ms_per_request=_cpu_ms(resources, window, int(due["ok"].sum())),
        late_p99_ms=_late_p99_ms(due),
        generator_cores=round(_cores(resources[resources["role"] == GENERATOR_ROLE], window), 3),
    )


def _due(samples: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Return the requests that were due in a window, whenever they were answered, with `due_s` since it began."""
    due = samples[samples["scheduled_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
    return due.assign(due_s=(due["scheduled_ns"] - window.start_ns) / 1e9).sort_values("due_s", kind="stable")


def _reasons(due: pd.DataFrame, resources: pd.DataFrame, window: Window) -> list[Reason]:
    """Return why nothing can be said: failures of the contender are no such reason, they break the promise."""
    reasons: list[Reason] = []
    if due.empty:
        reasons.append(because("silent"))
    if (late := late_arrivals(due)) > most_late(len(due)):
        reasons.append(because("late_arrivals", late=late, dropped=0))
    generator = resources[resources["role"] == GENERATOR_ROLE]
    used = _cores(generator, window)
    if used > MAX_GENERATOR_CPU:
        reasons.append(because("generator_saturated", share=used))
    return reasons + disturbance_reasons([disturbance_between(resources, window.start_ns, window.end_ns)])


def _late_p99_ms(due: pd.DataFrame) -> float | None:
    late_ms = ((due["start_ns"] - due["scheduled_ns"]) / 1e6).to_numpy(dtype=float)
    p99_ms = percentile(late_ms, 99)
    return None if p99_ms is None else round(p99_ms, 3)


def _cores(resources: pd.DataFrame, window: Window) -> float:
    """Return the CPU use within a window, in cores; 0 without a sample of it."""
    if resources.empty:
        return 0.0
    return cpu_ns_between(resources, window.start_ns, window.end_ns) / (window.end_ns - window.start_ns)


def _judged(due: pd.DataFrame, objectives: Sequence[Objective], phases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    due_s, ok = due["due_s"].to_numpy(dtype=float), due["ok"].to_numpy(dtype=bool)
    latency_ms = due["response_ms"].to_numpy(dtype=float)
    good, later = {each.written: good_requests(latency_ms, ok, each) for each in objectives}, _comes_later(due)
    outcomes = _outcomes(latency_ms, ok, objectives)
    accepted = _outcomes(due["accepted_ms"].to_numpy(dtype=float), _accepted(due), objectives) if later else ()
    troubles = tuple(
        Trouble(objective=each.written, from_s=one.from_s, until_s=one.until_s, bad=one.bad)
        for each in objectives
        for one in outages(due_s, good[each.written], each)
    )
    all_good: Flags = np.logical_and.reduce(list(good.values()))
    return {
        "verdict": together(outcome.verdict for outcome in outcomes),
        "outcomes": outcomes,
        "accepted": accepted,
        "troubles": troubles,
        "phases": tuple(_phases(phases, due_s, latency_ms, ok, all_good, objectives, troubles)),
        "seconds": tuple(_seconds(due, all_good, later)),
    }


def _comes_later(due: pd.DataFrame) -> bool:
    """Whether results come in a second step."""
    return bool(len(due)) and bool((due["requests"] > 1).any())


def _accepted(due: pd.DataFrame) -> Flags:
    """Return for each request whether its first answer accepted it, or was the result already.

    A protocol asks for the result only of what was accepted.
    """
    return due["ok"].to_numpy(dtype=bool) | (due["requests"] > 1).to_numpy(dtype=bool)


def _outcomes(latency_ms: Floats, ok: Flags, objectives: Sequence[Objective]) -> tuple[Outcome, ...]:
    found = []
    for each in objectives:
        judged = judge_promise(good_requests(latency_ms, ok, each), each)
        found.append(
            Outcome(
                objective=each.written,
                verdict=judged.verdict,
                requests=judged.requests,
                bad=judged.bad,
                needed=judged.needed,
                measured_ms=_not_exceeded_ms(latency_ms, ok, each) if each.limit_ms is not None else None,
            )
        )
    return tuple(found)


def _not_exceeded_ms(latency_ms: Floats, ok: Flags, objective: Objective) -> float | None:
    """Return within how many ms the promised share was answered; None if more than the rest failed."""
    if not latency_ms.size:
        return None
    place = int(np.ceil(objective.share * latency_ms.size)) - 1
    answered = np.sort(latency_ms[ok])
    return round(float(answered[place]), 3) if place < answered.size else None


def _phases(
    phases: Sequence[Mapping[str, Any]],
    due_s: Floats,
    latency_ms: Floats,
    ok: Flags,
    all_good: Flags,
    objectives: Sequence[Objective],
    troubles: Sequence[Trouble],
) -> Iterator[PhaseOutcome]:
    from_s = 0.0
    for place, phase in enumerate(phases, 1):
        until_s = from_s + phase["seconds"]
        is_last = place == len(phases)  # a replayed log ends with a request, which is its last moment
        inside = (due_s >= from_s) & ((due_s < until_s) | is_last)
        bad_s = due_s[inside & ~all_good].astype(int)
        worst = int(np.bincount(bad_s).argmax()) if bad_s.size else None
        yield PhaseOutcome(
            words=phase["words"],
            from_s=round(from_s, 3),
            until_s=round(until_s, 3),
            outcomes=_outcomes(latency_ms[inside], ok[inside], objectives),
            worst_s=worst,
            worst_bad=int((bad_s == worst).sum()) if worst is not None else 0,
            holds_again_s=_holds_again_s(from_s, until_s, troubles),
        )
        from_s = until_s


def _holds_again_s(from_s: float, until_s: float, troubles: Sequence[Trouble]) -> float | None:
    """Return how long after its beginning the promise held for the rest of a phase; None if not within it."""
    last = 0.0
    for trouble in troubles:
        end_s = float("inf") if trouble.until_s is None else trouble.until_s
        if trouble.from_s < until_s and end_s > from_s:
            last = max(last, end_s - from_s)
    return round(last, 3) if last <= until_s - from_s else None


def _seconds(due: pd.DataFrame, all_good: Flags, later: bool) -> Iterator[Second]:
    if due.empty:
        return
    start_ns = due["scheduled_ns"].to_numpy() - (due["due_s"].to_numpy() * 1e9).astype(np.int64)
    begin, done_s = start_ns[0], (due["end_ns"].to_numpy() - start_ns[0]) / 1e9
    due_s, ok = due["due_s"].to_numpy(dtype=float), due["ok"].to_numpy(dtype=bool)
    latency_ms, second = due["response_ms"].to_numpy(dtype=float), due_s.astype(int)
    sent_s = (due["start_ns"].to_numpy() - begin) / 1e9
    done = np.bincount(done_s[ok].astype(int), minlength=int(second.max()) + 1)
    p99_ms = tails_by_second(due_s, latency_ms, ok, _TAIL)
    accepted_ms = due["accepted_ms"].to_numpy(dtype=float)
    first_p99_ms = tails_by_second(due_s, accepted_ms, _accepted(due), _TAIL) if later else [None] * len(p99_ms)
    for number in range(int(second.max()) + 1):
        own = second == number
        answered = latency_ms[own & ok]
        yield Second(
            due=int(own.sum()),
            answered=int(answered.size),
            bad=int((own & ~all_good).sum()),
            median_ms=round(float(np.median(answered)), 3) if answered.size else None,
            slowest_ms=round(float(answered.max()), 3) if answered.size else None,
            in_flight=_most_in_flight(sent_s, done_s, number),
            done=int(done[number]),
            failed=int((own & ~ok).sum()),
            p99_ms=p99_ms[number],
            accepted_p99_ms=first_p99_ms[number],
        )


def _most_in_flight(sent_s: Floats, done_s: Floats, second: int) -> int:
    """Return how many requests were under way at most within a second, looked at ten times."""
    moments = second + np.arange(0.05, 1.0, 0.1)
    return max(int(((sent_s <= moment) & (done_s > moment)).sum()) for moment in moments)


def _cpu_ms(resources: pd.DataFrame, window: Window, answered: int) -> float | None:
    roles = [group for role, group in resources.groupby("role") if role not in (*SURROUNDING_ROLES, GENERATOR_ROLE)]
    used_ns = sum(cpu_ns_between(group, window.start_ns, window.end_ns) for group in roles)
    return round(used_ns / 1e6 / answered, 4) if answered and used_ns else None


def _findings(summary: PromiseSummary) -> Iterator[Finding]:
    for name, entry in summary.contenders.items():
        until = {"": entry.outcomes, ", first answer": entry.accepted}
        for what, outcome in ((what, each) for what, outcomes in until.items() for each in outcomes):
            if outcome.requests:
                share = 100 * outcome.bad / outcome.requests
                figure = f"missed_pct of {outcome.objective}{what}"
                yield finding(QUESTION, name, figure, "%", round(share, 4), entry.reasons)
