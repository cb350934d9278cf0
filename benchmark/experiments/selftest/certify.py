"""What a selftest found, as the certificate that other runs refer to."""

from pathlib import Path

from benchmark.experiments.selftest.schema import SelftestSummary, Verdict
from benchmark.record.certificate import Certificate, keep, machine_facts
from benchmark.record.run import Run, utc_now


def certify(run: Run) -> Path | None:
    """Keep the certificate of a run beside it, and return its path; None where nothing can be told."""
    summary = SelftestSummary.model_validate(run.summary)
    found = certificate_of(run.path.name, summary)
    return keep(run.path.parent, found) if found else None


def certificate_of(name: str, summary: SelftestSummary) -> Certificate | None:
    """Return the certificate of a run, passed or failed; None where nothing can be told."""
    overhead, error_pct, late_ms = summary.overhead, summary.worst_error_pct, summary.late_p99_ms
    if summary.verdict_on_generator is Verdict.UNTOLD or not summary.complete:
        return None
    if overhead is None or overhead.p50_ms is None or overhead.p99_ms is None or error_pct is None or late_ms is None:
        return None
    return Certificate(
        finished_utc=summary.finished_utc or utc_now(),
        run=name,
        passed=summary.verdict_on_generator is Verdict.PASSED,
        ceiling_rps=summary.ceiling_rps,
        overhead_p50_ms=overhead.p50_ms,
        overhead_p99_ms=overhead.p99_ms,
        late_p99_ms=late_ms,
        worst_error_pct=error_pct,
        bounds={check.figure: check.limit for check in summary.checks},
        failed=tuple(check.says for check in summary.checks if check.ok is False),
        machine=machine_facts(summary.environment),
    )
