"""The bound that takes one line."""

import pytest

from benchmark.experiments.prediction.bounds import Bound

DEMANDS = {"scoring": 2.0, "model": 1.0, "load": 1.0}


def test_few_users_are_bound_by_how_long_an_answer_takes_alone() -> None:
    assert Bound(50.0, DEMANDS, cores=2).rate_rps(4) == pytest.approx(80.0)


def test_many_users_are_bound_by_the_process_that_a_request_costs_most() -> None:
    assert Bound(50.0, DEMANDS, cores=8).rate_rps(1000) == pytest.approx(500.0)


def test_all_processes_together_have_no_more_than_all_cores() -> None:
    assert Bound(50.0, DEMANDS, cores=1).rate_rps(1000) == pytest.approx(250.0)


def test_threads_bind_whoever_waits_for_one() -> None:
    assert Bound(50.0, DEMANDS, cores=8, threads=10).rate_rps(1000) == pytest.approx(200.0)
