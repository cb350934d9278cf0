"""What users ask, and which answers they take for good."""

import importlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.load.bodies import _IRIS_RANGES, check_answer, request_bodies
from benchmark.load.plan import LoadPlan
from contract.errors import BadModelAnswer
from contract.schema import parse_scoring_numbers

BOUNDS_S = (0.040, 0.050)
ROUNDING_S = 1e-6  # an answer is given to the microsecond


@pytest.fixture(scope="module")
def users() -> Iterator[ModuleType]:
    """The module, imported without Locust's replacing the sockets and threads of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
        yield importlib.import_module("benchmark.load.users")


def answer(detail: object) -> bytes:
    return json.dumps({"detail": detail}).encode()


@pytest.mark.parametrize("detail_s", [0.040, 0.045, 0.050, 0.040 - ROUNDING_S / 2, 0.050 + ROUNDING_S / 2])
def test_an_answer_within_the_bounds_of_the_law_is_good(detail_s: float) -> None:
    assert check_answer(answer(detail_s), BOUNDS_S) == detail_s


@pytest.mark.parametrize("detail_s", [0.040 - 2 * ROUNDING_S, 0.050 + 2 * ROUNDING_S, 0, 0.1, 45])
def test_an_answer_outside_of_the_bounds_is_wrong(detail_s: float) -> None:
    with pytest.raises(BadModelAnswer) as raised:
        check_answer(answer(detail_s), BOUNDS_S)
    assert "0.04" in raised.value.detail
    assert "0.05" in raised.value.detail


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"0.045", b"<html>", b'{"detail": "0.045"}', b'{"detail": NaN}', b'{"result": 0.045}', b"\xff"],
)
def test_an_answer_that_is_no_duration_is_wrong(body: bytes) -> None:
    with pytest.raises(BadModelAnswer):
        check_answer(body, BOUNDS_S)


def test_the_same_seed_asks_the_same_and_another_seed_asks_something_else() -> None:
    first, same, other = (list(islice(request_bodies(seed), 10_000)) for seed in (7, 7, 8))
    assert first == same
    assert first != other


def test_every_request_is_valid_and_like_fishers_iris_data() -> None:
    bodies = list(islice(request_bodies(7), 5_000))
    for body in bodies:
        numbers = parse_scoring_numbers(body.encode())
        assert all(low <= x <= high for x, (low, high) in zip(numbers, _IRIS_RANGES, strict=True))
    assert len(set(bodies)) > 3_000


def test_requests_never_run_out() -> None:
    assert len(list(islice(request_bodies(7), 20_000))) == 20_000


def test_users_ask_what_their_plan_says(users: ModuleType) -> None:
    plan = LoadPlan(
        url="http://127.0.0.1:5001",
        endpoint="/predict",
        protocol="predict",
        seed=7,
        stage_clock=False,
        levels=(),
        climb=(),
        answer_bounds_s=BOUNDS_S,
        samples=Path("samples.csv"),
        locust=Path("locust"),
    )
    made = users.user_class(plan)
    assert (made.host, made.endpoint, made.bounds_s, made.stage_clock) == (plan.url, "/predict", BOUNDS_S, False)
    assert next(made.bodies) == next(request_bodies(7))
