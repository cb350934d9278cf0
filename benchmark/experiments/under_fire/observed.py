"""What samples say: who was answered what, and when. Reads samples, and judges nothing."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from benchmark.experiments.under_fire.plan import kind_of
from benchmark.experiments.under_fire.schema import Course
from benchmark.load.protocols import WITHOUT_RETRY_AFTER
from benchmark.record.run import Run, TrialRecord, read_samples, samples_suffix

OK: Final = "200"
WRONG: Final = "wrong 200"
BIN_S: Final = 0.5
RECOVERED: Final = 0.95  # of the rate before
_LOOK_S, _STEP_S, _FOR_GOOD_S = 1.0, 0.1, 2.0
_NS: Final = 1e9
_USUAL: Final = 2.0
_LATE_NS: Final = 1e9


@dataclass(frozen=True)
class Peak:
    """The closed-loop level with the highest rate of right answers, and how long they took there."""

    users: int
    rps: float
    p50_ms: float
    p95_ms: float


def samples_of_trial(run: Run, trial: TrialRecord, generators: int = 1) -> pd.DataFrame:
    """Return the samples of all generators of a trial, each with its `outcome`. Raises RecordError."""
    frames = [read_samples(run.file("samples", trial, samples_suffix(number))) for number in range(generators)]
    whole = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    outcomes = [
        _outcome(int(s), bool(ok), str(e)) for s, ok, e in zip(whole.status, whole.ok, whole.error, strict=True)
    ]
    return whole.assign(outcome=pd.Series(outcomes, dtype=object, index=whole.index))


def _outcome(status: int, ok: bool, error: str) -> str:
    """Return the status of an answer, that a 200 is wrong, or why there is no answer."""
    if status == 0:
        return kind_of(error)
    if error.endswith(WITHOUT_RETRY_AFTER):
        return f"{status}{WITHOUT_RETRY_AFTER}"
    return WRONG if status == 200 and not ok else str(status)


def is_answer(outcome: str) -> bool:
    """Whether an outcome is that of an answer, and not why there is none."""
    return outcome == WRONG or outcome[:1].isdigit()


def answers_in(samples: pd.DataFrame) -> dict[str, int]:
    """Return how many answers there were, by status."""
    return {name: count for name, count in counts(samples).items() if is_answer(name)}


def no_answers_in(samples: pd.DataFrame) -> dict[str, int]:
    """Return how many requests had no answer, by kind."""
    return {name: count for name, count in counts(samples).items() if not is_answer(name)}


def peak_of(run: Run, trial: TrialRecord) -> Peak | None:
    """Return the peak of a trial of closed-loop levels; None without a right answer. Raises RecordError."""
    samples, found = read_samples(run.file("samples", trial, ".csv")), []
    for window in trial.windows:
        ended = samples[samples["ok"] & samples["end_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
        if len(ended) and window.seconds > 0:
            p50_ms, p95_ms = np.percentile(ended["latency_ms"], [50, 95])
            found.append(Peak(window.users, len(ended) / window.seconds, float(p50_ms), float(p95_ms)))
    return max(found, key=lambda peak: peak.rps, default=None)


def good_rps(samples: pd.DataFrame, start_ns: float, end_ns: float) -> float | None:
    """Return the rate of right answers that came between two moments; None if there is no time between them."""
    if end_ns <= start_ns:
        return None
    return float(_good(samples)["end_ns"].between(start_ns, end_ns, inclusive="left").sum() / (end_ns - start_ns) * _NS)


def counts(samples: pd.DataFrame) -> dict[str, int]:
    """Return how many had which outcome, 200 first, then in the order of their names."""
    found = Counter(samples["outcome"])
    return {name: found[name] for name in sorted(found, key=lambda name: (name != OK, name))}


def usual_limit_ns(good: pd.DataFrame) -> float:
    """Return up to which time a right answer is as fast as before: twice the p95 of these."""
    return float(_USUAL * np.percentile(good["latency_ns"], 95)) if len(good) else 0.0


def usual_share(samples: pd.DataFrame, limit_ns: float) -> float:
    """Return which share of requests was answered right within a time."""
    return float(_as_usual(samples, limit_ns).mean()) if len(samples) else 0.0


def recovery_s(
    samples: pd.DataFrame, since_ns: float, until_ns: float, share_before: float, limit_ns: float
) -> float | None:
    """Return how long after a moment requests were answered right and as fast as before, for at least two seconds.

    That is, of those due within a second, 95 % of the share that was before; the rate of answers alone would not
    tell, since arrivals are random, and answers to old requests come at a high rate. None if it did not happen.
    """
    due_ns = samples["scheduled_ns"].to_numpy(dtype=float)
    asked_ns, usual_ns = np.sort(due_ns), np.sort(due_ns[_as_usual(samples, limit_ns)])
    starts = np.arange(since_ns, until_ns - _LOOK_S * _NS + 1, _STEP_S * _NS)
    ends = starts + _LOOK_S * _NS
    asked = np.searchsorted(asked_ns, ends) - np.searchsorted(asked_ns, starts)
    usual = np.searchsorted(usual_ns, ends) - np.searchsorted(usual_ns, starts)
    # Where few are asked, a single slow one is more than 5 %.
    is_back = usual + 1 >= RECOVERED * share_before * asked
    steps = round(_FOR_GOOD_S / _STEP_S)
    for place in range(len(starts)):
        if is_back[place : place + steps].all():
            return float((starts[place] - since_ns) / _NS)
    return None


def course(samples: pd.DataFrame, from_ns: float, last_ns: float) -> Course:
    """Return what came in each half second: right answers, and all else by outcome, each per second.

    It ends with the last request, whose half second may not be over, or with the last answer if that came much later.
    """
    end_ns = float(samples["end_ns"].max()) if len(samples) else last_ns
    until_ns = end_ns if end_ns - last_ns > _LATE_NS else last_ns - BIN_S * _NS
    edges = np.arange(from_ns, until_ns + BIN_S * _NS, BIN_S * _NS)
    names = list(counts(samples))
    rates: dict[str, tuple[float, ...]] = {}
    for name in names:
        ended = samples.loc[samples["outcome"] == name, "end_ns"].to_numpy(dtype=float)
        found = np.histogram(ended, edges)[0] / BIN_S
        rates[name] = tuple(float(rate) for rate in found)
    return Course(t_s=tuple(round(float(at - from_ns) / _NS, 3) for at in edges[:-1]), rates=rates)


def unexplained(samples: pd.DataFrame, allowed: Collection[str], start_ns: float, until_ns: float) -> pd.DataFrame:
    """Return the samples that nothing explains.

    A right 200 always may come. What is allowed may come of a request that was under way between the two moments.
    """
    under_way = (samples["end_ns"] >= start_ns) & (samples["scheduled_ns"] <= until_ns)
    may = samples["outcome"].isin(list(allowed)) & under_way
    return samples[(samples["outcome"] != OK) & ~may]


def _as_usual(samples: pd.DataFrame, limit_ns: float) -> np.ndarray:
    return np.asarray((samples["outcome"] == OK) & (samples["latency_ns"] <= limit_ns), dtype=bool)


def _good(samples: pd.DataFrame) -> pd.DataFrame:
    return samples[samples["outcome"] == OK]
