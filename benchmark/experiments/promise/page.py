"""The page of a promise run: drawn from its summary, and needing nothing but itself."""

from pathlib import Path
from typing import Final

from benchmark.analysis.promises import Verdict, together
from benchmark.analysis.wording import MISSING, minute_utc, significant
from benchmark.experiments.promise.answers import answers, worst_outcome
from benchmark.experiments.promise.figures import all_figures, headline
from benchmark.experiments.promise.schema import Outcome, PromiseEntry, PromiseSummary
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import GlanceCell, GlanceRow, TableRow, flatten

_FOLDER: Final = Path(__file__).parent


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    summary = PromiseSummary.model_validate(run.summary)
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: PromiseSummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest, pictures = run.manifest, all_figures(summary)
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            summary=summary,
            manifest=manifest,
            environment=manifest["environment"],
            date=minute_utc(summary.started_utc),
            machine=machine_line(manifest["environment"]),
            answers=answers(summary, manifest["busy_before_start"]),
            picture=pictures[0] if pictures else None,
            pictures=pictures[1:],
            glance_rows=[_glance_row(name, each) for name, each in summary.contenders.items()],
            rows=[row for name, each in summary.contenders.items() for row in _outcome_rows(name, each)],
            phase_rows=[row for name, each in summary.contenders.items() for row in _phase_rows(name, each)],
            load_rows=[_load_row(name, each) for name, each in summary.contenders.items() if each.seconds],
            trouble_rows=[row for name, each in summary.contenders.items() for row in _trouble_rows(name, each)],
            settings=flatten(manifest["settings"]),
            plan=[("shape", summary.shape), ("objectives", ", ".join(summary.objectives))],
        )
    )


def verdict_of(entry: PromiseEntry) -> str:
    """Return in a word or two what became of a contender's promise."""
    return MISSING if entry.verdict is None else str(entry.verdict)


def _glance_row(name: str, entry: PromiseEntry) -> GlanceRow:
    if not entry.outcomes:
        return GlanceRow(name, entry.title, (GlanceCell(MISSING), GlanceCell(MISSING)), entry.verdict is not None)
    worst = worst_outcome(entry)
    share = worst.bad / worst.requests if worst.requests else 0.0
    cells = (
        GlanceCell(verdict_of(entry), _why(entry)),
        GlanceCell(f"{significant(100 * share, 2)} %", f"{worst.bad:,} of {worst.requests:,}", share),
    )
    return GlanceRow(name, entry.title, cells, not entry.valid)


def _why(entry: PromiseEntry) -> str:
    """Return what stands small below the verdict: the objective it is about, and what became of the first answer."""
    about = worst_outcome(entry).objective if entry.verdict is not Verdict.KEPT else ""
    first = f"first answer: {together(each.verdict for each in entry.accepted)}" if entry.accepted else ""
    return "; ".join(each for each in (about, first) if each)


def _outcome_rows(name: str, entry: PromiseEntry) -> list[TableRow]:
    """Return a row for each objective, and where results come in a second step, for the first answer, too."""
    why = (*entry.reasons, *entry.notes, *([f"for instance: {entry.first_error}"] if entry.first_error else []))
    state = "VALID" if entry.valid else "INVALID" if entry.outcomes else "not measured"
    if not entry.outcomes:
        return [TableRow(name, (MISSING,) * 6, True, why, state)]
    later = bool(entry.accepted)
    found = [(outcome, "until the result" if later else "") for outcome in entry.outcomes]
    found += [(outcome, "until the first answer") for outcome in entry.accepted]
    return [
        TableRow(name, _cells(outcome, until), not entry.valid, why if place == len(found) - 1 else (), state)
        for place, (outcome, until) in enumerate(found)
    ]


def _cells(outcome: Outcome, until: str) -> tuple[str, ...]:
    return (
        f"{outcome.objective} {until}".rstrip(),
        str(outcome.verdict),
        MISSING if outcome.measured_ms is None else f"{significant(outcome.measured_ms)} ms",
        f"{outcome.bad:,}",
        f"{outcome.requests:,}",
        MISSING if outcome.verdict is Verdict.BROKEN else f"{outcome.needed:,}",
    )


def _phase_rows(name: str, entry: PromiseEntry) -> list[TableRow]:
    rows = []
    for phase in entry.phases:
        for outcome in phase.outcomes:
            worst = MISSING if phase.worst_s is None else f"{phase.worst_s} s ({phase.worst_bad})"
            again = "not within it" if phase.holds_again_s is None else f"{phase.holds_again_s:g} s"
            cells = (phase.words, outcome.objective, str(outcome.verdict), f"{outcome.bad:,}", f"{outcome.requests:,}")
            rows.append(TableRow(name, (*cells, worst, again), not entry.valid))
    return rows


def _load_row(name: str, entry: PromiseEntry) -> TableRow:
    """Return how the load was offered, and what a request cost."""
    cells = (
        f"{sum(second.due for second in entry.seconds):,}",
        MISSING if entry.late_p99_ms is None else significant(entry.late_p99_ms),
        MISSING if entry.generator_cores is None else f"{entry.generator_cores:.2f}",
        f"{entry.failed:,}",
        MISSING if entry.cpu_ms_per_request is None else significant(entry.cpu_ms_per_request),
    )
    return TableRow(name, cells, not entry.valid)


def _trouble_rows(name: str, entry: PromiseEntry) -> list[TableRow]:
    return [
        TableRow(
            name,
            (
                trouble.objective,
                f"{trouble.from_s} s",
                "the end" if trouble.until_s is None else f"{trouble.until_s} s",
                f"{trouble.bad:,}",
            ),
            not entry.valid,
        )
        for trouble in entry.troubles
    ]
