"""What follows from the shares: what to change first, where the time goes, and where all of it could be wrong."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any, Final

from benchmark.analysis.reasons import Reason, in_words
from benchmark.analysis.schema import SMALLEST_CLAIM
from benchmark.analysis.stats import samples_needed
from benchmark.analysis.wording import at_users, first_line, listing, significant
from benchmark.experiments.gap.anatomy import CLIENT, MODELS, OVERHEAD, QUEUE, SLEEP
from benchmark.experiments.gap.claim import PREDICTION, SUMMARY, Claim
from benchmark.experiments.gap.phrases import (
    NAMES,
    factor_title,
    improves,
    interval_text,
    none_of,
    percent,
    plain,
    setting,
    share_text,
)
from benchmark.experiments.gap.schema import (
    MULTIPLIED,
    RESPONSES,
    Change,
    ClockCost,
    Explained,
    Share,
    Stages,
    WhatIfSummary,
    shown,
)

_IN_SENTENCE: Final = {
    CLIENT: "in the client and on the wire",
    QUEUE: "queued before the handler",
    OVERHEAD: "around the models' sleep",
    "parse": "of parsing",
    "features": "for the features",
    "respond": "of answering",
}


def what_to_change_first(data: Explained) -> list[Claim]:
    """Return one sentence for each factor that is shown to improve anything, the largest share first.

    Shares of different responses are ordered by what they do to the starting point: |share| / value for
    differences, |log| for factors. A share is an average over orders, and what does not improve something when it
    is changed first comes after what does. An attribution that is INVALID counts for nothing.
    """
    found = _standing_shares(data)
    largest = {name: max(_relative(data, r, s) for r, s in shares.items()) for name, shares in found.items()}
    order = sorted(found, key=lambda name: (bool(_not_at_first(found[name])), -largest[name]))
    claims = [_change(data, name, found[name]) for name in order if _improvements(found[name])]
    idle = [factor_title(data, name) for name in order if not _improvements(found[name])]
    if idle:
        claims.append(Claim(f"Leave for last: {listing(idle)}. No improvement by it is shown."))
    if not claims:
        return [Claim("Nothing is shown to improve anything in this run, so nothing is recommended.")]
    return claims + _settings(data)


def write_anatomy(data: Explained) -> list[Claim]:
    """Return where the median request of each contender spends its time at the highest common level."""
    users = data.high_users
    claims = [_stages_of(data, name, row) for name in data.contenders if (row := _median(data, name, users))]
    return claims + [_clock(name, cost) for name, cost in data.clock_cost.items() if cost.latency_ms or cost.cpu_ms]


def where_it_could_be_wrong(data: Explained, manifest: Mapping[str, Any]) -> list[str]:
    """Return what speaks against the figures: of this run first, then what holds for every run."""
    said = [f"{factor_title(data, name)} is not told apart from {_product(data, other)}: the design is fractional, "
            "and what these do together is booked under it." for name, other in data.confounded.items()]  # fmt: skip
    said += [f"INVALID: {first_line(reason)}." for reason in data.reasons]
    said += list(data.notes)
    cores = (manifest.get("environment") or {}).get("machine", {}).get("cores")
    workers = ((manifest.get("settings") or {}).get("defaults") or {}).get("workers")
    machine = f"{cores} cores" if cores else "one machine"
    return [
        *said,
        f"The load generator, the services and the store share {machine}: the generator takes CPU away from what it "
        "loads, and from a fast contender more than from a slow one.",
        "Loopback is not a network: no packet is lost or late, and connections are cheap.",
        "The models sleep as a remote GPU would let a client wait. A model that computes on the same machine changes "
        "the picture; the map shows how far.",
        f"Each service has {_count(workers)}. More of them share the load unevenly, and cost memory.",
        "A factor's share is an average over all orders of changing the factors. In your service only one order "
        "happens: where factors interact, the step that you see is another.",
        f"{_adjusted(data)} holds at 95 % by itself. Of {_intervals(data)} shares and interactions some may be shown "
        "by chance; what only one run shows is to be measured again.",
        "The prediction knows CPU, sleep, threads and one interpreter lock per process. It knows nothing of memory, "
        "garbage collection, a busy neighbour or a slow disk.",
        "HTTP clients and servers change from release to release; the versions are listed below.",
    ]  # fmt: skip


def _standing_shares(data: Explained) -> dict[str, dict[str, Share]]:
    """Return each factor's shares by response, of the attributions that are VALID."""
    found = {r: a for r in RESPONSES if (a := data.attribution.get(r)) and not data.against(a, r)}
    valid = {r: a for r, a in found.items() if not data.ends_without_peak(a, r)}
    names = dict.fromkeys(name for each in valid.values() for name in each.shares)
    return {name: {r: a.shares[name] for r, a in valid.items() if name in a.shares} for name in names}


def _relative(data: Explained, response: str, share: Share) -> float:
    """Return the size of an improvement against where it starts from; 0 for one that is not shown."""
    if not shown(share.ci95, none_of(response)) or not improves(response, share.value):
        return 0.0
    if response in MULTIPLIED:
        return abs(log(share.value)) if share.value > 0 else 0.0
    return abs(share.value) / data.attribution[response].from_value


def _improvements(shares: Mapping[str, Share]) -> list[str]:
    return [r for r, s in shares.items() if shown(s.ci95, none_of(r)) and improves(r, s.value)]


def _not_at_first(shares: Mapping[str, Share]) -> dict[str, Change]:
    """Return by response what a factor does before all others, where that is no improvement.

    Only where it might be taken for one, since its share is; or where it is shown to make things worse.
    """
    steps = {r: s.first for r, s in shares.items() if s.first and not improves(r, s.first.value)}
    better = _improvements(shares)
    return {r: step for r, step in steps.items() if r in better or shown(step.ci95, none_of(r))}


def _change(data: Explained, name: str, shares: Mapping[str, Share]) -> Claim:
    """Return what changing one factor brings, what it costs, and for what nothing is shown."""
    better = _improvements(shares)
    worse = [r for r, s in shares.items() if shown(s.ci95, none_of(r)) and r not in better]
    silent = [NAMES[r] for r in shares if r not in better and r not in worse]
    title = factor_title(data, name)
    text = f"{title[0].upper()}{title[1:]}, {setting(data, name)} instead of {setting(data, name, 'from')}: "
    text += listing([_effect(r, shares[r]) for r in sorted(better, key=lambda r: -_relative(data, r, shares[r]))])
    if worse:
        text += f"; at the price of {listing([_effect(r, shares[r]) for r in worse])}"
    if silent:
        text += f"; no effect is shown on {listing(silent)}"
    if at_first := {r: step for r, step in _not_at_first(shares).items() if r not in worse}:
        effects = listing([_effect(r, step) for r, step in at_first.items()])
        is_worse = any(shown(step.ci95, none_of(r)) for r, step in at_first.items())
        verdict = "which is worse" if is_worse else "which is no improvement"
        text += f". These are averages over all orders: as the first change it brings {effects}, {verdict}"
    return Claim(f"{text}.")


def _effect(response: str, share: Change) -> str:
    ends = interval_text(share.ci95, significant if response in MULTIPLIED else plain)
    return f"{NAMES[response]} {share_text(response, share.value)} {ends}".rstrip()


def _settings(data: Explained) -> list[Claim]:
    """Return what other settings brought where that was measured, each at the level where it changed the rate most.

    A level at which an effect is shown goes before one at which none is.
    """
    measured = [each for each in data.what_if if each.rps_measured and each.rps_before]
    largest: dict[tuple[str, str], WhatIfSummary] = {}
    for each in sorted(measured, key=lambda what_if: (_is_shown(what_if), _change_of_rate(what_if))):
        largest[each.contender, each.title] = each
    order = sorted(largest.values(), key=lambda each: (_is_worse(each), not _is_shown(each), -_change_of_rate(each)))
    return [
        Claim(
            _setting_said(each),
            "Measured setting, for the worse" if _is_worse(each) else "Measured setting",
            bool(data.faults or each.reasons),
            _note([*data.faults, *each.reasons]),
            (SUMMARY, PREDICTION),
        )
        for each in order
    ]


def _setting_said(each: WhatIfSummary) -> str:
    change = (each.rps_measured or 0) / (each.rps_before or 1) - 1
    told, usual = each.rps_predicted, each.rps_predicted_before
    predicted = f", foreseen {percent(told / usual - 1)}" if told and usual else ""
    known = each.rps_change and each.rps_change.ci95
    sure = f"× {interval_text(known, significant)}" if known else "a reading without an interval"
    nothing = ": no effect is shown" if known and not _is_shown(each) else ""
    return (
        f"{each.contender}, {each.title}: {significant(each.rps_before)} requests/s become "
        f"{significant(each.rps_measured)} at {at_users(each.users)} ({percent(change)}{predicted}); {sure}{nothing}."
    )


def _is_shown(what_if: WhatIfSummary) -> bool:
    change = what_if.rps_change
    return change is not None and shown(change.ci95, 1.0) and abs(change.value - 1) >= SMALLEST_CLAIM


def _is_worse(what_if: WhatIfSummary) -> bool:
    return _is_shown(what_if) and what_if.rps_change is not None and what_if.rps_change.value < 1


def _change_of_rate(what_if: WhatIfSummary) -> float:
    return abs(log(what_if.rps_measured / what_if.rps_before)) if what_if.rps_measured and what_if.rps_before else 0.0


def _note(faults: Sequence[Reason]) -> str:
    return f"INVALID: {'; '.join(map(first_line, faults))}." if faults else ""


def _median(data: Explained, name: str, users: int | None) -> Stages | None:
    rows = data.anatomy.get(name, ())
    return next((row for row in rows if row.users == users and row.percentile == 50), None)


def _stages_of(data: Explained, name: str, row: Stages) -> Claim:
    """Return where the median request spends what the models do not sleep, the two largest stages first."""
    own = {stage: ms for stage, ms in row.stages_ms.items() if stage not in (SLEEP, MODELS)}
    largest = sorted(own, key=lambda stage: -own[stage])[:2]
    parts = listing([f"{plain(own[stage])} ms {_IN_SENTENCE.get(stage, f'for {stage}')}" for stage in largest])
    slept = row.stages_ms.get(SLEEP)
    sleep = f" {plain(slept)} ms are the models' sleep;" if slept is not None else ""
    where = f"At {at_users(row.users)} the median request of {name} takes {plain(row.client_ms)} ms"
    text = f"{where}:{sleep} then come {parts}."
    text += _waiting(data, name, row.users)
    note = f"Not to be believed: {in_words(row.reasons)}." if row.reasons else ""
    return Claim(text, struck=bool(row.reasons), note=note, labels=data.labels_of(name))


def _waiting(data: Explained, name: str, users: int) -> str:
    found = next((each for each in data.waiting.get(name, ()) if each.users == users), None)
    if found is None or found.mean_ms is None:
        return ""
    tail_ms = found.p99_ms if found.n >= samples_needed(99) else None
    tail = f" and {plain(tail_ms)} ms at p99" if tail_ms is not None else ""
    return (
        f" In a run of its own at as many users, whoever waited in that process waited {plain(found.mean_ms)} ms on "
        f"average{tail} ({found.kind}, and the wait for a core)."
    )


def _clock(name: str, cost: ClockCost) -> Claim:
    """Return what the stage clock itself costs."""
    said = []
    for what, figure in (("latency", cost.latency_ms), ("CPU per request", cost.cpu_ms)):
        if figure:
            size = f"{share_text('cpu_ms', figure.value)} {interval_text(figure.ci95)}".rstrip()
            said.append(f"{size} of {what}{'' if shown(figure.ci95) else ' (no effect shown)'}")
    return Claim(f"The stage clock itself costs {name} {listing(said)}.", topic="What looking costs")


def _intervals(data: Explained) -> int:
    return sum(len(each.shares) + len(each.interactions) for each in data.attribution.values())


def _adjusted(data: Explained) -> str:
    if not data.comparisons:
        return "Each interval"
    return "The interval of a gap is adjusted for all comparisons of contenders; each other one"


def _product(data: Explained, names: str) -> str:
    return " × ".join(factor_title(data, name.strip()) for name in names.split(" x "))


def _count(workers: object) -> str:
    return f"{workers} worker processes" if isinstance(workers, int) and workers > 1 else "one worker process"
