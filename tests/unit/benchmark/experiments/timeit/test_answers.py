"""The answers say what the summary shows, and not a word more."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments.timeit.answers import answers
from benchmark.experiments.timeit.schema import parse
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.recorders import KINDS, Kind, record_timeit
from tests.unit.benchmark.experiments.timeit.synthetic import Recorder, summary_of
from tests.unit.plain import faults

SHORT_PLAN = {"calls": [1, 10, 20, 30], "repeats": 3, "seed": 1, "scale": 0.1}


def said(summary: dict[str, Any]) -> list[str]:
    """Return the answers of a run, each of which is short and plain."""
    found = [answer.text for answer in answers(parse(summary))]
    assert [fault for text in found for fault in faults(text)] == []
    return found


def of(run: Run, **floors_ms: float) -> list[str]:
    return said(summary_of(run, dict.fromkeys(run.manifest["contenders"], 45.0) | floors_ms))


def test_half_the_time_is_called_that_and_what_makes_the_difference_is_said(record: Recorder) -> None:
    time, reason = of(record({"one": 100.0, "two": 50.0}), one=90.0)
    assert time.startswith("One call takes two ")
    assert ", half the time of one (" in time
    assert "%" not in time
    assert reason == ("The models make most of the difference: asked as in two they take 45.0 ms, as in one 90.0 ms.")


def test_any_other_multiple_is_given_as_times_as_long(record: Recorder) -> None:
    (time,) = of(record({"one": 150.0, "two": 50.0}))
    assert "; one takes 3.0 times as long (" in time


def test_the_models_are_no_reason_where_they_take_the_same_time(record: Recorder) -> None:
    assert not [text for text in of(record()) if "models" in text]


def test_all_that_are_as_fast_as_the_fastest_are_named(record: Recorder) -> None:
    time, *_ = of(record({"one": 100.0, "two": 50.0, "three": 50.0, "four": 70.0}, noise=0.01))
    assert time.startswith(("One call takes two and three about ", "One call takes three and two about "))


def test_where_the_baseline_is_fastest_the_next_one_is_named(record: Recorder) -> None:
    (time,) = of(record({"one": 50.0, "two": 100.0, "three": 60.0}))
    assert time.startswith("One call takes one least, ")
    assert "; three takes 1.2 times as long (" in time


def test_what_is_not_shown_is_said_with_what_would_show_it(record: Recorder) -> None:
    (time,) = of(record({"one": 50.0, "two": 50.0}, repeats=4, noise=0.1))
    assert time.startswith("Nothing is shown to be faster than one (")
    assert " repeats would show a difference of 5 %." in time


def test_no_more_repeats_are_advised_where_there_are_enough(record: Recorder) -> None:
    (time,) = of(record({"one": 50.0, "two": 50.0}))
    assert time.endswith("ms per call).")


def test_who_is_not_shown_to_be_faster_is_passed_over(record: Recorder) -> None:
    summary = summary_of(record())
    summary["contenders"]["two"]["timeit"].update(difference_shown=False, ms_per_call=1.0)
    assert said(summary)[0].startswith("One call takes three ")


def test_one_contender_has_nobody_to_be_compared_with(record: Recorder) -> None:
    (time,) = of(record({"one": 50.0}))
    assert time.startswith("One call takes one ")
    assert "than" not in time


def test_an_invalid_contender_supports_no_answer(record: Recorder) -> None:
    assert not [text for text in of(record({"one": 100.0, "two": 50.0}), two=51.0) if "two" in text]


def test_without_a_valid_baseline_nothing_is_compared(record: Recorder) -> None:
    (time,) = of(record(), one=110.0)
    assert time.endswith("; there is no VALID one to compare with.")


def test_a_run_that_is_invalid_as_a_whole_supports_no_claim(record: Recorder) -> None:
    assert of(record(busy_before_start=0.5)) == [
        "The run as a whole is INVALID and supports no claim.",
        "No contender has a VALID figure, so nothing is claimed.",
    ]


def test_where_nothing_was_measured_nothing_is_claimed(record: Recorder) -> None:
    assert of(record(repeats=0))[-1] == "No contender was measured, so nothing is claimed."


def test_a_shortened_run_says_so(record: Recorder) -> None:
    assert of(record(repeats=3, plan=SHORT_PLAN))[-1].startswith("The run was shortened to 3 repeats of 4 numbers")


def test_one_repeat_shows_no_difference(record: Recorder) -> None:
    time, state = of(record({"one": 100.0, "two": 50.0}, repeats=1))
    assert time.startswith("Nothing is shown to be faster than one")
    assert state.startswith("One repeat shows no difference")


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_carried_out_has_plain_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    found = said(record_timeit(tmp_path, monkeypatch, kind).summary)
    assert any(text.startswith("The run was interrupted") for text in found) is (kind == "interrupted")
