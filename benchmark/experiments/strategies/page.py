"""The page of a run of strategies: which one for which trouble, then each with its laws and pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmark.analysis.wording import MISSING, minute_utc, significant
from benchmark.experiments.strategies.answers import answers
from benchmark.experiments.strategies.figures import gains_picture, headline, off_in_words, strategy_pictures
from benchmark.experiments.strategies.schema import LawResult, Result, StrategiesSummary, StrategySummary
from benchmark.experiments.strategies.summarise import QUESTION
from benchmark.record.run import Run
from benchmark.report.charts.picture import Picture
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import TableRow, flatten

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A strategy as the page shows it."""

    name: str
    strategy: StrategySummary
    laws: list[TableRow]
    seen: list[TableRow]
    pictures: list[Picture]

    @property
    def gain(self) -> str:
        """The gain in a cell of the table."""
        gain = self.strategy.gain
        if gain is None or gain.times is None:
            return MISSING
        return f"{significant(gain.times, 2)} {gain.says}" if gain.valid else "INVALID"

    @property
    def verdict(self) -> str:
        """How many of its laws held."""
        return f"{len(self.strategy.held)} of {len(self.strategy.laws)}"


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    summary = StrategiesSummary.model_validate(run.summary)
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: StrategiesSummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest = run.manifest
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
            picture=gains_picture(summary),
            sections=[_section(name, each) for name, each in summary.strategies.items()],
            plan=flatten(manifest["plan"]),
        )
    )


def state_of(law: LawResult) -> str:
    """Return whether a law held, in a word."""
    if law.held is not None:
        return "held" if law.held else "missed"
    return "INVALID" if law.value is not None else "not measured"


def _section(name: str, strategy: StrategySummary) -> Section:
    return Section(
        name,
        strategy,
        [_law_row(law) for law in strategy.laws],
        [_seen_row(each) for each in strategy.seen],
        strategy_pictures(name, strategy),
    )


def _law_row(law: LawResult) -> TableRow:
    cells = (
        law.subject,
        f"{significant(law.expected)} {law.unit}",
        _tolerance(law),
        _value(law),
        off_in_words(law) or MISSING,
    )
    state = state_of(law)
    return TableRow(law.says, cells, state in ("INVALID", "missed"), law.reasons, state)


def _tolerance(law: LawResult) -> str:
    if law.at_least == law.at_most:
        return "exactly"
    if not law.at_least:
        return f"≤ {significant(law.at_most)}"
    return f"{significant(law.at_least)} … {significant(law.at_most)}"


def _seen_row(each: Result) -> TableRow:
    return TableRow(each.says, (each.subject, _value(each)), not each.valid, each.reasons)


def _value(result: Result) -> str:
    if result.value is None:
        return MISSING
    low, high = result.ends
    spread = f" ({significant(low)} … {significant(high)})" if low != high else ""
    return f"{significant(result.value)} {result.unit}{spread}"
