"""Measures contenders in blocks: each contender once per block, in random order, in fresh processes."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.load.plan import Level
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session
from benchmark.record.run import TrialRecord

CELL_OVERHEAD_S = 3.0  # to start and stop a contender; used only for the progress display


def levels_for(
    users: Sequence[int],
    low_s: float,
    base_s: float,
    per_user_s: float,
    warm_s: float = 0.3,
    warm_per_user_s: float = 0.007,
) -> tuple[Level, ...]:
    """Return levels whose times grow with the number of users, since latency does. All times in seconds."""
    return tuple(
        Level(
            n,
            warmup_s=round(warm_s + warm_per_user_s * n, 2),
            measure_s=round(low_s if n == 1 else base_s + per_user_s * n, 2),
        )
        for n in users
    )


class BlockMeasurer:
    """Measures block by block; `pairs` maps each label to its contender and load.

    Later blocks repeat exactly the levels that the first block reached.
    """

    def __init__(self, session: Session, pairs: Mapping[str, tuple[Contender, Levels]]) -> None:
        self._session, self._pairs = session, pairs
        self._climbed: dict[str, Levels] = {}  # by label, the levels that the first block reached

    def measure(self, order: Sequence[Sequence[str]]) -> None:
        """Measure all labels of all blocks in the given order."""
        for block, labels in enumerate(order):
            for label in labels:
                self.measure_one(label, block)

    def measure_one(self, label: str, block: int) -> TrialRecord:
        """Measure one label and return its record, also if it failed. Raises RecordError."""
        contender, load = self._pairs[label]
        try:
            hold(self._session, contender, self._climbed.get(label, load), block)
        except RecordError:
            raise
        except BenchmarkError:
            pass  # the trial is recorded as failed
        cell = self._session.cells[-1]
        if cell.status == "measured":
            self._climbed.setdefault(label, _without_climb(load, cell))
        self._session.progress.cell_done(cell)
        return cell


def shuffled_blocks(labels: Sequence[str], blocks: int, seed: int | str) -> list[list[str]]:
    """Return the labels in random order for each block."""
    shuffled = random.Random(seed)
    return [shuffled.sample(list(labels), len(labels)) for _ in range(blocks)]


def _without_climb(load: Levels, cell: TrialRecord) -> Levels:
    """Return the load for later blocks: exactly the levels that this trial measured."""
    held = {window.users for window in cell.windows}
    return replace(load, levels=tuple(level for level in (*load.levels, *load.climb) if level.users in held), climb=())
