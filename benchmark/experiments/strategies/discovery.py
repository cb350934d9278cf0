"""Finds the strategies: every folder of strategies/ that has a `strategy.py` with a function `strategy(scale)`."""

import importlib
import math
from collections.abc import Container, Iterator
from functools import cache

from benchmark.contenders.discovery import ROOT, discover
from benchmark.errors import ContenderError
from benchmark.experiments.strategies.law import Strategy

NOW, LATER, ALL = "now", "later", "all"
GROUPS = (NOW, LATER, ALL)
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
        known = f"{', '.join(strategy_names())}, or of the groups {', '.join(GROUPS)}"
        raise StrategyError(f"there is no strategy {name!r}; choose from {known}")
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
    """Return the named strategies and groups (separated by commas), by default those that answer at once.

    Raises StrategyError for an unknown one, or none.
    """
    chosen: dict[str, Strategy] = {}
    for name in [name.strip() for name in names.split(",") if name.strip()] or [NOW]:
        if name in GROUPS:
            every = {each: load_strategy(each, scale) for each in strategy_names()}
            chosen |= {each: strategy for each, strategy in every.items() if name in (ALL, strategy.group)}
        else:
            chosen[name] = load_strategy(name, scale)
    if not chosen:
        raise StrategyError(f"{ROOT / _PACKAGE} holds no strategy")
    return chosen


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
    if strategy.group not in (NOW, LATER):
        yield f"the group is {strategy.group!r}, expected {NOW!r} or {LATER!r}"
    for name in (*strategy.kills, *strategy.watched):
        if name not in strategy.loads:
            yield f"kills or watched: there is no load {name!r}, expected one of {list(strategy.loads)}"
    for each in strategy.over_time:
        if each.load not in strategy.watched:
            yield f"{each.title!r}: the load {each.load!r} is not watched"
    yield from _faults_of_laws(strategy)


def _faults_of_laws(strategy: Strategy) -> Iterator[str]:
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
    yield from ((each.title, name, each.load) for each in strategy.under_one_load for name in each.subjects)
    if gain := strategy.gain:
        yield from ((gain.says, name, gain.load) for name in (gain.better, gain.worse))
