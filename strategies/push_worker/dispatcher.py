"""Pushes messages to a worker: `python -m strategies.push_worker.dispatcher`, until SIGTERM.

A message is delivered as a POST. The status of the answer acknowledges it, or has it delivered again after a pause
that doubles with every failure. After the last attempt it moves to the dead letters, which are pushed to the worker,
too, for as long as it takes. Killed at any moment, the dispatcher loses nothing: what it had taken is pending in Redis.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import aiohttp
import redis.asyncio as redis
import uvloop
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contract.schema import JSON_CONTENT_TYPE
from strategies.push_worker.envelope import ACKNOWLEDGED, DEAD_PATH, PUSH_PATH, wrap
from strategies.push_worker.stream import DEAD, MESSAGES, Entry, Failed, Settled, Subscription, connect

logger = logging.getLogger("push_worker.dispatcher")

_WAIT_MS: Final = 1000  # for which a read waits for a message
_PAUSES_S: Final = (0.05, 1.0)  # while the worker or Redis is away: at first, and at most
_GRACE_S: Final = 2.0  # for what is under way when the dispatcher is to end
_MARGIN_S: Final = 5.0
_HEADERS: Final = {"Content-Type": JSON_CONTENT_TYPE, "Accept-Encoding": "identity"}


class DispatcherSettings(BaseSettings):
    """How messages are pushed. Read from the environment as PUSH_<NAME>; attempts and pauses are those of Pub/Sub."""

    model_config = SettingsConfigDict(env_prefix="PUSH_", frozen=True)

    redis_url: str = "redis://127.0.0.1:6379/0"
    worker_url: str = "http://127.0.0.1:8000"
    in_flight: int = Field(8, ge=1)  # pushes at the same time
    deadline_s: float = Field(10.0, gt=0)  # within which a push must be answered
    min_backoff_s: float = Field(10.0, gt=0)  # before the second attempt; it doubles after each
    max_backoff_s: float = Field(600.0, gt=0)
    attempts: int = Field(5, ge=1)
    most_waiting: int = Field(1000, ge=1)  # messages that wait to be tried again before no more are taken
    consumer: str = Field(default_factory=socket.gethostname, min_length=1)  # of this dispatcher alone

    @model_validator(mode="after")
    def _check(self) -> "DispatcherSettings":
        if self.max_backoff_s < self.min_backoff_s:
            raise ValueError(f"max_backoff_s is {self.max_backoff_s:g}, below min_backoff_s {self.min_backoff_s:g}")
        return self

    def backoff_s(self, failures: int) -> float:
        """Return the pause after so many failures."""
        doublings = min(failures - 1, 64)
        return float(min(self.min_backoff_s * 2**doublings, self.max_backoff_s))

    @property
    def take_over_s(self) -> float:
        """After this time without a sign a message is taken from another dispatcher: more than it can need itself."""
        return self.deadline_s + self.max_backoff_s + _MARGIN_S


class Outcome(Enum):
    """What a push came to."""

    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    # Neither is an attempt: the message is not what is wrong.
    REFUSED = "refused"  # 503: the worker can take nothing now
    UNREACHED = "unreached"  # no connection: nobody has seen the message


class Pushed(NamedTuple):
    outcome: Outcome
    answer: str = ""  # in words


Push = Callable[[bytes], Awaitable[Pushed]]
Later = Callable[[float, Callable[[], None]], Any]


@dataclass(eq=False)
class Delivery:
    """A message that is to be pushed."""

    entry: Entry
    failures: int = 0
    failed_s: float | None = None  # clock of this process; None if it was another


class Dispatcher:
    """Pushes the messages of one subscription, so many at a time.

    Without `attempts` a message is tried until it is acknowledged. `later` calls a function after some seconds.
    """

    def __init__(
        self,
        subscription: Subscription,
        push: Push,
        settings: DispatcherSettings,
        attempts: int | None,
        in_flight: int,
        later: Later | None = None,
    ) -> None:
        self._subscription, self._push, self._settings = subscription, push, settings
        self._attempts, self._in_flight = attempts, in_flight
        self._later: Later = later or (lambda delay_s, call: asyncio.get_running_loop().call_later(delay_s, call))
        self._ready: asyncio.Queue[Delivery] = asyncio.Queue()
        self._known: set[str] = set()  # entries that are ready, under way, or wait to be tried again
        self._idle = 0  # of those that push
        self._changed = asyncio.Event()  # one has become idle, or a message has been settled
        self._settled = Settled()
        self._to_settle = asyncio.Event()
        self._is_writing = False
        # Tasks are cancelled and told, since a client that waits with asyncio.wait_for may swallow a cancellation.
        self._takes = self._goes_on = True

    async def run(self, stopping: asyncio.Event) -> None:
        """Push until told to stop; then finish what is under way, within a grace time."""
        async with asyncio.TaskGroup() as tasks:
            taking = tasks.create_task(self._take_forever())
            others = [tasks.create_task(self._push_forever()) for _ in range(self._in_flight)]
            others.append(tasks.create_task(self._settle_forever()))
            await stopping.wait()
            self._takes = False
            taking.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_S):
                    await self._until_quiet()
            self._goes_on = False
            for task in others:
                task.cancel()

    async def _until_quiet(self) -> None:
        while self._idle < self._in_flight or self._settled or self._is_writing:
            self._changed.clear()
            await self._changed.wait()

    async def _take_forever(self) -> None:
        """Take messages. While Redis is away, wait; when it is back, look first for what was taken already."""
        pause_s = 0.0
        while self._takes:
            try:
                await self._recover()
                pause_s = 0.0
                await self._take()
            except (redis.RedisError, OSError) as error:
                pause_s = _next_pause_s(pause_s)
                logger.warning("Redis is away (%s): trying again in %g s", error, pause_s)
                await asyncio.sleep(pause_s)

    async def _recover(self) -> None:
        """Go on with messages that were taken before, by this consumer or by one that has died."""
        await self._subscription.open()
        known = set(self._known)  # one that is acknowledged meanwhile is not lost
        found = await self._subscription.taken() + await self._subscription.take_over(self._settings.take_over_s)
        lost = [entry for entry in found if entry.id not in known | self._known]
        if not lost:
            return
        failed, now_s, redelivered = await self._subscription.failed(), time.time(), 0
        for entry in lost:
            failures, due_s = failed.get(entry.id, Failed(0, 0.0))
            redelivered += due_s <= now_s  # one that waits has been counted when it failed
            self._known.add(entry.id)
            self._deliver_later(Delivery(entry, failures), max(due_s - now_s, 0.0))
        self._count("redelivered", redelivered)

    async def _take(self) -> None:
        """Take messages for those who are idle, until it is time to look for what others have left."""
        until_s = time.monotonic() + self._settings.take_over_s
        while self._takes and time.monotonic() < until_s:
            count = self._idle - self._ready.qsize()
            if count <= 0 or len(self._known) >= self._settings.most_waiting + self._in_flight:
                self._changed.clear()
                await self._changed.wait()
                continue
            for entry in await self._subscription.take(count, _WAIT_MS):
                if entry.id not in self._known:
                    self._known.add(entry.id)
                    self._ready.put_nowait(Delivery(entry))

    async def _push_forever(self) -> None:
        while self._goes_on:
            self._idle += 1
            self._changed.set()
            delivery = await self._ready.get()
            self._idle -= 1
            await self._deliver(delivery)

    async def _deliver(self, delivery: Delivery) -> None:
        """Push a message and note what came of it."""
        gap_s = None if delivery.failed_s is None else time.monotonic() - delivery.failed_s
        attempt = delivery.failures + 1
        queued_ms = time.time() * 1e3 - delivery.entry.published_ms
        pushed, push_ms = await self._push_until_taken(wrap(delivery.entry, self._subscription.stream, attempt))
        self._count("attempts")
        self._count("push_ms", push_ms)
        if gap_s is not None:
            self._count(f"gaps_{delivery.failures}")
            self._count(f"gap_{delivery.failures}_ms", round(gap_s * 1e3, 3))
        elif attempt == 1:
            self._count("first_attempts")
            self._count("queued_ms", max(queued_ms, 0.0))
        self._settled.failed.pop(delivery.entry.id, None)  # not written yet, and out of date
        if pushed.outcome is Outcome.ACKNOWLEDGED:
            self._settled.acknowledged.append(delivery.entry.id)
            self._count("acknowledged")
        else:
            self._fail(delivery, attempt, pushed.answer)

    async def _push_until_taken(self, body: bytes) -> tuple[Pushed, float]:
        """Push until somebody takes it. Return the outcome, and how long that last push took, in ms.

        Meanwhile the message keeps its slot: where nothing is taken, no more are needed.
        """
        pause_s = 0.0
        while True:
            begun_s = time.monotonic()
            pushed = await self._push(body)
            if pushed.outcome in (Outcome.ACKNOWLEDGED, Outcome.FAILED) or not self._goes_on:
                return pushed, (time.monotonic() - begun_s) * 1e3
            self._count("redelivered", pushed.outcome is Outcome.REFUSED)
            pause_s = _next_pause_s(pause_s)
            await asyncio.sleep(pause_s)

    def _fail(self, delivery: Delivery, failures: int, answer: str) -> None:
        """Have a message tried again later, or give it up."""
        if self._attempts is not None and failures >= self._attempts:
            logger.warning("message %s is a dead letter: %s", delivery.entry.message.id, answer)
            self._settled.dead.append((delivery.entry, f"{failures} attempts, the last one {answer}"))
            self._to_settle.set()
            return
        delay_s = self._settings.backoff_s(failures)
        self._settled.failed[delivery.entry.id] = Failed(failures, time.time() + delay_s)
        self._count("redelivered")
        self._deliver_later(Delivery(delivery.entry, failures, time.monotonic()), delay_s)

    def _deliver_later(self, delivery: Delivery, delay_s: float) -> None:
        if delay_s:
            self._later(delay_s, lambda: self._ready.put_nowait(delivery))
        else:
            self._ready.put_nowait(delivery)

    def _count(self, name: str, by: float = 1) -> None:
        if by:
            self._settled.count(name, by)
            self._to_settle.set()

    async def _settle_forever(self) -> None:
        """Write what has become of messages: all that has come together while the last was written, at once."""
        while self._goes_on:
            await self._to_settle.wait()
            self._to_settle.clear()
            settled, self._settled, self._is_writing = self._settled, Settled(), True
            await self._settle(settled)
            self._is_writing = False
            self._known.difference_update(settled.acknowledged, (entry.id for entry, _ in settled.dead))
            self._changed.set()

    async def _settle(self, settled: Settled) -> None:
        """Write it, however long Redis is away."""
        pause_s = 0.0
        while self._goes_on:
            try:
                await self._subscription.settle(settled)
                return
            except (redis.RedisError, OSError) as error:
                pause_s = _next_pause_s(pause_s)
                logger.warning("Redis is away (%s): what was done is noted in %g s", error, pause_s)
                await asyncio.sleep(pause_s)


def _next_pause_s(pause_s: float) -> float:
    return min(max(2 * pause_s, _PAUSES_S[0]), _PAUSES_S[1])


def pusher(session: aiohttp.ClientSession, url: str) -> Push:
    """Return what sends envelopes to a URL."""

    async def push(body: bytes) -> Pushed:
        try:
            async with session.post(url, data=body, headers=_HEADERS, allow_redirects=False) as response:
                await response.read()
                return Pushed(_outcome_of(response.status), f"answered {response.status}")
        except aiohttp.ClientConnectorError:
            return Pushed(Outcome.UNREACHED, "reached nobody")
        except TimeoutError:
            return Pushed(Outcome.FAILED, "was not answered in time")
        except (aiohttp.ClientError, OSError) as error:
            return Pushed(Outcome.FAILED, f"lost its connection ({type(error).__name__})")

    return push


def _outcome_of(status: int) -> Outcome:
    if status in ACKNOWLEDGED:
        return Outcome.ACKNOWLEDGED
    return Outcome.REFUSED if status == HTTPStatus.SERVICE_UNAVAILABLE else Outcome.FAILED


async def dispatch(settings: DispatcherSettings, stopping: asyncio.Event) -> None:
    """Push messages and dead letters until told to stop."""
    client, url = connect(settings.redis_url), settings.worker_url.rstrip("/")
    timeout = aiohttp.ClientTimeout(total=settings.deadline_s)
    connector = aiohttp.TCPConnector(limit=settings.in_flight + 1)
    async with client, aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        messages = Dispatcher(
            Subscription(client, MESSAGES, settings.consumer),
            pusher(session, url + PUSH_PATH),
            settings,
            settings.attempts,
            settings.in_flight,
        )
        dead_letters = Dispatcher(
            Subscription(client, DEAD, settings.consumer, keeps=True),
            pusher(session, url + DEAD_PATH),
            settings,
            attempts=None,
            in_flight=1,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(messages.run(stopping))
            tasks.create_task(dead_letters.run(stopping))


async def _until_told() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await dispatch(DispatcherSettings(), stopping)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_told())
