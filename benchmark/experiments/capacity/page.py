"""The page of a capacity run: drawn from its summary, and needing nothing but itself."""

from pathlib import Path
from typing import Final

from benchmark.analysis.wording import MISSING, minute_utc, significant, span
from benchmark.experiments.capacity.answers import answers
from benchmark.experiments.capacity.figures import all_figures, headline, words_of
from benchmark.experiments.capacity.schema import CapacityEntry, CapacitySummary, TryEntry
from benchmark.experiments.capacity.search import Standing
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import GlanceCell, GlanceRow, TableRow, flatten

_FOLDER: Final = Path(__file__).parent
_PLAN: Final = ("first_rps", "blocks", "warmup_s", "coarse_s", "fine_s", "confirm_s", "generators")


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    summary = CapacitySummary.model_validate(run.summary)
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: CapacitySummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest, pictures = run.manifest, all_figures(summary)
    highest = max((each.capacity_rps or 0.0 for each in summary.contenders.values()), default=0.0)
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
            glance_rows=[_glance_row(name, each, highest) for name, each in summary.contenders.items()],
            rows=[_row(name, each) for name, each in summary.contenders.items()],
            try_rows=[
                _try_row(name, entry, each, summary)
                for name, entry in summary.contenders.items()
                for each in entry.tries
            ],
            settings=flatten(manifest["settings"]),
            plan=[("objectives", ", ".join(summary.objectives)),
                  *((key, str(manifest["plan"][key])) for key in _PLAN)],
        )
    )  # fmt: skip


def _glance_row(name: str, entry: CapacityEntry, highest: float) -> GlanceRow:
    is_found = entry.standing is Standing.FOUND
    share = (entry.capacity_rps or 0.0) / highest if highest and is_found else None
    times = f"× {significant(entry.ratio.ratio)}" if entry.ratio else ""
    cells = (GlanceCell(words_of(entry), times, share), GlanceCell(entry.binding or MISSING))
    return GlanceRow(name, entry.title, cells, not entry.valid)


def _row(name: str, entry: CapacityEntry) -> TableRow:
    state = "VALID" if entry.valid else "INVALID" if entry.tries else "not measured"
    if entry.standing is None:
        return TableRow(name, (MISSING,) * 6, True, entry.reasons, state)
    confirmed = MISSING if entry.confirmed is None else f"{entry.confirmed} at {significant(entry.confirmed_rps)}"
    ratio = entry.ratio
    cells = (
        words_of(entry),
        span(entry.ci95) if entry.ci95 else MISSING,
        entry.binding or MISSING,
        confirmed,
        MISSING if ratio is None else f"{significant(ratio.ratio)} × {ratio.versus}",
        span(ratio.ci95) if ratio and ratio.ci95 else MISSING,
    )
    return TableRow(name, cells, not entry.valid, entry.reasons, state)


def _try_row(name: str, entry: CapacityEntry, tried: TryEntry, summary: CapacitySummary) -> TableRow:
    least = "at least " if tried.at_least else ""
    missed = [
        f"{objective}: {least}{significant(tried.missed_pct(place), 2)} %"
        for place, objective in enumerate(summary.objectives)
    ]
    verdict = "generator fell behind" if not tried.offered else "kept" if tried.kept else "broken"
    part = f"block {tried.block + 1}" if tried.kind == "fine" else str(tried.kind)
    cells = (part, significant(tried.rate_rps), f"{tried.due:,}", ", ".join(missed), str(tried.verdict or verdict))
    return TableRow(name, cells, not entry.valid)
