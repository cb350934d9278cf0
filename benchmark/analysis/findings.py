"""Findings: figures in the form that all experiments share in their summary.json."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from benchmark.analysis.reasons import Reason
from benchmark.analysis.wording import significant

Interval = tuple[float, float]

# Figures as a sentence calls them.
_CALLED = {
    "low_load_mean_ms": "mean latency alone",
    "peak_rps": "peak rate",
    "highest_rps": "highest rate measured, at least",
    "cpu_ms_per_request": "CPU per request",
    "time_per_call_ms": "time per call",
    "low_load_p95_ms": "p95 latency alone",
    "breaking_point_rps": "breaking point",
    "open_loop_p99_ms": "p99 latency at four fifths of its breaking point",
    "latency_ms": "latency alone",
    "cpu_ms": "CPU per request",
}
_UNITS = {"rps": "requests/s"}


class Finding(BaseModel):
    """One figure of one contender, and how it compares with the baseline's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question: str
    contender: str
    figure: str  # with its unit as a suffix
    unit: str
    value: float
    ci95: Interval | None = None
    versus: str | None = None  # the baseline
    ratio: float | None = None  # value / the baseline's
    ratio_ci95: Interval | None = None
    shown: bool = False  # whether the difference to the baseline is shown
    valid: bool = True
    reasons: tuple[str, ...] = ()  # codes
    text: str = ""


def finding(
    question: str,
    contender: str,
    figure: str,
    unit: str,
    value: float,
    reasons: Sequence[Reason],
    ci95: Sequence[float | None] | None = None,
    **compared: object,
) -> Finding:
    """Return a finding with its sentence. An INVALID one never claims a difference.

    `compared` holds the fields about the baseline. Leave them out if the baseline has no VALID figure.
    """
    found = Finding.model_validate(
        {
            "question": question,
            "contender": contender,
            "figure": figure,
            "unit": unit,
            "value": value,
            "ci95": ci95 if ci95 and None not in ci95 else None,
            "valid": not reasons,
            "reasons": sorted({reason.code for reason in reasons}),
            **compared,
        }
    )
    found = found.model_copy(update={"shown": found.shown and found.valid})
    return found.model_copy(update={"text": _sentence(found)})


def _sentence(found: Finding) -> str:
    text = f"{found.contender}: {_figure(found)}"
    if found.versus and found.ratio is not None:
        text += f", {significant(found.ratio)} times {found.versus}'s"
        text += "" if found.shown else " (no significant difference)"
    return f"{text}." if found.valid else f"{text}; INVALID."


def _figure(found: Finding) -> str:
    of, share, factor = found.figure.partition("_share_of_")
    name, unit = _CALLED.get(of, of.replace("_", " ")), _UNITS.get(found.unit, found.unit)
    value = f"{significant(found.value)} {unit}".rstrip()
    if share:
        verb = "multiplies" if unit == "times" else "changes"
        return f"{factor.replace('_', ' ')} {verb} the {name} by {value.removesuffix(' times')}"
    if of == "predicted_peak_error":
        return f"the peak rate was predicted {abs(found.value):.1%} too {'high' if found.value > 0 else 'low'}"
    return f"{name} {value}"
