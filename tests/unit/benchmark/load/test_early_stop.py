"""Whether a rate is held, watched while it is tried."""

from pathlib import Path

import pytest

from benchmark.experiments.breaking_point.observations import was_held
from benchmark.load.early_stop import ArrivalsWatch, HoldWatch, PlanWatch
from benchmark.load.shapes import Example
from benchmark.record.columns import SAMPLE_COLUMNS
from tests.unit.benchmark.experiments.breaking_point.synthetic import locust_run

HELD = Example("max-performance", "", users=100, users_per_s=100.0, duration_s=20.0, warmup_s=5.0)


class Samples:
    """A sample file that grows as Locust's does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(",".join(SAMPLE_COLUMNS) + "\n")

    def add(
        self, from_s: float, to_s: float, rps: float, latency_ms: float = 50.0, ok: bool = True, late_ms: float = 0.0
    ) -> None:
        """Append answers at a constant rate that end between two moments; sent late after their time."""
        count = round((to_s - from_s) * rps)
        with self.path.open("a") as file:
            for i in range(count):
                start_ns = 10**12 + int((from_s + i / rps) * 1e9 - latency_ms * 1e6)
                scheduled_ns = start_ns - int(late_ms * 1e6)
                latency_ns = int(latency_ms * 1e6)
                row = {"scheduled_ns": scheduled_ns, "start_ns": start_ns, "latency_ns": latency_ns, "ok": int(ok)}
                file.write(",".join(str(row.get(name, "")) for name in SAMPLE_COLUMNS) + "\n")


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(tmp_path / "0-one.csv")


def watching(samples: Samples) -> HoldWatch:
    return HoldWatch(samples.path, HELD, low_p95_ms=50.0)


@pytest.mark.parametrize(
    ("rps", "p95_ms", "held"), [(96.0, 60.0, True), (94.0, 60.0, False), (100.0, 151.0, False), (100.0, None, False)]
)
def test_held_is_the_rate_that_was_offered_in_time(rps: float, p95_ms: float | None, held: bool) -> None:
    assert was_held(locust_run(rps=rps, p95_ms=p95_ms), users=100, low_p95_ms=50.0) is held


def test_what_is_answered_is_not_lost(samples: Samples) -> None:
    watch = watching(samples)
    assert not watch.is_lost()
    for second in range(20):
        samples.add(second, second + 1, 97)
        assert not watch.is_lost()
    assert watch.seconds == pytest.approx(20.0, abs=0.1)


def test_what_can_no_longer_be_made_up_for_is_lost(samples: Samples) -> None:
    watch = watching(samples)
    samples.add(0, 5, 10)  # a slow start is part of the warm-up
    assert not watch.is_lost()
    samples.add(5, 7, 100)
    # From here on half is answered. Of 1,500 may 75 be missing, and 100 that are in flight may still come.
    samples.add(7, 10, 50)
    assert not watch.is_lost()
    samples.add(10, 11, 50)
    assert watch.is_lost()


def test_failures_are_no_answers(samples: Samples) -> None:
    watch = watching(samples)
    samples.add(0, 12, 100, ok=False)
    assert watch.is_lost()


def test_when_too_many_are_slow_the_p95_is_lost(samples: Samples) -> None:
    watch = watching(samples)
    samples.add(0, 6, 100, latency_ms=140.0)
    assert not watch.is_lost()
    samples.add(6, 6.7, 100, latency_ms=160.0)
    assert not watch.is_lost()
    samples.add(6.7, 7, 100, latency_ms=160.0)
    assert watch.is_lost()


def test_a_line_that_is_not_whole_yet_is_read_later(samples: Samples) -> None:
    watch = watching(samples)
    samples.add(0, 6, 100)
    text = samples.path.read_text()
    samples.path.write_text(text[:-20])
    assert not watch.is_lost()
    before = watch.seconds
    samples.path.write_text(text)
    assert not watch.is_lost()
    assert watch.seconds > before


def test_without_a_file_nothing_is_lost_yet(tmp_path: Path) -> None:
    assert not HoldWatch(tmp_path / "nowhere.csv", HELD, low_p95_ms=50.0).is_lost()


def arrivals(samples: Samples) -> ArrivalsWatch:
    """Watch 100 arrivals per second for 10 s after 2 s of warm-up: 1,000, of which 54 may be bad by chance."""
    return ArrivalsWatch(samples.path, rate_rps=100.0, warmup_s=2.0, counted_s=10.0, limit_ms=150.0)


def test_arrivals_that_are_answered_in_time_are_not_lost(samples: Samples) -> None:
    watch = arrivals(samples)
    for second in range(12):
        samples.add(second, second + 1, 100, latency_ms=140.0)
        assert not watch.is_lost()
        assert not watch.is_over()
    assert watch.passed_s == pytest.approx(12.0, abs=0.2)
    samples.add(12, 12.4, 100)
    assert not watch.is_lost()
    assert watch.is_over()


@pytest.mark.parametrize(("latency_ms", "ok"), [(160.0, True), (60.0, False)])
def test_too_many_late_or_failed_arrivals_are_lost(samples: Samples, latency_ms: float, ok: bool) -> None:
    watch = arrivals(samples)
    samples.add(0, 2.3, 100, latency_ms, ok)  # the warm-up does not count
    assert not watch.is_lost()
    samples.add(2.3, 2.5, 100, latency_ms, ok)
    assert not watch.is_lost()
    samples.add(2.5, 3, 100, latency_ms, ok)
    assert watch.is_lost()


def test_latency_of_an_arrival_counts_from_its_time(samples: Samples) -> None:
    """Sent 120 ms late and answered 50 ms later: 170 ms."""
    watch = arrivals(samples)
    samples.add(0, 4, 100, late_ms=120.0)
    assert watch.is_lost()


def at_ns(seconds: float) -> int:
    """Return a moment, in seconds since the first request."""
    return 10**12 - 50_000_000 + int(seconds * 1e9)


def test_a_plan_is_over_when_its_time_has_passed_since_the_first_request(samples: Samples) -> None:
    watch = PlanWatch(samples.path, duration_s=8.0)
    assert not watch.is_over(at_ns(100))  # nothing was sent yet
    samples.add(0, 1, 100)
    assert not watch.is_over(at_ns(7.9))
    assert watch.is_over(at_ns(8.0))


def test_a_first_request_that_is_answered_late_does_not_end_a_plan_too_early(samples: Samples) -> None:
    watch = PlanWatch(samples.path, duration_s=8.0)
    samples.add(1, 2, 100)
    assert not watch.is_over(at_ns(8.5))
    samples.add(2, 2.01, 100, latency_ms=2000.0)
    assert not watch.is_over(at_ns(8.5))
    assert watch.is_over(at_ns(9.0))


def test_a_plan_without_a_file_of_samples_is_not_over(tmp_path: Path) -> None:
    assert not PlanWatch(tmp_path / "nowhere.csv", duration_s=1.0).is_over(at_ns(100))
