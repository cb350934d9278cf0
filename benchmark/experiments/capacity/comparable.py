"""The figures by which two runs of `capacity` are compared."""

from benchmark.analysis.comparable import Comparable
from benchmark.analysis.validity import run_reasons
from benchmark.experiments.capacity.schema import CapacitySummary
from benchmark.experiments.capacity.search import Standing
from benchmark.record.run import Run


def comparable(run: Run, label: str, _: int | None) -> list[Comparable]:
    """Return the capacity of a contender, a value for each block; it means the same for the same objectives only."""
    summary = CapacitySummary.model_validate(run.summary)
    entry = summary.contenders[label]
    if entry.standing is not Standing.FOUND or not entry.by_block_rps:
        return []
    valid = entry.valid and not run_reasons(run.manifest["busy_before_start"])
    promise = " and ".join(summary.objectives)
    return [Comparable("capacity", "requests/s", False, entry.by_block_rps, valid, promise, "none for this promise")]
