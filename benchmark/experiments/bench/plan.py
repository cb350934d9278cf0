"""How much `bench` measures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.experiments.experiment import Assignment
from benchmark.load.open_files import allowed_users, left_out_note, refuse_beyond, within
from benchmark.load.plan import Level
from benchmark.measure.blocks import CELL_OVERHEAD_S, levels_for, shuffled_blocks
from benchmark.stack.containers import ContainerLauncher
from benchmark.stack.processes import ProcessLauncher


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
    """The shortest for five contenders: levels that bracket every peak, short windows, wide intervals."""

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


def assign(
    contenders: Sequence[Contender],
    plan: BenchPlan,
    settings: Mapping[str, str],
    containers: ContainerLauncher | None = None,
) -> Assignment[BenchPlan]:
    """Return what one run measures; with `containers` the contenders' processes run in those.

    Raises SettingRefused or EngineError.
    """
    contenders = with_overrides(contenders, settings)
    facts = {"containers": containers.facts(contenders)} if containers else {}
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=asdict(plan),
        trials=plan.blocks * len(contenders),
        trial_s=plan.cell_s,
        seed=plan.seed,
        free_ports=plan.free_ports,
        settings=settings,
        facts={**facts, "order": shuffled_blocks([c.label for c in contenders], plan.blocks, plan.seed)},
        launcher=containers or ProcessLauncher(),
    )
