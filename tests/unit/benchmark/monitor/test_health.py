"""When a service is down, stalls and is well again; one lost answer is none of these."""

import pytest

from benchmark.monitor.health import Change, Health, Probe, changes, outages
from tests.unit.benchmark.monitor.watched import STALL_MS, A, beat, probe, probes


def changed(answers: str) -> list[Change]:
    return changes(A, probes(answers), STALL_MS)


@pytest.mark.parametrize("answers", ["." * 50, "...x.....x.....5...", ".x.x....s...t...", "xx...", "..xx...ss.."])
def test_single_lost_or_late_answers_are_no_alert(answers: str) -> None:
    assert changed(answers) == []


def test_a_service_that_refuses_is_down_from_its_first_bad_answer_on_until_its_first_good_one() -> None:
    down, well = changed("....xxxxxx........")
    assert (down.state, down.since_ns, down.noticed_ns) == ("down", beat(4), beat(6) + 500_000)
    assert "ConnectionRefusedError" in down.why
    assert (well.state, well.since_ns, well.lasted_ns) == ("well", beat(10), beat(10) - beat(4))


def test_errors_count_as_refusals_do() -> None:
    assert [change.state for change in changed("....5555......")] == ["down", "well"]
    assert changed("....5555......")[0].why == "status 500 after 3 ms"


@pytest.mark.parametrize("slow", ["s", "t"])
def test_a_service_that_does_not_answer_in_time_stalls(slow: str) -> None:
    stalled, well = changed(f"....{slow * 8}.........")
    assert (stalled.state, stalled.since_ns) == ("stalled", beat(4))
    assert (well.state, well.since_ns) == ("well", beat(12))


def test_that_an_answer_is_overdue_is_known_before_it_ends() -> None:
    stalled = changed("....tttttttt")[0]
    assert stalled.noticed_ns == beat(6) + int(STALL_MS * 1e6)


def test_a_service_that_wavers_is_reported_once_until_it_is_stable() -> None:
    wavering = "....xxx" + "..x.x..x.xx." * 20
    assert [change.state for change in changed(wavering)] == ["down"]
    assert [change.state for change in changed(wavering + ".....")] == ["down", "well"]


def test_one_that_stalls_and_then_dies_is_reported_as_down_too_and_its_outage_as_a_whole() -> None:
    seen = probes("....tttttttt" + "x" * 26 + "." * 10)
    found = changes(A, seen, STALL_MS)
    assert [change.state for change in found] == ["stalled", "down", "well"]
    assert found[-1].lasted_ns == beat(38) - beat(4)
    periods = outages(seen, found, STALL_MS)
    assert [each.state for each in periods] == ["stalled", "down"]
    assert periods[0].until_ns == periods[1].since_ns
    assert periods[1].until_ns == beat(38)


def test_an_outage_that_goes_on_has_no_end() -> None:
    seen = probes("....xxxxx")
    (outage,) = outages(seen, changes(A, seen, STALL_MS), STALL_MS)
    assert (outage.since_ns, outage.until_ns) == (beat(4), None)


@pytest.mark.parametrize(("answers", "state"), [("x", "down"), ("xx", "down"), ("tt", "stalled"), ("5", "down")])
def test_one_that_never_answered_well_was_not_well_however_short_the_watch(answers: str, state: str) -> None:
    seen = probes(answers)
    assert changes(A, seen, STALL_MS) == []
    assert [each.state for each in outages(seen, [], STALL_MS)] == [state]


def test_a_watch_without_any_question_shows_no_outage() -> None:
    assert outages([], [], STALL_MS) == []


def test_a_delay_of_the_monitor_itself_is_none_of_the_service() -> None:
    held_up = Probe(A, beat(0), beat(0), 5000.0, 200, "", late_ms=4998.0)
    assert (held_up.waited_ms, held_up.kind(STALL_MS)) == (2.0, "good")
    assert Probe(A, beat(0), beat(0), 5000.0, 200, "").kind(STALL_MS) == "slow"


@pytest.mark.parametrize(
    ("status", "kind"), [(200, "good"), (204, "good"), (301, "failed"), (404, "failed"), (0, "failed")]
)
def test_only_2xx_is_well(status: int, kind: str) -> None:
    assert Probe(A, 0, 0, 1.0, status, "").kind(STALL_MS) == kind


def test_what_was_reported_while_watching_is_found_again_in_the_record() -> None:
    answers = "..tttt..xx..x..xxxx....s.ss.....tt.xxx......"
    health = Health(A)
    asked = sorted(
        (probe(number, answer) for number, answer in enumerate(answers)),
        key=lambda each: each.start_ns + 1e6 * min(each.ms, STALL_MS),
    )
    reported = [health.see(each.kind(STALL_MS), each.scheduled_ns, 0) for each in asked]
    live = [(change.state, change.since_ns) for change in reported if change]
    assert [(change.state, change.since_ns) for change in changed(answers)] == live
    assert len(live) > 2


def test_one_of_two_workers_that_hangs_is_noticed_though_the_other_answers() -> None:
    assert [change.state for change in changed("...." + ".t" * 40)] == ["stalled"]
