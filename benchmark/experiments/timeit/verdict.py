"""The verdict in plain sentences: what the intervals carry, and not a word more."""

from collections.abc import Mapping
from typing import Any

from benchmark.analysis.reasons import because
from benchmark.analysis.wording import deciding, fine_ms, first_line, listing, significant, span
from benchmark.experiments.timeit.schema import Timeit, TimeitData, parse
from benchmark.report.answers import Answer


def write_headline(summary: Mapping[str, Any]) -> str:
    """Return the one sentence that answers the experiment's question."""
    data = parse(summary)
    others = {name: figures for name, figures in data.fitted.items() if name != data.baseline}
    if data.common.faults or not data.fitted:
        return "No contender has a VALID figure, so nothing is claimed."
    if data.baseline not in data.fitted or not others:
        return f"{listing([_cost(name, ms, each) for name, (ms, each) in data.fitted.items()])}."
    best = min(others, key=lambda name: others[name][0])
    ms, each = others[best]
    return f"{_cost(best, ms, each)}: {_comparison(data, each)}."


def write_verdict(data: TimeitData) -> list[Answer]:
    """Return the verdict, in reading order."""
    said = []
    if not data.common.complete:
        said.append(
            Answer("The run was interrupted: what follows rests on what had been measured by then.", topic="State")
        )
    if data.scale < 1:
        said.append(
            Answer(
                f"The run was shortened (scale {data.scale:g}) to {len(data.calls)} numbers of calls and "
                f"{data.repeats} repeats; intervals are wider for it.",
                topic="State",
            )
        )
    return said + [_about(data, name) for name in data.timeit]


def _about(data: TimeitData, name: str) -> Answer:
    """Say what a call costs with one contender, and how that compares with the baseline."""
    each, contender = data.timeit[name], data.contender(name)
    reasons = "; ".join(map(first_line, contender.reasons or data.common.faults or [because("unsaid")]))
    if each.ms_per_call is None:
        return Answer(f"{name} has no figure: {reasons}.")
    text = _cost(name, each.ms_per_call, each)
    if name != data.baseline and each.faster_than_baseline_pct is not None:
        text += f": {_comparison(data, each)}"
    if not contender.valid:
        return Answer(f"{text}.", struck=True, note=f"INVALID: {reasons}.")
    if name != data.baseline and not data.percentage_stands(name):
        return Answer(f"{_cost(name, each.ms_per_call, each)}; there is no VALID baseline to compare it with.")
    return Answer(f"{text}." if name != data.baseline else f"{text}: the baseline.")


def _cost(name: str, ms: float, each: Timeit) -> str:
    interval = f" (95 % interval {span(each.ci95, fine_ms)} ms)" if each.ci95 else " (no interval)"
    floor = f", {significant(each.over_floor)} times its floor" if each.over_floor else ""
    return f"{name} takes {fine_ms(ms)} ms per call{interval}{floor}"


def _comparison(data: TimeitData, each: Timeit) -> str:
    """Return `98.9 % faster than sync (95 % interval 95.1 to 103 %)`."""
    percent = each.faster_than_baseline_pct
    if percent is None:
        return f"nothing shows how it compares with {data.baseline}"
    ends = each.interval_pct
    if ends is None:
        return f"{_faster(percent)} than {data.baseline}, without an interval: a reading that shows no difference"
    if not each.difference_shown:
        words = deciding(ends, each.confidence, data.comparisons, " %")
        return f"no difference to {data.baseline} is shown ({significant(percent)} %, {words})"
    turned = ends if percent >= 0 else (-ends[1], -ends[0])
    words = deciding(turned, each.confidence, data.comparisons, " %")
    return f"{_faster(percent)} than {data.baseline} ({words})"


def _faster(percent: float) -> str:
    return f"{significant(abs(percent))} % {'faster' if percent >= 0 else 'slower'}"
