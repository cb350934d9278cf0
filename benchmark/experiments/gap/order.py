"""In which order an `explain` run measures: what is held against each other stands side by side."""

import random
from collections.abc import Sequence

from benchmark.experiments.gap.plan import PhaseName, Variant
from benchmark.measure.blocks import shuffled_blocks


def make_order(variants: Sequence[Variant], seed: int) -> dict[PhaseName, list[list[str]]]:
    """Return the labels of every block, in random order; light load and what-ifs are in the blocks of the cells.

    A contender's light levels come right before its cell, and its what-ifs right after it, so that a prediction and
    all that it is held against are as near to each other as they can be.
    """
    own = {v.of: v.label for v in reversed(variants) if v.phase == "cell" and v.of and v.stage_clock}
    contenders = {label: name for name, label in own.items()}
    order: dict[PhaseName, list[list[str]]] = {phase: _shuffled(variants, phase, seed) for phase in ("lag", "map")}
    order["cell"] = [
        [each for label in labels for each in _with_neighbours(label, contenders.get(label), variants, block, seed)]
        for block, labels in enumerate(_shuffled(variants, "cell", seed))
    ]
    return order


def _shuffled(variants: Sequence[Variant], phase: PhaseName, seed: int) -> list[list[str]]:
    inside = [variant for variant in variants if variant.phase == phase]
    blocks = max((variant.plan.blocks for variant in inside), default=0)
    return shuffled_blocks([v.label for v in inside], blocks, f"{seed}-{phase}")


def _with_neighbours(
    label: str, contender: str | None, variants: Sequence[Variant], block: int, seed: int
) -> list[str]:
    """Return a cell's label, and around it what else this block measures of the contender that it is, if it is one."""

    def around(phase: PhaseName) -> list[str]:
        inside = [v for v in variants if v.phase == phase and block < v.plan.blocks]
        return [v.label for v in inside if v.of and v.of == contender]

    what_ifs = around("whatif")
    random.Random(f"{seed}-{block}-{label}").shuffle(what_ifs)
    return [*around("light"), label, *what_ifs]
