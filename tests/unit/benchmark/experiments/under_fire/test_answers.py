"""What a run under fire answers: one short sentence for each question, and nothing that it cannot tell."""

import re

import pytest

from benchmark.analysis.reasons import because
from benchmark.experiments.under_fire.answers import answers
from benchmark.experiments.under_fire.schema import (
    Bound,
    OverloadResult,
    Subject,
    TroubleResult,
    TroubleSummary,
    UnderFireSummary,
)

INVALID = (because("late_arrivals", late=9, dropped=0),)


def result(contender: str = "sync", **changes: object) -> TroubleResult:
    given = {"sent": 500, "answers": {"200": 500}, "recovery_s": 0.0, "observed_s": 7.0, **changes}
    return TroubleResult.model_validate({"contender": contender, **given})


def loaded(contender: str = "sync", share: float = 0.95, held: int = 4, **changes: object) -> OverloadResult:
    bounds = [Bound(name=f"bound {place}", value=1.0, at_most=1.5, held=place < held) for place in range(4)]
    given = {"sent": 9000, "peak_rps": 400.0, "good_rps": 400 * share, "bounds": bounds, **changes}
    return OverloadResult.model_validate({"contender": contender, **given})


def summary(*results: TroubleResult, overload: tuple[OverloadResult, ...] = (), **changes: object) -> UnderFireSummary:
    trouble = TroubleSummary(
        name="redis-killed", says="Redis is killed, and comes back", may="200, 503", results=results
    )
    names = {*(each.contender for each in results), *(each.contender for each in overload)}
    given = {
        "schema": 2,
        "troubles": (trouble,) if results else (),
        "overload": overload,
        "contenders": {name: Subject() for name in sorted(names)},
        **changes,
    }
    return UnderFireSummary.model_validate(given)


def said(found: UnderFireSummary) -> list[str]:
    return [each.text for each in answers(found)]


def test_all_requests_answered_is_said_in_one_sentence_with_their_number() -> None:
    first, second = said(summary(result(), result("async")))
    assert first == (
        "While things broke, all 1,000 requests were answered as the contract says, or refused while nobody listened."
    )
    assert second == "After every fault, full speed was back at once."


def test_what_is_unexplained_and_what_hangs_is_said() -> None:
    assert said(summary(result(unexplained=7, hanging=2)))[0] == (
        "While things broke, 7 of 500 requests ended in a way that the contract does not give, and 2 hung."
    )
    assert said(summary(result(hanging=2)))[0] == (
        "While things broke, 2 of 500 requests had no answer by their deadline."
    )


def test_processes_left_behind_are_said() -> None:
    assert "1 process was left behind." in said(summary(result(orphans=1)))
    assert "3 processes were left behind." in said(summary(result(orphans=3)))


def test_the_longest_recovery_is_said_and_where_there_was_none() -> None:
    assert (
        "full speed was back within 2.5 s; async took longest, after “Redis is killed, and comes back”."
        in said(summary(result(recovery_s=0.4), result("async", recovery_s=2.5)))[1]
    )
    assert said(summary(result(), result("async", recovery_s=None)))[1] == (
        "In 1 of 2 trials full speed did not come back in time, first in that of async with “Redis is killed, and "
        "comes back”."
    )


def test_overload_says_what_each_keeps_and_how_many_bounds_hold() -> None:
    found = said(summary(overload=(loaded(), loaded("async", 0.4, held=1))))
    assert found == [
        "Offered three times its peak, sync keeps 95 % of it and async 40 %.",
        "Overload stays within 5 of 8 bounds of the contract; the table names the others.",
    ]
    assert said(summary(overload=(loaded(),)))[1] == "Overload stays within all 4 bounds of the contract."


def test_of_many_contenders_the_least_and_the_most_are_named() -> None:
    many = tuple(loaded(name, share) for name, share in (("a", 0.2), ("b", 0.9), ("c", 0.5), ("d", 0.99)))
    assert said(summary(overload=many))[0] == (
        "Offered three times their peak, contenders keep 20 % (a) to 99 % (d) of it."
    )


def test_what_is_invalid_is_not_counted() -> None:
    whole = summary(result(), result("async", unexplained=9, reasons=INVALID), overload=(loaded(reasons=INVALID),))
    assert said(whole)[0].startswith("While things broke, all 500 requests")
    assert not any("peak" in text for text in said(whole))
    assert said(summary(result(reasons=INVALID))) == ["Nothing could be told, so nothing is claimed."]


def test_a_condemned_run_claims_nothing_and_an_interrupted_one_says_so() -> None:
    busy = (because("machine_busy", share=0.5, limit=0.15),)
    assert said(summary(result(), reasons=busy, valid=False)) == [
        "The run as a whole is INVALID and supports no claim.",
        "Nothing could be told, so nothing is claimed.",
    ]
    assert said(summary(result(), complete=False))[-1].startswith("The run was interrupted")


@pytest.mark.parametrize("odd", [0, 12_345])
@pytest.mark.parametrize("recovery_s", [None, 0.0, 3.25])
def test_each_answer_is_short_and_has_few_numbers(odd: int, recovery_s: float | None) -> None:
    many = tuple(loaded(name, 0.5, 2) for name in ("sync", "async", "async-aiohttp"))
    results = [result(name, unexplained=odd, hanging=odd, recovery_s=recovery_s) for name in ("sync", "async-aiohttp")]
    for text in said(summary(*results, overload=many)):
        assert len(text.split()) <= 25, text
        assert len(re.findall(r"\d[\d,.]*", text)) <= 3, text
