"""What is made of the samples of one Locust run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmark.contenders.answer_law import AnswerLaw
from benchmark.experiments.breaking_point.measure import describe
from benchmark.experiments.breaking_point.observations import LocustRun
from benchmark.measure.locust_process import Issued
from tests.unit.benchmark.experiments.breaking_point.synthetic import START_NS


def described(latencies_ms: list[float], ok: bool = True, warmup_s: float = 0.0) -> LocustRun:
    """Describe ten seconds with a request each, one a second."""
    starts_ns = [START_NS + i * 10**9 for i in range(len(latencies_ms))]
    frame = pd.DataFrame(
        {
            "start_ns": starts_ns,
            "end_ns": [start + int(ms * 1e6) for start, ms in zip(starts_ns, latencies_ms, strict=True)],
            "scheduled_ns": starts_ns,
            "status": 200 if ok else 503,
            "ok": ok,
            "error": None if ok else "Failure: status 503",
            "response_ms": latencies_ms,
        }
    )
    issued = Issued(frame, START_NS, generator_cpu=0.1, seconds=10.0)
    return describe(issued, "one", "response-time", "one-response-time", warmup_s, duration_s=10.0)


def test_the_figures_leave_the_warm_up_out() -> None:
    found = described([900.0, 900.0, *[50.0] * 8], warmup_s=2.0)
    assert (found.n, found.mean_ms, found.p95_ms) == (8, 50.0, 50.0)
    assert found.rps == pytest.approx(1.0)


def test_without_an_answer_there_is_no_percentile() -> None:
    found = described([50.0] * 10, ok=False)
    assert (found.n, found.errors, found.first_error) == (0, 10, "Failure: status 503")
    assert (found.mean_ms, found.p50_ms, found.p95_ms, found.p99_ms) == (None, None, None, None)


def test_what_others_had_of_the_machine_is_in_the_finding() -> None:
    frame = pd.DataFrame(columns=["start_ns", "end_ns", "scheduled_ns", "status", "ok", "error", "response_ms"])
    issued = Issued(frame.astype({"ok": bool}), START_NS, 0.1, 10.0, foreign_share=0.2, steal_share=0.1)
    found = describe(issued, "one", "response-time", "one-response-time", 0.0, duration_s=10.0)
    assert (found.foreign_share, found.steal_share) == (0.2, 0.1)


def paced(rps: float, seconds: float, latency_ms: float = 50.0, late_ms: float = 0.0) -> Issued:
    """Return an answer of 45 ms for every moment of a constant rate, sent late after its time."""
    starts_ns = START_NS + (np.arange(round(rps * seconds)) / rps * 1e9).astype(np.int64)
    latency_ns = int(latency_ms * 1e6)
    frame = pd.DataFrame({"start_ns": starts_ns, "scheduled_ns": starts_ns - int(late_ms * 1e6)})
    frame = frame.assign(end_ns=starts_ns + latency_ns, latency_ms=latency_ms, response_ms=latency_ms + late_ms)
    frame = frame.assign(status=200, ok=True, error=None, detail_s=0.045)
    return Issued(frame, START_NS, generator_cpu=0.1, seconds=seconds)


def stopped(issued: Issued, at_s: float) -> Issued:
    return replace(issued, stopped_ns=START_NS + int(at_s * 1e9))


def test_time_in_which_the_generator_did_not_issue_is_not_counted() -> None:
    """Locust ends 1.2 s before the plan: the rate is that of the time in which it issued."""
    found = describe(stopped(paced(1000, 6.8), 6.8), "one", "open-loop", "one-open-loop", 2.0, 8.0)
    assert found.rps == pytest.approx(1000, rel=0.01)
    assert found.until_s == 6.8


def test_time_in_which_a_service_hangs_is_counted() -> None:
    """The last request was sent after 4 s; users waited for answers until they were stopped after 8 s."""
    found = describe(stopped(paced(100, 4.0), 8.0), "one", "closed-at-rate", "one-closed-at-rate", 2.0, 8.0)
    assert found.rps == pytest.approx(100 * 2 / 6, rel=0.05)


def test_what_is_issued_beyond_the_plan_is_not_counted() -> None:
    found = describe(stopped(paced(100, 9.0), 9.0), "one", "open-loop", "one-open-loop", 2.0, 8.0)
    assert (found.rps, found.until_s) == (100.0, 8.0)


def test_a_generator_that_stopped_within_its_warm_up_has_counted_nothing() -> None:
    found = describe(stopped(paced(100, 1.5), 1.5), "one", "try", "one-try-1", 2.0, 12.0)
    assert (found.n, found.rps, found.p95_ms) == (0, 0.0, None)


def test_a_generator_that_does_not_say_when_it_stopped_has_followed_its_plan() -> None:
    assert describe(paced(100, 8.0), "one", "open-loop", "one-open-loop", 2.0, 8.0).until_s == 8.0


@pytest.mark.parametrize(
    ("least_times", "latency_ms", "excess_ms"), [(1.0, 50.0, 5.0), (1.0, 2.0, -43.0), (2.0, 50.0, -40.0)]
)
def test_how_early_an_answer_came_counts_from_when_it_was_sent(
    least_times: float, latency_ms: float, excess_ms: float
) -> None:
    """What an arrival waited for its turn does not make its answer later."""
    law = AnswerLaw("max", 2, 46.7, 46.7, (0.04, 0.05), least_times)
    issued = replace(paced(100, 8.0, latency_ms, late_ms=60.0), law=law)
    found = describe(issued, "one", "open-loop", "one-open-loop", 2.0, 8.0)
    assert found.fastest_excess_ms == pytest.approx(excess_ms)


def test_without_a_law_it_is_not_known_how_early_an_answer_came() -> None:
    assert describe(paced(100, 8.0), "one", "open-loop", "one-open-loop", 2.0, 8.0).fastest_excess_ms is None
