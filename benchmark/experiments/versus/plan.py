"""How much is asked: blocks, requests at one user, requests at a rate, and up to the peak if that is wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from benchmark.errors import SidesRefused
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.versus.sides import POLITE_RPS, Side
from benchmark.load.arrivals import arrivals_until
from benchmark.load.checks import Expected
from benchmark.load.plan import Level, Scheduled, Waves
from benchmark.measure.blocks import CELL_OVERHEAD_S, levels_for, shuffled_blocks

_WARM_REQUESTS: Final = 2
_WARM_S: Final = 1.0  # of the open loop
_LEAST_REQUESTS: Final = 3  # at one user
_MOST_REQUESTS: Final = 2_000
_SHRINK: Final = 0.9
LEAST_BLOCKS: Final = 2


@dataclass(frozen=True)
class Size:
    """How much one block measures."""

    blocks: int
    one_user_s: float
    open_s: float


USUAL, QUICK = Size(8, 3.0, 6.0), Size(5, 1.5, 2.0)


@dataclass(frozen=True)
class VersusPlan:
    """What each service is asked in each block: the same requests at the same times."""

    one_user: Waves
    rate_rps: float
    open_s: float
    seed: int = 1
    blocks: int = USUAL.blocks
    levels: tuple[Level, ...] = ()  # up to the peak
    climb: tuple[Level, ...] = ()
    duet: bool = False
    expected: Expected | None = None

    def arrivals(self, block: int) -> Scheduled:
        """Return the open loop of a block, the same for both."""
        due_s = arrivals_until(self.rate_rps, self.seed * 1_000 + block, _WARM_S + self.open_s)
        return Scheduled(tuple(due_s), warmup_s=_WARM_S)

    @property
    def requests(self) -> int:
        """How many requests each service gets, without those up to its peak."""
        one_user = 0 if self.duet else self.one_user.warmup_count + self.one_user.count
        return sum(one_user + len(self.arrivals(block).at_s) for block in range(self.blocks))


def make_plan(
    size: Size,
    latency_ms: Mapping[str, float],
    rate_rps: float,
    limit: int | None,
    is_polite: bool,
    seed: int = 1,
    climb: bool = False,
    duet: bool = False,
    expected: Expected | None = None,
) -> VersusPlan:
    """Return the plan for services that take so long, with at most `limit` requests. Raises SidesRefused."""
    every_s = 1 / POLITE_RPS if is_polite else 0.0
    per_request_s = max(*latency_ms.values(), every_s * 1e3, 0.5) / 1e3
    count = min(max(round(size.one_user_s / per_request_s), _LEAST_REQUESTS), _MOST_REQUESTS)
    plan = VersusPlan(
        one_user=Waves(1, count, _WARM_REQUESTS, every_s),
        rate_rps=rate_rps,
        open_s=size.open_s,
        seed=seed,
        blocks=size.blocks,
        levels=levels_for((2, 8), low_s=0, base_s=1.0, per_user_s=0.006) if climb else (),
        climb=levels_for((16, 32, 64, 128, 256, 512), low_s=0, base_s=1.0, per_user_s=0.006) if climb else (),
        duet=duet,
        expected=expected,
    )
    return plan if limit is None else _within(plan, limit)


def _within(plan: VersusPlan, limit: int) -> VersusPlan:
    """Return a plan with at most so many requests to each service: shorter, with as many blocks."""
    whole = plan
    while plan.requests > limit:
        count = int(plan.one_user.count * _SHRINK)
        if count < _LEAST_REQUESTS:
            raise SidesRefused(
                f"{whole.blocks} blocks take {whole.requests:,} requests to each service, and {limit:,} are allowed: "
                "give fewer --blocks, a lower --rate, or more --requests if the owner of the service lets you"
            )
        plan = replace(plan, one_user=replace(plan.one_user, count=count), open_s=round(plan.open_s * _SHRINK, 3))
    return plan


def assign(
    sides: Sequence[Side], plan: VersusPlan, latency_ms: Mapping[str, float], free_ports: bool
) -> Assignment[VersusPlan]:
    """Return what one run measures."""
    contenders = [side.contender for side in sides]
    per_request_s = max(*latency_ms.values(), plan.one_user.every_s * 1e3) / 1e3
    one_user_s = 0.0 if plan.duet else per_request_s * plan.one_user.count
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=_recorded(sides, plan, latency_ms),
        trials=plan.blocks * len(contenders) * (2 if plan.levels else 1),
        trial_s=(CELL_OVERHEAD_S + one_user_s + _WARM_S + plan.open_s) / (2 if plan.duet else 1),
        seed=plan.seed,
        free_ports=free_ports,
        facts={"order": shuffled_blocks([each.label for each in contenders], plan.blocks, plan.seed)},
    )


def _recorded(sides: Sequence[Side], plan: VersusPlan, latency_ms: Mapping[str, float]) -> dict[str, Any]:
    return {
        "blocks": plan.blocks,
        "one_user": asdict(plan.one_user),
        "rate_rps": plan.rate_rps,
        "open_s": plan.open_s,
        "levels": [asdict(level) for level in plan.levels],
        "climb": [asdict(level) for level in plan.climb],
        "duet": plan.duet,
        "where": {side.label: side.where for side in sides},
        "first_latency_ms": {label: round(value, 3) for label, value in latency_ms.items()},
        "same_as": plan.expected.whose if plan.expected else "",
        "requests": plan.requests,
    }
