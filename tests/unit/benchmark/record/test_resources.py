"""What a role used of the CPU between two moments, from the sums over its processes."""

import pandas as pd
import pytest

from benchmark.record.resources import BUSY, IDLE, STEAL, cpu_ns_between, disturbance_between


def used(*cpu_ns: int) -> pd.DataFrame:
    """Return samples of one role, ten units of time apart."""
    return pd.DataFrame({"t_ns": range(0, 10 * len(cpu_ns), 10), "cpu_ns": cpu_ns})


def test_between_two_samples_the_use_is_even() -> None:
    assert cpu_ns_between(used(100, 110, 130), 5, 15) == pytest.approx(5 + 10)
    assert cpu_ns_between(used(100, 110, 130), 0, 20) == 30


def test_what_an_ended_process_had_used_is_not_taken_back() -> None:
    # One of two processes ends, which had used 80; another takes its place, and has used 10 when it is first seen.
    assert cpu_ns_between(used(100, 110, 30, 40, 55), 0, 40) == 10 + 0 + 10 + 15


def test_a_killed_helper_does_not_make_its_own_cpu_that_of_other_programs() -> None:
    machine = {BUSY: (0, 10, 20, 30), IDLE: (0, 10, 20, 30), STEAL: (0, 0, 0, 0)}
    own = (1000, 1010, 20, 30)
    frames = [used(*series).assign(role=role) for role, series in {**machine, "scoring": own}.items()]
    assert disturbance_between(pd.concat(frames), 0, 30).foreign_share == pytest.approx((30 - 20) / 60)
