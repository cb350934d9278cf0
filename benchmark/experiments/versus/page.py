"""The page of `versus`: drawn from its summary, and needing nothing but itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmark.analysis.wording import MISSING, fine_ms, minute_utc, significant, span
from benchmark.experiments.versus.answers import answers
from benchmark.experiments.versus.figures import all_figures, headline
from benchmark.experiments.versus.observed import AT_RATE, CPU, ONE_USER, PEAK_RATE, UNITS
from benchmark.experiments.versus.schema import Compared, Measured, SideEntry, VersusSummary
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import NOT_ENOUGH, GlanceCell, GlanceRow, TableRow, flatten

_FOLDER: Final = Path(__file__).parent
_UNSEEN: Final = "not observed"


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    summary = VersusSummary.model_validate(run.summary)
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: VersusSummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest, pictures = run.manifest, all_figures(summary)
    names = names_of(summary)
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
            glance_rows=[_glance_row(label, each, summary) for label, each in summary.sides.items()],
            compared_rows=[_compared_row(names[each.figure], each) for each in summary.compared],
            rows=[row for label, each in summary.sides.items() for row in _side_rows(label, each, names)],
            block_rows=_block_rows(summary, names),
            doubts=_doubts(summary),
            plan=_plan(manifest["plan"]),
            scenarios=manifest["scenarios"],
            settings=[pair for each in manifest["scenarios"].values() for pair in flatten(each)],
        )
    )


def names_of(summary: VersusSummary) -> dict[str, str]:
    """Return what each figure is called."""
    return {
        ONE_USER: "latency at one user",
        AT_RATE: f"latency at {summary.rate_rps:g} requests/s",
        CPU: "CPU per request",
        PEAK_RATE: "peak rate",
    }


def value_of(figure: str, value: float | None) -> str:
    """Return a value with its unit."""
    if value is None:
        return MISSING
    return f"{fine_ms(value) if UNITS[figure] == 'ms' else significant(value)} {UNITS[figure]}"


def verdict_of(compared: Compared) -> str:
    if not compared.valid:
        return "INVALID"
    if compared.shown:
        return "shown"
    return "not shown" if compared.would_show_pct is None else f"not shown ({compared.would_show_pct:.2g} % would be)"


def _glance_row(label: str, entry: SideEntry, summary: VersusSummary) -> GlanceRow:
    most = max((each.figures[ONE_USER].mean or 0.0 for each in summary.sides.values() if ONE_USER in each.figures),
               default=0.0)  # fmt: skip
    names = [AT_RATE] if summary.duet else [ONE_USER, AT_RATE]
    cells = []
    for name in names:
        measured = entry.figures.get(name)
        mean = measured.mean if measured else None
        share = mean / most if mean and most and name == ONE_USER else None
        cells.append(GlanceCell(value_of(name, mean), "", share))
    cpu = entry.figures.get(CPU)
    cells.append(GlanceCell(value_of(CPU, cpu.mean) if cpu else _UNSEEN if entry.not_observed else MISSING))
    return GlanceRow(label, entry.title, tuple(cells), not entry.valid)


def _compared_row(name: str, compared: Compared) -> TableRow:
    unit = UNITS[compared.figure]
    cells = (
        f"{significant(compared.difference)} {unit}",
        span(compared.difference_ci) if compared.difference_ci else MISSING,
        significant(compared.ratio, 4),
        span(compared.ratio_ci, lambda value: significant(value, 4)) if compared.ratio_ci else MISSING,
        significant(compared.p_value, 2),
        f"{compared.blocks}",
        verdict_of(compared),
    )
    return TableRow(name, cells, not compared.valid)


def _side_rows(label: str, entry: SideEntry, names: Mapping[str, str]) -> list[TableRow]:
    rows = []
    for figure, name in names.items():
        measured = entry.figures.get(figure)
        if measured:
            rows.append(TableRow(label, (name, *_cells(figure, measured)), not measured.valid))
        elif figure == CPU and entry.not_observed:
            rows.append(TableRow(label, (name, _UNSEEN, *(MISSING,) * 5)))
    memory = _UNSEEN if entry.not_observed else MISSING if entry.rss_mb is None else f"{significant(entry.rss_mb)} MB"
    unchecked = [f"not checked: {', '.join(entry.not_checked)}"] if entry.not_checked else []
    rows.append(TableRow(label, ("memory, at most", memory, *(MISSING,) * 5), False, (*entry.reasons, *unchecked)))
    return rows


def _cells(figure: str, measured: Measured) -> tuple[str, ...]:
    has_tails = figure in {ONE_USER, AT_RATE}
    tails = [value_of(figure, value) if value is not None else NOT_ENOUGH for value in (measured.p50, measured.p99)]
    return (
        value_of(figure, measured.mean),
        span(measured.ci95) if measured.ci95 else MISSING,
        *(tails if has_tails else (MISSING, MISSING)),
        f"{measured.requests:,}" if has_tails else MISSING,
        f"{measured.errors:,}" if has_tails else MISSING,
    )


def _block_rows(summary: VersusSummary, names: Mapping[str, str]) -> list[TableRow]:
    """Return a row for each figure and block: both values, as the differences are made from them."""
    one, other = summary.sides.values()
    rows = []
    for compared in summary.compared:
        figure = compared.figure
        pairs = zip(one.figures[figure].values, other.figures[figure].values, strict=False)
        rows += [
            TableRow(names[figure], (f"{block}", value_of(figure, mine), value_of(figure, theirs)), not compared.valid)
            for block, (mine, theirs) in enumerate(pairs, 1)
        ]
    return rows


def _doubts(summary: VersusSummary) -> list[tuple[list[str], SideEntry]]:
    """Return what is not checked, once for both where it is the same."""
    found: dict[tuple[object, ...], list[str]] = {}
    for label, entry in summary.sides.items():
        if entry.not_checked:
            found.setdefault((entry.where, entry.not_observed, entry.not_checked), []).append(label)
    return [(labels, summary.sides[labels[0]]) for labels in found.values()]


def _plan(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the plan in words, without when each request is due."""
    return [
        (name.replace(".", ", ").replace("_", " "), value)
        for name, value in flatten({k: v for k, v in plan.items() if v})
    ]
