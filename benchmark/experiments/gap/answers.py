"""The answers of a run: what makes the gap, how well peak rates were predicted, and where the order turns.

A factor is named only if its interval shows an effect. What is INVALID supports no answer.
"""

from math import ceil, log
from pathlib import Path
from typing import Any, Final

from benchmark.experiments.gap import map as draw_map
from benchmark.experiments.gap.formats import NAMES, factor_title, first_upper, setting
from benchmark.experiments.gap.schema import MULTIPLIED, RESPONSES, Attribution, Explained, gap_shown, none_of, shown
from benchmark.experiments.gap.waterfall import strength
from benchmark.report.answers import Answer, Phrases

SAY: Final = Phrases(Path(__file__).parent)
_WORTH_SHOWING: Final = 0.05  # "would show 5 %"
_FEWEST_BLOCKS: Final = 2  # with these, the adjusted interval is 9 times as wide as the one of 95 %, or more
_MOST_BLOCKS: Final = 250  # about a day; longer is no advice


def answers(data: Explained) -> list[Answer]:
    """Return what the run answers, in reading order."""
    if data.faults:
        return [Answer(SAY.condemned(), topic="State"), *_state(data)]
    if not (data.attribution or data.prediction or data.crossover):
        return [Answer(SAY.nothing_measured(), topic="State"), *_state(data)]
    gaps = [_gap(data, response, data.attribution.get(response)) for response in RESPONSES]
    turn = Answer(_turn(data), topic="Models that compute")
    return [*gaps, Answer(_prediction(data), topic="Prediction"), turn, *_state(data)]


def customary_answers(data: Explained) -> list[Answer]:
    """Return the same of the gap to the contender with the customary setting."""
    found = {} if data.faults else data.attribution_customary
    return [_gap(data, response, found[response]) for response in RESPONSES if response in found]


def message(data: Explained, response: str, gap: Attribution) -> str:
    """Return what the picture of a gap shows, in a few words."""
    lead = _lead(data, response, gap)
    supported = not data.against(gap, response) and not data.ends_without_peak(gap, response)
    if lead and supported and gap_shown(response, gap):
        return SAY.leads(what=NAMES[response], **{key: lead[key] for key in ("title", "to", "part")})
    return f"{first_upper(NAMES[response])}: from {gap.from_} to {gap.to}"


def _state(data: Explained) -> list[Answer]:
    """Say what the state of the run means for its figures."""
    without_intervals = bool(data.attribution) and not any(each.ci95 for each in data.attribution.values())
    cases = [
        (SAY.interrupted, not data.complete),
        (SAY.partial, bool(data.confounded) and not data.faults),
        (SAY.one_block, without_intervals and not data.faults),
    ]
    return [Answer(say(), topic="State") for say, applies in cases if applies]


def _gap(data: Explained, response: str, gap: Attribution | None) -> Answer:
    return Answer(_gap_in_words(data, response, gap), topic=first_upper(NAMES[response]))


def _gap_in_words(data: Explained, response: str, gap: Attribution | None) -> str:
    if gap is None:
        return SAY.not_explained(what=NAMES[response])
    if data.against(gap, response):
        return SAY.invalid(what=NAMES[response])
    if without := data.ends_without_peak(gap, response):
        return SAY.no_peak(names=[cell.contender for cell in without])
    if not gap_shown(response, gap):
        return _not_shown(response, gap)
    given = {"gap": gap.gap, "start": gap.from_, "goal": gap.to, **_lead(data, response, gap)}
    if response in MULTIPLIED:
        return SAY.ratio(all_peaks=not data.without_peak(gap, response), **given)
    return SAY.difference(response=response, **given)


def _not_shown(response: str, gap: Attribution) -> str:
    given = {"what": NAMES[response], "start": gap.from_, "goal": gap.to}
    if gap.blocks == _FEWEST_BLOCKS and shown(gap.ci95, none_of(response)):
        return SAY.too_few_blocks(**given)
    return SAY.no_difference(had=gap.blocks, needed=_blocks_to_show(response, gap), **given)


def _lead(data: Explained, response: str, gap: Attribution) -> dict[str, Any]:
    """Return the factor with the largest share, of those shown to work in the direction of the gap; {} without one."""
    none = none_of(response)
    along = {
        name: share
        for name, share in gap.shares.items()
        if shown(share.ci95, none) and (share.value > none) == (gap.gap > none)
    }
    if not along:
        return {}
    name = max(along, key=lambda each: strength(response, along[each].value))
    share, first = along[name].value, along[name].first
    return {
        "title": factor_title(data, name),
        "to": setting(data, name),
        "share": share,
        "part": log(share) / log(gap.gap) if response in MULTIPLIED else share / gap.gap,
        "not_first": first is not None and (first.value > none) != (share > none),
    }


def _blocks_to_show(response: str, gap: Attribution) -> int | None:
    """Return about how many blocks it takes until a difference of 5 % would be shown.

    An interval narrows with the square root of the number of blocks. None where it is narrow enough already, where
    there is none, or where it would take days.
    """
    if not gap.interval or not gap.blocks:
        return None
    low, high = gap.interval
    if response in MULTIPLIED:
        half, wanted = log(high / low) / 2 if low > 0 else 0.0, log(1 + _WORTH_SHOWING)
    else:
        half, wanted = (high - low) / 2, _WORTH_SHOWING * gap.from_value
    blocks = gap.blocks * (half / wanted) ** 2 if wanted else 0.0
    return ceil(blocks) if gap.blocks < blocks <= _MOST_BLOCKS else None


def _prediction(data: Explained) -> str:
    """Say how far the worst peak rate was off, and how far a simple bound: of those that were measured and VALID."""
    met = {
        name: (abs(peak.error), peak.bound_error)
        for name, peak in data.peaks.items()
        if peak.error is not None and not peak.reasons and peak.bracketed is not False
    }
    if not met:
        return SAY.prediction_unchecked() if data.prediction else SAY.not_predicted()
    bounds = [abs(bound) for _, bound in met.values() if bound is not None]
    bound = max(bounds) if len(bounds) == len(met) else None
    return SAY.predicted(names=list(met), error=max(error for error, _ in met.values()), bound=bound)


def _turn(data: Explained) -> str:
    """Say who carries more where models compute: at the points that were measured and show a difference."""
    ends, of = data.ends, sum(point.stands for point in data.crossover)
    if not ends or not of:
        return SAY.not_mapped()
    ahead = draw_map.shown_ahead(data, ends)
    if not ahead:
        return SAY.nobody_ahead(of=of)
    first, *others = ahead
    if not others:
        return SAY.one_ahead(name=first, count=ahead[first], of=of)
    if turn := _predicted_turn(data):
        return SAY.turns(users=turn[0], cpu_ms=turn[1], first=first, then=others[0])
    return SAY.both_ahead(ahead=ahead, of=of)


def _predicted_turn(data: Explained) -> tuple[int, float] | None:
    """Return at how many users, the most measured, the predicted ratio passes 1, and at how many ms of CPU."""
    grid = draw_map.Grid(data.crossover)
    users = sorted({point.users for point in data.crossover if point.stands}, reverse=True) if grid.predicted else []
    turns = ((each, draw_map.crossing_ms(grid, each)) for each in users)
    return next(((each, ms) for each, ms in turns if ms is not None), None)
