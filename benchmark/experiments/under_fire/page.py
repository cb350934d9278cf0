"""The page of a run under fire: faults x contenders, a picture for each fault, and overload with its bounds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmark.analysis.wording import MISSING, minute_utc, significant
from benchmark.experiments.under_fire.answers import answers
from benchmark.experiments.under_fire.figures import headline, overload_picture, trouble_picture
from benchmark.experiments.under_fire.schema import OverloadResult, TroubleResult, TroubleSummary, UnderFireSummary
from benchmark.experiments.under_fire.summarise import QUESTION
from benchmark.experiments.under_fire.wording import bound_in_words, counted, recovery_in_words, verdict
from benchmark.record.run import Run
from benchmark.report.charts.picture import Picture
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import TableRow, flatten

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Cell:
    """What one contender did under one fault, in the table of all."""

    says: str
    small: str
    invalid: bool
    amiss: bool


@dataclass(frozen=True)
class Section:
    """One fault as the page shows it."""

    trouble: TroubleSummary
    cells: list[Cell]
    rows: list[TableRow]
    picture: Picture | None


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    summary = UnderFireSummary.model_validate(run.summary)
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: UnderFireSummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest = run.manifest
    plan = {key: value for key, value in manifest["plan"].items() if key != "troubles"}
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            question=QUESTION,
            summary=summary,
            manifest=manifest,
            environment=manifest["environment"],
            date=minute_utc(summary.started_utc),
            machine=machine_line(manifest["environment"]),
            answers=answers(summary),
            sections=[_section(trouble) for trouble in summary.troubles],
            overload=[_overload_row(each) for each in summary.overload],
            bounds=[_bounds_row(each) for each in summary.overload],
            bound_names=next((tuple(b.name for b in each.bounds) for each in summary.overload if each.bounds), ()),
            overload_picture=overload_picture(summary.overload),
            settings=flatten(manifest["settings"]),
            plan=flatten(plan),
        )
    )


def _section(trouble: TroubleSummary) -> Section:
    return Section(
        trouble, [_cell(each) for each in trouble.results], [_row(each) for each in trouble.results],
        trouble_picture(trouble),
    )  # fmt: skip


def _cell(each: TroubleResult) -> Cell:
    if not each.is_measured:
        return Cell("not measured", "", invalid=True, amiss=False)
    odd = [
        f"{count:,} {name}"
        for count, name in ((each.unexplained, "unexplained"), (each.hanging, "hanging"), (each.orphans, "left behind"))
        if count
    ]
    says = ", ".join(odd) or "as promised"
    return Cell(says, f"back after {recovery_in_words(each)}".replace("after not", "not"), not each.valid, bool(odd))


def _row(each: TroubleResult) -> TableRow:
    cells: tuple[str, ...] = (
        f"{each.sent:,}",
        counted(each.answers),
        counted(each.no_answers),
        f"{each.hanging:,}",
        f"{each.unexplained:,}" + (f" ({each.example})" if each.example else ""),
        significant(each.before_rps),
        significant(each.during_rps),
        significant(each.after_rps),
        significant(each.longest_ms),
        recovery_in_words(each),
        f"{each.orphans}",
        significant(each.memory_mb),
    )
    if not each.is_measured:
        cells = (MISSING,) * len(cells)
    return TableRow(each.contender, cells, not each.valid and each.is_measured, _why(each), verdict(each))


def _why(each: TroubleResult | OverloadResult) -> tuple[object, ...]:
    """Return why a figure is INVALID, unless all of the run is, which stands at the head of the page."""
    return tuple(reason for reason in each.reasons if reason.code != "run_invalid")


def _overload_row(each: OverloadResult) -> TableRow:
    peak = f"{significant(each.peak_rps)} at {each.peak_users} users" if each.peak_rps else MISSING
    growth = f"{significant(each.memory_growth_mb)} on {significant(each.memory_before_mb)}"
    cells: tuple[str, ...] = (
        peak,
        significant(each.offered_rps),
        significant(each.good_rps),
        _pair(each.peak_p50_ms, each.peak_p95_ms),
        _pair(each.accepted_p50_ms, each.accepted_p95_ms),
        MISSING if each.refused_share is None else f"{each.refused_share:.0%}".replace("%", " %"),
        counted(each.answers),
        counted(each.no_answers),
        f"{each.hanging:,}",
        f"{each.unexplained:,}",
        growth,
        str(each.generators),
    )
    if not each.is_measured:
        cells = (MISSING,) * len(cells)
    return TableRow(each.contender, cells, not each.valid and each.is_measured, _why(each), _state(each))


def _state(each: OverloadResult) -> str:
    if not each.is_measured:
        return "not measured"
    return "VALID" if each.valid else "INVALID"


def _bounds_row(each: OverloadResult) -> TableRow:
    """Return a contender's bounds, each as measured, with its verdict."""
    cells = tuple(": ".join(reversed(bound_in_words(bound))) for bound in each.bounds)
    return TableRow(each.contender, cells, not each.valid and each.is_measured)


def _pair(p50_ms: float | None, p95_ms: float | None) -> str:
    return f"{significant(p50_ms)}, {significant(p95_ms)}"
