"""`locust`: all four examples and the open loop, on every contender."""

import math
from dataclasses import replace

import numpy as np

from benchmark.analysis.level_figures import fastest_excess_ms
from benchmark.analysis.stats import percentile
from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, LoadError, RecordError
from benchmark.experiments.breaking_point.observations import (
    Breaks,
    Broke,
    Held,
    LocustRun,
    Observation,
    Tried,
    append_observation,
    was_held,
)
from benchmark.experiments.breaking_point.plan import (
    OPEN_DURATION_S,
    SHORTEST_S,
    TRY_WARMUP_S,
    BreakingPointPlan,
)
from benchmark.experiments.breaking_point.ramp import BIN_S, bin_ramp
from benchmark.experiments.breaking_point.ramp import find_breaking_point as find
from benchmark.experiments.breaking_point.summarise import CLOSED_AT_RATE, OPEN_LOOP
from benchmark.experiments.experiment import Assignment
from benchmark.load import shapes as ex
from benchmark.load.arrivals import arrivals_until
from benchmark.load.breaking_point_search import TryOutcome, judge
from benchmark.load.early_stop import ArrivalsWatch, HoldWatch
from benchmark.load.rate_search import Staircase
from benchmark.load.rates import parse_shape
from benchmark.load.slo import P95_LIMIT, BreakingPoint
from benchmark.measure.locust_process import (
    RUN_ON_S,
    Issued,
    class_name,
    dropped_arrivals,
    example_environment,
    issue,
    late_arrivals,
    samples_file,
    time_limit,
)
from benchmark.measure.session import Session
from benchmark.record.run import read_samples

OPEN_SHARE = 0.8  # of the breaking point
NEXT_RATE = 0.9  # of the rate that was not held
_HOLD_TRIES = 3
_LAST_ANSWERS_S, _MOMENT_S = 60.0, 1e-3  # after the end of a shape; after the last answer, which counts
_LOW_SAMPLES, _SHORTEST_PACING_S = 50, 0.2


def measure(session: Session, assignment: Assignment[BreakingPointPlan]) -> None:
    """Carry out the chosen examples on every contender; one that fails is left, the others go on."""
    by_label = {contender.label: contender for contender in assignment.contenders}
    examples = Examples(session, assignment.plan)
    for label in assignment.facts["order"]:
        error = None
        try:
            examples.measure(by_label[label])
        except RecordError:
            raise
        except BenchmarkError as failure:
            error = failure
        session.progress.cell_done(session.note(by_label[label], error))


class Examples:
    """The examples of load; every observation is appended to findings.jsonl as soon as it is made."""

    def __init__(self, session: Session, plan: BreakingPointPlan) -> None:
        self._session, self._run, self._plan = session, session.run, plan

    def measure(self, contender: Contender) -> None:
        """Carry out the chosen examples on a contender. Raises ParityError, StackError or LoadError."""
        wanted = self._plan.examples
        if self._plan.shape:
            self._follow(contender)
        if not wanted:
            return
        low_p95_ms = self._low_p95_ms(contender)
        if set(wanted) == {ex.RESPONSE_TIME.name}:
            return
        stress = self._example(contender, ex.STRESS_TEST) if ex.STRESS_TEST.name in wanted else None
        if not self._plan.finds_breaking_point:
            return
        guess = self._load_test(contender, low_p95_ms)
        if stress and not guess.broke:  # the stress test goes further, if faster
            guess = self._ramp_broke(stress, ex.STRESS_TEST, low_p95_ms) or guess
        point = self._breaking_point(contender, guess, low_p95_ms)
        if ex.MAX_PERFORMANCE.name in wanted:
            self._hold(contender, point, low_p95_ms)
        if OPEN_LOOP in wanted:
            self._open_loop(contender, point)

    def _low_p95_ms(self, contender: Contender) -> float:
        """Carry out the first example and return its p95, which all else is held against."""
        example = ex.RESPONSE_TIME.scaled(self._plan.scale)
        # The p95 takes some samples; a user that has a tenth of the time asks more often.
        pacing_s = min(ex.PACING_S, max(example.duration_s / _LOW_SAMPLES, _SHORTEST_PACING_S))
        found = self._issue_example(contender, replace(example, pacing_s=pacing_s))
        if found.p95_ms is None:
            raise LoadError(f"not one checked answer at one user; {found.first_error or 'nothing was sent'}")
        return found.p95_ms

    def _example(self, contender: Contender, example: ex.Example, attempt: int = 0) -> LocustRun:
        return self._issue_example(contender, example.scaled(self._plan.scale), attempt)

    def _issue_example(
        self,
        contender: Contender,
        scaled: ex.Example,
        attempt: int = 0,
        low_p95_ms: float | None = None,
    ) -> LocustRun:
        """Issue an example; with `low_p95_ms` only as long as it can be held, see `Watch`."""
        part = scaled.name + (f"-{attempt}" if attempt else "")
        watch = HoldWatch(samples_file(self._run, contender, part), scaled, low_p95_ms or 0.0)
        until = watch.is_lost if low_p95_ms else lambda: False
        with self._session.trial(contender, part=part) as trial:
            env, user = example_environment(scaled), class_name(contender.name)
            issued = issue(trial, env, [user], scaled.duration_s, until)
        if low_p95_ms and watch.is_lost():
            scaled = replace(scaled, duration_s=min(watch.seconds, scaled.duration_s))
        found = describe(issued, contender.label, scaled.name, part, scaled.warmup_s, scaled.duration_s)
        found = replace(found, users=scaled.users, plan=scaled)
        self._append(found)
        return found

    def _load_test(self, contender: Contender, low_p95_ms: float) -> BreakingPoint:
        """Carry out the second example; return where its ramp broke, if it did."""
        found = self._example(contender, ex.LOAD_TEST)
        point = self._ramp_broke(found, ex.LOAD_TEST, low_p95_ms)
        if point is None:
            raise LoadError(f"the load test ended after {found.until_s} s, before its ramp could tell anything")
        self._append(Broke(contender.label, point))
        return point

    def _ramp_broke(self, found: LocustRun, example: ex.Example, low_p95_ms: float) -> BreakingPoint | None:
        """Return where a ramp broke, or None of one that was too short to tell."""
        example = example.scaled(self._plan.scale)
        samples = read_samples(self._run.path / "samples" / f"0-{found.stem}.csv")
        counted_s = found.until_s or example.duration_s
        middles_s = np.arange(int(counted_s / BIN_S)) * BIN_S + BIN_S / 2
        users = np.array([example.users_at(t_s) for t_s in middles_s], dtype=float)
        ramp = bin_ramp(samples, users, ex.PACING_S, found.start_ns)
        return find(ramp, low_p95_ms, self._plan.seed) if ramp.offered_rps.size else None

    def _breaking_point(self, contender: Contender, guess: BreakingPoint, low_p95_ms: float) -> BreakingPoint:
        """Try rates around where the ramp broke, or beyond its end; return up to where they are sustained."""
        stairs = Staircase[TryOutcome](guess.rps, self._plan.crossings, near=guess.broke, steps=self._plan.steps)
        while (rps := stairs.next_rps()) is not None:
            outcome = self.try_rate(contender, rps, len(stairs.tries), P95_LIMIT * low_p95_ms)
            self._append(Tried(contender.label, rps, outcome.answered, outcome.in_time, outcome.sustained))
            stairs.add(rps, outcome)
        point = stairs.point()
        self._append(Breaks(contender.label, point))
        return point

    def try_rate(self, contender: Contender, rps: float, number: int, limit_ms: float) -> TryOutcome:
        """Offer a rate to fresh processes, for as long as it may be sustained. Every try has its own schedule."""
        part, seconds, seed = f"{ex.TRY}-{number + 1}", self._plan.try_s, self._plan.seed + number
        watch = ArrivalsWatch(
            samples_file(self._run, contender, part), rps, TRY_WARMUP_S, seconds - TRY_WARMUP_S, limit_ms
        )
        env = {"OPEN_RPS": repr(rps), "OPEN_USERS": "1", "SEED": str(seed)}
        # The watch ends it, when the last arrivals have had their time; load goes on until then.
        load = ["-u", "1", "-r", "1", *time_limit(seconds)]
        # What takes longer than the limit counts as lost in any case.
        load += ["--stop-timeout", str(math.ceil(limit_ms / 1e3) + 1), class_name(contender.name, open_loop=True)]
        with self._session.trial(contender, part=part) as trial:
            latest_s = seconds + RUN_ON_S
            issued = issue(trial, env, load, latest_s, lambda: watch.is_lost() or watch.is_over())
        until_s = min(seconds, watch.passed_s) if watch.is_lost() else seconds
        found = describe(issued, contender.label, ex.TRY, part, TRY_WARMUP_S, max(until_s, TRY_WARMUP_S + 1))
        self._append(replace(found, rate_rps=rps))
        good = issued.samples[issued.samples["ok"]]
        # Time counts from the first arrival.
        due_s = np.array(arrivals_until(rps, seed, seconds + 1))
        at_s = (good["scheduled_ns"] - issued.samples["scheduled_ns"].min()).to_numpy(dtype=float) / 1e9
        latency_ms = good["response_ms"].to_numpy(dtype=float)
        return judge(due_s - due_s[0], at_s, latency_ms, TRY_WARMUP_S, until_s, limit_ms)

    def _hold(self, contender: Contender, point: BreakingPoint, low_p95_ms: float) -> None:
        """Hold the breaking point; where it is not held, the low end of its interval, or at least a tenth less."""
        rps = point.rps
        for attempt in range(_HOLD_TRIES):
            users = max(int(rps * ex.PACING_S), 1)
            example = ex.held(users).scaled(self._plan.scale)
            warmup_s = max(example.warmup_s, ex.until_all_ask_s(users))
            example = replace(example, warmup_s=warmup_s, duration_s=max(example.duration_s, warmup_s + SHORTEST_S))
            found = self._issue_example(contender, example, attempt, low_p95_ms=low_p95_ms)
            held = was_held(found, users, low_p95_ms)
            self._append(Held(contender.label, users, held, attempt))
            if held:
                return
            rps = min(point.low_rps, NEXT_RATE * rps)

    def _open_loop(self, contender: Contender, point: BreakingPoint) -> None:
        """The same rate twice: as paced users in a closed loop, and as arrivals of their own."""
        rps = max(round(OPEN_SHARE * point.rps), 1)
        users = max(int(rps * ex.PACING_S), 1)
        for name, open_loop, count in ((CLOSED_AT_RATE, False, users), (OPEN_LOOP, True, 1)):
            warmup_s = TRY_WARMUP_S if open_loop else ex.until_all_ask_s(users)
            seconds = warmup_s + max(OPEN_DURATION_S * self._plan.scale, SHORTEST_S)
            env = {"OPEN_RPS": str(rps), "OPEN_USERS": "1", "SEED": str(self._plan.seed)}
            load = ["-u", str(count), "-r", str(ex.SPAWN_PER_S), *time_limit(seconds)]
            options = [*load, class_name(contender.name, open_loop)]
            with self._session.trial(contender, part=name) as trial:
                issued = issue(trial, env, options, seconds)
            found = describe(issued, contender.label, name, name, warmup_s, duration_s=seconds)
            self._append(replace(found, rate_rps=rps))

    def _follow(self, contender: Contender) -> None:
        """Offer the requests of a shape, each of which counts, whenever its answer comes. Locust ends with the last."""
        shape = parse_shape(self._plan.shape)
        env = {"SHAPE": shape.from_anywhere, "SEED": str(self._plan.seed)}
        with self._session.trial(contender, part=ex.SHAPE) as trial:
            latest_s = shape.seconds + _LAST_ANSWERS_S
            issued = issue(trial, env, [class_name(contender.name, open_loop=True)], latest_s)
        last_s = (int(issued.samples["end_ns"].max()) - issued.start_ns) / 1e9
        found = describe(issued, contender.label, ex.SHAPE, ex.SHAPE, warmup_s=0.0, duration_s=last_s + _MOMENT_S)
        self._append(found)

    def _append(self, observation: Observation) -> None:
        append_observation(self._run, observation)


def describe(issued: Issued, contender: str, example: str, part: str, warmup_s: float, duration_s: float) -> LocustRun:
    """Return the figures of one Locust run between its warm-up and the end of its plan, both since the first request.

    What the generator did not issue any more does not count as time: see `Issued.counted_until_s`.
    """
    frame, until_s = issued.samples, issued.counted_until_s(duration_s)
    since_s = (frame["end_ns"] - issued.start_ns) / 1e9
    inside = frame[(since_s >= warmup_s) & (since_s < until_s)]
    good = inside[inside["ok"]]["response_ms"].to_numpy(dtype=float)
    errors = inside[~inside["ok"]]["error"]
    return LocustRun(
        contender=contender,
        example=example,
        stem=f"{contender}-{part}",
        start_ns=issued.start_ns,
        generator_cpu=round(issued.generator_cpu, 4),
        late=late_arrivals(inside),
        dropped=dropped_arrivals(inside),
        n=int(good.size),
        errors=int(errors.size),
        first_error=str(errors.iloc[0]) if errors.size else "",
        rps=round(good.size / (until_s - warmup_s), 3) if until_s > warmup_s else 0.0,
        mean_ms=round(float(good.mean()), 4) if good.size else None,
        p50_ms=percentile(good, 50),
        p95_ms=float(np.percentile(good, 95)) if good.size else None,
        p99_ms=percentile(good, 99),
        foreign_share=issued.foreign_share,
        steal_share=issued.steal_share,
        until_s=round(until_s, 3),
        fastest_excess_ms=round(fastest_excess_ms(inside[inside["ok"]], issued.law), 4) if issued.law else None,
    )
