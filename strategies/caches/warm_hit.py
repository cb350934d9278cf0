"""`python -m strategies.caches.warm_hit`: fib(30) without a cache, with one that is empty, and with one that has it."""

import json
from functools import cache
from timeit import Timer
from typing import Final

_N: Final = 30
_WARM_HITS: Final = 100_000
_REPEATS: Final = 3  # of which the best counts, as in the talk


def fib(n: int) -> int:
    """Return a Fibonacci number, in the most expensive way."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@cache
def cached_fib(n: int) -> int:
    """Return a Fibonacci number; each is computed once."""
    return n if n < 2 else cached_fib(n - 1) + cached_fib(n - 2)


def calls(n: int) -> int:
    """Return how many calls of fib it takes: 2 fib(n + 1) - 1."""
    return 2 * cached_fib(n + 1) - 1


def cached_calls(n: int) -> int:
    """Return how many calls of cached_fib it takes if nothing is cached: two for each number from 2 to n, and one."""
    return 2 * (n - 1) + 1


def measure() -> dict[str, float]:
    """Return how long each takes, and how many times as long it takes without a cache."""
    uncached_s = min(Timer(lambda: fib(_N)).repeat(_REPEATS, 1))
    cold_s = min(Timer(lambda: cached_fib(_N), cached_fib.cache_clear).repeat(_REPEATS, 1))
    warm_s = min(Timer("f(n)", globals={"f": cached_fib, "n": _N}).repeat(_REPEATS, _WARM_HITS)) / _WARM_HITS
    return {
        "uncached_ms": uncached_s * 1e3,
        "cold_us": cold_s * 1e6,
        "warm_ns": warm_s * 1e9,
        "cold_times": uncached_s / cold_s,
        "warm_times": uncached_s / warm_s,
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
