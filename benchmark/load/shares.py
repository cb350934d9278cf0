"""Which request sends what: the bodies of a log, and the shares of several processes.

The processes of Locust deal the requests of a shape out, so that together they send each exactly once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, Final

from benchmark.load.arrivals import read_bodies
from benchmark.load.plan import LoggedBodies
from benchmark.load.protocols import Ask
from benchmark.load.rates import RateShape, parse_shape

PLACES: Final = "shape_places"  # attribute of the options, which a master sends to its workers: all names, in order

Due = tuple[float, Ask]  # seconds since the first moment, and what is asked then


def sending_logged(asked: Ask, logged: Iterable[LoggedBodies]) -> Ask:
    """Return the same requests, of which those that replay a log send its bodies. Raises ShapeError.

    Requests take their bodies in the order in which they are due.
    """
    bodies = read_bodies(logged)
    return replace(asked, bodies=(bodies[number] if number in bodies else next(asked.bodies) for number in count()))


def share_of(environment: Any, asked: Ask, seed: int) -> Iterator[Due] | None:
    """Return this process's share of the requests of the shape in the options; None without one. Raises ShapeError."""
    options = environment.parsed_options
    if not options or not getattr(options, "shape", ""):
        return None
    shape, places = parse_shape(options.shape), getattr(options, PLACES)
    place = places.index(environment.runner.client_id) if len(places) > 1 else 0
    return dealt(shape, asked, seed, place, len(places))


def dealt(shape: RateShape, asked: Ask, seed: int, place: int, places: int) -> Iterator[Due]:
    """Return every so many-th of the requests of a shape, from the one at `place` on."""
    bodies = read_bodies(shape.logged_bodies(seed))
    due = [
        (at_s, asked.sending(bodies[number]) if number in bodies else asked)
        for number, at_s in enumerate(shape.arrivals_s(seed))
    ]
    return iter(due[place::places])
