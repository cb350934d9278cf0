"""What users ask, and which answers they take for good."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from benchmark.load.bodies import _IRIS_RANGES, check_answer, request_bodies
from benchmark.load.plan import LoadPlan
from contract.errors import BadModelAnswer
from contract.schema import parse_scoring_numbers

BOUNDS_S = (0.040, 0.050)
PLAN = LoadPlan(
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
ROUNDING_S = 1e-6  # an answer is given to the microsecond


@pytest.fixture(scope="module")
def users() -> Iterator[ModuleType]:
    """The module, imported without Locust's replacing the sockets and threads of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
        yield importlib.import_module("benchmark.load.users")


class FakeClient:
    """Answers at once, as far as Locust's own watch knows; before and after it, time passes on the injected clock."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self.meta: dict[str, Any] = {}

    @contextmanager
    def post(self, *_: Any, headers: dict[str, str], context: dict[str, Any], **__: Any) -> Iterator[Any]:
        self.meta = {"response_time": 50.0, "context": context, "headers": headers}
        self._clock.now_ns += 57 * 10**6
        yield SimpleNamespace(request_meta=self.meta, status_code=200, content=answer(0.045))


@dataclass
class Clock:
    now_ns: int = 9 * 10**9

    def monotonic_ns(self) -> int:
        return self.now_ns


@pytest.mark.parametrize(("late_ms", "latency_ms"), [(None, 60.0), (20, 80.0)])
def test_latency_counts_from_before_the_stamp_so_that_no_stage_of_the_server_is_outside_of_it(
    users: ModuleType, monkeypatch: pytest.MonkeyPatch, late_ms: int | None, latency_ms: float
) -> None:
    clock = Clock()

    def stamp() -> dict[str, str]:
        clock.now_ns += 3 * 10**6  # what the kernel takes around the stamp
        return {"X-Request-Start": "t=1"}

    monkeypatch.setattr(users.time, "monotonic_ns", clock.monotonic_ns)
    monkeypatch.setattr(users, "request_start_header", stamp)
    made = users.user_class(PLAN)
    user, client = made.__new__(made), FakeClient(clock)
    user.client = client
    user.stage_clock = True
    user.send(None if late_ms is None else clock.now_ns - late_ms * 10**6)
    assert client.meta["response_time"] == latency_ms
    assert client.meta["context"]["start_ns"] == 9 * 10**9
    assert client.meta["headers"]["X-Request-Start"] == "t=1"


class SilentClient:
    """Answers with a status alone; where nothing came back at all, with what its library kept of the reason."""

    def __init__(self, status: int, **kept: object) -> None:
        self._answer = SimpleNamespace(request_meta={}, status_code=status, content=None, failure=self._fail, **kept)
        self.failed_with: list[str] = []

    def _fail(self, why: str) -> None:
        self.failed_with.append(why)

    @contextmanager
    def post(self, *_: Any, **__: Any) -> Iterator[Any]:
        yield self._answer


@pytest.mark.parametrize(
    ("client", "why"),
    [
        (
            SilentClient(0, error=OSError(24, "Too many open files")),
            "no answer (status 0): OSError: [Errno 24] Too many open files",
        ),
        (SilentClient(0, error=ConnectionRefusedError()), "no answer (status 0): ConnectionRefusedError: "),
        (SilentClient(0, error=None), "no answer (status 0): for an unknown reason"),
        (SilentClient(0), "no answer (status 0): for an unknown reason"),
        (SilentClient(503, error=None), "status 503"),
        (SilentClient(503), "status 503"),
    ],
)
def test_a_failure_carries_its_cause_and_status_0_never_stands_alone(
    users: ModuleType, client: SilentClient, why: str
) -> None:
    made = users.user_class(PLAN)
    user = made.__new__(made)
    user.client = client
    user.send()
    assert client.failed_with == [why]


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
    made = users.user_class(PLAN)
    assert (made.host, made.endpoint, made.bounds_s, made.stage_clock) == (PLAN.url, "/predict", BOUNDS_S, False)
    assert next(made.bodies) == next(request_bodies(7))
