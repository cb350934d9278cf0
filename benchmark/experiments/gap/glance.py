"""The shares in one look: a row for each factor, a column for each response, and bars."""

from collections.abc import Mapping
from math import log

from benchmark.analysis.wording import MISSING
from benchmark.experiments.gap.formats import NAMES, amount, factor_title, first_upper, setting, share_text
from benchmark.experiments.gap.schema import MULTIPLIED, RESPONSES, Attribution, Explained, gap_shown, none_of, shown
from benchmark.experiments.gap.waterfall import strength
from benchmark.report.tables import NO_PEAK, GlanceCell, GlanceRow


def glance_heads(attributions: Mapping[str, Attribution]) -> list[str]:
    """Return what stands above the columns."""
    return [NAMES[response] for response in RESPONSES if response in attributions]


def glance_rows(data: Explained, attributions: Mapping[str, Attribution]) -> list[GlanceRow]:
    """Return one row per factor, the strongest first, and one for the gap; none if nothing was attributed."""
    gaps = {response: attributions[response] for response in RESPONSES if response in attributions}
    if not gaps:
        return []
    names = dict.fromkeys(
        name
        for response, gap in gaps.items()
        for name in sorted(gap.shares, key=lambda each: -strength(response, gap.shares[each].value))
    )
    rows = [
        GlanceRow(
            first_upper(factor_title(data, name)),
            setting(data, name),
            tuple(_share_cell(data, response, gap, name) for response, gap in gaps.items()),
        )
        for name in names
    ]
    ends = next(f"from {gap.from_} to {gap.to}" for gap in gaps.values())
    return [*rows, GlanceRow("All together", ends, tuple(_gap_cell(data, r, gap) for r, gap in gaps.items()))]


def _share_cell(data: Explained, response: str, gap: Attribution, name: str) -> GlanceCell:
    share = gap.shares.get(name)
    if share is None or data.ends_without_peak(gap, response):
        return GlanceCell(MISSING)
    text = share_text(response, share.value)
    if data.against(gap, response):
        return GlanceCell(text, "INVALID")
    if not shown(share.ci95, none_of(response)):
        return GlanceCell(text, "no effect shown")
    longest = max(_length(response, each.value) for each in gap.shares.values())
    return GlanceCell(text, share=_length(response, share.value) / longest)


def _length(response: str, share: float) -> float:
    """Return how long a bar is: of rates, whose shares multiply, on the scale of logarithms."""
    return abs(log(share)) if response in MULTIPLIED and share > 0 else abs(share)


def _gap_cell(data: Explained, response: str, gap: Attribution) -> GlanceCell:
    if data.ends_without_peak(gap, response):
        return GlanceCell(NO_PEAK)
    start, _, _ = amount(response, gap.from_value).partition(" ")
    remark = f"{start} → {amount(response, gap.to_value)}"
    if data.against(gap, response):
        remark += ", INVALID"
    elif not gap_shown(response, gap):
        remark += ", no difference shown"
    return GlanceCell(share_text(response, gap.gap), remark)
