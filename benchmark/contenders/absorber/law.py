"""How long the absorber takes for a request: a law, draws of it that are always the same, and a stall in between.

A law is written with its values in ms: `constant 50`, `exponential 50`, `bimodal 30 150 0.1` (30 ms, or in one of ten
requests 150 ms).
"""

import math
import random
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Final, NamedTuple

from benchmark.errors import ContenderError

STRATA: Final = 500  # draws before they repeat
_Quantile = Callable[[float], float]


def service_times_ms(law: str, seed: int) -> Iterator[float]:
    """Return an endless sequence of service times, the same for the same seed. Raises ContenderError.

    One from the middle of each of 500 equally probable parts of the law, in random order, and again: so their mean and
    their percentiles are nearly those of the law after any few hundred requests.
    """
    quantile = _quantile_of(law)
    times = [quantile((place + 0.5) / STRATA) for place in range(STRATA)]
    random.Random(seed).shuffle(times)
    return cycle(times)


def law_words(law: str) -> str:
    """Return a law as a page names it."""
    name, *values = law.split()
    match name, values:
        case "exponential", [mean]:
            return f"exponential, {mean} ms on average"
        case "bimodal", [usual, other, share]:
            return f"{usual} ms, and {float(share):.0%} of the requests {other} ms"
    return f"{' '.join(values)} ms"


def _quantile_of(law: str) -> _Quantile:
    try:
        name, *given = law.split()
        values = [float(value) for value in given]
        match name, values:
            case "constant", [value]:
                return lambda _: value
            case "exponential", [mean]:
                return lambda share: -mean * math.log1p(-share)
            case "bimodal", [usual, other, share_of_other]:
                return lambda share: usual if share < 1 - share_of_other else other
    except ValueError:
        pass
    raise ContenderError(
        f"the absorber's law is {law!r}, expected such as 'constant 50', 'exponential 50' or 'bimodal 30 150 0.1'"
    )


class Stall(NamedTuple):
    """A time in which nothing goes on. Both ends are on one clock, in any unit."""

    start: float
    end: float

    def latency(self, arrival: float, service: float) -> float:
        """Return how long a request takes that arrives at a moment, if requests do not wait for each other.

        A request that is under way when the stall begins, or that arrives within it, goes on when it is over.
        """
        if arrival >= self.end or arrival + service <= self.start:
            return service
        return service + self.end - max(arrival, self.start)


NO_STALL: Final = Stall(math.inf, math.inf)
