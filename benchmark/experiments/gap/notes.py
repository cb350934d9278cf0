"""What a reader should know besides the answers: what to change first, where time goes, what may be wrong."""

from collections.abc import Mapping
from math import log
from typing import Any, Final

from benchmark.experiments.gap.anatomy import MODELS, SLEEP
from benchmark.experiments.gap.answers import SAY
from benchmark.experiments.gap.formats import factor_title, first_upper, setting
from benchmark.experiments.gap.schema import (
    MULTIPLIED,
    RESPONSES,
    Change,
    ClockCost,
    Explained,
    Share,
    improves,
    none_of,
    shown,
)
from benchmark.record.allowance import cores_text
from benchmark.report.answers import Answer

_WORTH_A_LINE_MS: Final = 0.1  # a share of the models' sleep


def what_to_change_first(data: Explained) -> list[Answer]:
    """Return a line for each factor that is shown to improve anything, the largest improvement first.

    Improvements are compared by what they do to the starting point: |share| / value for differences, |log| for
    factors. A share is an average over orders: what improves nothing when it is changed first comes after what does.
    An attribution that is INVALID counts for nothing.
    """
    found = _standing_shares(data)
    gains = {name: max(_gain(data, *each) for each in shares.items()) for name, shares in found.items()}
    order = sorted(found, key=lambda name: (bool(_as_first(found[name])), -gains[name]))
    said = [Answer(_change(data, found[name]), topic=_topic(data, name)) for name in order if gains[name]]
    if not said:
        return [Answer(SAY.nothing_improves())]
    if idle := [factor_title(data, name) for name in order if not gains[name]]:
        said.append(Answer(SAY.leave_for_last(titles=idle)))
    return said


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
    rows = [
        (name, row)
        for name in data.contenders
        for row in data.anatomy.get(name, ())
        if (row.users, row.percentile) == (data.high_users, 50) and not row.reasons
    ]
    said = []
    for name, row in rows:
        ms, stage = max((ms, stage) for stage, ms in row.stages_ms.items() if stage not in (SLEEP, MODELS))
        given = {"users": row.users, "total_ms": row.client_ms, "slept": SLEEP in row.stages_ms}
        delays_ms = [each.mean_ms for each in data.waiting.get(name, ()) if each.users == row.users and each.mean_ms]
        delayed = SAY.delayed(mean_ms=delays_ms[0]) if delays_ms else ""
        said.append(Answer(SAY.longest_stage(stage=stage, ms=ms, **given), note=delayed, topic=name))
    return said


def doubts(data: Explained, manifest: Mapping[str, Any]) -> list[str]:
    """Return what speaks against the figures: of this run first, then what holds for every run."""
    environment = manifest.get("environment") or {}
    defaults = (manifest.get("settings") or {}).get("defaults") or {}
    intervals = sum(len(each.shares) + len(each.interactions) for each in data.attribution.values())
    rate = data.attribution.get("peak_rps")
    without = data.without_peak(rate, "peak_rps") if rate else []
    return [
        *(
            SAY.doubt_confounded(
                title=factor_title(data, name), others=[factor_title(data, each) for each in others.split(" x ")]
            )
            for name, others in data.confounded.items()
        ),
        *data.notes,
        *([SAY.doubt_peaks(count=len(without))] if without else []),
        *(
            SAY.doubt_clock(name=name, effects=effects)
            for name, cost in data.clock_cost.items()
            if (effects := _clock_effects(cost))
        ),
        SAY.doubt_machine(cores=cores_text(environment)),
        SAY.doubt_workers(workers=defaults.get("workers")),
        SAY.doubt_chance(count=intervals),
        SAY.doubt_network(),
        SAY.doubt_models(),
        SAY.doubt_orders(),
        SAY.doubt_prediction(),
        SAY.doubt_versions(),
    ]


def _clock_effects(cost: ClockCost) -> list[str]:
    figures = (("latency_ms", cost.latency_ms), ("cpu_ms", cost.cpu_ms))
    return [SAY.effect(response=r, value=each.value) for r, each in figures if each and shown(each.ci95)]


def _standing_shares(data: Explained) -> dict[str, dict[str, Share]]:
    """Return each factor's shares by response, of the attributions that are VALID."""
    found = {r: a for r in RESPONSES if (a := data.attribution.get(r)) and not data.against(a, r)}
    valid = {r: a for r, a in found.items() if not data.ends_without_peak(a, r)}
    names = dict.fromkeys(name for each in valid.values() for name in each.shares)
    return {name: {r: a.shares[name] for r, a in valid.items() if name in a.shares} for name in names}


def _effect(response: str, change: Change) -> int:
    """Return 1 if a change is shown to improve the response, -1 if to make it worse, 0 if nothing is shown."""
    if not shown(change.ci95, none_of(response)):
        return 0
    return 1 if improves(response, change.value) else -1


def _gain(data: Explained, response: str, share: Share) -> float:
    """Return the size of an improvement against where it starts from; 0 for one that is not shown."""
    if _effect(response, share) <= 0:
        return 0.0
    return log(share.value) if response in MULTIPLIED else abs(share.value) / data.attribution[response].from_value


def _as_first(shares: Mapping[str, Share]) -> str:
    """Say what a factor does before all others are changed, if it does not improve what it improves on average."""
    steps = {r: s.first for r, s in shares.items() if s.first and _effect(r, s) >= 0 and not improves(r, s.first.value)}
    if any(_effect(r, step) < 0 for r, step in steps.items()):
        return "worse"
    return "no gain" if any(_effect(r, shares[r]) > 0 for r in steps) else ""


def _change(data: Explained, shares: Mapping[str, Share]) -> str:
    """Return what changing one factor brings, the largest improvement first, and what it costs."""
    order = sorted(shares, key=lambda r: -_gain(data, r, shares[r]))
    better, worse = (
        [SAY.effect(response=r, value=shares[r].value) for r in order if _effect(r, shares[r]) == sign]
        for sign in (1, -1)
    )
    return SAY.change(better=better, worse=worse, as_first=_as_first(shares))


def _topic(data: Explained, name: str) -> str:
    return f"{first_upper(factor_title(data, name))}: {setting(data, name)} instead of {setting(data, name, 'from')}"
