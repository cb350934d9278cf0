"""The first screen of the README: the recorded run's answer in three sentences."""

from pathlib import Path
from typing import Final

from benchmark.analysis.schema import Comparison, Summary
from benchmark.experiments.bench.answers import equals_of_the_best, ranking, standings_of
from benchmark.experiments.bench.questions import QUESTIONS
from benchmark.experiments.gap.schema import Explained
from benchmark.experiments.gap.waterfall import strength
from benchmark.report.answers import Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_FLASK, _FLASK_AT_ONCE, _CUSTOMARY, _LEAN = "sync", "sync-concurrent", "async", "async-aiohttp"


def headline(contenders: Summary, explained: Explained) -> list[str]:
    """Return who is faster alone, why, and who carries more under load."""
    return [*_alone(contenders, explained), _under_load(contenders, explained)]


def _alone(contenders: Summary, explained: Explained) -> list[str]:
    compared = contenders.comparison("low_load_mean_ms", _LEAN)
    flask, lean = (contenders.contenders[name].low_load for name in (_FLASK, _LEAN))
    if not flask or not lean or not _is_shown(compared):
        return [_SAY.alone_undecided(slow_ms=flask.mean_ms if flask else None)]
    said = [_SAY.alone(fast_ms=lean.mean_ms, slow_ms=flask.mean_ms)]
    gap = explained.attribution.get("latency_ms")
    fan_out = gap.shares.get("fan_out") if gap else None
    if gap and fan_out:
        share = fan_out.value / gap.gap
        said.append(_SAY.because_of_fan_out(share=share, as_fast=_FLASK_AT_ONCE in _fastest(contenders)))
    return said


def _fastest(contenders: Summary) -> set[str]:
    """Return who answers fastest alone, with all that no difference is shown to."""
    latency = QUESTIONS[0]
    ranked = ranking(standings_of(contenders, latency), latency)
    return {each.name for each in equals_of_the_best(contenders, latency, ranked)}


def _under_load(contenders: Summary, explained: Explained) -> str:
    lean, customary = (contenders.comparison("peak_rps", name) for name in (_LEAN, _CUSTOMARY))
    if lean is None or not _is_shown(lean):
        return _SAY.under_load_undecided()
    gap = explained.attribution.get("peak_rps")
    largest = max(gap.shares, key=lambda name: strength("peak_rps", gap.shares[name].value)) if gap else ""
    shown = customary.ratio if customary and _is_shown(customary) else None
    return _SAY.under_load(lean=lean.ratio, customary=shown, client_decides=largest == "http_client")


def _is_shown(compared: Comparison | None) -> bool:
    return bool(compared and compared.difference_shown)
