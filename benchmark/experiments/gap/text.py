"""The answer in sentences: what the intervals carry, and not a word more. Names and titles come from the record."""

from collections.abc import Sequence
from typing import Final

from benchmark.analysis.wording import Interval, at_users, deciding, first_line, listing, minute_utc, significant
from benchmark.experiments.gap import curves as draw_prediction
from benchmark.experiments.gap.claim import PREDICTION, SUMMARY, Claim
from benchmark.experiments.gap.phrases import (
    NAMES,
    UNITS,
    amount,
    factor_title,
    gap_shown,
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
    SATURATED,
    Attribution,
    CellSummary,
    Change,
    Explained,
    Interaction,
    Share,
    saturation,
    shown,
)
from benchmark.experiments.gap.turn import crossover
from benchmark.experiments.gap.waterfall import strength


def write_headline(data: Explained) -> str:
    """Return the one sentence that answers the experiment's question."""
    claims = [_gap(data, response) for response in RESPONSES if response in data.attribution]
    stands = [claim for claim in claims if not claim.struck]
    return stands[0].text if stands else "No gap was attributed by a VALID measurement, so nothing is claimed."


def write_answer(data: Explained) -> list[Claim]:
    """Return the answer in five sentences: latency, rate, CPU, how well it was predicted, where it turns."""
    return [*(_gap(data, response) for response in RESPONSES), _prediction(data), crossover(data)]


def write_state(data: Explained) -> list[str]:
    """Return what the state of the run means for all that follows."""
    said = []
    if not data.complete:
        said.append("The run was interrupted: what follows rests on what had been measured by then.")
    if data.quick:
        said.append("This is a short run: fewer cells and blocks, and wider intervals for it.")
    if data.all_confounded:
        said.append(
            "Only a part of the combinations was measured: no share here is told apart from what all other factors do "
            "together."
        )
    if data.attribution and not any(each.ci95 for each in data.attribution.values()):
        said.append("No share has an interval, since that takes two blocks: all are readings that show no effect.")
    return said


def write_customary(data: Explained) -> list[Claim]:
    """Return the same for the contender with the customary setting; none where it was not attributed."""
    found = data.attribution_customary
    return [_claim_of(data, response, found[response]) for response in RESPONSES if response in found]


def write_known(data: Explained) -> list[Claim]:
    """Return, of each share of the latency that follows from the models' sleep, what it had to be and what it is."""
    attribution, parts = data.attribution.get("latency_ms"), data.latency_parts
    if attribution is None:
        return []
    claims = []
    for name, expected in parts.expected.items():
        if abs(expected) < _KNOWN_MS or name not in parts.slept_ms or name not in parts.beyond_sleep_ms:
            continue
        slept, beyond = parts.slept_ms[name], parts.beyond_sleep_ms[name]
        text = (
            f"Of {_named(data, 'latency_ms', name, attribution.shares[name])}, "
            f"{_share_words('latency_ms', slept.value, slept.ci95, signed=True)} are the models' sleep, where "
            f"{expected:.2f} ms must be found. The other "
            f"{_share_words('latency_ms', beyond.value, beyond.ci95, signed=True)} are what surrounds it: "
            "the overhead of the calls."
        )
        claims.append(_struck(data, "latency_ms", attribution, text.replace(" -", " −"), "Known beforehand"))
    return claims


_KNOWN_MS: Final = 0.1  # a share of the sleep that is worth a sentence


def write_interactions(data: Explained) -> list[Claim]:
    """Return which factors do more, or less, together than each by itself."""
    claims = []
    for response, attribution in data.attribution.items():
        pairs = [each for each in attribution.interactions if shown(each.ci95, none_of(response))]
        if not pairs:
            continue
        said = [
            f"{pair_title(data, pair)} ({_share_words(response, pair.value, pair.ci95, signed=True)})"
            for pair in sorted(pairs, key=lambda pair: -strength(response, pair.value))
        ]
        text = f"In {NAMES.get(response, response)}, together otherwise than each by itself: {listing(said)}."
        claims.append(_struck(data, response, attribution, text, "Interactions"))
    return claims or [Claim("No two factors are shown to do more, or less, together than each by itself.")]


def pair_title(data: Explained, pair: Interaction) -> str:
    """Return two factors by title, and what cannot be told apart from them."""
    title = " with ".join(factor_title(data, name) for name in pair.factors)
    other = " with ".join(factor_title(data, name) for name in pair.confounded_with)
    return f"{title} or {other}, not told apart" if other else title


def _gap(data: Explained, response: str) -> Claim:
    attribution = data.attribution.get(response)
    if attribution is None:
        text = f"The gap in {NAMES[response]} was not attributed in this run, so nothing is said about it."
        return Claim(text, topic=_topic(response))
    return _claim_of(data, response, attribution)


def _claim_of(data: Explained, response: str, attribution: Attribution) -> Claim:
    if without := data.ends_without_peak(attribution, response):
        return _no_gap(data, response, attribution, without)
    if not gap_shown(response, attribution):
        gap = _gap_words(data, response, attribution)
        text = f"No difference in {NAMES[response]} between {attribution.from_} and {attribution.to} is shown ({gap})."
        return _struck(data, response, attribution, text, _topic(response))
    text = f"{_lead(data, response, attribution)}: {'; '.join(_parts(data, response, attribution))}"
    if count := len(data.without_peak(attribution, response)):
        text += f"; the levels measured show no peak of {_counted(count, 'cell')} that these shares rest on"
    text += "."
    return _struck(data, response, attribution, text, _topic(response))


def _no_gap(data: Explained, response: str, attribution: Attribution, without: Sequence[CellSummary]) -> Claim:
    """Say that no gap is stated, since the levels show no peak of a contender, and what was measured of it."""
    rates = [
        f"{cell.contender} (at least {amount(response, figure.value)} at {at_users(figure.users or 0)})"
        for cell in without
        if (figure := cell.figure(response))
    ]
    text = (
        f"The levels measured show no peak of {listing(rates)}, so nothing is said about the gap in "
        f"{NAMES[response]} between {attribution.from_} and {attribution.to}."
    )
    return _struck(data, response, attribution, text, _topic(response))


def _gap_words(data: Explained, response: str, gap: Attribution) -> str:
    """Return a gap with the interval that decides whether it is shown."""
    if gap.confidence is None:
        return _share_words(response, gap.gap, gap.ci95, signed=True)
    size = f"{significant(gap.gap)} times" if response in MULTIPLIED else share_text(response, gap.gap)
    return f"{size}, {_decided(data, response, gap, gap.interval)}"


def _decided(data: Explained, response: str, gap: Attribution, interval: Interval | None) -> str:
    """Return the interval that decides in the words of `bench`'s verdict."""
    unit, text = ("", significant) if response in MULTIPLIED else (f" {UNITS[response]}", plain)
    return deciding(interval, gap.confidence, len(data.comparisons), unit, text)


def _struck(data: Explained, response: str, attribution: Attribution, text: str, topic: str) -> Claim:
    """Return the claim with its sources, struck if the attribution is INVALID."""
    against = data.against(attribution, response)
    ends = (data.cell_of(attribution.from_), data.cell_of(attribution.to))
    labels = tuple(cell.label for cell in ends if cell)
    note = f"INVALID: {'; '.join(map(first_line, against))}." if against else ""
    return Claim(text, topic=topic, struck=bool(against), note=note, labels=labels)


def _topic(response: str) -> str:
    name = NAMES[response]
    return name[0].upper() + name[1:]


def _lead(data: Explained, response: str, gap: Attribution) -> str:
    """Return `async answers 46.1 [45.5, 46.7] ms faster than sync (94.8 and 49.1 ms, one user)`."""
    values = f"{amount(response, gap.to_value)} against {amount(response, gap.from_value)}"
    cell = data.cell_of(gap.to)
    figure = cell.figure(response) if cell else None
    where = f" at {at_users(figure.users)}" if figure and figure.users and response not in MULTIPLIED else ""
    if response in MULTIPLIED:
        if gap.confidence is not None:
            values = f"{_decided(data, response, gap, gap.interval)}; {values}"
            return f"{gap.to} carries {significant(gap.gap)} times the peak rate of {gap.from_} ({values})"
        size = f"{significant(gap.gap)} {interval_text(gap.ci95, significant)}"
        return f"{gap.to} carries {size} times the peak rate of {gap.from_} ({values})"
    turned = _turned(gap.gap, gap.interval)
    size = f"{plain(abs(gap.gap))} {interval_text(turned)} ms"
    if gap.confidence is not None:
        size = f"{plain(abs(gap.gap))} ms ({_decided(data, response, gap, turned)})"
    if response == "latency_ms":
        how = "faster" if gap.gap < 0 else "slower"
        return f"Of the {size} by which {gap.to} answers {how} than {gap.from_} ({values}{where or ' at one user'})"
    less = "less" if gap.gap < 0 else "more"
    return f"A request takes {size} {less} CPU with {gap.to} than with {gap.from_} ({values}{where})"


def _parts(data: Explained, response: str, gap: Attribution) -> list[str]:
    """Return what makes up the gap, what works against it, and what shows no effect: the largest first."""
    none = none_of(response)
    ordered = sorted(gap.shares.items(), key=lambda item: -strength(response, item[1].value))
    effects = [(name, share) for name, share in ordered if shown(share.ci95, none)]
    along = [(name, share) for name, share in effects if (share.value > none) == (gap.gap > none)]
    against = [(name, share) for name, share in effects if (share.value > none) != (gap.gap > none)]
    silent = [(name, share) for name, share in ordered if not shown(share.ci95, none)]
    said = [_along(data, response, gap, name, share, first=i == 0) for i, (name, share) in enumerate(along)]
    if against:
        words = [_named(data, response, name, share) for name, share in against]
        said.append(f"against it works {listing(words)}")
    if silent:
        words = [_named(data, response, name, share) for name, share in silent]
        said.append(f"no effect is shown for {listing(words)}")
    return said


def _along(data: Explained, response: str, gap: Attribution, name: str, share: Share, first: bool) -> str:
    """Return `43.4 [43.1, 43.8] ms come from the fan-out`; the first says what changed, and what it does alone."""
    size = _share_words(response, share.value, share.ci95, signed=False)
    verb = "come from" if response == "latency_ms" else "by"
    said = f"{size} {verb} the {factor_title(data, name)}{_confounded(data, name)}"
    if first:
        said += f" ({setting(data, name)} instead of {setting(data, name, 'from')})"
    if step := _turned_step(response, share):
        at_first = _share_words(response, step.value, step.ci95, signed=True)
        return f"{said}, on average over all orders (as the first change: {at_first})"
    alone = _alone(data, name, gap)
    figure = alone.figure(response) if alone else None
    if first and alone and figure and alone.stands(response):
        who = f" ({alone.contender})" if alone.contender else ""
        said += f", which by itself takes {gap.from_} to {amount(response, figure.value)}{who}"
    return said


def _turned_step(response: str, share: Share) -> Change | None:
    """Return what a factor does when it is changed before all others, if that is the opposite of its share."""
    none, step = none_of(response), share.first
    return step if step and (step.value > none) != (share.value > none) else None


def _named(data: Explained, response: str, name: str, share: Share) -> str:
    words = _share_words(response, share.value, share.ci95, signed=True)
    return f"the {factor_title(data, name)} ({words}){_confounded(data, name)}"


def _confounded(data: Explained, name: str) -> str:
    """Say what else a share may be in a fractional design."""
    other = data.confounded.get(name)
    if not other or data.all_confounded:
        return ""
    titles = [factor_title(data, each.strip()) for each in other.split(" x ")]
    return f", not told apart here from {' × '.join(titles)}"


def _alone(data: Explained, name: str, gap: Attribution) -> CellSummary | None:
    """Return the cell which differs from the contender `from` in this factor only."""
    start = data.cell_of(gap.from_)
    if start is None:
        return None
    wanted = {**start.levels, name: "to"}
    return next((cell for cell in data.cells if cell.levels == wanted and cell is not start), None)


def _turned(value: float, interval: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the interval of the absolute value of what is shown to be on one side of zero."""
    return (-interval[1], -interval[0]) if interval and value < 0 else interval


def _share_words(response: str, value: float, interval: tuple[float, float] | None, signed: bool) -> str:
    """Return `43.4 [43.1, 43.8] ms` or `1.90 [1.81, 2.00] times`; `signed` keeps the sign."""
    if response in MULTIPLIED:
        return f"{significant(value)} {interval_text(interval, significant)} times".replace("  ", " ")
    shown_value, shown_ci = (value, interval) if signed else (abs(value), _turned(value, interval))
    sign = "+" if signed and value > 0 else ""
    return f"{sign}{plain(shown_value)} {interval_text(shown_ci)} ms".replace("  ", " ")


def _prediction(data: Explained) -> Claim:
    """Say how far the prediction was off: at the peaks, at the median below saturation, and at the median beyond."""
    topic, files = "Prediction", (SUMMARY, PREDICTION)
    said = [each for each in (_peaks(data), _medians(data)) if each]
    if not said:
        made = "were made, but nothing was measured to hold against them" if data.prediction else "were not made"
        return Claim(f"Predictions {made} in this run, so nothing is said about them.", topic, files=files)
    text = f"A queueing model, calibrated at light load only, meets {listing(said)}{_beyond(data)}{_written(data)}."
    note = f"INVALID: {'; '.join(map(first_line, data.faults))}." if data.faults else ""
    labels = tuple(label for name in data.contenders if name in data.prediction for label in data.labels_of(name))
    return Claim(text, topic, bool(data.faults), note, files, labels)


def _peaks(data: Explained) -> str:
    met = {name: peak for name, peak in data.peaks.items() if peak.error is not None and not peak.reasons}
    peaks = {name: peak for name, peak in met.items() if peak.bracketed is not False}
    if not peaks:
        return ""
    name, error = max(((n, p.error or 0.0) for n, p in peaks.items()), key=lambda each: abs(each[1]))
    ends = peaks[name].error_ci95
    sure = f", 95 % interval {percent(ends[0])} to {percent(ends[1])}" if ends else ""
    rates = f"the peak rates of {len(peaks)} contenders" if len(peaks) > 1 else f"the peak rate of {name}"
    return f"{rates} within {_bound(error)} (worst: {name}, {percent(error)}{sure})"


def simple_bound(data: Explained) -> str:
    """Say whether the simulation foretells peak rates better than a bound that takes one line; empty without both."""
    both = [
        (abs(peak.error), abs(peak.bound_error))
        for peak in data.peaks.values()
        if peak.error is not None and peak.bound_error is not None and not peak.reasons
    ]
    if not both:
        return ""
    simulated, bound = (sum(errors) / len(both) for errors in zip(*both, strict=True))
    verdict = "so it is worth its effort" if simulated < bound else "so here it does not beat the bound"
    return (
        "A bound that takes one line, min(users / R1, threads / R1, 1 / D, cores / sum of D), with R1 the latency of a "
        f"single user and D the CPU per request, is off by {100 * bound:.0f} % on average; the simulation is off by "
        f"{100 * simulated:.0f} %, {verdict}."
    )


def _medians(data: Explained) -> str:
    """Say how well the median was met at the levels that were not fitted and lie below saturation, and of whom."""
    found = {
        name: draw_prediction.errors(rows, draw_prediction.P50, below=saturation(rows))
        for name, rows in data.prediction.items()
    }
    errors = [(name, users, error) for name, levels in found.items() for users, error in levels]
    if not errors:
        return ""
    name, users, error = max(errors, key=lambda each: abs(each[2]))
    having = [each for each, levels in found.items() if levels]
    without = [each for each, levels in found.items() if not levels]
    where = f"{_counted(len(errors), 'level')} of {_counted(len(having), 'contender')}"
    text = (
        f"the median latency within {_bound(error)} at {where} that were not fitted and lie below "
        f"{100 * SATURATED:.0f} % of the peak rate (worst: {name} at {at_users(users)}, {percent(error)})"
    )
    return f"{text}; {listing(without)} {'has' if len(without) == 1 else 'have'} no such level" if without else text


def _beyond(data: Explained) -> str:
    """Say how far the median was off where the rate is near its ceiling."""
    found = [
        (name, users, error)
        for name, rows in data.prediction.items()
        for users, error in draw_prediction.errors(rows, draw_prediction.P50, since=saturation(rows))
    ]
    if not found:
        return ""
    name, users, error = max(found, key=lambda each: abs(each[2]))
    worst = f"{name} at {at_users(users)}, {percent(error)}"
    return f"; from {100 * SATURATED:.0f} % on the median is off by up to {_bound(error)} ({worst})"


def _counted(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _written(data: Explained) -> str:
    """Return when predictions were written down, as the end of a sentence about them."""
    lead, at = data.prediction_lead_s, data.predicted_before
    if lead:
        ahead = f"{significant(lead.least)} s ahead or more ({significant(lead.median)} s in the median of {lead.n})"
        return f"; each prediction was written down before its measurement began, {ahead}"
    return f"; each prediction was written down before its measurement, the first at {minute_utc(at)}" if at else ""


def _bound(error: float) -> str:
    return percent(abs(error)).lstrip("+")
