"""Finds the strategies: every folder of strategies/ that has a `strategy.py` with a function `strategy(scale)`."""

import importlib
import math
from collections.abc import Container, Iterator
from functools import cache

from benchmark.contenders.discovery import ROOT, discover
from benchmark.errors import ContenderError
from benchmark.experiments.strategies.law import Strategy

_PACKAGE = "strategies"


class StrategyError(ContenderError):
    """A strategy is not known, or its strategy.py does not say what it must."""

    code = "strategy"


def strategy_names() -> list[str]:
    """Return the names of all strategies: their folders, in alphabetical order."""
    return sorted(path.parent.name for path in (ROOT / _PACKAGE).glob("*/strategy.py"))


@cache
def load_strategy(name: str, scale: float = 1.0) -> Strategy:
    """Return a strategy whose loads take `scale` times as long. Raises StrategyError naming the file."""
    path = ROOT / _PACKAGE / name / "strategy.py"
    if not path.is_file():
        raise StrategyError(f"there is no strategy {name!r}; choose from {', '.join(strategy_names())}")
    make = getattr(importlib.import_module(f"{_PACKAGE}.{name}.strategy"), "strategy", None)
    if make is None:
        raise StrategyError(f"{path}: there is no function strategy(scale)")
    made: object = make(scale)
    if not isinstance(made, Strategy):
        raise StrategyError(f"{path}: strategy() returns {made!r:.80}, expected a Strategy")
    if fault := next(faults_of(made, discover()), None):
        raise StrategyError(f"{path}: {fault}")
    return made


def choose_strategies(names: str, scale: float) -> dict[str, Strategy]:
    """Return the named strategies (separated by commas), or all. Raises StrategyError for an unknown one, or none."""
    wanted = [name.strip() for name in names.split(",") if name.strip()] or strategy_names()
    if not wanted:
        raise StrategyError(f"{ROOT / _PACKAGE} holds no strategy")
    return {name: load_strategy(name, scale) for name in wanted}


def faults_of(strategy: Strategy, contenders: Container[str]) -> Iterator[str]:
    """Yield what a strategy says that cannot be: contenders, loads or bounds that there are not."""
    for name in strategy.contenders:
        if name not in contenders:
            yield f"there is no contender and no computation {name!r}"
    for says, subject, load in _asked(strategy):
        if subject in strategy.computations and load:
            yield f"{says!r}: a computation has no load, given {load!r}"
        if subject not in strategy.computations and load not in strategy.loads:
            yield f"{says!r}: there is no load {load!r}, expected one of {list(strategy.loads)}"
    for name in strategy.kills:
        if name not in strategy.loads:
            yield f"kills: there is no load {name!r}, expected one of {list(strategy.loads)}"
    for law in strategy.laws:
        if not all(map(math.isfinite, (law.expected, law.at_least, law.at_most))):
            yield f"{law.says!r}: expected finite numbers, given {law.at_least} to {law.at_most}"
        elif not law.at_least <= law.expected <= law.at_most:
            yield f"{law.says!r}: {law.expected} is not within its own tolerance, {law.at_least} to {law.at_most}"


def _asked(strategy: Strategy) -> Iterator[tuple[str, str, str]]:
    """Yield everything that is asked of a contender under a load: who asks, subject and load."""
    yield from ((each.says, each.subject, each.load) for each in strategy.figures)
    yield from (
        (chart.title, name, load) for chart in strategy.charts for name in chart.subjects for load in chart.over
    )
    if gain := strategy.gain:
        yield from ((gain.says, name, gain.load) for name in (gain.better, gain.worse))
