"""The contenders among the cells of an `explain` run: the summary that `bench` would have made of them.

So that what is claimed of a pair of contenders is the same figure, the same blocks and the same interval
wherever it is claimed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.analysis.level_figures import CPU_USERS
from benchmark.analysis.summary import Blocks, service_cpu_by_block, summarise_figures
from benchmark.analysis.variant_figures import Measured
from benchmark.record.run import Run

# The comparison that decides whether the gap in a response is shown.
COMPARED = {
    "latency_ms": "low_load_mean_ms",
    "peak_rps": "peak_rps",
    "cpu_ms": f"cpu_ms_at_{CPU_USERS}_users",
}


def summarise_contenders(
    run: Run, mains: Mapping[str, Sequence[Measured]], over: Mapping[tuple[str, str], Collection[int]]
) -> dict[str, Any]:
    """Return the summary of the contenders under load, in the form of `bench`'s summary.json; `from` is the baseline.

    `mains` are what was measured of each contender by name, its cell first; `over` restricts the
    comparison of a figure and a contender to some blocks.
    """
    manifest = run.manifest
    first = manifest["explain"]["from"]
    cells = {name: variants[0] for name, variants in mains.items() if variants[0].facts["phase"] == "cell"}
    # A cell has the title of its settings; the contender itself has its own.
    known = [mains[name][-1].contender.model_copy(update={"label": name}) for name in cells]
    contenders = sorted(known, key=lambda each: (each.label != first, each.order))
    names = {variant.label: name for name, variant in cells.items()}
    order = [[names[label] for label in block if label in names] for block in manifest["order"]["cell"]]
    return summarise_figures(
        {**manifest, "order": order},
        contenders,
        [replace(cell, contender=names[cell.contender]) for cell in run.cells() if cell.contender in names],
        {name: variant.by_users for name, variant in cells.items()},
        {COMPARED["cpu_ms"]: _cpu_by_block},
        over,
    )


def level_of(contenders: Mapping[str, Any], response: str, goal: str) -> float | None:
    """Return the confidence level at which the gap to a contender is decided, or None if nobody compared the two."""
    found = (each for each in contenders["comparisons"] if each["contender"] == goal)
    return next((each["confidence"] for each in found if each["figure"] == COMPARED[response]), None)


def _cpu_by_block(_: object, by_level: Mapping[int, Blocks]) -> dict[int, float]:
    """Return the CPU time per request, in ms, at the level at which all contenders are compared."""
    return service_cpu_by_block(by_level.get(CPU_USERS, ()))
