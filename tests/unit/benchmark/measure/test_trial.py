"""What the harness does with what the load generator says."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmark.errors import StackError
from benchmark.load import parity
from benchmark.load.plan import Arrivals, Pause
from benchmark.measure.levels import Levels, _follow, generator_role, share_of
from benchmark.measure.trial import ParityError, check_parity_of
from benchmark.record.run import TrialRecord, Window, samples_suffix
from tests.unit.benchmark.synthetic import make_contender


def saying(done: list[str], *events: dict[str, Any]) -> Iterator[bytes]:
    """Say one event after the other, as a generator does, and write down when."""
    for event in events:
        done.append(f"says {event['event']}")
        yield json.dumps(event).encode()


def test_cpu_is_sampled_when_a_window_has_ended_and_at_no_other_word() -> None:
    done: list[str] = []
    cell = TrialRecord(block=0, contender="a", seed=1)
    stack = SimpleNamespace(check_alive=lambda: None)
    trial = SimpleNamespace(cell=cell, stack=stack, phase=done.append)
    words = saying(
        done,
        {"event": "tick", "users": 2},
        {"event": "window", "users": 2, "start_ns": 10, "end_ns": 20},
        {"event": "tick", "users": 4},
        {"event": "window", "users": 4, "start_ns": 30, "end_ns": 40},
    )
    generator = SimpleNamespace(stdout=words, wait=lambda: None)
    _follow(cast(Any, generator), cast(Any, trial), lambda: done.append("sample"))
    assert cell.windows == [Window(2, 10, 20), Window(4, 30, 40)]
    assert done == [
        *("says tick", "2 users"),
        *("says window", "sample", "2 users"),
        *("says tick", "4 users"),
        *("says window", "sample", "4 users"),
    ]


def test_a_generator_that_waits_goes_on_when_all_has_been_dealt_with() -> None:
    done: list[str] = []
    stack = SimpleNamespace(check_alive=lambda: done.append("alive"))
    trial = SimpleNamespace(cell=TrialRecord(block=0, contender="a", seed=1), stack=stack, phase=done.append)
    words = saying(done, {"event": "measuring", "users": 2}, {"event": "waiting"}, {"event": "tick"})
    stdin = SimpleNamespace(write=lambda line: done.append(line.decode()), flush=lambda: None)
    generator = SimpleNamespace(stdout=words, stdin=stdin, wait=lambda: None)
    _follow(cast(Any, generator), cast(Any, trial), lambda: None, lambda _, event: done.append(f"hears {event}"))
    assert done == [
        *("says measuring", "2 users", "hears measuring", "alive"),
        *("says waiting", "hears waiting", "alive", "go\n"),
        *("says tick", "hears tick", "alive"),
    ]


def test_a_generator_that_died_while_it_waited_is_no_error_of_its_own() -> None:
    def broken(_: bytes) -> None:
        raise BrokenPipeError

    stack = SimpleNamespace(check_alive=lambda: None)
    trial = SimpleNamespace(cell=TrialRecord(block=0, contender="a", seed=1), stack=stack, phase=lambda _: None)
    stdin = SimpleNamespace(write=broken, flush=lambda: None)
    waited: list[str] = []
    words = saying([], {"event": "waiting"})
    generator = SimpleNamespace(stdout=words, stdin=stdin, wait=lambda: waited.append("wait"))
    _follow(cast(Any, generator), cast(Any, trial), lambda: None)
    assert waited == ["wait"]


CASES = tuple(parity.Case(f"case {number}") for number in range(5))


def check_parity(monkeypatch: pytest.MonkeyPatch, error: Exception, check_alive: Callable[[], None]) -> list[str]:
    """Check a contender that answers every case with an error; return what was asked."""
    asked: list[str] = []

    def ask(base_url: str, endpoint: str, case: parity.Case) -> parity.ParityResponse:
        asked.append(case.name)
        raise error

    monkeypatch.setattr(parity, "ask", ask)
    monkeypatch.setattr(parity, "cases", lambda entities, max_body_bytes: list(CASES))
    stack = SimpleNamespace(base_url="http://127.0.0.1:1", check_alive=check_alive, contender=make_contender("a"))
    with pytest.raises(ParityError, match="case 0: no answer"):
        check_parity_of(cast(Any, stack))
    return asked


def test_a_case_without_an_answer_is_a_difference_and_three_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OSError("no answer (status 0): ConnectionResetError: reset")
    assert check_parity(monkeypatch, error, lambda: None) == ["case 0", "case 1", "case 2"]


def test_a_contender_that_died_of_a_case_is_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead() -> None:
        raise StackError("scoring has died")

    with pytest.raises(StackError, match="has died"):
        check_parity(monkeypatch, OSError("no answer (status 0): ConnectionRefusedError: refused"), dead)


def test_several_generators_share_the_rate_of_arrivals_each_with_times_of_its_own() -> None:
    load = Arrivals(90.0, 2.0, seed=5, later=((1.0, 900.0),))
    shares = [share_of(load, number, 3) for number in range(3)]
    assert all(isinstance(each, Arrivals) and each.rate_rps == 30 and each.later == ((1.0, 300.0),) for each in shares)
    assert len({each.seed for each in shares if isinstance(each, Arrivals)}) == 3
    assert share_of(load, 0, 1) is load
    assert share_of(Pause(1.0), 1, 3) == Pause(1.0)


def test_one_generator_is_called_as_ever_and_each_further_one_by_its_number() -> None:
    assert [(generator_role(number), samples_suffix(number)) for number in range(2)] == [
        ("load", ".csv"),
        ("load-2", ".2.csv"),
    ]
    assert Levels(()).generators == 1
