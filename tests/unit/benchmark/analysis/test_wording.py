"""How numbers are printed."""

import pytest

from benchmark.analysis.wording import at_users, fine_ms, first_line, listing, minute_utc, significant, span, unbroken


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (9.996, "10.0"),
        (0.0899, "0.0899"),
        (147.3, "147"),
        (999.6, "1,000"),
        (4213, "4,210"),
        (-3.14159, "−3.14"),
    ],
)
def test_three_significant_digits(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_latency_at_low_load_keeps_a_tenth_of_a_ms() -> None:
    assert [fine_ms(value) for value in (1.134, 50.84, 101.24, 1234.0)] == ["1.13", "50.8", "101.2", "1,230"]


def test_the_ends_of_an_interval_are_told_apart() -> None:
    assert span((142.0, 151.0)) == "142 to 151"
    assert span((1.12543, 1.12612)) == "1.125 to 1.126"
    assert span((5.0, 5.0)) == "5.00 to 5.00"


def test_lists_and_users() -> None:
    assert [listing(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [at_users(1), at_users(8)] == ["one user", "8 users"]


def test_a_number_stays_with_its_unit() -> None:
    assert unbroken("95 % of 8 users in 50.8 ms") == "95\u00a0% of 8\u00a0users in 50.8\u00a0ms"


def test_times_are_shown_to_the_minute() -> None:
    assert minute_utc("2026-11-21T05:00:59Z") == "2026-11-21 05:00 UTC"
    assert minute_utc("2026-11-21T07:00:00+02:00") == "2026-11-21 05:00 UTC"
    assert minute_utc("yesterday") == "yesterday"
    assert minute_utc("") == "date not recorded"


def test_the_first_of_several_lines() -> None:
    assert first_line("not ready; its log ends:\nTraceback") == "not ready; its log ends"
    assert first_line("N = X R: off") == "N = X R: off"
