"""How much is measured, and what: the variants of every phase."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from benchmark.analysis.level_figures import CPU_USERS, LOW_USERS
from benchmark.contenders.discovery import Contender
from benchmark.contenders.variant import with_settings
from benchmark.experiments.gap.design import HALF_TAKES, confounded, full, half
from benchmark.experiments.gap.factors import ENTRANCE, SIDES, Design, DesignCell
from benchmark.experiments.prediction.model import USERS
from benchmark.experiments.prediction.plan import SIZES, CalibrationPlan
from benchmark.experiments.prediction.what_ifs import WhatIf
from benchmark.load.open_files import allowed_users, left_out_note, refuse_beyond, within
from benchmark.load.plan import Level
from benchmark.measure.blocks import CELL_OVERHEAD_S, levels_for
from contract.settings import Settings

PhaseName = Literal["light", "cell", "lag", "whatif", "map"]

# A contender climbs on while its rate grows, so few hold the climb; the estimate counts this share.
_CLIMBED = 0.25
# Where the models compute, many users wait for seconds; that is a result, and no answer that came too late.
_MAP_TIMEOUT = {"SERVING_MODEL_TIMEOUT_MS": "20000"}
_LAG = {"SERVING_LAG_SAMPLE_MS": "5"}


@dataclass(frozen=True)
class Phase:
    """Every variant of a phase is measured once in each of its blocks."""

    blocks: int
    levels: tuple[Level, ...]
    climb: tuple[Level, ...] = ()

    @property
    def cell_s(self) -> float:
        """The time that a cell is expected to take, in seconds."""
        climb_s = _CLIMBED * sum(level.warmup_s + level.measure_s for level in self.climb)
        return CELL_OVERHEAD_S + sum(level.warmup_s + level.measure_s for level in self.levels) + climb_s


@dataclass(frozen=True)
class ExplainPlan:
    """How much is measured in every phase.

    Light load and what-ifs are measured with the cells: in the first so many blocks, right before and after the
    cell of their contender.
    """

    light: Phase
    cell: Phase
    clock: Phase | None  # the two corners without the stage clock, to see what that costs; in the cells' blocks
    lag: Phase | None  # the contenders with a sampler of how long tasks in them are delayed
    whatif: Phase
    map: Phase
    burst_s: float  # for the bursts of each size, after the light levels
    cpu_ms: tuple[int, ...]  # CPU time of a model's answer, over which the crossover is mapped
    what_ifs: int | None = None  # how many are measured at most
    burst_sizes: tuple[int, ...] = SIZES
    users: tuple[int, ...] = USERS  # for which rates are predicted
    quick: bool = False
    half: bool = False
    seed: int = 1
    free_ports: bool = False
    left_out: str | None = None  # which numbers of users open files do not allow, as a sentence

    @property
    def calibration(self) -> CalibrationPlan:
        return CalibrationPlan(self.burst_s, self.burst_sizes)


@dataclass(frozen=True)
class Variant:
    """A contender, perhaps with other settings, as one phase measures it."""

    phase: PhaseName
    contender: Contender  # with the variant's label
    plan: Phase
    of: str | None = None  # the contender that it is, or whose settings it changes
    stage_clock: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the summary must know of it

    @property
    def label(self) -> str:
        return self.contender.label

    def to_json(self) -> dict[str, Any]:
        return {"phase": self.phase, "of": self.of, "stage_clock": self.stage_clock, **self.facts}


def default_plan() -> ExplainPlan:
    """About 24 minutes for four factors, with bursts, predictions and installation."""

    def levels(*users: int) -> tuple[Level, ...]:
        return levels_for(users, low_s=1.5, base_s=0.55, per_user_s=0.004)

    return ExplainPlan(
        light=Phase(4, levels_for((1, 8, 16), low_s=1.5, base_s=0.9, per_user_s=0.004)),
        cell=Phase(4, levels(1, 8, 16, 32, 64), climb=levels(128, 256)),
        clock=Phase(4, levels(1, 8)),
        lag=Phase(1, levels_for((1, 64), low_s=2.0, base_s=2.0, per_user_s=0)),
        # Longer than the cells: what a second is off by chance, four blocks do not average out.
        whatif=Phase(4, levels_for((8, 32, 64), low_s=1.5, base_s=1.1, per_user_s=0.004)),
        map=Phase(2, levels(1, 8, 32)),
        burst_s=1.2,
        cpu_ms=(2, 10, 20),
    )


def quick_plan() -> ExplainPlan:
    """The shortest: half of the cells, two blocks, few levels, wide intervals."""

    def levels(*users: int) -> tuple[Level, ...]:
        return levels_for(users, low_s=1.0, base_s=0.5, per_user_s=0.004)

    return ExplainPlan(
        light=Phase(1, levels(1, 8, 16)),
        cell=Phase(2, levels(1, 8, 16, 64), climb=levels_for((128, 256), low_s=0, base_s=0.4, per_user_s=0.004)),
        clock=None,
        lag=None,
        whatif=Phase(1, levels(8, 64)),
        map=Phase(1, levels(1, 32)),
        burst_s=0.5,
        burst_sizes=(16, 64),
        cpu_ms=(2, 20),
        what_ifs=2,
        quick=True,
        half=True,
    )


def adjust(plan: ExplainPlan, design: Design, blocks: int | None, seed: int, free_ports: bool) -> ExplainPlan:
    """Return a plan with what the user asked for, and the whole design where there is no half of it.

    What is measured in every block of the cells is so in every block that is asked for.
    """
    asked = blocks or plan.cell.blocks

    def as_asked(phase: Phase) -> Phase:
        return replace(phase, blocks=asked if phase.blocks == plan.cell.blocks else min(phase.blocks, asked))

    return replace(
        plan,
        light=as_asked(plan.light),
        cell=as_asked(plan.cell),
        clock=as_asked(plan.clock) if plan.clock else None,
        whatif=as_asked(plan.whatif),
        half=plan.half and len(design.factors) == HALF_TAKES,
        seed=seed,
        free_ports=free_ports,
    )


def fit(plan: ExplainPlan, limit: int | None, per_user: int) -> ExplainPlan:
    """Return a plan without the users that a limit of open files does not allow. Raises TooFewOpenFiles.

    `per_user` is how many files a user takes. Without the users at whom CPU is compared nothing is explained.
    """
    refuse_beyond(max(LOW_USERS, CPU_USERS), limit, per_user)
    allowed = allowed_users(limit, per_user)
    phases = [plan.light, plan.cell, plan.clock, plan.lag, plan.whatif, plan.map]
    levels = [level.users for phase in phases if phase for level in (*phase.levels, *phase.climb)]

    def fitted(phase: Phase) -> Phase:
        return replace(phase, levels=within(phase.levels, allowed), climb=within(phase.climb, allowed))

    def fits(users: int) -> bool:
        return allowed is None or users <= allowed

    return replace(
        plan,
        light=fitted(plan.light),
        cell=fitted(plan.cell),
        clock=plan.clock and fitted(plan.clock),
        lag=plan.lag and fitted(plan.lag),
        whatif=fitted(plan.whatif),
        map=fitted(plan.map),
        burst_sizes=tuple(filter(fits, plan.burst_sizes)),
        users=tuple(filter(fits, plan.users)),
        left_out=left_out_note([*levels, *plan.burst_sizes], limit, allowed),
    )


def design_cells(design: Design, plan: ExplainPlan) -> list[DesignCell]:
    """Return the cells that a plan measures of a design."""
    names = list(design.factors)
    return design.cells(half(names) if plan.half else full(names))


def make_variants(
    design: Design, mains: Sequence[Contender], what_ifs: Sequence[WhatIf], plan: ExplainPlan
) -> list[Variant]:
    """Return everything that is measured, in the order of the phases. Raises ContenderError."""
    return [
        *(_renamed("light", "light", contender, plan.light) for contender in mains),
        *_cell_variants(design, mains, plan),
        *_what_if_variants(design, what_ifs, plan),
        *_lag_variants(mains, plan),
        *_map_variants(design, plan),
    ]


def describe(
    design: Design, variants: Sequence[Variant], what_ifs: Sequence[WhatIf], plan: ExplainPlan
) -> dict[str, Any]:
    """Return what the manifest must say for a summary to be made from the record alone."""
    names = list(design.factors)
    cells = design_cells(design, plan)
    return {
        "from": design.contenders["from"].name,
        "to": design.contenders["to"].name,
        "customary_to": _customary(design, cells),
        "quick": plan.quick,
        "half": plan.half,
        "factors": {
            name: {"title": factor.title, **{side: design.title(name, side) for side in SIDES}}
            for name, factor in design.factors.items()
        },
        "confounded": confounded(names) if plan.half else {},
        "corners_are_contenders": all(
            design.is_same(design.cell(frozenset(raised)), design.contenders[side])
            for side, raised in zip(SIDES, ((), names), strict=True)
        ),
        "cells": [
            {"label": cell.contender.label, "levels": dict(cell.levels), "contender": cell.same_as} for cell in cells
        ],
        "variants": {variant.label: variant.to_json() for variant in variants},
        "waiting": dict(design.waiting),
        "what_ifs": [asdict(what_if) for what_if in what_ifs],
        "cpu_ms": list(plan.cpu_ms),
        "left_out": plan.left_out,
    }


def expected_s(variants: Iterable[Variant]) -> float:
    """Return how long measuring is expected to take, in seconds."""
    return sum(variant.plan.blocks * variant.plan.cell_s for variant in variants)


def _customary(design: Design, cells: Sequence[DesignCell]) -> dict[str, Any] | None:
    """Return the second goal of the attribution, and which factors are at `to` on the way to it."""
    corners = {contender.name for contender in design.contenders.values()}
    if design.customary is None or design.customary.name in corners or design.customary.name not in design.known:
        return None
    found = next((cell for cell in cells if cell.same_as == design.customary.name), None)
    # Half a design is not one any more when some of its factors are held.
    if found is None or len(cells) < 2 ** len(design.factors) or len(found.raised) < 2:
        return None
    return {"contender": design.customary.name, "factors": [n for n in design.factors if n in found.raised]}


def _cell_variants(design: Design, mains: Sequence[Contender], plan: ExplainPlan) -> list[Variant]:
    cells = design_cells(design, plan)
    # All at the same levels: a peak is the highest rate of any level, so one more level may be an advantage.
    found = [Variant("cell", cell.contender, plan.cell, cell.same_as) for cell in cells]
    present = {cell.same_as for cell in cells}
    # Contenders which are no cell of the design are measured beside it, so that predictions can be compared.
    found += [_renamed("cell", "main", c, plan.cell) for c in mains if c.name not in present]
    if plan.clock:
        corners = {contender.name: contender for contender in design.contenders.values()}
        for contender in corners.values():
            found.append(replace(_renamed("cell", "clock", contender, plan.clock), stage_clock=False))
    return found


def _lag_variants(mains: Sequence[Contender], plan: ExplainPlan) -> list[Variant]:
    if plan.lag is None or "lag_sample_ms" not in Settings.model_fields:
        return []
    return [_renamed("lag", "lag", with_settings(main, {ENTRANCE: _LAG}), plan.lag) for main in mains]


def _what_if_variants(design: Design, what_ifs: Sequence[WhatIf], plan: ExplainPlan) -> list[Variant]:
    measured = [(number, what_if) for number, what_if in enumerate(what_ifs) if what_if.measured]
    return [
        _renamed(
            "whatif",
            f"whatif-{number}",
            with_settings(design.known[what_if.contender], what_if.setting),
            plan.whatif,
            what_if=number,
        )
        for number, what_if in measured[: plan.what_ifs]
    ]


def _map_variants(design: Design, plan: ExplainPlan) -> list[Variant]:
    found = []
    for cpu_ms in plan.cpu_ms:
        for side in SIDES:
            settings = {"model": {"SERVING_MODEL_CPU_MS": str(cpu_ms)}, ENTRANCE: _MAP_TIMEOUT}
            contender = with_settings(design.contenders[side], settings)
            found.append(_renamed("map", f"map-{side}-{cpu_ms}ms", contender, plan.map, side=side, cpu_ms=cpu_ms))
    return found


def _renamed(phase: PhaseName, prefix: str, contender: Contender, plan: Phase, **facts: Any) -> Variant:
    labelled = contender.model_copy(update={"label": f"{prefix}-{contender.name}"})
    return Variant(phase, labelled, plan, of=contender.name, facts=facts)
