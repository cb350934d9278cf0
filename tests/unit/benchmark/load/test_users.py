"""What users ask, and which answers they take for good."""

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from benchmark.load import protocols
from benchmark.load.bodies import check_answer, request_bodies
from benchmark.load.plan import LoadPlan
from contract.errors import BadModelAnswer
from contract.schema import parse_scoring_numbers
from tests.conftest import SCORING

BOUNDS_S = (0.040, 0.050)
PLAN = LoadPlan(
    url="http://127.0.0.1:5001",
    endpoint="/predict",
    scenario=SCORING,
    seed=7,
    stage_clock=False,
    levels=(),
    climb=(),
    answer_bounds_s=BOUNDS_S,
    samples=Path("samples.csv"),
    locust=Path("locust"),
)
IRIS_RANGES = ((4.3, 7.9), (2.0, 4.4), (1.0, 6.9), (0.1, 2.5))
ROUNDING_S = 1e-6  # an answer is given to the microsecond


@pytest.fixture(scope="module")
def users() -> Iterator[ModuleType]:
    """The module, imported without Locust's replacing the sockets and threads of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
        yield importlib.import_module("benchmark.load.users")


@dataclass
class Clock:
    now_ns: int = 9 * 10**9

    def monotonic_ns(self) -> int:
        return self.now_ns


class Wire:
    """Locust's client of one user: time passes on the injected clock, and then it answers or raises."""

    def __init__(self, clock: Clock, status: int = 200, raises: BaseException | None = None) -> None:
        self._clock, self._status, self._raises = clock, status, raises
        self.asked: list[tuple[Any, ...]] = []

    def request(self, *asked: Any) -> Any:
        self.asked.append(asked)
        self._clock.now_ns += 57 * 10**6
        if self._raises:
            raise self._raises
        return SimpleNamespace(get_code=lambda: self._status, info=dict, read=lambda: answer(0.045))


def ask_once(users: ModuleType, wire: Wire, scheduled_ns: int | None = None, **changes: Any) -> dict[str, Any]:
    """Have one user obtain an answer over a wire; return what it reports to Locust."""
    reported: list[dict[str, Any]] = []
    made = users.user_class(replace(PLAN, **changes))
    user = made.__new__(made)
    user._http, user._prefix = wire, ""
    request = SimpleNamespace(fire=lambda **fields: reported.append(fields))
    user.environment = SimpleNamespace(events=SimpleNamespace(request=request))
    user.obtain(scheduled_ns)
    (only,) = reported
    return only


@pytest.mark.parametrize(("late_ms", "latency_ms"), [(None, 60.0), (20, 80.0)])
def test_latency_counts_from_before_the_stamp_so_that_no_stage_of_the_server_is_outside_of_it(
    users: ModuleType, monkeypatch: pytest.MonkeyPatch, late_ms: int | None, latency_ms: float
) -> None:
    clock = Clock()

    def stamp() -> dict[str, str]:
        clock.now_ns += 3 * 10**6  # what the kernel takes around the stamp
        return {"X-Request-Start": "t=1"}

    monkeypatch.setattr(users.time, "monotonic_ns", clock.monotonic_ns)
    monkeypatch.setattr(protocols, "request_start_header", stamp)
    wire = Wire(clock)
    scheduled_ns = None if late_ms is None else clock.now_ns - late_ms * 10**6
    reported = ask_once(users, wire, scheduled_ns, stage_clock=True)
    assert reported["response_time"] == latency_ms
    assert reported["context"]["start_ns"] == 9 * 10**9
    ((*_, headers),) = wire.asked
    assert headers["X-Request-Start"] == "t=1"


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (
            Wire(Clock(), raises=OSError(24, "Too many open files")),
            "no answer (status 0): OSError: [Errno 24] Too many open files",
        ),
        (
            Wire(Clock(), raises=UnicodeError("label empty or too long")),  # of a name that is no host's
            "no answer (status 0): UnicodeError: label empty or too long",
        ),
        (Wire(Clock(), raises=ConnectionRefusedError()), "no answer (status 0): ConnectionRefusedError: "),
        (Wire(Clock(), status=502), "status 502"),
        (Wire(Clock(), status=503), "status 503 without Retry-After"),
    ],
)
def test_a_failure_carries_its_cause_and_status_0_never_stands_alone(users: ModuleType, wire: Wire, why: str) -> None:
    reported = ask_once(users, wire)
    assert str(reported["exception"]) == why
    assert reported["context"]["answer"].error == why


def test_a_user_asks_below_the_path_of_its_host(users: ModuleType) -> None:
    made = users.user_class(replace(PLAN, url="http://user:secret@127.0.0.1:5001/behind/a/proxy/"))
    user = made(SimpleNamespace(events=SimpleNamespace(request=None)))
    wire = Wire(Clock())
    assert user._http.default_headers["Authorization"].startswith("Basic ")
    user._http, user.environment = wire, SimpleNamespace(events=SimpleNamespace(request=SimpleNamespace(fire=dict)))
    user.obtain()
    assert wire.asked[0][:2] == ("POST", "/behind/a/proxy/predict")


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


def bodies(seed: int, count: int) -> list[bytes | None]:
    return list(islice(request_bodies(SCORING, seed), count))


def test_the_same_seed_asks_the_same_and_another_seed_asks_something_else() -> None:
    first, same, other = (bodies(seed, 10_000) for seed in (7, 7, 8))
    assert first == same
    assert first != other


def test_every_request_is_valid_and_like_fishers_iris_data() -> None:
    asked = bodies(7, 5_000)
    for body in asked:
        numbers = parse_scoring_numbers(body or b"")
        assert all(low <= x <= high for x, (low, high) in zip(numbers, IRIS_RANGES, strict=True))
    assert len(set(asked)) > 3_000


def test_requests_never_run_out() -> None:
    assert len(bodies(7, 20_000)) == 20_000


def test_users_ask_what_their_plan_says(users: ModuleType) -> None:
    made = users.user_class(PLAN)
    assert (made.host, made.asked.path, made.asked.method, made.asked.stage_clock) == (
        *(PLAN.url, "/predict", "POST", False),
    )
    request = made.asked.request()
    assert (request.body, request.headers) == (bodies(7, 1)[0], {"Content-Type": "application/json"})
