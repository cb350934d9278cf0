"""The answers say what the summary shows, and not a word more."""

from pathlib import Path

from benchmark.experiments.promise.answers import answers
from benchmark.experiments.promise.schema import PromiseSummary
from tests.unit.benchmark.experiments.promise.synthetic import always, recorded, slow_between
from tests.unit.benchmark.synthetic import make_contender
from tests.unit.plain import faults

ONE, TWO, SLOW = make_contender("one"), make_contender("two"), make_contender("slow", floor="sum")
SHAPE = "0 -> 200 in 10s, hold 10s"


def said(summary: PromiseSummary, busy: float = 0.0) -> list[str]:
    """Return the answers of a run, each of which is short and plain."""
    found = [answer.text for answer in answers(summary, busy)]
    assert [fault for text in found for fault in faults(text)] == []
    return found


def test_who_keeps_it_comes_first_and_who_breaks_it_with_the_second_and_the_share(tmp_path: Path) -> None:
    how = {"two": {"latency": slow_between(11, 13)}}
    kept, broken = said(recorded(tmp_path, [ONE, TWO], SHAPE, ["p99<100ms"], how=how))
    assert kept == "one keeps the promise under this load."
    assert broken.startswith("two breaks p99<100ms from second 11 on: 1")
    assert broken.endswith("% of its requests missed it.")


def test_a_floor_that_leaves_no_room_is_the_reason(tmp_path: Path) -> None:
    how = {"slow": {"latency": always(110.0)}}
    _, _, why = said(recorded(tmp_path, [SLOW], SHAPE, ["p99<100ms"], how=how))
    assert why == "slow cannot keep p99<100ms with much room: its models alone take 90.0 ms on average."


def test_where_the_result_comes_later_both_latencies_are_said(tmp_path: Path) -> None:
    how = {"latency": always(300.0), "requests": 3, "accepted_ms": 8.0}
    *_, both = said(recorded(tmp_path / "a", [ONE], SHAPE, ["p99<100ms"], how={"one": how}))
    assert both == "The p99 of one is 8.00 ms until the first answer and 300.0 ms until the result."
    *_, none = said(recorded(tmp_path / "b", [ONE], SHAPE, ["p99<100ms"], how={"one": {**how, "failed": 500}}))
    assert none == "The p99 of one is 8.00 ms until the first answer; too many results failed for one of them."


def test_too_few_requests_are_said_to_be_too_few(tmp_path: Path) -> None:
    assert said(recorded(tmp_path, [ONE], "20 for 5s")) == [
        "No contender is shown to keep the promise under this load.",
        "For one there are not enough requests to tell; a longer load would show it.",
    ]


def test_an_invalid_contender_supports_no_claim(tmp_path: Path) -> None:
    how = {"one": {"generator_cores": 0.97}}
    assert said(recorded(tmp_path, [ONE], SHAPE, how=how)) == [
        "No contender has a VALID figure, so nothing is claimed."
    ]


def test_a_busy_machine_condemns_the_whole_run(tmp_path: Path) -> None:
    assert said(recorded(tmp_path, [ONE], SHAPE), busy=0.5) == ["The run as a whole is INVALID and supports no claim."]
