"""The laws and loads of a run as its manifest holds them: what is judged is what was predicted before the run.

The folder of a strategy may change after a run, and some laws depend on the machine: they are not computed again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmark.errors import RecordError
from benchmark.experiments.strategies.law import Law, Strategy
from benchmark.load.plan import Load, loads_from_json


@dataclass(frozen=True)
class Measured:
    """A strategy with the laws of a run, and the loads that each of its contenders was put under, in order."""

    strategy: Strategy
    loads: Mapping[str, Load]
    asked: Mapping[str, tuple[str, ...]]

    @property
    def count(self) -> int:
        """How many trials a block had."""
        return len(self.asked) + len(self.strategy.computations)


def predictions(strategy: Strategy) -> dict[str, Any]:
    """Return what is predicted, and how it will be measured, as a JSON document."""
    return {
        "loads": {name: asdict(load) for name, load in strategy.loads.items()},
        "asked": {name: strategy.loads_of(name) for name in strategy.contenders},
        "laws": [{**asdict(law), "figure": law.figure.name} for law in strategy.laws],
        "over_time": [sorted(each.expected.items()) for each in strategy.over_time],
    }


def as_measured(name: str, strategy: Strategy, predicted: Mapping[str, Any]) -> Measured:
    """Return a strategy as a run measured it. Raises RecordError if its folder states other laws by now."""
    if list(map(_key, predicted["laws"])) != [
        _key({**asdict(law), "figure": law.figure.name}) for law in strategy.laws
    ]:
        raise RecordError(f"strategies/{name} states other laws than when this was measured: use the version of then")
    laws = tuple(_as_predicted(*pair) for pair in zip(strategy.laws, predicted["laws"], strict=True))
    loads = dict(zip(predicted["loads"], loads_from_json(list(predicted["loads"].values())), strict=True))
    asked = {contender: tuple(names) for contender, names in predicted["asked"].items()}
    corners = predicted.get("over_time", [each.expected.items() for each in strategy.over_time])  # new in the record
    over_time = tuple(replace(each, expected=dict(own)) for each, own in zip(strategy.over_time, corners, strict=True))
    return Measured(replace(strategy, laws=laws, over_time=over_time), loads, asked)


def _key(law: Mapping[str, Any]) -> tuple[str, str, str]:
    return law["subject"], law["load"], law["figure"]


def _as_predicted(law: Law, predicted: Mapping[str, Any]) -> Law:
    return replace(law, **{key: value for key, value in predicted.items() if key != "figure"})
