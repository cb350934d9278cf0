"""The pure steps of a scoring request: which entity, what the models receive, what comes of their answers."""

import contextlib
import string
import threading
import time
import zlib
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import scoring
from contract.errors import TooManyInFlight, UnknownEntity
from contract.scoring import InFlight, ModelReply, choose_entity, combine, model_input

BODY = b"[5.1,3.5,1.4,0.2]"
FINITE = st.floats(min_value=-1e9, max_value=1e9)


@given(st.binary(), st.integers(min_value=1, max_value=10_000_000))
def test_a_body_always_chooses_the_same_entity_of_the_store(body: bytes, entities: int) -> None:
    chosen = choose_entity(None, body, entities)
    assert 0 <= chosen < entities
    assert choose_entity(None, bytes(bytearray(body)), entities) == chosen


def test_the_hash_of_a_body_does_not_change_between_releases() -> None:
    assert [choose_entity(None, body, 10_000) for body in (b"", BODY, b"[1]")] == [
        0,
        zlib.crc32(BODY) % 10_000,
        zlib.crc32(b"[1]") % 10_000,
    ]
    assert choose_entity(None, BODY, 10_000) == 5997


def test_bodies_spread_over_the_entities() -> None:
    chosen = {choose_entity(None, f"[{number}]".encode(), 100) for number in range(2_000)}
    assert chosen == set(range(100))


@given(st.integers(min_value=1, max_value=10_000_000), st.data())
def test_a_requested_entity_is_chosen_whatever_the_body(entities: int, data: st.DataObject) -> None:
    wanted = data.draw(st.integers(min_value=0, max_value=entities - 1))
    assert choose_entity(str(wanted), data.draw(st.binary()), entities) == wanted


@pytest.mark.parametrize(
    "requested",
    [
        *("100", "-1", "01", "00", "+1", "1.0", "1e1", "", " 1", "1 ", "1\n", "x", "0x1", "1_0", "9" * 30),
        *("\u0661", "\uff11", "\u00b2"),  # digits to Python, not to us
    ],
)
def test_an_unknown_entity_is_refused(requested: str) -> None:
    with pytest.raises(UnknownEntity, match="the store holds the entities 0 to 99"):
        choose_entity(requested, BODY, 100)


@given(st.text() | st.text(alphabet=string.digits))
def test_any_requested_entity_is_one_of_the_store_or_unknown(requested: str) -> None:
    try:
        chosen = choose_entity(requested, BODY, 100)
    except UnknownEntity:
        return
    assert 0 <= chosen < 100
    assert requested == str(chosen)


@given(st.lists(FINITE), st.lists(FINITE))
def test_a_model_receives_the_numbers_then_the_features(numbers: list[float], features: list[float]) -> None:
    combined = model_input(numbers, tuple(features))
    assert combined[: len(numbers)] == numbers
    assert combined[len(numbers) :] == features


def test_the_numbers_of_the_request_are_left_as_they_were() -> None:
    numbers = [1.0]
    model_input(numbers, [2.0]).append(3.0)
    assert numbers == [1.0]


def test_the_score_is_the_mean_of_the_answers() -> None:
    assert combine([ModelReply(0.040, 90.0), ModelReply(0.050, 1.0)]) == pytest.approx(0.045)
    assert combine([ModelReply(0.041, 0.0)]) == 0.041


@given(st.lists(st.floats(min_value=0.04, max_value=0.05), min_size=1, max_size=10))
def test_the_score_lies_between_the_smallest_and_the_largest_answer(details_s: list[float]) -> None:
    score = combine([ModelReply(detail_s, 0.0) for detail_s in details_s])
    assert min(details_s) - 1e-12 <= score <= max(details_s) + 1e-12


@pytest.mark.parametrize("limit", [1, 2, 64])
def test_exactly_the_limit_is_admitted(limit: int) -> None:
    slots = InFlight(limit)
    for _ in range(limit):
        slots.__enter__()
    with pytest.raises(TooManyInFlight, match=f"^{limit} requests are in flight already"):
        slots.__enter__()
    slots.__exit__(None, None, None)
    with slots:
        pass


def test_a_slot_is_given_back_when_the_request_fails() -> None:
    slots = InFlight(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots:
            raise ZeroDivisionError
    with slots:
        pass


def test_a_refusal_takes_and_gives_back_nothing() -> None:
    slots = InFlight(1)
    with slots:
        for _ in range(3):
            with pytest.raises(TooManyInFlight), slots:
                pytest.fail("admitted over the limit")
    with slots, pytest.raises(TooManyInFlight), slots:
        pytest.fail("a refused request gave back a slot that it never had")


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Let threads give way to each other at every single instruction of the module under test."""

    def give_way(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != scoring.__file__:
            return None
        frame.f_trace_opcodes = True
        time.sleep(0)
        return give_way

    threading.settrace(give_way)
    yield
    threading.settrace(None)


def test_threads_are_never_admitted_over_the_limit(restless_threads: None) -> None:
    limit, threads, rounds = 3, 8, 100
    slots = InFlight(limit)
    inside: list[None] = []
    most: list[int] = []
    start = threading.Barrier(threads)

    def work() -> None:
        start.wait()
        for _ in range(rounds):
            with contextlib.suppress(TooManyInFlight), slots:
                inside.append(None)
                most.append(len(inside))
                time.sleep(0)
                inside.pop()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert max(most) <= limit
    for _ in range(limit):  # and every slot came back
        slots.__enter__()
    with pytest.raises(TooManyInFlight):
        slots.__enter__()


def test_a_full_house_of_threads_is_admitted() -> None:
    limit = 8
    slots = InFlight(limit)
    all_inside = threading.Barrier(limit + 1, timeout=30)
    leave = threading.Event()

    def stay() -> None:
        with slots:
            all_inside.wait()
            leave.wait(30)

    guests = [threading.Thread(target=stay) for _ in range(limit)]
    for guest in guests:
        guest.start()
    all_inside.wait()  # breaks if one of them was refused
    with pytest.raises(TooManyInFlight):
        slots.__enter__()
    leave.set()
    for guest in guests:
        guest.join()
