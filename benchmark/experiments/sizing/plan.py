"""What is to be planned: rate, promise, price, and everything that no run says."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from benchmark.contenders.discovery import ROOT
from benchmark.errors import ContenderError, ObjectiveError, PlanRefused, SettingRefused
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.prediction.model import network_settings
from benchmark.experiments.sizing.capacity import THREADS, Configuration
from benchmark.experiments.sizing.choose import Price
from benchmark.experiments.sizing.outlook import Assumed
from benchmark.experiments.sizing.source import Learnt, Source
from benchmark.load.objectives import Objective, parse_objective
from benchmark.load.plan import Arrivals
from benchmark.load.rates import RateShape, parse_shape

DEFAULT_OBJECTIVES: Final = ("p99<100ms", "errors<0.1%")
DEFAULT_RATE: Final = 200.0
_HIGHEST_SHARE: Final = 0.999  # a simulated p99.99 would take an hour
_REGIONS: Final = ("first", "second")
# Offered to a configuration, in this order, as shares of its predicted capacity.
LADDER: Final = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35)
_WARMUP: Final = Arrivals(20.0, measure_s=2.0, warmup_s=0.0, seed=0)  # opens connections; its answers do not count
WARMUP_WINDOWS: Final = 1
_QUICK_WINDOW_S: Final = 4.0
_OTHER_THREADS: Final = (8, 64)  # with two workers
_START_S: Final = 4.0  # to start and stop a contender; only the progress display relies on it
_USUAL_RPS: Final = 150.0  # as a guess of what a configuration carries, for the same


@dataclass(frozen=True)
class SizingPlan:
    """One prediction for each contender, and where it is verified, one trial for each configuration."""

    rate_rps: float
    objectives: tuple[Objective, ...]
    price: Price
    source: Source
    shape: RateShape
    regions: Mapping[str, RateShape | None]
    assumed: Assumed = field(default_factory=Assumed)
    verify: bool = False
    quick: bool = False
    seed: int = 1
    window_s: float = 8.0  # of each rate that is offered, at least
    samples: int = 800  # in each window, at least: a p99 takes 459
    settle_s: float = 1.0  # before each window, at its rate

    @property
    def latency_limit_ms(self) -> float:
        """The strictest limit, which the outlook judges by."""
        return min(each.limit_ms for each in self.objectives if each.limit_ms is not None)

    def to_verify(self, threads: int, cores: int) -> list[Configuration]:
        """Return what is measured of a contender: what fits on the machine, and the run did not measure."""
        if not self.verify:
            return []
        if not threads:
            found = [Configuration(0, 2)]
        else:
            found = [Configuration(each, 1) for each in THREADS if each != threads]
            found += [Configuration(each, 2) for each in _OTHER_THREADS]
        return [each for each in found if each.workers <= cores][: 1 if self.quick else None]

    def loads(self, predicted_rps: float) -> tuple[Arrivals, ...]:
        """Return the rates that a configuration is offered, one after the other."""
        rates = [share * predicted_rps for share in LADDER]
        return _WARMUP, *(
            Arrivals(rate, max(self.window_s, self.samples / rate), self.settle_s, seed=self.seed * 100 + number)
            for number, rate in enumerate(rates)
        )


def make_plan(
    source: Source, rate_rps: float, objectives: Sequence[str], price: Price, shape: str, regions: Sequence[str],
    assumed: Assumed, *, verify: bool = False, quick: bool = False, seed: int = 1,
) -> SizingPlan:  # fmt: skip
    """Return the plan of a run. Raises ObjectiveError, ShapeError or PlanRefused."""
    if rate_rps <= 0:
        raise PlanRefused(f"--rate is {rate_rps:g}, expected requests per second above 0, such as 200")
    if price.core_hour <= 0:
        raise PlanRefused(f"--price is {price.core_hour:g}, expected the price of a core for an hour, such as 0.04")
    parsed = tuple(parse_objective(written) for written in objectives or DEFAULT_OBJECTIVES)
    if all(each.limit_ms is None for each in parsed):
        given = " and ".join(each.written for each in parsed)
        raise ObjectiveError(f"--slo is {given}: a plan needs a limit of latency, too, such as 'p99<100ms'")
    if high := [each.written for each in parsed if each.limit_ms is not None and each.share > _HIGHEST_SHARE]:
        raise ObjectiveError(f"--slo {high[0]!r} cannot be planned for: expected at most p99.9, such as 'p99<100ms'")
    return SizingPlan(
        rate_rps=rate_rps,
        objectives=parsed,
        price=price,
        source=source,
        shape=parse_shape(shape or f"0 -> {rate_rps:g} in 1min, hold 1min"),
        regions=_regions(regions),
        assumed=assumed,
        verify=verify,
        quick=quick,
        seed=seed,
        window_s=_QUICK_WINDOW_S if quick else SizingPlan.window_s,
    )


def _regions(written: Sequence[str]) -> dict[str, RateShape | None]:
    """Return two regions by name; of one that is not given, its day is the usual wave."""
    if not written:
        return dict.fromkeys(_REGIONS)
    pairs = [each.partition("=") for each in written]
    names = [name.strip() for name, _, _ in pairs]
    if len(pairs) != len(_REGIONS) or len(set(names)) != len(pairs) or not all(equals for _, equals, _ in pairs):
        raise PlanRefused(
            f"--region is {', '.join(written)}, expected two of NAME=SHAPE, such as 'eu=sine 20 to 200 every 24h for "
            "24h'; the shape is stretched to a day"
        )
    return {name: parse_shape(shape.strip()) for name, (_, _, shape) in zip(names, pairs, strict=True)}


def assign(plan: SizingPlan, free_ports: bool) -> Assignment[SizingPlan]:
    """Return what one run sets out to do: nothing is started without --verify."""
    source = plan.source
    threads = [found for each in source.learnt if (found := _threads(each)) is not None]
    configurations = sum(len(plan.to_verify(each, source.cores)) for each in threads)
    trial_s = _START_S + sum(each.measure_s + each.warmup_s for each in plan.loads(_USUAL_RPS))
    return Assignment(
        contenders=[each.contender for each in source.learnt] if plan.verify else [],
        plan=plan,
        recorded_plan=_recorded(plan),
        trials=configurations,
        trial_s=trial_s,
        seed=plan.seed,
        free_ports=free_ports,
    )


def _threads(learnt: Learnt) -> int | None:
    """Return how many threads a contender was measured with, 0 if it has none; None where nothing is planned."""
    try:
        return int(network_settings(learnt.contender)["threads"])
    except (ContenderError, SettingRefused):
        return None


def _recorded(plan: SizingPlan) -> dict[str, Any]:
    source = plan.source
    path = source.path.resolve()
    return {
        "rate_rps": plan.rate_rps,
        "objectives": [asdict(objective) for objective in plan.objectives],
        "price": asdict(plan.price),
        "source": {
            "path": str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path),
            "started_utc": source.started_utc,
            "machine": source.machine,
            "cores": source.cores,
        },
        "shape": plan.shape.written,
        "regions": {name: shape.written if shape else "" for name, shape in plan.regions.items()},
        "assumed": asdict(plan.assumed),
        "verify": plan.verify,
        "quick": plan.quick,
    }
