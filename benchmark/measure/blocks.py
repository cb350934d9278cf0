"""Contenders in blocks: every one once in each, in random order, on fresh processes."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.load.plan import Level
from benchmark.measure.progress import Progress
from benchmark.measure.trial import CellPlan, ParityError, measure_cell
from benchmark.record.run import Cell, Run
from benchmark.stack.watchdog import Guard

CELL_OVERHEAD_S = 3.0  # to start and stop a contender; only the progress display relies on it


def levels_for(
    users: Sequence[int],
    low_s: float,
    base_s: float,
    per_user_s: float,
    warm_s: float = 0.3,
    warm_per_user_s: float = 0.007,
) -> tuple[Level, ...]:
    """Return levels whose times, in seconds, grow with the latency that so many users may cause."""
    return tuple(
        Level(
            n,
            warmup_s=round(warm_s + warm_per_user_s * n, 2),
            measure_s=round(low_s if n == 1 else base_s + per_user_s * n, 2),
        )
        for n in users
    )


class BlockMeasurer:
    """Measures labels block by block; `pairs` says by label what is measured, and how.

    One that fails parity is not measured again; later blocks hold the levels that the first has climbed.
    """

    def __init__(
        self, run: Run, pairs: Mapping[str, tuple[Contender, CellPlan]], seed: int, guard: Guard, progress: Progress
    ) -> None:
        self._run, self._pairs, self._seed, self._guard, self._progress = run, pairs, seed, guard, progress
        self._refused: dict[str, str] = {}  # by label, those that failed parity
        self._climbed: dict[str, CellPlan] = {}  # by label, the levels that the first block has found worth holding

    def measure(self, order: Sequence[Sequence[str]]) -> None:
        """Measure every label of every block in the order given."""
        for block, labels in enumerate(order):
            for label in labels:
                self.measure_one(label, block)

    def measure_one(self, label: str, block: int) -> Cell:
        """Measure one label; return its cell, whatever became of it."""
        cell = Cell(block, label, seed=self._seed * 1000 + block)
        contender, cell_plan = self._pairs[label]
        if label in self._refused:
            cell.status, cell.reason = "failed", self._refused[label]
            self._run.append_cell(cell)
        else:
            plan = self._climbed.get(label, cell_plan)
            # Who was measured once has passed parity.
            _measure_one(self._run, contender, cell, plan, self._guard, self._progress, label not in self._climbed)
            if cell.status == "measured":
                self._climbed.setdefault(label, _without_climb(cell_plan, cell))
            if cell.reason.startswith(_PARITY):
                self._refused[label] = cell.reason
        self._progress.cell_done(cell)
        return cell


def shuffled_blocks(labels: Sequence[str], blocks: int, seed: int | str) -> list[list[str]]:
    """Return the labels in the order of measuring, block by block."""
    shuffled = random.Random(seed)
    return [shuffled.sample(list(labels), len(labels)) for _ in range(blocks)]


def _without_climb(plan: CellPlan, cell: Cell) -> CellPlan:
    """Return the plan for later blocks: exactly the levels that this cell has held."""
    held = {window.users for window in cell.windows}
    return replace(plan, levels=tuple(level for level in (*plan.levels, *plan.climb) if level.users in held), climb=())


_PARITY = "parity: "


def _measure_one(
    run: Run,
    contender: Contender,
    cell: Cell,
    plan: CellPlan,
    guard: Guard,
    progress: Progress,
    check_parity: bool,
) -> None:
    """Measure a cell and append it to the record, whatever became of it."""
    try:
        measure_cell(
            run, contender, cell, plan, guard, lambda phase: progress.phase(cell.contender, phase), check_parity
        )
    except ParityError as error:
        cell.status, cell.reason = "failed", f"{_PARITY}{error}"
    except RecordError as error:
        cell.status, cell.reason = "interrupted", str(error)
        raise
    except BenchmarkError as error:
        cell.status, cell.reason = "failed", str(error)
    except BaseException as error:
        cell.status, cell.reason = "interrupted", f"interrupted by {type(error).__name__}"
        raise
    finally:
        run.append_cell(cell)
