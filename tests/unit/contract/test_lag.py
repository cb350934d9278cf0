"""How long waiters waited, from what a sleeper tells: figures, line, and the line read back."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.lag import LagMeter, LagSample, parse_lag_line

MS = 1_000_000
START_NS = 7 * 10**15
SAMPLE = LagSample(7_000_001_000_000_000, 200, 0.112, 0.1, 0.31, 52.004)
LINE = "lag t_ns=7000001000000000 n=200 mean_ms=0.112 p50_ms=0.100 p99_ms=0.310 max_ms=52.004"


class Sleeper:
    """Sleeps an interval on a clock of its own, and tells a meter."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_ns = interval_ms * MS
        self._meter = LagMeter(interval_ms)
        self.now_ns = START_NS

    def sleep(self, overslept_ms: float) -> LagSample | None:
        asleep_ns = self.now_ns
        self.now_ns += self._interval_ns + round(overslept_ms * MS)
        return self._meter.add(asleep_ns, self.now_ns)

    def until_sample(self, overslept_ms: float = 0.0) -> LagSample:
        while True:
            sample = self.sleep(overslept_ms)
            if sample:
                return sample


def test_a_sleeper_that_is_on_time_has_waited_nothing() -> None:
    assert Sleeper(5).until_sample() == LagSample(START_NS + 1000 * MS, 200, 0.0, 0.0, 0.0, 0.0)


def test_the_figures_of_a_second_are_those_of_its_waits() -> None:
    sleeper = Sleeper(90)
    for overslept_ms in (3, 1, 4, 2, 0, 6, 9, 7, 8):  # 850 ms in all, of which 40 waiting
        assert sleeper.sleep(overslept_ms) is None
    assert sleeper.sleep(60) == LagSample(START_NS + 1000 * MS, 10, mean_ms=10.0, p50_ms=4.0, p99_ms=60.0, max_ms=60.0)


@pytest.mark.parametrize(("slow", "p99_ms"), [(1, 0.0), (2, 4.0)])
def test_one_slow_wait_in_a_hundred_is_not_the_99th_percentile_and_two_are(slow: int, p99_ms: float) -> None:
    sleeper = Sleeper(10)
    for _ in range(slow):
        sleeper.sleep(4)
    sample = sleeper.until_sample()
    assert (sample.n, sample.p99_ms, sample.max_ms) == (100, p99_ms, 4.0)


def test_each_wake_up_that_was_missed_counts_with_what_it_would_have_waited() -> None:
    sleeper = Sleeper(10)
    sample = sleeper.sleep(1000)
    assert sample == LagSample(START_NS + 1010 * MS, 101, mean_ms=500.0, p50_ms=500.0, p99_ms=990.0, max_ms=1000.0)


def test_a_timer_that_rings_early_makes_nobody_wait() -> None:
    sample = Sleeper(5).until_sample(-0.9)
    assert (sample.mean_ms, sample.max_ms) == (0.0, 0.0)


def test_every_second_is_told_alone_and_with_its_end() -> None:
    sleeper = Sleeper(5)
    slow, fast = sleeper.until_sample(3), sleeper.until_sample(1)
    assert (slow.t_ns, slow.n, slow.mean_ms, slow.max_ms) == (START_NS + 1000 * MS, 125, 3.0, 3.0)
    assert (fast.t_ns, fast.n, fast.mean_ms, fast.max_ms) == (slow.t_ns + 1002 * MS, 167, 1.0, 1.0)


@given(st.integers(1, 1000), st.lists(st.floats(-1, 3000), min_size=30, max_size=60))
def test_figures_are_in_order_and_no_second_is_told_twice(interval_ms: int, overslept_ms: list[float]) -> None:
    sleeper = Sleeper(interval_ms)
    told = [sample for ms in overslept_ms if (sample := sleeper.sleep(ms))]
    for sample in told:
        assert 0 <= sample.p50_ms <= sample.p99_ms <= sample.max_ms
        assert 0 <= sample.mean_ms <= sample.max_ms
    for one, next_one in pairwise(told):
        assert next_one.t_ns - one.t_ns >= 1000 * MS


def test_a_line_holds_its_sample() -> None:
    assert SAMPLE.line() == LINE
    assert parse_lag_line(LINE) == SAMPLE


@pytest.mark.parametrize("before", ["INFO:async_api:", "2026-01-01 12:00:00,000 INFO sync_api "])
@pytest.mark.parametrize("after", ["", "\n", "\r\n"])
def test_a_line_is_found_behind_what_a_log_puts_before_it(before: str, after: str) -> None:
    assert parse_lag_line(before + LINE + after) == SAMPLE


@pytest.mark.parametrize("after", ['", "pid": 1}', '"}'])
def test_a_line_is_found_in_a_log_of_json(after: str) -> None:
    assert parse_lag_line('{"level": "INFO", "message": "' + LINE + after) == SAMPLE


@pytest.mark.parametrize(
    "line",
    [
        "",
        "INFO:sync_api:settings: {'lag_sample_ms': 5}",
        LINE[:-1],
        LINE.removesuffix(".004"),
        LINE.replace(" max_ms=52.004", ""),
        LINE.replace("n=200", "n="),
        LINE.replace("n=200", "n=٢٠٠"),
        LINE.replace("0.310", "nan"),
        LINE.replace("lag t_ns", "flag t_ns"),
        LINE + " and more",
        LINE.replace("7000001000000000", "7" * 5000),
    ],
)
def test_another_line_is_none(line: str) -> None:
    assert parse_lag_line(line) is None


@given(st.text() | st.text(alphabet="lag t_ns=.0123456789mex").map(lambda text: LINE[:20] + text))
@example(LINE + "\n" + LINE)
def test_no_line_breaks_its_reader(line: str) -> None:
    sample = parse_lag_line(line)
    assert sample is None or sample.line() in line


@given(st.integers(0, 10**18), st.integers(1, 10**6), st.lists(st.floats(0, 1e9), min_size=4, max_size=4))
def test_a_line_is_read_back_to_the_microsecond(t_ns: int, n: int, figures_ms: list[float]) -> None:
    written = LagSample(t_ns, n, *figures_ms)
    assert parse_lag_line(written.line()) == LagSample(t_ns, n, *(float(f"{ms:.3f}") for ms in figures_ms))
