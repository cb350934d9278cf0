"""The answers of a gate: what is worse than allowed, what is not, and what cannot be told."""

from pathlib import Path
from typing import Final

from benchmark.experiments.gate.schema import GateFigure, GateSummary
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)


def answers(summary: GateSummary) -> list[Answer]:
    """Return one sentence for each thing to say, the most important first."""
    if not any(each.valid for each in summary.figures):
        found = [Answer(_SAY.nobody_valid())]
    elif len(summary.fine) == len(summary.figures):
        found = [Answer(_SAY.none_worse(count=len(summary.figures)))]
    else:
        found = [Answer(sentence(each), topic="Worse") for each in summary.worse]
        found += [Answer(sentence(each), topic="Not told") for each in summary.unclear]
        if summary.fine:
            found.append(Answer(_SAY.fine(names=[each.called for each in summary.fine]), topic="Not worse"))
    if not summary.complete:
        found.append(Answer(_SAY.interrupted()))
    return found


def sentence(figure: GateFigure) -> str:
    """Return what became of a VALID figure, in a sentence."""
    called = figure.called
    if figure.decision == "worse than allowed":
        change_pct, allowed_pct = 100 * (figure.change or 0), f"{100 * figure.allowed:.3g}"
        return _SAY.worse(called=called, change_pct=change_pct, allowed_pct=allowed_pct)
    if figure.decision == "cannot be told":
        could = None if figure.could_show is None else 100 * figure.could_show
        return _SAY.unclear(called=called, could_show_pct=could)
    return _SAY.fine(names=[called])
