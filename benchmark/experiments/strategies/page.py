"""The page of a run of strategies: which one for which trouble, then each with its laws and pictures."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmark.analysis.reasons import Reason
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
        return gain_in_words(self.strategy)

    @property
    def verdict(self) -> str:
        """How many of its laws held."""
        return verdict(self.strategy)


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
            missed=missed_in_words(summary),
            sections=[_section(name, each) for name, each in summary.strategies.items()],
            plan=flatten(manifest["plan"]),
        )
    )


def gain_in_words(strategy: StrategySummary) -> str:
    """Return what a strategy gained, INVALID, or a dash if nothing is known of it."""
    gain = strategy.gain
    if gain is None or gain.times is None:
        return MISSING
    return f"{significant(gain.times, 2)} {gain.says}" if gain.valid else "INVALID"


def verdict(strategy: StrategySummary) -> str:
    """Return how many of the laws held, of those that can be told, and how many cannot."""
    untold = len(strategy.laws) - len(strategy.judged)
    return f"{len(strategy.held)} of {len(strategy.judged)}" + (f", {untold} not told" if untold else "")


def state_of(law: LawResult, not_available: Container[str] = ()) -> str:
    """Return whether a law held, in a word or two."""
    if law.held is not None:
        return "held" if law.held else "missed"
    if law.value is None:
        return "not available" if law.subject in not_available else "not measured"
    return "INVALID"


def _section(name: str, strategy: StrategySummary) -> Section:
    return Section(
        name,
        strategy,
        [_law_row(law, strategy.not_available) for law in strategy.laws],
        [_seen_row(each) for each in strategy.seen],
        strategy_pictures(name, strategy),
    )


def _law_row(law: LawResult, not_available: Container[str]) -> TableRow:
    cells = (
        f"{law.subject} {law.load}".strip(),
        f"{significant(law.expected)} {law.unit}".rstrip(),
        _tolerance(law),
        _value(law),
        off_in_words(law) or MISSING,
    )
    state = state_of(law, not_available)
    name = f"{law.says} (for contrast)" if law.contrast else law.says
    return TableRow(name, cells, state == "INVALID", _why(law), state)


def _why(result: Result) -> list[Reason]:
    """Return why a figure is INVALID, unless all of the run is, which stands at the head of the page."""
    return [reason for reason in result.reasons if reason.code != "run_invalid"]


def _tolerance(law: LawResult) -> str:
    if law.at_least == law.at_most:
        return "exactly"
    if not law.at_least:
        return f"≤ {significant(law.at_most)}"
    return f"{significant(law.at_least)} … {significant(law.at_most)}"


def _seen_row(each: Result) -> TableRow:
    where = f"{each.subject} {each.load}".strip()
    return TableRow(each.says, (where, _value(each)), not each.valid, _why(each))


def _value(result: Result) -> str:
    if result.value is None:
        return MISSING
    low, high = result.ends
    spread = f" ({significant(low)} … {significant(high)})" if low != high else ""
    return f"{significant(result.value)} {result.unit}".rstrip() + spread


def missed_in_words(summary: StrategiesSummary) -> list[str]:
    """Return each law that missed, with what was measured."""
    return [
        f"{law.subject} {law.load}".strip()
        + f", {law.says}: {significant(law.value)} {law.unit}".rstrip()
        + f", expected {significant(law.expected)} ({_tolerance(law)})"
        for law in summary.missed
    ]
