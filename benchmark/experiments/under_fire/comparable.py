"""The figures by which two runs under fire are compared."""

from benchmark.analysis.comparable import Comparable
from benchmark.analysis.validity import run_reasons
from benchmark.experiments.under_fire.schema import UnderFireSummary
from benchmark.record.run import Run


def comparable(run: Run, label: str, _: int | None) -> list[Comparable]:
    """Return how long a contender took to recover from each fault, and how it did under overload."""
    summary = UnderFireSummary.model_validate(run.summary)
    whole = not run_reasons(run.manifest["busy_before_start"])
    found = []
    for trouble in summary.troubles:
        for each in trouble.results:
            if each.contender == label and each.recovery_s is not None:
                name, valid = f"recovery, {trouble.name}", each.valid and whole
                found.append(Comparable(name, "s", True, (each.recovery_s,), valid, absent="not recovered"))
    for result in summary.overload:
        figures = (("rate under overload", "rps", False, result.good_rps),
                   ("p95 of what overload lets in", "ms", True, result.accepted_p95_ms))  # fmt: skip
        found += [
            Comparable(name, unit, lower, (value,), result.valid and whole)
            for name, unit, lower, value in figures
            if result.contender == label and value is not None
        ]
    return found
