"""Which rate is tried next, and what the tries say in the end. No I/O, so that it can be tried on simulated servers.

First a staircase finds the region in coarse steps, with short tries. Then, in blocks, four rates around the estimate
are tried for longer, the estimate anew in each block. Last, a run of its own confirms the lower end of the interval.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from benchmark.analysis.promises import Verdict
from benchmark.experiments.capacity.curve import Count, Estimate, estimate, estimate_of_block
from benchmark.load.objectives import Objective
from benchmark.load.rate_search import Staircase

COARSE_STEPS: Final = (1.5, 1.2, 1.1)
AROUND: Final = (0.97, 1.01, 1.05, 1.09)  # of the estimate: the rates of a block; trouble tells more than calm
MOST_COARSE: Final = 12
WIDEST: Final = 0.25  # a half-width above it tells nothing
_MOST_UNOFFERED: Final = 2  # tries in a row in which the generator fell behind
_MOST_CONFIRMED: Final = 2  # runs that confirm, if the first does not


class Kind(StrEnum):
    """What a try is for."""

    COARSE = "coarse"
    FINE = "fine"
    CONFIRM = "confirm"


class Standing(StrEnum):
    """What became of the search."""

    FOUND = "found"
    AT_LEAST = "at least"  # every rate that could be offered was kept
    NOWHERE = "kept at no rate"  # not at the lowest that was tried
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Offer:
    """A rate to try."""

    rate_rps: float
    kind: Kind
    block: int = 0


@dataclass(frozen=True)
class Tried:
    """What became of an offer: for each objective, how many requests missed it. `offered`: the generator kept up."""

    offer: Offer
    counts: tuple[Count, ...]
    kept_each: tuple[bool, ...]
    offered: bool = True
    verdict: Verdict | None = None  # of a confirming run

    @property
    def sustained(self) -> bool:
        return all(self.kept_each)

    @property
    def reason(self) -> str:
        return ""


@dataclass(frozen=True)
class SearchLimits:
    """What a search may offer, and how thoroughly it looks."""

    first_rps: float
    blocks: int
    lowest_rps: float
    highest_rps: float
    coarse_steps: tuple[float, ...] = COARSE_STEPS
    around: tuple[float, ...] = AROUND
    seed: int = 1


@dataclass(frozen=True)
class Capacity:
    """The answer of a search."""

    standing: Standing
    estimate: Estimate | None = None  # FOUND, or UNKNOWN with too wide an interval
    rate_rps: float | None = None  # AT_LEAST: the highest kept one; NOWHERE: the lowest that was tried
    binding: str = ""  # the objective that is broken first
    confirmed: Verdict | None = None
    confirmed_rps: float | None = None
    by_generator: bool = False  # AT_LEAST: the generator could not offer more
    by_block_rps: tuple[float, ...] = ()


class Search:
    """The search of one contender; `offer` and `add` take turns until there is no offer any more."""

    def __init__(self, objectives: Sequence[Objective], limits: SearchLimits) -> None:
        self._objectives, self._limits = objectives, limits
        self._stairs = Staircase[Tried](
            limits.first_rps,
            crossings=1,
            near=False,
            steps=limits.coarse_steps,
            most_tries=MOST_COARSE,
            lowest_rps=limits.lowest_rps,
            highest_rps=limits.highest_rps,
        )
        self._queue: list[Offer] = []
        self._block = -1  # the coarse part
        self._unoffered = 0
        self.tries: list[Tried] = []

    def begin_block(self, block: int) -> None:
        """Choose the rates of a block, if the coarse part has found where to look."""
        self._block = block
        if found := located(self.tries, self._objectives):
            centre_rps = _between(self.tries) or found[0].rps
            offers = [Offer(share * centre_rps, Kind.FINE, block) for share in self._limits.around]
            random.Random(f"{self._limits.seed}-{block}").shuffle(offers)
            self._queue = offers

    def offer(self) -> Offer | None:
        """Return what to try next in this part; None if it is complete."""
        if self._block >= 0:
            return self._queue[0] if self._queue else None
        rate_rps = None if self._unoffered >= _MOST_UNOFFERED else self._stairs.next_rps()
        return None if rate_rps is None else Offer(rate_rps, Kind.COARSE)

    def add(self, tried: Tried) -> None:
        """Take note of a try. What the generator could not offer is offered once more, and then left out."""
        self.tries.append(tried)
        self._unoffered = 0 if tried.offered else self._unoffered + 1
        if tried.offer.kind is Kind.FINE:
            self._queue = self._queue[1:]
        elif tried.offer.kind is Kind.COARSE and tried.offered:
            self._stairs.add(tried.offer.rate_rps, tried)

    def confirming(self) -> Offer | None:
        """Return the run that confirms what was found; None if there is nothing to confirm, or nothing more."""
        runs = [tried for tried in self.tries if tried.offer.kind is Kind.CONFIRM]
        if len(runs) == _MOST_CONFIRMED or (runs and runs[-1].verdict is not Verdict.BROKEN):
            return None
        if found := located(self.tries, self._objectives):
            return Offer(max(found[0].low_rps, self._limits.lowest_rps), Kind.CONFIRM, self._limits.blocks)
        kept = kept_rates(self.tries)
        return Offer(max(kept), Kind.CONFIRM, self._limits.blocks) if kept and not runs else None


def conclude(tries: Sequence[Tried], objectives: Sequence[Objective], blocks: int) -> Capacity:
    """Return what the tries of a search say."""
    usable = [tried for tried in tries if tried.offered]
    runs = [tried for tried in usable if tried.offer.kind is Kind.CONFIRM]
    capacity = _told(usable, objectives, blocks)
    if runs:
        capacity = replace(capacity, confirmed=runs[-1].verdict, confirmed_rps=runs[-1].offer.rate_rps)
        if runs[-1].verdict is Verdict.BROKEN:
            capacity = replace(capacity, standing=Standing.UNKNOWN)
    return replace(capacity, by_generator=capacity.estimate is None and len(usable) < len(tries))


def _told(usable: Sequence[Tried], objectives: Sequence[Objective], blocks: int) -> Capacity:
    if not usable:
        return Capacity(Standing.UNKNOWN)
    if found := located(usable, objectives):
        value, objective = found
        standing = Standing.FOUND if value.half_width <= WIDEST else Standing.UNKNOWN
        by_block_rps = tuple(_by_block(usable, objectives, found, blocks))
        return Capacity(standing, value, binding=objective.written, by_block_rps=by_block_rps)
    if kept := kept_rates(usable):
        return Capacity(Standing.AT_LEAST, rate_rps=max(kept))
    lowest_rps = min(tried.offer.rate_rps for tried in usable)
    return Capacity(Standing.NOWHERE, rate_rps=lowest_rps, binding=_first_broken(usable, objectives))


def located(tries: Iterable[Tried], objectives: Sequence[Objective]) -> tuple[Estimate, Objective] | None:
    """Return the capacity and the objective that binds, the one with the lowest; None unless rates bracket it."""
    usable = [tried for tried in tries if tried.offered]
    if not kept_rates(usable) or all(tried.sustained for tried in usable):
        return None
    found = [
        (estimate([tried.counts[place] for tried in usable], 1 - objective.share), objective)
        for place, objective in enumerate(objectives)
        if any(not tried.kept_each[place] for tried in usable)
    ]
    value, objective = min(found, key=lambda one: one[0].rps)
    low_rps, high_rps = (min(getattr(one, end) for one, _ in found) for end in ("low_rps", "high_rps"))
    return Estimate(value.rps, low_rps, high_rps), objective


def _between(tries: Iterable[Tried]) -> float | None:
    """Return the middle of the highest kept and the lowest broken rate, unless tries contradict each other.

    Where a service turns from good to bad at once, tries without a miss say little, and the estimate is still too low.
    """
    usable = [tried for tried in tries if tried.offered]
    broken = [tried.offer.rate_rps for tried in usable if not tried.sustained]
    highest, lowest = max(kept_rates(usable)), min(broken)
    return math.sqrt(highest * lowest) if highest < lowest else None


def kept_rates(tries: Iterable[Tried]) -> list[float]:
    """Return the rates at which every objective was kept."""
    return [tried.offer.rate_rps for tried in tries if tried.offered and tried.sustained]


def _first_broken(tries: Sequence[Tried], objectives: Sequence[Objective]) -> str:
    lowest = min(tries, key=lambda tried: tried.offer.rate_rps)
    broken = [each for each, kept in zip(objectives, lowest.kept_each, strict=True) if not kept]
    return broken[0].written if broken else ""


def _by_block(
    tries: Sequence[Tried], objectives: Sequence[Objective], found: tuple[Estimate, Objective], blocks: int
) -> list[float]:
    """Return the capacity in each block; nothing unless every block has tries."""
    value, objective = found
    place = list(objectives).index(objective)
    fine = [[t for t in tries if t.offer.kind is Kind.FINE and t.offer.block == block] for block in range(blocks)]
    if not all(fine):
        return []
    everything, allowed = [tried.counts[place] for tried in tries], 1 - objective.share
    return [
        estimate_of_block([tried.counts[place] for tried in block], everything, allowed, value.rps).rps
        for block in fine
    ]
