"""The page of a selftest: drawn from its summary, and needing nothing but itself."""

from pathlib import Path
from typing import Final

from benchmark.analysis.wording import MISSING, minute_utc, significant
from benchmark.contenders.absorber.law import law_words
from benchmark.experiments.selftest.answers import answers
from benchmark.experiments.selftest.figures import headline, picture
from benchmark.experiments.selftest.schema import (
    Check,
    Errors,
    Latencies,
    LawResult,
    OtherResult,
    SelftestSummary,
    StallResult,
    Step,
)  # fmt: skip
from benchmark.record.certificate import MAX_AGE_DAYS
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import GlanceCell, GlanceRow, TableRow, flatten

_FOLDER: Final = Path(__file__).parent
_OK: Final = {True: "yes", False: "no", None: "cannot be told"}
_GOOD: Final = {True: "good enough", False: "not good enough", None: "cannot be told"}
_NO_THREE: Final = (None, None, None)


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    summary = SelftestSummary.model_validate(run.summary)
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: SelftestSummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest, overhead = run.manifest, summary.overhead
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            summary=summary,
            manifest=manifest,
            environment=manifest["environment"],
            date=minute_utc(summary.started_utc),
            machine=machine_line(manifest["environment"]),
            max_age_days=MAX_AGE_DAYS,
            answers=answers(summary, manifest["busy_before_start"]),
            picture=picture(summary),
            checks=[_check_row(check) for check in summary.checks],
            stall_rows=_stall_rows(summary.stall) if summary.stall else [],
            law_words=[(law.part, law_words(law.law)) for law in summary.laws],
            law_rows=[row for law in summary.laws for row in _law_rows(law)],
            late_rows=[_late_row(law) for law in summary.laws],
            steps=[_step_row(step) for step in summary.steps],
            overhead=[
                ("requests", f"{overhead.requests:,}"),
                ("mean", _ms(overhead.mean_ms)),
                ("p50", _ms(overhead.p50_ms)),
                ("p99", _ms(overhead.p99_ms)),
                ("the service itself was late by, p50", _ms(overhead.held_late_ms)),
            ]
            if overhead
            else [],
            others=[row for each in summary.others for row in _other_rows(each)],
            plan=flatten(manifest["plan"]),
        )
    )


def _check_row(check: Check) -> GlanceRow:
    value = MISSING if check.value is None else f"{significant(check.value)} {check.unit}"
    share = None if check.value is None else min(check.value / check.limit, 1.0)
    cell = GlanceCell(value, f"at most {check.limit:g} {check.unit}", share)
    return GlanceRow(check.says, _GOOD[check.ok], (cell,))


def _stall_rows(stall: StallResult) -> list[TableRow]:
    rows = [
        TableRow("what was so", (*_figures(stall.truth), MISSING, MISSING, MISSING)),
        TableRow("open loop", (*_figures(stall.open), *reversed(_errors(stall.errors)))),
    ]
    if stall.closed:
        rows.append(TableRow("closed loop", (*_figures(stall.closed), *reversed(_errors(stall.closed_errors)))))
    return rows


def _figures(found: Latencies) -> tuple[str, ...]:
    """Return the cells of the comparison of loops, the p99 first, for which it is made."""
    values = (found.p99_ms, found.p50_ms, found.mean_ms, found.longest_ms)
    return (*(significant(value) for value in values), f"{significant(found.over_1s_pct, 2)} %", f"{found.requests:,}")


def _law_rows(law: LawResult) -> list[TableRow]:
    def cells(found: Latencies) -> tuple[str, ...]:
        return (f"{found.requests:,}", *(significant(value) for value in found.three))

    return [
        TableRow(f"{law.part}, what was so", (*cells(law.truth), MISSING, MISSING, MISSING)),
        TableRow(f"{law.part}, measured", (*cells(law.measured), *_errors(law.errors))),
    ]


def _late_row(law: LawResult) -> TableRow:
    return TableRow(law.part, (_ms(law.late_p50_ms), _ms(law.late_p99_ms), _ms(law.late_most_ms)))


def _step_row(step: Step) -> TableRow:
    return TableRow(
        f"{step.rate_rps:,.0f}",
        (
            f"{step.requests:,}",
            f"{step.late:,}",
            significant(step.late_p99_ms),
            significant(step.generator_cpu, 2),
            significant(step.service_cpu, 2),
            _OK[step.on_time],
        ),
    )


def _other_rows(other: OtherResult) -> list[TableRow]:
    said, truth = other.said or _NO_THREE, other.truth.three if other.truth else _NO_THREE
    values = (*(significant(value) for value in said), *(significant(value) for value in truth))
    why = [other.failed] if other.failed else []
    return [
        TableRow(
            other.name,
            (other.loop, *values, *_errors(other.errors), _ms(other.overhead_p50_ms)),
            bool(other.failed),
            why,
        )
    ]


def _errors(errors: Errors | None) -> tuple[str, ...]:
    three = errors.three if errors else _NO_THREE
    return tuple(MISSING if value is None else _signed_pct(value) for value in three)


def _signed_pct(value: float) -> str:
    return f"{'+' if value > 0 else ''}{significant(value, 2)} %"


def _ms(value: float | None) -> str:
    return MISSING if value is None else f"{significant(value)} ms"
