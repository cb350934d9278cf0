"""Finds the strategies: every folder of strategies/ that has a `strategy.py` with a function `strategy(scale)`."""

import importlib
from functools import cache
from pathlib import Path

from benchmark.contenders.discovery import ROOT, discover
from benchmark.errors import BenchmarkError
from benchmark.experiments.strategies.law import Strategy

_PACKAGE = "strategies"


class StrategyError(BenchmarkError):
    """A strategy is not known, or its strategy.py does not say what it must."""

    code = "strategy"


def strategy_names(root: Path = ROOT) -> list[str]:
    """Return the names of all strategies: their folders, in alphabetical order."""
    return sorted(path.parent.name for path in (root / _PACKAGE).glob("*/strategy.py"))


@cache
def load_strategy(name: str, scale: float = 1.0, root: Path = ROOT) -> Strategy:
    """Return a strategy whose loads take `scale` times as long. Raises StrategyError naming the file."""
    path = root / _PACKAGE / name / "strategy.py"
    made: object = importlib.import_module(f"{_PACKAGE}.{name}.strategy").strategy(scale)
    if not isinstance(made, Strategy):
        raise StrategyError(f"{path}: strategy() returns {made!r:.80}, expected a Strategy")
    _check(path, made)
    return made


def choose_strategies(names: str, scale: float) -> dict[str, Strategy]:
    """Return the named strategies (separated by commas), or all. Raises StrategyError for an unknown one."""
    known = strategy_names()
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(known)
    for name in wanted:
        if name not in known:
            raise StrategyError(f"there is no strategy {name!r}; choose from {', '.join(known)}")
    return {name: load_strategy(name, scale) for name in wanted}


def _check(path: Path, strategy: Strategy) -> None:
    contenders = discover()
    for name in strategy.contenders:
        if name not in contenders:
            raise StrategyError(f"{path}: there is no contender and no computation {name!r}")
    for law in (*strategy.laws, *strategy.seen):
        if (law.subject in strategy.computations) != (law.load == "") or law.load not in {"", *strategy.loads}:
            raise StrategyError(f"{path}: {law.says!r}: there is no load {law.load!r}, expected {list(strategy.loads)}")
    for name in strategy.kills:
        if name not in strategy.loads:
            raise StrategyError(f"{path}: kills: there is no load {name!r}, expected one of {list(strategy.loads)}")
