"""`summary.json` of a promise: what each contender promised, and what became of it."""

from benchmark.analysis.promises import Verdict
from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, SummaryPart


class Outcome(SummaryPart):
    """What became of one objective: `bad` of `requests` missed it; `needed` would show it with so many bad."""

    objective: str
    verdict: Verdict
    requests: int
    bad: int
    needed: int
    measured_ms: float | None = None  # the latency that so large a share did not exceed, of all that were due


class Trouble(SummaryPart):
    """From which second on an objective was broken, and when it held again."""

    objective: str
    from_s: int
    until_s: int | None = None  # None: not before the load ended
    bad: int


class PhaseOutcome(SummaryPart):
    """One step of the shape: its outcomes, and its worst second."""

    words: str
    from_s: float
    until_s: float
    outcomes: tuple[Outcome, ...]
    worst_s: int | None = None  # the second with most requests that missed any objective
    worst_bad: int = 0
    holds_again_s: float | None = None  # seconds from its beginning until the last trouble within it had ended


class Second(SummaryPart):
    """One second of the load."""

    due: int
    answered: int  # rightly, of those due
    bad: int  # missed any objective
    median_ms: float | None = None
    slowest_ms: float | None = None
    in_flight: int = 0  # at most
    done: int = 0  # right answers that came in this second, whenever they were due
    failed: int = 0  # wrong answers, or none, of those due
    # Of all requests due in this second and as many before it as a p99 takes; None without so many, or if too many
    # of them failed.
    p99_ms: float | None = None
    accepted_p99_ms: float | None = None  # until the first answer, where the result comes in a second step


class PromiseEntry(SummaryPart):
    """One contender. `accepted` judges the first answer, where the result comes in a second step."""

    title: str = ""
    floor_ms: float = 0.0
    harness_floor: bool = False
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    verdict: Verdict | None = None  # of all objectives together; None if it was not measured
    outcomes: tuple[Outcome, ...] = ()
    accepted: tuple[Outcome, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    phases: tuple[PhaseOutcome, ...] = ()
    seconds: tuple[Second, ...] = ()
    failed: int = 0
    first_error: str = ""
    cpu_ms_per_request: float | None = None
    late_p99_ms: float | None = None  # of the requests: how long after their time they were sent
    generator_cores: float | None = None


class PromiseSummary(Head):
    """A run of `promise`."""

    shape: str
    objectives: tuple[str, ...]
    limits_ms: tuple[float | None, ...] = ()
    expected: tuple[float, ...] = ()  # requests in each second
    required: tuple[str, ...] = ()
    contenders: dict[str, PromiseEntry]

    @property
    def broken_requirements(self) -> list[str]:
        """What is said of each required contender that is not shown to keep the promise, though it is VALID."""
        said = {Verdict.BROKEN: "breaks the promise", Verdict.TOO_FEW: "is not shown to keep the promise"}
        found = {name: self.contenders[name] for name in self.required}
        return [f"{name} {said[each.verdict]}" for name, each in found.items() if each.valid and each.verdict in said]
