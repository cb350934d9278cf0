"""The answers of a selftest: may the generator be trusted, up to which rate, and what would a closed loop have said."""

from pathlib import Path
from typing import Final

from benchmark.analysis.validity import run_reasons
from benchmark.experiments.selftest.schema import SelftestSummary, Verdict
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_VERDICT, _CEILING, _ADDS, _CLOSED, _OTHERS = "Verdict", "Ceiling", "Overhead", "Closed loop", "Others"


def answers(summary: SelftestSummary, busy_before: float = 0.0) -> list[Answer]:
    """Return one sentence for each thing to say, the most important first."""
    if run_reasons(busy_before):
        return [Answer(_SAY.condemned())]
    if not all(entry.valid for entry in summary.contenders.values()):
        return [Answer(_SAY.nobody_valid())]
    found = [Answer(_verdict(summary), topic=_VERDICT)]
    if summary.ceiling_rps is not None:
        found.append(Answer(_SAY.ceiling(rps=summary.ceiling_rps), topic=_CEILING))
    elif summary.steps:
        found.append(Answer(_SAY.no_ceiling(), topic=_CEILING))
    overhead, stall = summary.overhead, summary.stall
    if overhead and overhead.p50_ms is not None:
        found.append(Answer(_SAY.overhead(p50_ms=overhead.p50_ms, p99_ms=overhead.p99_ms), topic=_ADDS))
    if stall and stall.closed and stall.closed.p99_ms is not None and stall.truth.p99_ms is not None:
        said = _SAY.closed_loop(closed_ms=stall.closed.p99_ms, true_ms=stall.truth.p99_ms)
        found.append(Answer(said, topic=_CLOSED))
    for each in summary.others:
        if each.said and each.truth and each.truth.p99_ms is not None:
            said = _SAY.other(name=each.name, said_ms=each.said[2], true_ms=each.truth.p99_ms)
            found.append(Answer(said, topic=_OTHERS))
    if not summary.complete:
        found.append(Answer(_SAY.interrupted()))
    return found


def _verdict(summary: SelftestSummary) -> str:
    if summary.verdict_on_generator is Verdict.PASSED and summary.stall:
        return _SAY.passed(seconds=f"{summary.stall.seconds:g}", worst_pct=summary.worst_error_pct)
    beyond = [check for check in summary.checks if check.ok is False]
    if not beyond:
        return _SAY.untold()
    worst = max(beyond, key=lambda check: (check.value or 0.0) / check.limit)
    return _SAY.failed(says=worst.says, value=worst.value, unit=worst.unit, limit=worst.limit)
