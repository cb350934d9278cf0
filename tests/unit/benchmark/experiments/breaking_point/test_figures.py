"""What is drawn over time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.experiments.breaking_point.figures import course_of
from benchmark.load.shapes import RESPONSE_TIME
from tests.unit.benchmark.experiments.breaking_point.synthetic import locust_run, write_samples


@pytest.mark.parametrize("seconds", [2, 20, 100])
def test_a_single_user_who_asks_once_a_second_is_in_every_bin(tmp_path: Path, seconds: int) -> None:
    write_samples(tmp_path / "0-one-response-time.csv", requests=seconds, every_ms=1000)
    course = course_of(locust_run(plan=replace(RESPONSE_TIME, duration_s=float(seconds))), tmp_path)
    assert np.isfinite(course.p50_ms).all()
    assert course.rps == pytest.approx(np.ones(len(course.t_s)))
    assert course.t_s[-1] < seconds


def test_failed_requests_are_counted_apart(tmp_path: Path) -> None:
    write_samples(tmp_path / "0-one-response-time.csv", ok=False, requests=20, every_ms=1000)
    course = course_of(locust_run(plan=replace(RESPONSE_TIME, duration_s=20.0)), tmp_path)
    assert course.rps.sum() == 0
    assert course.failed_rps == pytest.approx(np.ones(19))


def test_answers_after_the_end_of_the_load_are_not_drawn_as_a_fall(tmp_path: Path) -> None:
    write_samples(tmp_path / "0-one-open-loop.csv", requests=120, every_ms=100)
    course = course_of(locust_run(example="open-loop", rate_rps=10.0, until_s=10.0), tmp_path)
    assert course.t_s[-1] < 10
    assert course.rps == pytest.approx(np.full(10, 10.0), abs=1)


def test_the_last_second_of_a_plan_is_not_drawn_as_a_fall(tmp_path: Path) -> None:
    """Its answers come up to one pacing after the first request of all, from where time is counted."""
    write_samples(tmp_path / "0-one-response-time.csv", requests=40, every_ms=500)
    plan = replace(RESPONSE_TIME, duration_s=21.0, pacing_s=0.5)
    course = course_of(locust_run(plan=plan), tmp_path)
    assert course.rps == pytest.approx(np.full(20, 2.0))
    assert plan.offered_rps(3.0) == 2.0
