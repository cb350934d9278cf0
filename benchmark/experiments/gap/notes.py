"""What a reader should know besides the answers: what to change first, where time goes, where figures could be wrong."""

from collections.abc import Mapping
from math import log
from typing import Any

from benchmark.analysis.schema import SMALLEST_CLAIM
from benchmark.experiments.gap.anatomy import MODELS, SLEEP
from benchmark.experiments.gap.answers import SAY
from benchmark.experiments.gap.formats import factor_title, first_upper, setting
from benchmark.experiments.gap.schema import (
    MULTIPLIED,
    RESPONSES,
    Change,
    Explained,
    Share,
    WhatIfSummary,
    improves,
    none_of,
    shown,
)
from benchmark.report.answers import Answer

_WORTH_A_LINE_MS = 0.1  # a share of the models' sleep


def what_to_change_first(data: Explained) -> list[Answer]:
    """Return a line for each factor that is shown to improve anything, the largest improvement first.

    Improvements are compared by what they do to the starting point: |share| / value for differences, |log| for
    factors. A share is an average over orders: what improves nothing when it is changed first comes after what does.
    An attribution that is INVALID counts for nothing.
    """
    found = _standing_shares(data)
    order = sorted(
        found, key=lambda name: (bool(_as_first(found[name])), -max(_gain(data, *each) for each in found[name].items()))
    )
    better = [name for name in order if any(_gain(data, *each) for each in found[name].items())]
    if not better:
        return [Answer(SAY.nothing_improves())]
    said = [Answer(_change(data, found[name]), topic=_topic(data, name)) for name in better]
    if idle := [factor_title(data, name) for name in order if name not in better]:
        said.append(Answer(SAY.leave_for_last(titles=idle)))
    return said + _measured_settings(data)


def known_beforehand(data: Explained) -> list[Answer]:
    """Return, of each factor that changes how long the models sleep, what it had to change, and what it changed."""
    attribution, parts = data.attribution.get("latency_ms"), data.latency_parts
    if attribution is None or data.against(attribution, "latency_ms"):
        return []
    return [
        Answer(
            SAY.known(expected=ms, slept=parts.slept_ms[name].value, beyond=parts.beyond_sleep_ms[name].value),
            topic=first_upper(factor_title(data, name)),
        )
        for name, ms in parts.expected.items()
        if abs(ms) >= _WORTH_A_LINE_MS and name in parts.slept_ms and name in parts.beyond_sleep_ms
    ]


def where_time_goes(data: Explained) -> list[Answer]:
    """Return the longest stage of each contender's median request at the highest common level, besides the sleep."""
    said = []
    for name in data.contenders:
        rows = [row for row in data.anatomy.get(name, ()) if (row.users, row.percentile) == (data.high_users, 50)]
        for row in rows:
            own = {stage: ms for stage, ms in row.stages_ms.items() if stage not in (SLEEP, MODELS)}
            if row.reasons or not own:
                continue
            stage = max(own, key=lambda each: own[each])
            given = {"users": row.users, "total_ms": row.client_ms, "stage": stage, "ms": own[stage]}
            said.append(Answer(SAY.longest_stage(slept=SLEEP in row.stages_ms, **given), topic=name))
            delays = [each.mean_ms for each in data.waiting.get(name, ()) if each.users == row.users]
            said += [Answer(SAY.delayed(mean_ms=ms), topic=name) for ms in delays if ms is not None]
    return said


def doubts(data: Explained, manifest: Mapping[str, Any]) -> list[str]:
    """Return what speaks against the figures: of this run first, then what holds for every run."""
    said = [
        SAY.doubt_confounded(title=factor_title(data, name), others=_titles(data, others))
        for name, others in data.confounded.items()
    ]
    said += data.notes
    rate = data.attribution.get("peak_rps")
    if rate and (without := data.without_peak(rate, "peak_rps")):
        said.append(SAY.doubt_peaks(count=len(without)))
    for name, cost in data.clock_cost.items():
        figures = [(r, figure) for r in ("latency_ms", "cpu_ms") if (figure := getattr(cost, r))]
        words = {r: SAY.effect(response=r, value=share.value) for r, share in shares.items()}
    return SAY.change(better=[words[r] for r in better], worse=[words[r] for r in worse], as_first=_as_first(shares))


def _topic(data: Explained, name: str) -> str:
    return f"{first_upper(factor_title(data, name))}: {setting(data, name)} instead of {setting(data, name, 'from')}"


def _titles(data: Explained, names: str) -> list[str]:
    return [factor_title(data, name.strip()) for name in names.split(" x ")]


def _measured_settings(data: Explained) -> list[Answer]:
    """Return what other settings are shown to bring, each at the level where they change the rate most."""
    largest: dict[str, WhatIfSummary] = {}
    for each in sorted(data.what_if, key=_rise):
        if _rise(each) and not data.faults:
            largest[f"{each.contender}, {each.title}"] = each
    return [
        Answer(SAY.measured_setting(users=each.users, before=each.rps_before, after=each.rps_measured), topic=topic)
        for topic, each in sorted(largest.items(), key=lambda item: -_rise(item[1]))
    ]


def _rise(what_if: WhatIfSummary) -> float:
    """Return by which factor a setting raises the rate, less 1; 0 if that is INVALID, not shown, or too small."""
    change = what_if.rps_change
    if change is None or what_if.reasons or not shown(change.ci95, 1.0) or change.value - 1 < SMALLEST_CLAIM:
        return 0.0
    return change.value - 1
