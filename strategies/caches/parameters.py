"""What services, requests and laws agree on."""

from typing import Final, NamedTuple


class Catalogue(NamedTuple):
    """What may be asked for, how much of it a cache holds, and how unequal the demand is."""

    items: int
    capacity: int
    exponent: float  # of Zipf's law


class Demand(NamedTuple):
    """How often anything is asked for, and how long an entry lives."""

    rate_rps: float
    ttl_s: float


MODEL_MS: Final = 45.0  # that a call of the model takes: the mean of the twins' model
VERSION: Final = "v1"  # of the model
ENTITIES: Final = 10_000  # that the model knows; it refuses negative ones

SERVED: Final = Catalogue(1_000, 100, 1.0)  # of the services
TTL_S: Final = 60.0  # that a prediction is kept
UNKNOWN_TTL_S: Final = 0.5  # that an unknown entity is remembered as such
FAILURE_TTL_S: Final = 0.1  # that a failure is shared with those who ask for the same

# Only in the replays.
LARGE: Final = {f"{exponent:g}": Catalogue(10_000, 1_000, exponent) for exponent in (0.8, 1.0, 1.2)}
DEMANDS: Final = (Demand(50.0, 10.0), Demand(100.0, 1.0))
