"""What the tests of answers hold every answer to."""

import pytest

from tests.unit.plain import faults


@pytest.mark.parametrize(
    "text",
    [
        "Alone, async-aiohttp answers fastest: 50.0 ms on average, half the time of sync (97.0 ms).",
        "async carries 1,300 requests/s, 3.4 times what sync carries.",
        "The p99 is −4.1 % away.",
    ],
)
def test_a_plain_sentence_is_an_answer(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{'word ' * 25}more.", "26 words"),
        ("It takes 1 ms, 2 ms, 3,000 ms or 4.5 ms.", "4 numbers"),
        ("It takes 50 [49, 51] ms.", "an interval"),
        ("It takes 50 ms (95 % interval).", "an interval"),
        ("It takes 49 to 51 ms.", "an interval"),
        ("It takes 50 ms", "no full stop"),
    ],
)
def test_what_has_too_much_in_it_is_none(text: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in faults(text)), faults(text)
