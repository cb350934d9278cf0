"""`bench`: every contender in blocks of fresh processes and random order; record, summary, report."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmark.cell import CellPlan, ParityError, measure_cell
from benchmark.containers import ContainerLauncher
from benchmark.contenders import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.guard import Guard
from benchmark.load.plan import Level
from benchmark.manifest import make_manifest
from benchmark.open_files import allowed_users, left_out_note, refuse_beyond, within
from benchmark.progress import Progress
from benchmark.record import Cell, Run
from benchmark.report.bench import write_bench_report
from benchmark.service_settings import with_overrides
from benchmark.session import measuring
from benchmark.stack import ProcessLauncher
from benchmark.summary import summarise

CELL_OVERHEAD_S = 3.0  # to start and stop a contender; only the progress display relies on it


@dataclass(frozen=True)
class BenchPlan:
    """How much is measured."""

    blocks: int
    levels: tuple[Level, ...]
    climb: tuple[Level, ...] = ()  # further levels, for contenders whose rate still grows
    seed: int = 1
    stage_clock: bool = True
    free_ports: bool = False
    left_out: str | None = None  # which levels open files do not allow, as a sentence

    @property
    def cell_s(self) -> float:
        return CELL_OVERHEAD_S + sum(level.warmup_s + level.measure_s for level in self.levels)


def default_plan(users: Sequence[int] = ()) -> BenchPlan:
    """About two minutes of measuring for five contenders."""
    levels = levels_for(users or (1, 8, 16, 32, 64), low_s=1.9, base_s=0.6, per_user_s=0.006)
    climb = () if users else levels_for((128, 256, 512), low_s=0, base_s=0.6, per_user_s=0.006)
    return BenchPlan(blocks=4, levels=levels, climb=climb)


def quick_plan(users: Sequence[int] = ()) -> BenchPlan:
    """About a minute for five contenders: levels that bracket every peak, short windows, wide intervals."""

    def levels(users: Sequence[int]) -> tuple[Level, ...]:
        return levels_for(users, low_s=0.7, base_s=0.4, per_user_s=0.002, warm_s=0.25, warm_per_user_s=0.003)

    return BenchPlan(blocks=2, levels=levels(users or (1, 16, 64)), climb=() if users else levels((128, 256)))


def full_plan(users: Sequence[int] = ()) -> BenchPlan:
    """About an hour: 2,010 samples of each level, which a p99 with ten samples beyond it takes."""
    levels = levels_for(users or (1, 8, 16, 32, 64, 128), low_s=21.0, base_s=4.0, per_user_s=0.02)
    climb = () if users else levels_for((256, 512), low_s=0, base_s=4.0, per_user_s=0.02)
    return BenchPlan(blocks=10, levels=levels, climb=climb)


def adjust(plan: BenchPlan, blocks: int | None, seed: int, stage_clock: bool, free_ports: bool) -> BenchPlan:
    """Return a plan with what the user asked for on the command line."""
    return replace(plan, blocks=blocks or plan.blocks, seed=seed, stage_clock=stage_clock, free_ports=free_ports)


def fit(plan: BenchPlan, limit: int | None, per_user: int) -> BenchPlan:
    """Return a plan without the levels that a limit of open files does not allow. Raises TooFewOpenFiles without any.

    `per_user` is how many files a user takes.
    """
    allowed = allowed_users(limit, per_user)
    planned = [level.users for level in (*plan.levels, *plan.climb)]
    refuse_beyond(min(planned), limit, per_user)
    note = left_out_note(planned, limit, allowed)
    return replace(plan, levels=within(plan.levels, allowed), climb=within(plan.climb, allowed), left_out=note)


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


def run_bench(
    results: Path,
    contenders: Sequence[Contender],
    plan: BenchPlan,
    service_settings: Mapping[str, str],
    progress: Progress,
    containers: ContainerLauncher | None = None,
) -> Run:
    """Measure, and write record, summary and report, also when interrupted. Raises BenchmarkError.

    With `containers` the contenders' processes run in those.
    """
    contenders = with_overrides(contenders, service_settings)
    facts = {"containers": containers.facts(contenders)} if containers else {}
    manifest = make_manifest(contenders, plan.seed, asdict(plan), service_settings)
    order = shuffled_blocks([c.label for c in contenders], plan.blocks, plan.seed)
    run = Run.create(results, "bench", {**manifest, **facts, "order": order})
    cells = plan.blocks * len(contenders)
    cell_plan = CellPlan(plan.levels, plan.climb, plan.stage_clock, plan.free_ports, containers or ProcessLauncher())
    pairs = {contender.label: (contender, cell_plan) for contender in contenders}
    with measuring(run, progress, cells, plan.cell_s, lambda _: report(run, contenders)) as guard:
        BlockMeasurer(run, pairs, plan.seed, guard, progress).measure(order)
    return run


def report(run: Run, contenders: Sequence[Contender]) -> None:
    """Compute the summary of a run from its record and draw the report."""
    run.write_json("summary.json", summarise(run, contenders))
    write_bench_report(run)


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
