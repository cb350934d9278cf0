"""The capacity from tries: at which rate the share of requests that miss an objective is just what it allows.

Near its capacity a service misses few requests in most tries and many in some: one queue that has built up makes
dozens late. So the mean share of a few tries is skewed, and whether a single try kept the promise says too little (half
of the tries keep it at a rate at which the long run does not). The model says what comes: stretches of trouble begin
at random (a Poisson number of them in a try), each makes a random number of requests miss (exponential), and both get
more with the rate: the compound Poisson law of the Tweedie family with variance ~ mean^1.5 (Jorgensen, JRSS B 49,
1987). The share that misses grows as a power of the rate.

Three numbers are unknown: the capacity, the power, and how many requests one stretch makes miss. Their posterior is
computed on a grid, and the capacity's median and 95 % interval are read from it; as with psychometric functions
(Kuss, Jaekel & Wichmann, Journal of Vision 5(5), 2005), nothing is fixed at its most likely value, which would make
the interval too narrow. The law is a simplification, so the likelihood counts a little less than if it were the truth
(Holmes & Walker, Biometrika 104(2), 2017); tests/capacity checks on queues of known capacity how often the interval
holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

# Prior of the power: log-normal around 25. With an M/D/1 queue it is about 40. A service that turns from good to bad at
# once has hundreds: its capacity comes out a percent too low, which is less than its interval is wide.
_POWERS: Final = np.geomspace(4, 200, 14)
_POWER, _POWER_SPREAD = 25.0, 2.2
# Requests that miss in one stretch of trouble, at the capacity; prior: log-normal around a dozen.
_STRETCHES: Final = np.geomspace(1, 200, 9)
_STRETCH, _STRETCH_SPREAD = 12.0, 4.0
_FEWEST: Final = 8  # stretches that have room in a try
_WEIGHT: Final = 0.65  # of the likelihood
_COARSE, _FINE = 41, 101  # points of the grid of capacities
_BEYOND: Final = 0.4  # how far beyond the tried rates it reaches, in logarithms
_NEGLIGIBLE: Final = 1e-5
_BLOCK_SPREAD: Final = 0.15  # of the capacity in one block around that of all, as a prior
_LEAST: Final = 1e-300
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Count:
    """How many of the requests that were due in a try missed an objective; `at_least` if it was ended early."""

    rate_rps: float
    due: int
    missed: int
    at_least: bool = False


@dataclass(frozen=True)
class Estimate:
    """A rate with its 95 % interval."""

    rps: float
    low_rps: float
    high_rps: float

    @property
    def half_width(self) -> float:
        """Half of the interval, as a share of the rate."""
        return (self.high_rps - self.low_rps) / 2 / self.rps


def estimate(counts: Sequence[Count], allowed: float) -> Estimate:
    """Return the rate at which a share `allowed` of the requests misses an objective."""
    logs = np.log([count.rate_rps for count in counts])
    grid = np.linspace(logs.min() - _BEYOND, logs.max() + _BEYOND, _COARSE)
    weights = _by_capacity(counts, allowed, grid)
    likely = np.flatnonzero(weights > weights.max() * _NEGLIGIBLE)
    low, high = max(likely[0] - 1, 0), min(likely[-1] + 1, len(grid) - 1)
    grid = np.linspace(grid[low], grid[high], _FINE)
    return _read(grid, _by_capacity(counts, allowed, grid))


def estimate_of_block(block: Sequence[Count], counts: Sequence[Count], allowed: float, around_rps: float) -> Estimate:
    """Return the capacity in one block; power and stretches are known from the tries of all blocks."""
    centre = np.log(around_rps)
    grid = np.linspace(centre - _BEYOND, centre + _BEYOND, _FINE)
    shapes = _posterior(counts, allowed, grid).sum(axis=0)
    own = _normed(_log_likelihood(block, allowed, grid) + _log_prior())
    prior = stats.norm.pdf(grid, centre, _BLOCK_SPREAD)
    return _read(grid, (own * shapes).sum(axis=(1, 2)) * prior)


def _read(grid: Floats, weights: Floats) -> Estimate:
    below = np.cumsum(weights) / weights.sum()
    low, rps, high = np.exp(np.interp([0.025, 0.5, 0.975], below, grid))
    return Estimate(float(rps), float(low), float(high))


def _by_capacity(counts: Sequence[Count], allowed: float, grid: Floats) -> Floats:
    by_capacity: Floats = _posterior(counts, allowed, grid).sum(axis=(1, 2))
    return by_capacity


def _posterior(counts: Sequence[Count], allowed: float, grid: Floats) -> Floats:
    """Return the weights by capacity, power and stretch."""
    return _normed(_log_likelihood(counts, allowed, grid) + _log_prior())


def _normed(logs: Floats) -> Floats:
    weights: Floats = np.exp(logs - logs.max())
    return weights


def _log_prior() -> Floats:
    powers = np.log(_POWERS / _POWER) / np.log(_POWER_SPREAD)
    stretches = np.log(_STRETCHES / _STRETCH) / np.log(_STRETCH_SPREAD)
    prior: Floats = -0.5 * (powers[None, :, None] ** 2 + stretches[None, None, :] ** 2)
    return prior


def _log_likelihood(counts: Sequence[Count], allowed: float, grid: Floats) -> Floats:
    """Return it for each capacity of a grid of logarithms, each power and each stretch."""
    logs = np.log([count.rate_rps for count in counts])
    due = np.array([count.due for count in counts], dtype=float)
    missed = np.array([count.missed for count in counts], dtype=float)
    at_least = np.array([count.at_least for count in counts], dtype=bool)
    growth = np.clip(_POWERS[None, :, None] * (logs - grid[:, None, None]), -60, 60)
    share = np.minimum(allowed * np.exp(growth), 1.0)  # that is expected to miss, by capacity, power and try
    found = np.empty((len(grid), len(_POWERS), len(_STRETCHES)))
    for place, stretch in enumerate(_STRETCHES):
        # Their number and their size grow alike; a stretch has at least one request, and does not fill a try.
        size = np.maximum(np.minimum(stretch * np.sqrt(share / allowed), due / _FEWEST), 1.0)
        number = share * due / size
        none, some = ~at_least & (missed == 0), ~at_least & (missed > 0)
        found[:, :, place] = (
            _log_density(missed[some], number[..., some], size[..., some]).sum(axis=-1)
            + _log_more(missed[at_least], number[..., at_least], size[..., at_least]).sum(axis=-1)
            - number[..., none].sum(axis=-1)
        )
    return _WEIGHT * found


def _log_density(missed: Floats, number: Floats, size: Floats) -> Floats:
    """Return the log density of a Poisson number of exponential stretches that sum up to more than none."""
    root = 2 * np.sqrt(number * missed / size)
    log: Floats = -number - missed / size + 0.5 * np.log(number / size / missed + _LEAST)
    log += np.log(special.i1e(root) + _LEAST) + root
    return log


def _log_more(missed: Floats, number: Floats, size: Floats) -> Floats:
    """Return the log probability of at least so many.

    The sum of the stretches exceeds m if there are more of them than there are events of a Poisson process of rate 1
    within m / size, so it is the probability that one Poisson number exceeds another (Skellam, JRSS 109, 1946).
    """
    log: Floats = np.log(np.maximum(stats.ncx2.cdf(2 * number, 2, 2 * missed / size), _LEAST))
    return log
