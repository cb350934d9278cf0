"""Other generators, graded: what each says of the stall, beside what requests at its rate met."""

from collections.abc import Iterator
from typing import Final

from benchmark.contenders.absorber.law import NO_STALL, Stall
from benchmark.errors import LoadError
from benchmark.experiments.selftest.measure import SAID, TRUTH
from benchmark.experiments.selftest.observed import stall_of
from benchmark.experiments.selftest.others import OTHERS, Said, read_output
from benchmark.experiments.selftest.plan import ALONE, OPEN, other_part
from benchmark.experiments.selftest.schema import OtherResult
from benchmark.experiments.selftest.truth import errors_of, met_by_all
from benchmark.record.run import Run

_NOTHING: Final = "it was not measured"


def graded(run: Run) -> Iterator[OtherResult]:
    """Yield the result of each other generator of a run, in the order of the plan. Raises RecordError."""
    plan = run.manifest["plan"]
    service_ms, alone_ms = _service_ms(plan["laws"][OPEN]), _service_ms(plan["laws"][ALONE])
    rows = {(row["generator"], bool(row["alone"])): row for row in run.lines(SAID)}
    failures = {trial.part: trial.reason for trial in run.trials() if trial.status == "failed"}
    for name in plan["others"]:
        part = other_part(name, is_alone=False)
        said, row = _said(name, rows.get((name, False))), rows.get((name, False))
        alone = _said(name, rows.get((name, True)))
        stall = _since_first(run, part)
        truth = met_by_all(service_ms, float(row["seconds"]), stall) if row and stall is not NO_STALL else None
        yield OtherResult(
            name=name,
            loop=OTHERS[name].loop,
            overhead_p50_ms=round(alone.p50_ms - alone_ms, 4) if alone else None,
            said=said,
            truth=truth,
            errors=errors_of(said, truth.three) if said and truth else None,
            failed="" if said and truth else failures.get(part, _NOTHING),
        )


def _said(name: str, row: dict[str, object] | None) -> Said | None:
    try:
        return read_output(name, str(row["output"])) if row else None
    except LoadError:
        return None  # the trial is recorded as failed, with the error


def _since_first(run: Run, part: str) -> Stall:
    """Return the stall of a trial in seconds since its first request, which is when the generator began."""
    stall = stall_of(run, part)
    first_ns = next((row["first_ns"] for row in run.lines(TRUTH) if row["part"] == part), None)
    if stall is NO_STALL or first_ns is None:
        return NO_STALL
    return Stall((stall.start - first_ns) / 1e9, (stall.end - first_ns) / 1e9)


def _service_ms(law: str) -> float:
    """Return the value of a constant law."""
    return float(law.split()[1])
