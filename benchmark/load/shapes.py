"""The four examples of load, as shapes: the number of users over time."""

import signal
from dataclasses import dataclass, replace

PACING_S = 1.0  # a user sends one request per second, or fewer if the answer takes longer
SPAWN_PER_S = 100  # Locust recommends no more; a shape's own rate is in its number of users
END_SIGNAL = signal.SIGUSR1  # ends a run early; SIGINT would not do, since background jobs ignore it


@dataclass(frozen=True)
class Example:
    """A load over time: users arrive at a constant rate up to a maximum, and stay."""

    name: str
    title: str
    users: int
    users_per_s: float
    duration_s: float
    warmup_s: float = 0.0  # at the beginning: recorded, but not counted
    pacing_s: float = PACING_S

    def users_at(self, t_s: float) -> int:
        """Return the number of users `t_s` after the start."""
        return min(self.users, 1 + int(self.users_per_s * t_s))

    def offered_rps(self, t_s: float) -> float:
        """Return the rate of requests `t_s` after the start, provided that users are answered in time."""
        return self.users_at(t_s) / self.pacing_s

    def scaled(self, scale: float) -> "Example":
        """Return the example with scaled times. Users arrive faster accordingly, so that their number is the same."""
        return replace(
            self,
            duration_s=self.duration_s * scale,
            warmup_s=self.warmup_s * scale,
            users_per_s=self.users_per_s / scale,
        )


# Users, rates and durations are those of the experiment that this one repeats (bukosabino/scoring-handler, 2021).
# The warm-ups were added here.
RESPONSE_TIME = Example("response-time", "Response time of a single user", 1, 1.0, 100.0, warmup_s=3.0)
LOAD_TEST = Example("load-test", "Load test: one user more every second", 300, 1.0, 300.0)
MAX_PERFORMANCE = Example(
    "max-performance", "Maximum performance: the breaking point held", 1, 100.0, 300.0, warmup_s=15.0
)
STRESS_TEST = Example("stress-test", "Stress test: five users more every second", 500, 5.0, 100.0)
EXAMPLES = {example.name: example for example in (RESPONSE_TIME, LOAD_TEST, MAX_PERFORMANCE, STRESS_TEST)}


TRY = "try"  # one rate of the search for the breaking point
SHAPE = "shape"  # a rate over time, of benchmark.load.rates


def held(users: int) -> Example:
    """Return the third example for a breaking point, given as a number of users."""
    return replace(MAX_PERFORMANCE, users=users)


def until_all_ask_s(users: int) -> float:
    """Return the seconds until each of `users` paced users has sent a request, if all start at once."""
    return users / SPAWN_PER_S + 2 * PACING_S
