"""What is made of the samples of one Locust run."""

import pandas as pd
import pytest

from benchmark.experiment3_locust.findings import LocustRun
from benchmark.experiment3_locust.issue import Issued
from benchmark.experiment3_locust.run import describe
from tests.unit.experiment3.synthetic import START_NS


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
