"""The answers of a run under fire: was everybody answered, when was full speed back, what does overload leave."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmark.experiments.under_fire.schema import OverloadResult, UnderFireSummary
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_NAMED: Final = 3  # contenders that one sentence can name with their numbers
_AT_ONCE_S: Final = 0.05


def answers(summary: UnderFireSummary) -> list[Answer]:
    """Return what the run answers, in reading order."""
    condemned = any(not reason.contender and reason.code != "interrupted" for reason in summary.reasons)
    if condemned:
        return [Answer(_SAY.condemned()), Answer(_SAY.nothing())]
    said = [*_explained(summary), *_recovered(summary), *_overload(summary)] or [_SAY.nothing()]
    return [Answer(text) for text in [*said, *([] if summary.complete else [_SAY.interrupted()])]]


def _explained(summary: UnderFireSummary) -> Iterator[str]:
    """Say whether everybody was answered, and whether any process was left."""
    results = summary.results
    if not results:
        return
    sent = sum(each.sent for each in results)
    odd, hanging = sum(each.unexplained for each in results), sum(each.hanging for each in results)
    counts = {"sent": f"{sent:,}", "hanging": f"{hanging:,}" if hanging else ""}
    if odd:
        yield _SAY.unexplained(count=f"{odd:,}", **counts)
    else:
        yield _SAY.only_hanging(**counts) if hanging else _SAY.all_explained(sent=counts["sent"])
    if orphans := sum(each.orphans for each in results):
        yield _SAY.orphans(count=orphans)


def _recovered(summary: UnderFireSummary) -> Iterator[str]:
    """Say how long it took at most until full speed was back, or where it did not come."""
    trials = [
        (trouble.says, each)
        for trouble in summary.troubles
        for each in trouble.results
        if each.valid and each.is_measured
    ]
    if not trials:
        return
    lost = [(says, each) for says, each in trials if each.recovery_s is None]
    if lost:
        says, each = lost[0]
        yield _SAY.not_recovered(count=len(lost), of=len(trials), contender=each.contender, fault=f"“{says}”")
        return
    longest_s, says, contender = max((each.recovery_s or 0.0, says, each.contender) for says, each in trials)
    if longest_s < _AT_ONCE_S:
        yield _SAY.recovered_at_once()
    else:
        yield _SAY.recovered(seconds=longest_s, contender=contender, fault=f"“{says}”")


def _overload(summary: UnderFireSummary) -> Iterator[str]:
    """Say how much of its peak each contender keeps, and how many bounds of the contract hold."""
    shares = [(share, each.contender) for each in summary.loaded if (share := _share(each)) is not None]
    if not shares:
        return
    if len(shares) <= _NAMED:
        words = [_SAY.first_share, *[_SAY.share] * (len(shares) - 1)]
        parts = [say(contender=name, percent=_percent(share)) for say, (share, name) in zip(words, shares, strict=True)]
        yield _SAY.goodput(shares=parts)
    else:
        (least, lowest), (most, highest) = min(shares), max(shares)
        yield _SAY.goodput_range(least=lowest, least_percent=_percent(least), most=highest, most_percent=_percent(most))
    bounds = [bound for each in summary.loaded for bound in each.bounds if bound.held is not None]
    held = sum(bool(bound.held) for bound in bounds)
    yield _SAY.all_bounds(count=len(bounds)) if held == len(bounds) else _SAY.some_bounds(held=held, count=len(bounds))


def _share(result: OverloadResult) -> float | None:
    return result.good_rps / result.peak_rps if result.good_rps is not None and result.peak_rps else None


def _percent(share: float) -> str:
    return f"{share:.0%}".rstrip("%")
