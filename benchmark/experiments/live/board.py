"""What is known of a run so far: each trial is read once, when it has ended, while nothing is measured."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from benchmark.analysis.level_figures import LOW_USERS, LevelFigures, level_figures
from benchmark.analysis.reasons import merged
from benchmark.analysis.stats import Interval, geometric_interval, positive_interval
from benchmark.analysis.summary import failures_of
from benchmark.analysis.validity import level_reasons
from benchmark.analysis.wording import fine_ms, significant, span
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.load.peak import peak_users
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import Run, TrialRecord

TRIALS_SHOWN: Final = 30
Levels = dict[int, list[LevelFigures]]


class Board:
    """The figures of every contender over the blocks that have ended, and why something is INVALID."""

    def __init__(self, run: Run) -> None:
        manifest = run.manifest
        self._run = run
        self._contenders = {each.label: each for each in recorded_contenders(manifest)}
        self._planned = Counter(_labels(manifest.get("order")))
        self._levels: dict[str, Levels] = {}
        self._trials: list[TrialRecord] = []
        self._entries: dict[str, dict[str, Any]] = {}

    def add(self, trial: TrialRecord) -> None:
        """Take in a trial that has ended. Raises RecordError."""
        self._trials.append(trial)
        contender = self._contenders.get(trial.contender)
        if contender is None or trial.part:
            return
        levels = self._levels.setdefault(trial.contender, {})
        if trial.status == "measured":
            samples, resources = self._run.cell_samples(trial), self._run.cell_resources(trial)
            for figures in level_figures(trial, samples, resources, law_of(contender)):
                levels.setdefault(figures.users, []).append(figures)
        trials = [each for each in self._trials if each.contender == trial.contender and not each.part]
        self._entries[trial.contender] = {
            "name": trial.contender,
            "title": contender.title,
            "done": len(trials),
            "planned": self._planned.get(trial.contender, 0),
            "figures": list(_figures(contender, levels)),
            "reasons": _reasons(contender, levels, trials),
        }

    def document(self) -> dict[str, Any]:
        """Return what the page shows: contenders in the order of the plan, trials with the newest first."""
        return {
            "contenders": [self._entries[label] for label in self._contenders if label in self._entries],
            "trials": [_ended(trial) for trial in reversed(self._trials[-TRIALS_SHOWN:])],
        }


def _labels(order: Any) -> Iterator[str]:
    """Yield every label of a plan, whether its blocks are a list, or a list for each phase."""
    if isinstance(order, str):
        yield order
    elif isinstance(order, Mapping | Sequence):
        for each in order.values() if isinstance(order, Mapping) else order:
            yield from _labels(each)


def _figures(contender: Contender, levels: Levels) -> Iterator[dict[str, Any]]:
    low_ms = [each.mean_ms for each in levels.get(LOW_USERS, ()) if each.n]
    if low_ms:
        yield _figure("mean latency at one user", low_ms, positive_interval, fine_ms, "ms")
    rates = {users: [each.rps for each in level if each.n] for users, level in levels.items()}
    means = {users: geometric_interval(rps).value for users, rps in rates.items() if rps}
    valid = [users for users, level in levels.items() if not level_reasons(contender, level)]
    if (users := peak_users(means, valid)) is not None:
        what = f"highest rate so far, at {users} user{'' if users == 1 else 's'}"
        yield _figure(what, rates[users], geometric_interval, significant, "requests/s")


def _figure(
    what: str,
    values: Sequence[float],
    interval_of: Callable[[Sequence[float]], Interval],
    text: Callable[[float | None], str],
    unit: str,
) -> dict[str, Any]:
    """Return a figure in words, and how far its interval reached to either side after each block, in percent."""
    found = interval_of(values)
    ends = found.as_list()
    after_each = (interval_of(values[:count]).as_list() for count in range(2, len(values) + 1))
    return {
        "what": what,
        "value": found.value,
        "text": f"{text(found.value)} {unit}",
        "interval": f"{span((ends[0], ends[1]), text)} {unit}" if ends else "",
        "reach_percent": [round(50 * (high / low - 1), 2) for low, high in filter(None, after_each)],
    }


def _reasons(contender: Contender, levels: Levels, trials: Sequence[TrialRecord]) -> list[str]:
    found = [reason.at(users=users) for users, level in levels.items() for reason in level_reasons(contender, level)]
    return [str(reason) for reason in merged([*failures_of(trials), *found])]


def _ended(trial: TrialRecord) -> dict[str, Any]:
    held = [window.users for window in trial.windows]
    return {
        "block": trial.block + 1,
        "contender": " ".join(filter(None, (trial.contender, trial.part))),
        "status": trial.status,
        "said": trial.reason or (f"{', '.join(map(str, held))} users" if held else ""),
    }
