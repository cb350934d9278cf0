"""Request bodies, and checks of response bodies. Does not import Locust, which patches the interpreter."""

import csv
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import cycle
from pathlib import Path

import jinja2

from benchmark.errors import ScenarioError
from benchmark.scenarios.spec import Scenario
from contract.errors import BadModelAnswer
from contract.schema import parse_answer

_BODIES = 4096  # distinct requests before they repeat
# A timer with a resolution of 1 ms may fire up to half a millisecond early, once per model.
EARLY_MS = 1.0
EARLY = "an answer came {early_ms:.1f} ms before its models can have finished"
_ROUNDING_S = 1e-6  # an answer is given to the microsecond


def check_answer(body: bytes, bounds_s: tuple[float, float]) -> float:
    """Return the answer in seconds. Raises BadModelAnswer if the models cannot have drawn it."""
    detail_s = parse_answer(body, 0)
    low_s, high_s = bounds_s
    if not low_s - _ROUNDING_S <= detail_s <= high_s + _ROUNDING_S:
        raise BadModelAnswer(f"answer {detail_s} s lies outside of {low_s} to {high_s} s")
    return detail_s


def too_early(excess_ms: float) -> str:
    """Return an error if an answer came earlier than it says itself, else an empty text."""
    return "" if excess_ms >= -EARLY_MS else EARLY.format(early_ms=-excess_ms)


def request_bodies(scenario: Scenario, seed: int) -> Iterator[bytes | None]:
    """Return an endless sequence of request bodies, the same for the same seed. Raises ScenarioError."""
    return cycle(_bodies(scenario, seed))


def distinct_bodies(scenario: Scenario, seed: int) -> Sequence[bytes | None]:
    """Return the request bodies before they repeat. Raises ScenarioError."""
    return _bodies(scenario, seed)


def _bodies(scenario: Scenario, seed: int) -> Sequence[bytes | None]:
    if scenario.template is not None:
        try:
            return _rendered((scenario.folder / scenario.template).read_text(), seed)
        except jinja2.TemplateError as error:
            raise ScenarioError(f"scenario {scenario.name}: {scenario.template} is no template: {error}") from error
    if scenario.bodies is not None:
        found = _stored(scenario, scenario.folder / scenario.bodies)
        if not found:
            raise ScenarioError(f"scenario {scenario.name}: {scenario.bodies} is empty, expected one body per line")
        return found
    return [None if scenario.body is None else scenario.body.encode()]


def _stored(scenario: Scenario, path: Path) -> list[bytes]:
    """Return the bodies in a folder, in a column of a CSV file, or in the lines of a file. Raises ScenarioError."""
    if path.is_dir():
        return [file.read_bytes() for file in sorted(path.iterdir()) if file.is_file()]
    if scenario.column is None:
        return [line for line in path.read_bytes().splitlines() if line.strip()]
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if scenario.column not in (rows.fieldnames or ()):
            raise ScenarioError(
                f"scenario {scenario.name}: {scenario.bodies} has no column {scenario.column!r}; "
                f"choose from {', '.join(rows.fieldnames or ())}"
            )
        return [row[scenario.column].encode() for row in rows if row[scenario.column]]


@lru_cache(maxsize=8)  # every contender of a block asks the same
def _rendered(text: str, seed: int) -> tuple[bytes, ...]:
    """Return the bodies of a template, with random numbers of this seed only, so that it repeats them."""
    draw = random.Random(seed)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters["random"] = draw.choice
    environment.globals["uniform"] = lambda low, high, digits=1: round(draw.uniform(low, high), digits)
    environment.globals["randint"] = draw.randint
    template = environment.from_string(text)
    return tuple(template.render().encode() for _ in range(_BODIES))
