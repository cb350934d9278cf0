"""Differences are paired by block, an invalid part strikes what rests on it, and what is not observed is no number."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.experiments.versus.answers import answers
from benchmark.experiments.versus.observed import AT_RATE, CPU, ONE_USER, OTHERS
from benchmark.experiments.versus.plan import Size
from benchmark.experiments.versus.schema import Compared, VersusSummary
from benchmark.experiments.versus.sides import Side
from tests.unit.benchmark.experiments.versus.synthetic import Latency, always, recorded, url_side
from tests.unit.benchmark.synthetic import make_contender

A, B = url_side("A"), url_side("B")
BLOCKS = Size(blocks=6, one_user_s=0.5, open_s=1.0)


def drifting(base_ms: float, seed: int) -> Latency:
    """Return a latency that rises from block to block, by far more than it scatters."""
    noise = np.random.default_rng(seed)
    return lambda block, due_s: base_ms + 20 * block + noise.normal(0, 0.3, due_s.shape)


def compared(summary: VersusSummary, figure: str) -> Compared:
    found = summary.comparison(figure)
    assert found is not None
    return found


def said(summary: VersusSummary) -> list[str]:
    return [f"{answer.text} {answer.note}".strip() for answer in answers(summary)]


def test_a_difference_is_seen_through_a_drift_that_both_share(tmp_path: Path) -> None:
    how = {"A": {"latency": drifting(90, 1)}, "B": {"latency": drifting(95, 2)}}
    summary = recorded(tmp_path, [A, B], how, BLOCKS)
    for figure in (ONE_USER, AT_RATE):
        found = compared(summary, figure)
        assert found.shown
        assert found.difference == pytest.approx(5, abs=0.5)
        assert found.difference_ci is not None
        assert found.difference_ci[0] < 5.0 < found.difference_ci[1]
        assert found.difference_ci[1] - found.difference_ci[0] < 2
    mean = summary.sides["A"].figures[ONE_USER]
    assert mean.ci95 is not None
    assert mean.ci95[1] - mean.ci95[0] > 50  # without pairing it could not be seen


def test_the_first_answer_is_the_difference_at_one_user_in_plain_words(tmp_path: Path) -> None:
    summary = recorded(tmp_path, [A, B], {"A": {"latency": always(90)}, "B": {"latency": always(95.1)}})
    assert said(summary)[:2] == [
        "B answers 5.10 ms later than A at one user (95.1 ms against 90.0 ms).",
        "B answers 5.10 ms later than A at 20 requests/s.",
    ]


def test_a_service_against_itself_shows_no_difference_and_says_which_one_it_could_have_shown(tmp_path: Path) -> None:
    noise = np.random.default_rng(7)

    def latency(block: int, due_s: np.ndarray) -> np.ndarray:
        return 50 + noise.normal(0, 0.1, due_s.shape)

    summary = recorded(tmp_path, [A, B], {"A": {"latency": latency}, "B": {"latency": latency}}, BLOCKS)
    assert not any(each.shown for each in summary.compared)
    assert said(summary)[0].startswith("No difference is shown between A and B at one user (50")
    assert "One of 2.0 % or more would have been shown." in said(summary)[0]


def test_what_runs_elsewhere_has_no_cpu_and_the_rules_that_take_it_are_not_checked(tmp_path: Path) -> None:
    summary = recorded(tmp_path, [A, B], {"A": {"foreign_cores": 1.0}})  # as its own service would use
    for entry in summary.sides.values():
        assert entry.valid
        assert CPU not in entry.figures
        assert entry.not_observed == ("CPU per request", "memory")
        assert OTHERS in entry.not_checked
    assert "CPU and memory of A and B are not observed: this run did not start them." in said(summary)


def test_what_this_run_started_has_cpu_per_request_and_other_programs_make_it_invalid(tmp_path: Path) -> None:
    sides = [Side(make_contender(label), "started here") for label in ("one", "two")]
    summary = recorded(tmp_path, sides, {"two": {"foreign_cores": 1.0}})
    assert compared(summary, CPU).one > 0
    assert summary.sides["one"].valid
    assert {reason.code for reason in summary.sides["two"].reasons} == {"foreign_load"}
    assert not compared(summary, ONE_USER).valid


def test_a_failure_at_the_rate_strikes_the_figures_of_the_rate_alone(tmp_path: Path) -> None:
    summary = recorded(tmp_path, [A, B], {"B": {"failed": 1}})
    assert compared(summary, ONE_USER).valid
    assert not compared(summary, AT_RATE).valid
    assert not summary.valid
    (reason,) = summary.sides["B"].reasons
    assert reason.part == "20 requests/s"


def test_a_duet_is_paired_by_second(tmp_path: Path) -> None:
    def disturbed(base_ms: float) -> Latency:
        return lambda block, due_s: base_ms + 100 * (due_s > 1.5)

    how = {"A": {"latency": disturbed(50)}, "B": {"latency": disturbed(55)}}
    summary = recorded(tmp_path, [A, B], how, BLOCKS, duet=True)
    found = compared(summary, AT_RATE)
    assert found.shown
    assert found.difference == pytest.approx(5)
    assert summary.comparison(ONE_USER) is None
