"""The figures of each pair of blocks, and what the looks at them decide. Pure functions."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmark.analysis.level_figures import LevelFigures, level_figures
from benchmark.analysis.sequential import Decided, Decision, Look, decide, levels
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.experiments.gate.plan import BASE, FIGURES, HEAD, Figure
from benchmark.record.run import Run, TrialRecord

LOOKS: Final = "looks.jsonl"  # of a run: when the pairs were judged
Trials = Mapping[tuple[str, int], Sequence[LevelFigures]]  # by label and block, in the order of levels


@dataclass(frozen=True)
class Judged:
    """One figure: its values by pair, and what became of it."""

    name: str
    allowed: float
    base: tuple[float, ...]
    head: tuple[float, ...]
    decided: Decided
    lacking: int | None = None  # answers in a window, where they were too few

    @property
    def figure(self) -> Figure:
        return FIGURES[self.name]


def trial_figures(run: Run, contender: Contender, trial: TrialRecord) -> list[LevelFigures]:
    """Return the figures of a trial at every level. Raises RecordError."""
    return level_figures(trial, run.cell_samples(trial), run.cell_resources(trial), law_of(contender))


def all_trials(run: Run, contenders: Iterable[Contender]) -> Trials:
    """Return the figures of all trials that were measured. Raises RecordError."""
    by_label = {contender.label: contender for contender in contenders}
    return {
        (trial.contender, trial.block): trial_figures(run, by_label[trial.contender], trial)
        for trial in run.trials()
        if trial.status == "measured"
    }


def whole_pairs(trials: Trials) -> list[int]:
    """Return the blocks of which both sides were measured."""
    return sorted(
        {block for label, block in trials if label == BASE} & {block for label, block in trials if label == HEAD}
    )


def judge(trials: Trials, allowed: Mapping[str, float], looks: Sequence[Look]) -> list[Judged]:
    """Return what the looks decide of every figure; all figures together err in at most 5 % of the runs."""
    at = levels(looks, len(allowed)) if looks else []
    return [_judge(name, share, trials, looks, at) for name, share in allowed.items()]


def is_done(judged: Iterable[Judged]) -> bool:
    """Whether no further pair can decide anything."""
    return all(each.lacking is not None or each.decided.decision is not Decision.OPEN for each in judged)


def write_look(run: Run, look: Look) -> None:
    run.append_line(LOOKS, asdict(look))


def read_looks(run: Run) -> list[Look]:
    return [Look(**_known(line)) for line in run.lines(LOOKS)]


def _known(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"pairs": int(line["pairs"]), "time_share": float(line["time_share"])}


def _judge(name: str, allowed: float, trials: Trials, looks: Sequence[Look], at: Sequence[float]) -> Judged:
    figure = FIGURES[name]
    rows = list(_values(figure, trials))
    counts = [count for *_, count in rows if count < figure.needs]
    base, head = tuple(b for b, _, _ in rows if b), tuple(h for _, h, _ in rows if h)
    if counts or len(base) != len(rows) or len(head) != len(rows):
        # A figure that is missing in some pairs is not judged by the others: those would be the slow ones, or the fast.
        return Judged(name, allowed, (), (), Decided(Decision.OPEN, 0, 0.0, None, None, None), min(counts, default=0))
    logs = [math.log(b / h if figure.is_rate else h / b) for b, h in zip(base, head, strict=True)]
    used = [(look, level) for look, level in zip(looks, at, strict=True) if look.pairs <= len(logs)]
    decided = decide(logs, [look for look, _ in used], [level for _, level in used], allowed)
    return Judged(name, allowed, base, head, decided)


def _values(figure: Figure, trials: Trials) -> Iterator[tuple[float | None, float | None, int]]:
    """Yield the value of base and of head in each whole pair, and how many answers the smaller window had."""
    for block in whole_pairs(trials):
        found = [
            next((level for level in trials[side, block] if level.users == figure.users), None) for side in (BASE, HEAD)
        ]
        base, head = (None if level is None else figure.value(level) for level in found)
        yield base, head, min(0 if level is None else level.n for level in found)
