"""Tells a webhook when a service goes down, stalls, or is well again. That this fails changes nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from benchmark.monitor.health import Change
from benchmark.monitor.record import Watch

Post = Callable[[str, dict[str, Any]], Awaitable[int]]  # posts JSON to a URL and returns the status
_RETRIES_AFTER_S: Final = (0.5, 1.0, 2.0)
_POST_TIMEOUT_S: Final = 5.0


def message(change: Change, watch: Watch) -> dict[str, Any]:
    """Return what a webhook is told; `text` is what chat rooms show."""
    told: dict[str, Any] = {
        "text": sentence(change, watch),
        "service": change.service,
        "url": watch.services[change.service],
        "state": change.state,
        "since": watch.utc(change.since_ns).isoformat(timespec="milliseconds"),
        "noticed": watch.utc(change.noticed_ns).isoformat(timespec="milliseconds"),
        "why": change.why,
    }
    return {**told, "lasted_s": round(change.lasted_ns / 1e9, 3)} if change.state == "well" else told


def sentence(change: Change, watch: Watch) -> str:
    """Return a change as a person reads it."""
    at = watch.time_of_day(change.since_ns)
    if change.state == "well":
        return f"{change.service} is well again since {at} UTC, after {change.lasted_ns / 1e9:.1f} s"
    state = "is down" if change.state == "down" else "stalls"
    return f"{change.service} {state} since {at} UTC: {change.why}"


class Webhook:
    """Delivers messages in order, each tried once and then three times more; says which could not be delivered."""

    def __init__(
        self,
        url: str,
        post: Post,
        say: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url, self._post, self._say, self._sleep = url, post, say, sleep
        self._waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._delivering = asyncio.create_task(self._deliver())

    def tell(self, told: dict[str, Any]) -> None:
        self._waiting.put_nowait(told)

    async def close(self, within_s: float) -> None:
        """Give what waits so long to be delivered."""
        waiting = asyncio.create_task(self._waiting.join())
        done, _ = await asyncio.wait({waiting}, timeout=within_s)
        if not done:
            self._say(f"not all alerts could be delivered to {self._where} before the end")
        for task in (waiting, self._delivering):
            task.cancel()
        await asyncio.gather(waiting, self._delivering, return_exceptions=True)

    @property
    def _where(self) -> str:
        """The host alone: the path of a webhook is often its password."""
        return f"the webhook at {urlsplit(self._url).hostname}"

    async def _deliver(self) -> None:
        while True:
            told = await self._waiting.get()
            failure = await self._try(told)
            for pause_s in _RETRIES_AFTER_S if failure else ():
                await self._sleep(pause_s)
                failure = await self._try(told)
                if not failure:
                    break
            if failure:
                self._say(f"{self._where} was not told that {told['service']} is {told['state']}: {failure}")
            self._waiting.task_done()

    async def _try(self, told: dict[str, Any]) -> str:
        """Post once; return why it failed, or nothing."""
        try:
            status = await asyncio.wait_for(self._post(self._url, told), _POST_TIMEOUT_S)
        except Exception as error:  # whatever it is, watching goes on
            late = isinstance(error, TimeoutError)
            # Without the error's text, which may hold the URL.
            return f"no answer within {_POST_TIMEOUT_S:g} s" if late else type(error).__name__
        return "" if 200 <= status < 300 else f"status {status}"
