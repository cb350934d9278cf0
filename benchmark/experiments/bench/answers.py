"""The answers of a run: who answers fastest, who carries most, what a request costs.

A contender is called better than another only if the difference is shown: against the baseline by the record's own
comparison, otherwise by intervals that do not overlap. What is INVALID supports no answer.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from benchmark.analysis.schema import SMALLEST_CLAIM, Comparison, Summary
from benchmark.experiments.bench.questions import QUESTIONS, Question, Standing
from benchmark.report.answers import REASON, Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_ABOUT: Final = 0.1  # what "about" may hide
_NAMED: Final = 4  # how many equals are named before they are only counted
_CASES: Final = ("ahead", "undecided", "uncertain", "best", "apart")  # in answers.j2
_WORTH_SHOWING: Final = 1.05  # "a difference of 5 %"
_MOST: Final = 0.5  # of a difference
_LONGEST_ADVICE_MINUTES: Final = 120


def answers(summary: Summary) -> list[Answer]:
    """Return what the run answers, in reading order."""
    rivals = summary.rivals.values()
    if not any(rival.measured for rival in rivals):
        return [*_state(summary), Answer(_SAY.nobody_measured())]
    if not any(rival.measured and not rival.faults for rival in rivals):
        return [*_state(summary), Answer(_SAY.nobody_valid())]
    latency, *others = QUESTIONS
    return [
        _answer(summary, latency),
        *_reason(summary, latency),
        *(_answer(summary, question) for question in others),
        *_state(summary),
    ]


def _state(summary: Summary) -> list[Answer]:
    """Say what the state of the run means for its figures."""
    cases = [
        (_SAY.interrupted, not summary.complete),
        (_SAY.condemned, bool(summary.faults)),
        (_SAY.one_block, _without_intervals(summary)),
    ]
    return [Answer(say(), topic="State") for say, applies in cases if applies]


def _without_intervals(summary: Summary) -> bool:
    """Whether there are figures and not one has an interval."""
    rivals = summary.rivals.values()
    intervals = [low.ci95_mean_ms for rival in rivals if (low := rival.low_load)]
    intervals += [level.ci95_rps for rival in rivals for level in rival.levels]
    return bool(intervals) and not any(intervals)


def _answer(summary: Summary, question: Question) -> Answer:
    """Say who is best at one thing, and what the baseline does."""
    if not any(question.measured(contender) for contender in summary.rivals.values()):
        return Answer(_SAY.not_measured(), topic=question.topic)
    standings = standings_of(summary, question)
    if not standings:
        return Answer(_SAY.nobody_valid(), topic=question.topic)
    ranked = ranking(standings, question)
    if not ranked:
        return Answer(_SAY.no_peak(), topic=question.topic)
    return Answer(_ranked_in_words(summary, question, ranked), topic=question.topic)


def _reason(summary: Summary, latency: Question) -> list[Answer]:
    """Say so if the models make most of the difference in latency between the best and the baseline."""
    ranked = ranking(standings_of(summary, latency), latency)
    baseline = next((each for each in ranked if each.name == summary.baseline), None)
    if baseline is None or baseline in equals_of_the_best(summary, latency, ranked):
        return []
    best = ranked[0]
    floor_ms, baseline_floor_ms = (summary.contenders[each.name].floor_ms for each in (best, baseline))
    if baseline_floor_ms - floor_ms < _MOST * (baseline.value - best.value):
        return []
    given = {"floor_ms": floor_ms, "baseline_floor_ms": baseline_floor_ms, "best": best.name, "baseline": baseline.name}
    asked = [summary.contenders[each.name].asked for each in (best, baseline)]
    say = _SAY.asked_at_once if asked == ["max", "sum"] else _SAY.models_decide
    return [Answer(say(**given), topic=REASON)]


def standings_of(summary: Summary, question: Question) -> list[Standing]:
    """Return the VALID figures of all contenders."""
    found = [question.standing(summary, name, contender) for name, contender in summary.rivals.items()]
    return [standing for standing in found if standing]


def ranking(standings: Sequence[Standing], question: Question) -> list[Standing]:
    """Return those that can be ranked, the best first: whose levels show no peak ranks nowhere."""
    sign = 1 if question.lower_is_better else -1
    return sorted((each for each in standings if not each.no_peak), key=lambda each: sign * each.value)


def equals_of_the_best(summary: Summary, question: Question, ranked: Sequence[Standing]) -> list[Standing]:
    """Return the best, and those that no difference to it is shown of."""
    leader, *rivals = ranked
    return [leader, *(rival for rival in rivals if not _separated(summary, question, leader, rival))]


def _ranked_in_words(summary: Summary, question: Question, ranked: Sequence[Standing]) -> str:
    best = equals_of_the_best(summary, question, ranked)
    baseline = next((standing for standing in ranked if standing.name == summary.baseline), None)
    say = {case: getattr(_SAY, f"{question.figure}_{case}") for case in _CASES}
    low = summary.low_users
    if baseline in best[1:]:
        compared = {"baseline": baseline.name, "baseline_value": baseline.value, "low": low}
        compared["minutes"] = _minutes_to_show(summary, question)
        if _are_apart([best[0], baseline]):
            return str(say["uncertain"](leader=best[0].name, value=best[0].value, **compared))
        return str(say["undecided"](**compared))
    if _are_apart(best):  # wide intervals: none of their values stands for all
        values = sorted(each.value for each in best)
        return str(say["apart"](best=_names(best), least=values[0], most=values[-1], low=low))
    middle = (min(each.value for each in best) + max(each.value for each in best)) / 2  # stands for all of them
    given = {"best": _names(best), "one": len(best) == 1, "value": middle, "low": low}
    if baseline is None or baseline is best[0]:
        return str(say["best"](**given))
    return str(say["ahead"](baseline=baseline.name, baseline_value=baseline.value, **given))


def _are_apart(best: Sequence[Standing]) -> bool:
    """Whether figures that no difference is shown between are too different to be called about the same."""
    return any(abs(each.value - best[0].value) > _ABOUT * best[0].value for each in best)


def _names(standings: Sequence[Standing]) -> list[str]:
    return [f"{len(standings)} contenders"] if len(standings) > _NAMED else [each.name for each in standings]


def _separated(summary: Summary, question: Question, leader: Standing, rival: Standing) -> bool:
    """Whether the record shows that the leader is better than the rival."""
    if abs(leader.value - rival.value) <= SMALLEST_CLAIM * abs(rival.value):
        return False
    for one, other in ((leader, rival), (rival, leader)):
        compared = _comparison(summary, question, one, other)
        if compared:
            return compared.difference_shown
    if not leader.interval or not rival.interval:
        return False
    if question.lower_is_better:
        return leader.interval[1] < rival.interval[0]
    return leader.interval[0] > rival.interval[1]


def _comparison(summary: Summary, question: Question, one: Standing, baseline: Standing) -> Comparison | None:
    """Return how one compares with the baseline, or None if the other is not that or a figure is INVALID."""
    if baseline.name != summary.baseline or not (one.compared and baseline.compared):
        return None
    return summary.comparison(question.figure, one.name)


def _minutes_to_show(summary: Summary, question: Question) -> int | None:
    """Return about how many more minutes it takes until a difference of 5 % to the baseline would be shown.

    An interval narrows with the square root of the number of blocks: with half-width h (of the logarithm) after n
    blocks it takes n (h / ln 1.05)^2. None where nothing was compared, it is narrow enough already, or it takes days.
    """
    widths = [
        math.log(high / low) / 2
        for each in summary.comparisons
        if each.figure == question.figure and each.interval
        for low, high in [each.interval]
        if low > 0
    ]
    minutes = _minutes(summary)
    if not widths or not minutes:
        return None
    more = minutes * ((max(widths) / math.log(_WORTH_SHOWING)) ** 2 - 1)
    return math.ceil(more) if 0 < more <= _LONGEST_ADVICE_MINUTES else None


def _minutes(summary: Summary) -> float | None:
    try:
        ends: list[Any] = [datetime.fromisoformat(at) for at in (summary.started_utc, summary.finished_utc or "")]
    except ValueError:
        return None
    return float((ends[1] - ends[0]).total_seconds() / 60)
