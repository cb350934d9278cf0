"""What CI systems read: JUnit XML, annotations of GitHub Actions, and a step summary in Markdown. Pure functions."""

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as Xml

from benchmark.analysis.reasons import merged
from benchmark.analysis.sequential import Decision
from benchmark.analysis.wording import MISSING, significant
from benchmark.experiments.gate.answers import answers, sentence
from benchmark.experiments.gate.schema import GateFigure, GateSummary

JUNIT_NAME: Final = "junit.xml"
SUMMARY_NAME: Final = "summary.md"
_TITLE: Final = "gate"
_LEVELS: Final = {Decision.WORSE: "error", Decision.OPEN: "warning", Decision.NOT_WORSE: "notice"}
_MARKS: Final = {Decision.WORSE: "❌", Decision.OPEN: "❔", Decision.NOT_WORSE: "✅"}
_HEADS: Final = ("figure", "base", "head", "change for the worse", "95 % interval", "allowed", "verdict", "could show")


def junit(summary: GateSummary) -> str:
    """Return a test suite with a test case per figure: what is worse failed, what cannot be told is skipped."""
    unclear, invalid = summary.unclear, [each for each in summary.figures if not each.valid]
    suite = Xml.Element(
        "testsuite",
        name=_TITLE,
        tests=str(len(summary.figures)),
        failures=str(len(summary.worse)),
        errors=str(len(invalid)),
        skipped=str(len(unclear)),
        timestamp=summary.started_utc.removesuffix("Z"),
    )
    for each in summary.figures:
        case = Xml.SubElement(
            suite, "testcase", classname=_TITLE, name=f"{each.name} at most {_percent(each.allowed)} worse"
        )
        if not each.valid:
            Xml.SubElement(case, "error", message=_invalid(each))
        elif each.decision is Decision.WORSE:
            Xml.SubElement(case, "failure", message=sentence(each)).text = _numbers(each)
        elif each.decision is Decision.OPEN:
            Xml.SubElement(case, "skipped", message=_open(each))
        Xml.SubElement(case, "system-out").text = _numbers(each)
    Xml.indent(suite)
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def annotations(summary: GateSummary) -> list[str]:
    """Return a line per figure that GitHub Actions shows with the job."""
    found = []
    for each in summary.figures:
        level = _LEVELS[each.decision] if each.valid else "warning"
        said = _open(each) if each.decision is Decision.OPEN else sentence(each)
        found.append(f"::{level} title={_property(each.name)}::{_message(said if each.valid else _invalid(each))}")
    return found


def step_summary(summary: GateSummary) -> str:
    """Return the run in Markdown: the answers, then a table."""
    lines = [*(f"- {_cell(answer.text)}" for answer in answers(summary)), ""]
    lines += [f"| {' | '.join(row)} |" for row in (_HEADS, ["---"] * len(_HEADS), *map(_row, summary.figures))]
    sides = [f"{name}: `{_cell(side.row)}` ({_cell(side.revision[:12])})" for name, side in summary.contenders.items()]
    lines += ["", f"{summary.pairs} pairs of blocks, {'VALID' if summary.valid else 'INVALID'}. {', '.join(sides)}."]
    lines += [f"- {_cell(reason)}" for reason in merged(summary.reasons)]
    return "\n".join(lines) + "\n"


def cells(figure: GateFigure) -> tuple[str, ...]:
    """Return base, head, change, interval, allowed, verdict and what could be shown, in words."""
    ends = figure.interval
    return (
        MISSING if figure.base is None else f"{significant(figure.base)} {figure.unit}",
        MISSING if figure.head is None else f"{significant(figure.head)} {figure.unit}",
        MISSING if figure.change is None else _change(figure.change),
        MISSING if ends is None else f"{_change(ends[0])} to {_change(ends[1])}",
        _percent(figure.allowed),
        str(figure.decision) if figure.valid else "INVALID",
        MISSING if figure.could_show is None else _change(figure.could_show),
    )


def _row(figure: GateFigure) -> Sequence[str]:
    *numbers, verdict, could = cells(figure)
    mark = _MARKS[figure.decision] if figure.valid else "⚠"
    return f"`{figure.name}`", *numbers, f"{mark} {verdict}", could


def _numbers(figure: GateFigure) -> str:
    base, head, change, interval, allowed, verdict, could = cells(figure)
    return (
        f"{figure.called}: base {base}, head {head}, change for the worse {change} (95 % interval {interval}), allowed "
        f"{allowed}: {verdict}; {could} could have been shown with {figure.pairs} pairs"
    )


def _open(figure: GateFigure) -> str:
    return f"{sentence(figure)} {figure.why[:1].upper()}{figure.why[1:]}."


def _invalid(figure: GateFigure) -> str:
    return f"{figure.called} is INVALID: {'; '.join(merged(figure.reasons))}"


def _change(share: float) -> str:
    return f"{'+' if share > 0 else ''}{significant(100 * share, 2)} %"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _cell(text: str) -> str:
    """Return a text that is one line and no column's end."""
    return " ".join(text.split()).replace("|", "\\|")


def _message(text: str) -> str:
    """Escape a message as the runner of GitHub Actions reads it (its documentation, workflow commands)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
