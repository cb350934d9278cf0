"""The parts of the experiment that others hold, as this folder calls them: one place, typed.

prediction.json holds what `predict` returns:

    {"contenders": {"sync": [{"users": 1, "calibrated": true, "rps": 10.6, "p50_ms": 94.0}]},
     "peaks": {"sync": {"users": 128, "rps": 450.0}},
     "what_if": [{"what_if": 0, "users": 64, "rps": 460.0, "p50_ms": 140.0}],
     "crossover": [{"cpu_ms": 2, "users": 1, "ratio": 1.9}]}

`what_if` numbers the what-ifs in the order in which they were asked; `ratio` is the rate of `to` over
the rate of `from`. The run adds `written_utc`.
"""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.contenders import Contender
from benchmark.experiment4_gap.what_ifs import WhatIf
from benchmark.record import Cell, Run


@dataclass(frozen=True)
class Question:
    """What a prediction is asked."""

    contenders: Sequence[Contender]  # labelled by their names
    service_settings: Mapping[str, str]
    what_ifs: Sequence[WhatIf]
    from_: Contender
    to: Contender
    cpu_ms: Sequence[int]  # at which the crossover will be measured
    map_users: Sequence[int]


def predict(run: Run, light_cells: Mapping[str, Sequence[Cell]], question: Question) -> dict[str, Any]:
    """Return what a model says that has seen only the light levels; `light_cells` goes by contender's name."""
    module = _module("prediction")
    if module is None:
        return {}
    found: dict[str, Any] = module.predict(run, light_cells, question)
    return found


def anatomy(
    run: Run, cells: Mapping[str, Sequence[Cell]], floors: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the key `anatomy` of the summary, and what speaks against it; all by contender's name."""
    module = _module("anatomy")
    if module is None:
        return {}, []
    found: tuple[dict[str, Any], list[str]] = module.stage_anatomy(run, cells, floors)
    return found


def lag_lines(text: str) -> list[Any]:
    """Return the samples of delay (t_ns, n, mean_ms, p99_ms) that a process has logged."""
    if importlib.util.find_spec("contract.lag") is None:
        return []
    parse = importlib.import_module("contract.lag").parse_lag_line
    return [sample for line in text.splitlines() if (sample := parse(line))]


def write_page(run: Run) -> Path | None:
    """Draw the page of a run that has a summary; return its path."""
    module = _module("page")
    if module is None:
        return None
    path: Path = module.write_page(run)
    return path


def _module(name: str) -> ModuleType | None:
    full_name = f"{__package__}.{name}"
    return importlib.import_module(full_name) if importlib.util.find_spec(full_name) else None
