"""The verdict in plain sentences: what the intervals carry, and not a word more.

A contender is called better than another only if the difference is shown: against the
baseline by the record's own comparison, otherwise by intervals that do not overlap. What is
INVALID supports no sentence; it is said nevertheless, struck through, with the reason.
"""

from collections.abc import Sequence
from typing import Final

from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.schema import (
    SMALLEST_CLAIM,
    Comparison,
    ContenderSummary,
    LevelSummary,
    Summary,
    service_cpu_ms,
)
from benchmark.analysis.wording import at_users, deciding, fine_ms, first_line, listing, significant
from benchmark.experiments.bench.questions import QUESTIONS, Question, Standing
from benchmark.report.answers import Answer

GENERATOR_CPU_LIMIT: Final = 0.2  # cores; above it, the generator takes a noticeable share of the machine
_NAMED: Final = 4  # how many equals are named before the others are only counted


def write_verdict(summary: Summary) -> list[Answer]:
    """Return the verdict, in reading order."""
    if not any(contender.measured for contender in summary.rivals.values()):
        return [*_state(summary), Answer("No contender was measured, so nothing is claimed."), *_absent(summary)]
    if any(contender.measured and not contender.faults for contender in summary.rivals.values()):
        claims = [_answer(summary, question) for question in QUESTIONS]
    else:
        claims = [Answer("No contender has a VALID figure, so nothing is claimed.")]
    return [
        *_state(summary),
        *claims,
        *_invalid(summary),
        *_absent(summary),
        *_harness(summary),
        _generator(summary),
        _doubt(summary),
    ]


def _state(summary: Summary) -> list[Answer]:
    """Say what the state of the run means for everything that follows."""
    said = []
    if not summary.complete:
        said.append("The run was interrupted: what follows rests on what had been measured by then.")
    if summary.faults:
        said.append(f"The run as a whole is INVALID and supports no claim: {_join(summary.faults)}.")
    if _without_intervals(summary):
        said.append(
            "No figure has an interval, since that takes two blocks: they are readings that show no difference."
        )
    return [Answer(text, topic="State") for text in said]


def _without_intervals(summary: Summary) -> bool:
    """Whether there are figures and not one has an interval."""
    rivals = summary.rivals.values()
    intervals = [low.ci95_mean_ms for rival in rivals if (low := rival.low_load)]
    intervals += [level.ci95_rps for rival in rivals for level in rival.levels]
    return bool(intervals) and not any(intervals)


def _answer(summary: Summary, question: Question) -> Answer:
    """Say who is best at one thing, how all others compare with the baseline, and who ranks nowhere."""
    if not any(question.measured(contender) for contender in summary.rivals.values()):
        return Answer("This was not measured.", topic=question.topic)
    found = [question.standing(summary, name, contender) for name, contender in summary.rivals.items()]
    standings = [standing for standing in found if standing]
    if not standings:
        return Answer("No contender has a VALID figure, so nothing is claimed.", topic=question.topic)
    ranked = sorted(
        (standing for standing in standings if not standing.no_peak),
        key=lambda standing: standing.value if question.lower_is_better else -standing.value,
    )
    said = [_best(summary, question, ranked, standings), *_against_baseline(summary, question, ranked, standings)]
    return Answer(" ".join([*said, *_not_ranked(standings)]), topic=question.topic)


def _best(summary: Summary, question: Question, ranked: list[Standing], standings: list[Standing]) -> str:
    """Say who is best of those that rank."""
    if not ranked:
        return "The levels measured show no peak, so nothing is ranked."
    leader, rivals = ranked[0], ranked[1:]
    excluded = sum(question.measured(contender) for contender in summary.rivals.values()) > len(standings)
    every = [("VALID figures", excluded), ("a peak", len(ranked) < len(standings))]
    limits = [words for words, applies in every if applies]
    if not rivals:
        what = "a peak at the levels measured" if limits[-1:] == ["a peak"] else "a VALID figure"
        return f"Only {leader.name} has {what}, {leader.full}."
    low = at_users(summary.low_users)
    equals = [rival for rival in rivals if not _separated(summary, question, leader, rival)]
    if equals:
        first = (
            f"{question.lead.format(low=low)} is that of {leader.name}, {leader.full}, "
            f"but no difference is shown between it and {_name_some(equals)}."
        )
    else:
        first = f"{leader.name} {question.best.format(low=low)}: {leader.full}."
    if limits:
        return f"Of those with {listing(limits)}, {first}"
    # A sentence that starts with a name leaves it as it is.
    return first[0].upper() + first[1:] if equals else first


def _not_ranked(standings: list[Standing]) -> list[str]:
    """Name those whose levels show no peak, with what was measured."""
    rates = [f"{standing.name}, {standing.full}" for standing in standings if standing.no_peak]
    return [f"Not ranked, since the levels measured show no peak: {'; '.join(rates)}."] if rates else []


def _separated(summary: Summary, question: Question, leader: Standing, rival: Standing) -> bool:
    """Whether the record shows that the leader is better than the rival."""
    if abs(leader.value - rival.value) <= SMALLEST_CLAIM * abs(rival.value):
        return False
    for one, other in ((leader, rival), (rival, leader)):
        compared = _comparison(summary, question, one, other)
        if compared:
            return compared.difference_shown
    if not leader.interval or not rival.interval:
        return False
    if question.lower_is_better:
        return leader.interval[1] < rival.interval[0]
    return leader.interval[0] > rival.interval[1]


def _comparison(summary: Summary, question: Question, one: Standing, baseline: Standing) -> Comparison | None:
    """Return how one compares with the baseline, or None if the other is not that or a figure is INVALID."""
    if baseline.name != summary.baseline or not (one.compared and baseline.compared):
        return None
    return summary.comparison(question.figure, one.name)


def _name_some(standings: list[Standing]) -> str:
    named = [f"{standing.name} ({standing.named})" for standing in standings[:_NAMED]]
    others = len(standings) - len(named)
    return listing([*named, f"{others} more"] if others else named)


def _against_baseline(
    summary: Summary, question: Question, ranked: list[Standing], standings: list[Standing]
) -> list[str]:
    """Say how the leader compares with the baseline, who else differs from it, and for whom nothing is shown."""
    if summary.baseline is None or not ranked:
        return []
    baseline = next((standing for standing in ranked if standing.name == summary.baseline), None)
    if baseline is None:
        lacks = "shows no peak" if any(s.name == summary.baseline for s in standings) else "has no VALID figure here"
        return [f"The baseline, {summary.baseline}, {lacks}, so there is no ratio."]
    said = []
    leader = ranked[0]
    compared = _comparison(summary, question, leader, baseline)
    if leader is baseline:
        said.append(f"{leader.name} is the baseline.")
    elif compared and compared.ratio:
        ratio = f"{significant(compared.ratio)} times the {baseline.short} of {baseline.name}, the baseline"
        said.append(f"Its {leader.short} are {ratio} ({_ratio_interval(summary, compared)}).")
    return said + _others(summary, question, ranked[1:], baseline)


def _others(summary: Summary, question: Question, others: list[Standing], baseline: Standing) -> list[str]:
    """Name those, beside the leader, who are shown to be better or worse than the baseline, and the undecided."""
    by_kind: dict[str, list[str]] = {question.better: [], question.worse: [], "": []}
    for standing in others:
        compared = _comparison(summary, question, standing, baseline)
        if standing is baseline or not compared or compared.ratio is None or not compared.interval:
            continue
        is_better = (compared.ratio < 1) == question.lower_is_better
        kind = "" if not compared.difference_shown else question.better if is_better else question.worse
        words = f"{standing.name} ({significant(compared.ratio)} times, {_ratio_interval(summary, compared)})"
        by_kind[kind].append(words)
    alike = by_kind.pop("")
    said = [f"{kind} than {summary.baseline}: {listing(words)}." for kind, words in by_kind.items() if words]
    return [*said, *([f"No difference to {summary.baseline} is shown for {listing(alike)}."] if alike else [])]


def _ratio_interval(summary: Summary, compared: Comparison) -> str:
    """Return the interval of a ratio, and why it may show no difference although it leaves out 1."""
    words = deciding(compared.interval, compared.confidence, len(summary.comparisons))
    if not compared.interval or compared.difference_shown or compared.interval[0] <= 1 <= compared.interval[1]:
        return words
    if abs((compared.ratio or 1) - 1) < SMALLEST_CLAIM:
        return f"{words}, too close to 1 to matter"
    # In an older record the interval is that of 95 %, and not the one that decides.
    return f"{words}, too wide for one of {len(summary.comparisons)} comparisons"


def _invalid(summary: Summary) -> list[Answer]:
    """Say what INVALID contenders and levels measured, struck through."""
    said = []
    for name, contender in summary.rivals.items():
        if contender.faults and contender.measured:
            reasons = _join(contender.faults)
            said.append(Answer(f"{name}: {_figures(contender)}.", True, f"INVALID: {reasons}.", "Excluded"))
            continue
        levels = [level for level in contender.levels if not level.valid]
        if levels:
            rates = listing([f"{significant(level.rps)} requests/s at {at_users(level.users)}" for level in levels])
            said.append(Answer(f"{name}: {rates}.", True, f"INVALID: {_level_reasons(levels)}.", "Excluded"))
    return said


def _level_reasons(levels: list[LevelSummary]) -> str:
    """Return each reason with the levels that it applies to."""
    by_reason: dict[str, list[str]] = {}
    for level in levels:
        for reason in level.reasons or (because("unsaid"),):
            by_reason.setdefault(_join([reason]), []).append(str(level.users))
    return "; ".join(f"{reason} ({listing(users)} users)" for reason, users in by_reason.items())


def _join(reasons: Sequence[Reason]) -> str:
    """Return the reasons in one line; what follows in further lines, such as a log, stands in the table."""
    return "; ".join(first_line(reason).rstrip(".") for reason in reasons or [because("unsaid")])


def _figures(contender: ContenderSummary) -> str:
    """Return an INVALID contender's figures in short."""
    parts = []
    if contender.low_load:
        parts.append(f"{fine_ms(contender.low_load.mean_ms)} ms at low load")
    if contender.peak:
        parts.append(f"at most {significant(contender.peak.rps)} requests/s at {at_users(contender.peak.users)}")
    cpu_ms = service_cpu_ms(contender.cpu_ms_per_request)
    if cpu_ms is not None:
        parts.append(f"{significant(cpu_ms)} ms of CPU per request")
    return ", ".join(parts) or f"{len(contender.levels)} levels measured"


def _absent(summary: Summary) -> list[Answer]:
    """Say who was not measured, and why."""
    return [
        Answer(f"{name} was not measured: {_join(contender.reasons)}.", topic="Excluded")
        for name, contender in summary.contenders.items()
        if not contender.measured
    ]


def _harness(summary: Summary) -> list[Answer]:
    """Say what the load generator itself reaches."""
    said = []
    for name, contender in summary.harness_floors.items():
        if contender.peak:
            text = (
                f"Against {name}, which answers at once, the load generator reached "
                f"{significant(contender.peak.rps)} requests/s: a rate near that would be its own ceiling, "
                "not a contender's."
            )
            stands = contender.stands(contender.peak.users)
            said.append(Answer(text, not stands, "" if stands else "INVALID.", "Harness"))
    return said


def _generator(summary: Summary) -> Answer:
    """Say how much of the machine the load generator took where the rates were highest."""
    used = [
        (name, contender.peak.generator_cpu)
        for name, contender in summary.rivals.items()
        if contender.peak and contender.stands(contender.peak.users) and contender.peak.generator_cpu is not None
    ]
    above = [f"{significant(cores, 2)} of a core for {name}" for name, cores in used if cores > GENERATOR_CPU_LIMIT]
    shares = "The load generator shares the machine with the services"
    if above:
        return Answer(
            f"{shares} and used, at the highest rate, {listing(above)}: "
            "with a machine of its own for the load, these rates may be higher.",
            topic="Harness",
        )
    little = "; at the highest rate of each it used at most a fifth of a core" if used else ""
    return Answer(f"{shares}{little}.", topic="Harness")


def _doubt(summary: Summary) -> Answer:
    blocks = "one block" if summary.blocks == 1 else f"{summary.blocks} blocks"
    if not summary.complete:
        blocks = f"at most {blocks}"
    return Answer(
        f"These are the figures of {blocks} of one run on one machine that carries services, store and load at once, "
        "with models that wait instead of computing; other cores, a real network or real models may change the "
        "order, and ratios travel better than milliseconds.",
        topic="Where this could be wrong",
    )
