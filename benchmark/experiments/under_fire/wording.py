"""Figures of a run under fire in the words of its tables."""

from typing import Final

from benchmark.analysis.wording import MISSING, significant
from benchmark.experiments.under_fire.schema import Bound, TroubleResult

NOT_BACK: Final = "not within {} s"


def recovery_in_words(result: TroubleResult) -> str:
    """Return how long it took until answers came at the rate of before."""
    if not result.is_measured:
        return MISSING
    if result.recovery_s is None:
        return NOT_BACK.format(significant(result.observed_s, 2))
    return f"{result.recovery_s:.1f} s"


def verdict(result: TroubleResult) -> str:
    """Return in a word whether all was as the contract says."""
    if not result.valid:
        return "INVALID" if result.is_measured else "not measured"
    return "as promised" if is_as_promised(result) else "not as promised"


def brief_verdict(result: TroubleResult) -> str:
    """Return the same, short enough for a terminal."""
    if not result.valid:
        return "INVALID" if result.is_measured else "-"
    return "kept" if is_as_promised(result) else "broken"


def is_as_promised(result: TroubleResult) -> bool:
    """Whether each answer was one that the contract gives, none hung, and no process was left."""
    return not (result.unexplained or result.hanging or result.orphans)


def counted(counts: dict[str, int]) -> str:
    """Return `200: 640, 503: 75`, or a dash."""
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or MISSING


def bound_in_words(bound: Bound) -> tuple[str, str]:
    """Return what was measured and what was bound, and whether that held."""
    is_least = bound.at_least is not None
    limit = f"{'≥' if is_least else '≤'} {significant(bound.at_least if is_least else bound.at_most, 2)}"
    value = "did not happen" if bound.value is None else significant(bound.value)
    return f"{value} ({limit} {bound.unit})", held_in_words(bound.held)


def held_in_words(held: bool | None) -> str:
    return "INVALID" if held is None else "holds" if held else "does not hold"
