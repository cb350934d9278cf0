"""Questions come on a fixed schedule, however late the answers are, and however late the monitor itself."""

import asyncio
import time
from collections.abc import Callable

import pytest

from benchmark.monitor.health import Probe
from benchmark.monitor.probing import Ask, Prober, Schedule
from benchmark.monitor.targets import Target

TARGETS = [Target("a", "http://a/"), Target("b", "http://b/")]
MS_NS = 1_000_000


class Watched:
    """Runs a prober, and collects what it says."""

    def __init__(self, ask: Ask, schedule: Schedule, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.ended: list[Probe] = []
        self.overdue: list[Probe] = []
        self._ask, self._schedule, self._clock_ns = ask, schedule, clock_ns

    def run(self, seconds: float | None, stop_when: Callable[["Watched"], bool] | None = None) -> "Watched":
        async def watch() -> None:
            stop = asyncio.Event()
            prober = Prober(TARGETS, self._schedule, self._ask, self.ended.append, self.overdue.append, self._clock_ns)
            running = asyncio.create_task(prober.run(stop, seconds))
            while stop_when and not stop_when(self):
                await asyncio.sleep(0.005)
            if stop_when:
                stop.set()
            await running

        asyncio.run(watch())
        return self


async def well(url: str) -> int:
    return 200


async def refused(url: str) -> int:
    raise OSError(111, "Connect call failed")


async def silent(url: str) -> int:
    await asyncio.sleep(3600)
    return 200


def test_every_service_is_asked_at_the_same_beats() -> None:
    watched = Watched(well, Schedule(0.02, 5, 5)).run(0.2)
    beats = {name: [each.scheduled_ns for each in watched.ended if each.service == name] for name in "ab"}
    assert sorted(beats["a"]) == sorted(beats["b"])
    assert {(later - earlier) % (20 * MS_NS) for earlier, later in zip(beats["a"], beats["a"][1:], strict=False)} == {0}
    assert {each.status for each in watched.ended} == {200}


def test_answers_that_do_not_come_delay_no_later_question() -> None:
    watched = Watched(silent, Schedule(0.02, 0.5, 0.1)).run(None, lambda watched: len(watched.overdue) >= 6)
    assert watched.ended == []  # not one had ended when the third was overdue
    assert len({each.scheduled_ns for each in watched.overdue}) >= 3
    assert {each.error for each in watched.overdue} == {"no answer within 0.1 s"}


def test_what_is_asked_at_the_end_may_still_be_answered_or_run_out_of_time() -> None:
    watched = Watched(silent, Schedule(0.05, 0.1, 0.05)).run(0.1)
    assert len(watched.ended) in (2, 4)  # one beat may be slept over
    assert {each.error for each in watched.ended} == {"no answer within 0.1 s"}
    assert all(each.status == 0 and each.waited_ms >= 100 for each in watched.ended)


def test_being_told_to_stop_ends_at_once_what_is_being_asked() -> None:
    watched = Watched(silent, Schedule(0.02, 3000, 2000)).run(None, lambda _: True)
    assert watched.ended == []


def test_why_there_was_no_answer_is_said_in_one_line() -> None:
    async def broken(url: str) -> int:
        raise ValueError("two\nlines " + "x" * 500)

    assert (
        Watched(refused, Schedule(0.05, 5, 5))
        .run(0.04)
        .ended[0]
        .error.startswith("ConnectionRefusedError: [Errno 111]")
    )
    error = Watched(broken, Schedule(0.05, 5, 5)).run(0.04).ended[0].error
    assert error.startswith("ValueError: two lines xxx")
    assert len(error) == 200


class Stopping:
    """A clock of a machine that stands still, once, for five seconds: it jumps when `stop` is called."""

    def __init__(self) -> None:
        self.jump_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.jump_ns

    def stop(self) -> None:
        self.jump_ns = 5_000 * MS_NS


@pytest.mark.parametrize("late_answer", [False, True])
def test_a_machine_that_stood_still_makes_no_service_look_stalled(late_answer: bool) -> None:
    clock = Stopping()

    async def ask(url: str) -> int:
        await asyncio.sleep(0.03)
        clock.stop()
        await asyncio.sleep(0.05 if late_answer else 0)
        return 200

    schedule = Schedule(0.2, 4, 2)
    watched = Watched(ask, schedule, clock).run(None, lambda watched: len(watched.ended) >= 2)
    assert [each.status for each in watched.ended][:2] == [200, 200]
    assert watched.overdue == []
    assert all(each.kind(2000) == "good" for each in watched.ended), watched.ended
