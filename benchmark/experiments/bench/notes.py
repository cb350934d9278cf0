"""What a reader should know besides the answers: who is left out and why, and where the figures could be wrong."""

from collections.abc import Sequence
from typing import Final

from benchmark.analysis.reasons import because, in_words
from benchmark.analysis.schema import ContenderSummary, LevelSummary, Summary
from benchmark.analysis.wording import listing, significant

GENERATOR_CPU_LIMIT: Final = 0.2  # cores; above it, the generator takes a noticeable share of the machine


def excluded(summary: Summary) -> list[str]:
    """Return a sentence about each contender without a figure or with INVALID ones, and why.

    Before them stands one about an INVALID run that names no reason.
    """
    unsaid = [f"The run is INVALID: {in_words(summary.faults)}."] if summary.faults and not summary.reasons else []
    return unsaid + [
        f"{name} {what}: {why}."
        for name, contender in summary.contenders.items()
        for what, why in [_left_out(contender)]
        if what
    ]


def _left_out(contender: ContenderSummary) -> tuple[str, str]:
    if not contender.measured:
        return "was not measured", in_words(contender.reasons or [because("unsaid")])
    if contender.faults:
        return "is INVALID", in_words(contender.faults)
    levels = [level for level in contender.levels if not level.valid]
    return ("is INVALID in part", _level_reasons(levels)) if levels else ("", "")


def _level_reasons(levels: Sequence[LevelSummary]) -> str:
    """Return each reason once, with the levels that it applies to."""
    return in_words([why.at(users=level.users) for level in levels for why in level.reasons or (because("unsaid"),)])


def doubts(summary: Summary) -> list[str]:
    """Return where these figures could be wrong."""
    said = [
        f"The load generator itself reaches {significant(contender.peak.rps)} requests/s here ({name}). "
        "A rate near that is its own limit, not a contender's."
        for name, contender in summary.harness_floors.items()
        if contender.peak and contender.stands(contender.peak.users)
    ]
    if used := _generator_cpu(summary):
        said.append(
            f"The load generator shares the machine. At the highest rate it used {listing(used)}. "
            "With a machine of its own, these rates may be higher."
        )
    return [
        *said,
        "One machine carries services, store and load. Other cores or a real network may change the order.",
        "The models wait and do not compute, which favours async.",
        "Ratios travel better to another machine than milliseconds.",
    ]


def _generator_cpu(summary: Summary) -> list[str]:
    """Return what the load generator used where that was more than a fifth of a core."""
    return [
        f"{significant(peak.generator_cpu, 2)} of a core for {name}"
        for name, contender in summary.rivals.items()
        if (peak := contender.peak) and contender.stands(peak.users) and (peak.generator_cpu or 0) > GENERATOR_CPU_LIMIT
    ]
