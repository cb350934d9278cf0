"""The answers of `versus`: which service answers sooner and by how much, what it costs, what it can carry."""

from pathlib import Path
from typing import Final

from benchmark.analysis.validity import run_reasons
from benchmark.experiments.versus.observed import AT_RATE, CPU, ONE_USER, PEAK_RATE
from benchmark.experiments.versus.schema import Compared, VersusSummary
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_LATENCY, _COST, _SAME, _PEAK = "Latency", "Cost", "Answers", "Peak"


def answers(summary: VersusSummary, busy_before: float = 0.0) -> list[Answer]:
    """Return one sentence for each question, the most important first."""
    if run_reasons(busy_before):
        return [Answer(_SAY.condemned())]
    found = [
        answer
        for name in (ONE_USER, AT_RATE, CPU, PEAK_RATE)
        if (compared := summary.comparison(name)) and compared.valid
        for answer in _said(summary, compared)
    ]
    found = found or [Answer(_SAY.nothing_valid())]
    one, other = summary.pair
    if summary.same_as and summary.answers and not any(_failed(summary)):
        found.append(Answer(_SAY.same(one=one, other=other, answers=summary.answers), topic=_SAME))
    if hidden := [label for label, entry in summary.sides.items() if entry.not_observed]:
        found.append(Answer(_SAY.not_observed(names=hidden), topic=_COST))
    if not summary.complete:
        found.append(Answer(_SAY.interrupted()))
    return found


def place_of(summary: VersusSummary, figure: str) -> str:
    return "at one user" if figure == ONE_USER else f"at {summary.rate_rps:g} requests/s"


def _failed(summary: VersusSummary) -> list[int]:
    return [figure.errors for entry in summary.sides.values() for figure in entry.figures.values()]


def _said(summary: VersusSummary, compared: Compared) -> list[Answer]:
    names = dict(zip(("one", "other"), summary.pair, strict=True))
    if compared.figure == CPU:
        said = _SAY.cpu(**names, other_ms=compared.other, times=compared.ratio, is_shown=compared.shown)
        return [Answer(said, topic=_COST)]
    if compared.figure == PEAK_RATE:
        said = _SAY.peak(**names, other_rps=compared.other, times=compared.ratio, is_shown=compared.shown)
        return [Answer(said, topic=_PEAK)]
    place = place_of(summary, compared.figure)
    is_first, by_ms = compared.figure == ONE_USER or summary.duet, abs(compared.difference)
    values = {"one_ms": compared.one, "other_ms": compared.other}
    if compared.shown:
        said = (
            _SAY.later(**names, **values, by_ms=by_ms, place=place)
            if is_first
            else _SAY.later_at(**names, by_ms=by_ms, is_later=compared.difference > 0, place=place)
        )
        return [Answer(said, topic=_LATENCY)]
    said = _SAY.alike(**names, **values, place=place) if is_first else _SAY.alike_at(**names, place=place)
    would = compared.would_show_pct
    return [Answer(said, note=_SAY.would_show(percent=would) if would and is_first else "", topic=_LATENCY)]
