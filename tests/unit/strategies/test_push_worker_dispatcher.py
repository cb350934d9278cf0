"""The dispatcher without a broker: when a message is tried again, when it is given up, and that none is lost."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from strategies.push_worker.database import Message
from strategies.push_worker.dispatcher import Dispatcher, DispatcherSettings, Outcome, Pushed
from strategies.push_worker.envelope import unwrap
from strategies.push_worker.stream import Entry, Failed, Settled

PATIENCE_S = 20.0
DONE = Pushed(Outcome.ACKNOWLEDGED, "answered 204")
FAILED = Pushed(Outcome.FAILED, "answered 502")
AWAY = Pushed(Outcome.UNREACHED)


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check; what hangs fails the test."""
    asyncio.run(asyncio.wait_for(check, PATIENCE_S))


class OnPaper:
    """A subscription without a broker: what there is to take, and what was settled."""

    def __init__(self, *names: str, taken: Sequence[str] = (), failed: dict[str, Failed] | None = None) -> None:
        self.stream = "push:messages"
        self._new = [entry(name) for name in names]
        self._taken, self._failed = [entry(name) for name in taken], failed or {}
        self.settled: list[Settled] = []
        self.away = 0  # how often the broker does not answer

    async def open(self) -> None:
        await self._answer()

    async def take(self, count: int, wait_ms: int) -> list[Entry]:
        await self._answer()
        found, self._new = self._new[:count], self._new[count:]
        return found

    async def taken(self) -> list[Entry]:
        return self._taken

    async def take_over(self, idle_s: float) -> list[Entry]:
        return []

    async def failed(self) -> dict[str, Failed]:
        return self._failed

    async def settle(self, settled: Settled) -> None:
        await self._answer()
        self.settled.append(settled)

    async def _answer(self) -> None:
        await asyncio.sleep(0.001)
        if self.away:
            self.away -= 1
            raise ConnectionError("away")

    @property
    def acknowledged(self) -> list[str]:
        return [name for each in self.settled for name in each.acknowledged]

    @property
    def dead(self) -> list[tuple[str, str]]:
        return [(entry.id, reason) for each in self.settled for entry, reason in each.dead]

    def counted(self, name: str) -> float:
        return sum(each.counts.get(name, 0) for each in self.settled)


def entry(name: str) -> Entry:
    return Entry(name, Message(name, f"key-{name}", b"[1]"), {"key": f"key-{name}"})


class Clock:
    """Calls what is due later only when it is told to."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []
        self._calls: list[Callable[[], None]] = []

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.delays_s.append(delay_s)
        self._calls.append(call)

    def ring(self) -> bool:
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        return bool(calls)


class Endpoint:
    """Answers pushes with these, in turn, and then with the last; remembers which attempts it saw."""

    def __init__(self, *answers: Pushed) -> None:
        self._answers = list(answers)
        self.seen: list[tuple[str, int]] = []

    async def __call__(self, body: bytes) -> Pushed:
        found = unwrap(body)
        self.seen.append((found.message.id, found.attempt))
        await asyncio.sleep(0)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


SETTINGS = DispatcherSettings(min_backoff_s=0.1, max_backoff_s=0.8, consumer="test")


async def dispatched(
    subscription: OnPaper,
    push: Callable[[bytes], Coroutine[Any, Any, Pushed]],
    until: Callable[[], object],
    clock: Clock | None = None,
    attempts: int | None = 5,
    in_flight: int = 2,
) -> None:
    """Run a dispatcher until a condition holds. The clock runs on as soon as nothing else happens."""
    clock, stopping = clock or Clock(), asyncio.Event()
    dispatcher = Dispatcher(subscription, push, SETTINGS, attempts, in_flight, clock.later)  # type: ignore[arg-type]
    running = asyncio.create_task(dispatcher.run(stopping))
    while not until():
        await asyncio.sleep(0.005)
        clock.ring()
        assert not running.done(), running
    stopping.set()
    await running


def test_a_message_that_fails_is_tried_five_times_with_pauses_that_double_and_is_then_a_dead_letter_once() -> None:
    async def check() -> None:
        broker, clock, endpoint = OnPaper("1-0"), Clock(), Endpoint(FAILED)
        await dispatched(broker, endpoint, lambda: broker.dead, clock)
        assert endpoint.seen == [("1-0", attempt) for attempt in (1, 2, 3, 4, 5)]
        assert clock.delays_s == [0.1, 0.2, 0.4, 0.8]
        assert broker.dead == [("1-0", "5 attempts, the last one answered 502")]
        assert broker.acknowledged == []
        assert (broker.counted("attempts"), broker.counted("redelivered")) == (5, 4)

    run(check())


def test_a_message_that_fails_delays_no_other() -> None:
    async def push(body: bytes) -> Pushed:
        await asyncio.sleep(0)
        return FAILED if unwrap(body).message.id == "1-0" else DONE

    async def check() -> None:
        others = [f"{number}-0" for number in range(2, 42)]
        broker, clock = OnPaper("1-0", *others), Clock()
        await dispatched(broker, push, lambda: broker.dead and len(broker.acknowledged) == len(others), clock)
        assert sorted(broker.acknowledged) == sorted(others)
        assert broker.counted("attempts") == len(others) + 5

    run(check())


def test_a_failure_is_noted_with_the_time_at_which_the_message_is_due_again() -> None:
    async def check() -> None:
        broker = OnPaper("1-0")
        await dispatched(broker, Endpoint(FAILED, DONE), lambda: broker.acknowledged)
        noted = [each.failed["1-0"] for each in broker.settled if each.failed]
        assert [each.failures for each in noted] == [1]
        assert noted[0].due_s > 1.7e9

    run(check())


def test_while_nobody_listens_a_message_waits_and_none_of_its_attempts_is_used_up() -> None:
    async def check() -> None:
        broker, clock = OnPaper("1-0"), Clock()
        endpoint = Endpoint(*[AWAY] * 6, DONE)
        await dispatched(broker, endpoint, lambda: broker.acknowledged, clock)
        assert {attempt for _, attempt in endpoint.seen} == {1}
        assert len(endpoint.seen) == 7
        assert clock.delays_s == []
        assert broker.counted("attempts") == 1

    run(check())


def test_no_more_messages_are_under_way_than_are_allowed() -> None:
    under_way, most = 0, 0

    async def push(body: bytes) -> Pushed:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.002)
        under_way -= 1
        return DONE

    async def check() -> None:
        names = [f"{number}-0" for number in range(50)]
        broker = OnPaper(*names)
        await dispatched(broker, push, lambda: len(broker.acknowledged) == 50, in_flight=3)
        assert most == 3

    run(check())


def test_a_dispatcher_that_starts_goes_on_with_what_was_taken_and_with_the_attempts_that_it_had() -> None:
    async def check() -> None:
        failed = {"2-0": Failed(4, 0.0), "3-0": Failed(1, 9e9)}
        broker, clock, endpoint = OnPaper(taken=("1-0", "2-0", "3-0"), failed=failed), Clock(), Endpoint(FAILED)
        await dispatched(broker, endpoint, lambda: {name for name, _ in broker.dead} == {"1-0", "2-0", "3-0"}, clock)
        assert [attempt for name, attempt in endpoint.seen if name == "2-0"] == [5]
        assert [attempt for name, attempt in endpoint.seen if name == "3-0"] == [2, 3, 4, 5]
        assert max(clock.delays_s) > 1e9  # it is not tried before its time

    run(check())


def test_while_the_broker_is_away_nothing_is_lost_and_nothing_is_pushed_twice() -> None:
    async def check() -> None:
        broker, endpoint = OnPaper("1-0", "2-0", "3-0"), Endpoint(DONE)
        broker.away = 4
        await dispatched(broker, endpoint, lambda: len(broker.acknowledged) == 3)
        assert sorted(broker.acknowledged) == ["1-0", "2-0", "3-0"]
        assert len(endpoint.seen) == 3

    run(check())


def test_a_dead_letter_is_tried_for_as_long_as_it_takes_with_pauses_that_do_not_grow_for_ever() -> None:
    async def check() -> None:
        broker, clock, endpoint = OnPaper("1-0"), Clock(), Endpoint(*[FAILED] * 80, DONE)
        await dispatched(broker, endpoint, lambda: broker.acknowledged, clock, attempts=None)
        assert len(endpoint.seen) == 81
        assert clock.delays_s[:5] == [0.1, 0.2, 0.4, 0.8, 0.8]
        assert max(clock.delays_s) == 0.8

    run(check())


def test_a_dispatcher_that_is_told_to_stop_finishes_what_is_under_way() -> None:
    async def check() -> None:
        broker, stopping, begun = OnPaper("1-0"), asyncio.Event(), asyncio.Event()

        async def push(body: bytes) -> Pushed:
            begun.set()
            await asyncio.sleep(0.05)
            return DONE

        dispatcher = Dispatcher(broker, push, SETTINGS, 5, 2)  # type: ignore[arg-type]
        running = asyncio.create_task(dispatcher.run(stopping))
        await begun.wait()
        stopping.set()
        await running
        assert broker.acknowledged == ["1-0"]

    run(check())


def test_a_dispatcher_ends_even_if_its_client_swallows_that_it_was_cancelled() -> None:
    class Swallowing(OnPaper):
        async def take(self, count: int, wait_ms: int) -> list[Entry]:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE_S)
            return []

    async def check() -> None:
        stopping = asyncio.Event()
        dispatcher = Dispatcher(Swallowing(), Endpoint(DONE), SETTINGS, 5, 2)  # type: ignore[arg-type]
        running = asyncio.create_task(dispatcher.run(stopping))
        await asyncio.sleep(0.02)
        stopping.set()
        await asyncio.wait_for(running, PATIENCE_S / 2)

    run(check())


def test_no_more_messages_are_taken_than_can_be_pushed_at_once() -> None:
    class Counting(OnPaper):
        most = 0

        async def take(self, count: int, wait_ms: int) -> list[Entry]:
            self.most = max(self.most, count)
            return await super().take(count, wait_ms)

    async def check() -> None:
        broker = Counting(*[f"{number}-0" for number in range(20)])
        await dispatched(broker, Endpoint(DONE), lambda: len(broker.acknowledged) == 20, in_flight=3)
        assert broker.most == 3

    run(check())


def test_a_message_that_succeeds_before_its_failure_was_noted_is_not_noted_as_failed() -> None:
    class Slow(OnPaper):
        async def settle(self, settled: Settled) -> None:
            while len(endpoint.seen) < 3:  # the first of them is written when all has happened
                await asyncio.sleep(0.001)
            await super().settle(settled)

    async def answer(body: bytes) -> Pushed:
        pushed = await endpoint(body)
        return DONE if unwrap(body).message.id == "1-0" else pushed

    endpoint = Endpoint(DONE, FAILED, DONE)

    async def check() -> None:
        broker = Slow("1-0", "2-0")
        await dispatched(broker, answer, lambda: len(broker.acknowledged) == 2, in_flight=1)
        assert [name for name, _ in endpoint.seen] == ["1-0", "2-0", "2-0"]
        assert [each.failed for each in broker.settled] == [{}] * len(broker.settled)

    run(check())


def test_a_message_that_is_acknowledged_while_one_looks_for_lost_ones_is_not_lost() -> None:
    class Late(OnPaper):
        looks, goes_on = 0, False

        async def taken(self) -> list[Entry]:
            self.looks += 1
            if self.looks == 1:
                return []
            while "1-0" not in self.acknowledged:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            return [entry("1-0")]

        async def take(self, count: int, wait_ms: int) -> list[Entry]:
            self.goes_on = self.looks > 1
            found = await super().take(count, wait_ms)
            if not found and self.looks == 1:
                raise ConnectionError("away")
            return found

    async def check() -> None:
        broker, endpoint = Late("1-0"), Endpoint(DONE)

        async def push(body: bytes) -> Pushed:
            while broker.looks < 2:
                await asyncio.sleep(0.001)
            return await endpoint(body)

        await dispatched(broker, push, lambda: broker.goes_on)
        assert len(endpoint.seen) == 1
        assert broker.counted("redelivered") == 0

    run(check())


def test_attempts_and_pauses_are_those_of_pub_sub_if_nothing_else_is_said() -> None:
    settings = DispatcherSettings(consumer="test")
    assert settings.attempts == 5
    assert [settings.backoff_s(failures) for failures in (1, 2, 3, 7, 1000)] == [10, 20, 40, 600, 600]


def test_a_message_is_taken_from_another_dispatcher_only_after_more_time_than_that_can_need() -> None:
    settings = DispatcherSettings(deadline_s=2, min_backoff_s=1, max_backoff_s=8, consumer="test")
    assert settings.take_over_s > 2 + 8


def test_pauses_that_shrink_are_refused() -> None:
    with pytest.raises(ValueError, match="below min_backoff_s"):
        DispatcherSettings(min_backoff_s=2, max_backoff_s=1, consumer="test")
