"""A watch from its beginning to its end: asks, writes, alerts, and shows the state in one line."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.text import Text

from benchmark.errors import RecordError
from benchmark.monitor.alerts import Webhook, message, sentence
from benchmark.monitor.health import Change, Health, Kind, Probe
from benchmark.monitor.probing import Prober, Schedule
from benchmark.monitor.record import ProbeWriter, Watch
from benchmark.monitor.targets import Target

_MOST_BYTES: Final = 65_536  # of an answer that are read
_FLUSH_S: Final = 5.0  # that alerts get to be delivered at the end
_COLOURS: Final = {"well": "green", "stalled": "yellow", "down": "bold red"}
_REDRAWN_EVERY_S: Final = 0.25


class Watcher:
    """What is known of the services while they are watched."""

    def __init__(self, watch: Watch, writer: ProbeWriter, say: Callable[[str], None]) -> None:
        self.webhook: Webhook | None = None
        self.failure: RecordError | None = None
        self._watch, self._writer, self._say = watch, writer, say
        self._health = {name: Health(name) for name in watch.services}
        self._last: dict[str, Probe] = {}
        self._overdue: set[tuple[str, int]] = set()

    def saw(self, probe: Probe) -> None:
        """Take in a probe that has ended. A disk that is full is said once, and does not end the watch."""
        if not self.failure:
            try:
                self._writer.append(probe)
            except RecordError as error:
                self.failure = error
                self._say(f"{error}. Watching and alerts go on")
        self._last[probe.service] = probe
        known = (probe.service, probe.scheduled_ns)
        if known in self._overdue:
            self._overdue.discard(known)
        else:
            self._judge(probe, probe.kind(self._watch.stall_s * 1e3))

    def overdue(self, probe: Probe) -> None:
        """Take in that a service has not answered in time; its probe goes on."""
        self._overdue.add((probe.service, probe.scheduled_ns))
        self._judge(probe, "slow")

    def line(self) -> Text:
        """Return the state of all services in one line."""
        parts = []
        for name, health in self._health.items():
            last = self._last.get(name)
            said = health.why if health.state != "well" else f"{last.waited_ms:.1f} ms" if last else "not asked yet"
            parts.append(Text.assemble(f"{name} ", (health.state, _COLOURS[health.state]), f" {said}"))
        return Text("  ").join(parts)

    def _judge(self, probe: Probe, kind: Kind) -> None:
        ended_ns = probe.start_ns + int(probe.ms * 1e6)
        changed = self._health[probe.service].see(kind, probe.scheduled_ns, ended_ns, probe.said)
        if changed:
            self._tell(changed)

    def _tell(self, changed: Change) -> None:
        if self.webhook:
            self.webhook.tell(message(changed, self._watch))
        self._say(sentence(changed, self._watch))


def carry_out(
    targets: Sequence[Target], watch: Watch, folder: Path, console: Console, seconds: float | None, webhook: str
) -> None:
    """Watch until it is time or a signal comes, which is the usual end. Raises RecordError if a row was not written."""
    writer = ProbeWriter(folder, watch)
    watcher = Watcher(watch, writer, _say_on(console))
    try:
        asyncio.run(_watch(watcher, targets, watch, console, seconds, webhook))
    finally:
        writer.close()
    if watcher.failure:
        raise watcher.failure


def _say_on(console: Console) -> Callable[[str], None]:
    """Return what says something on a console; watching goes on if nobody reads it any more."""

    def say(text: str) -> None:
        with contextlib.suppress(OSError, SystemExit):  # the latter is how Rich ends a program that nobody reads
            console.print(text, soft_wrap=True, markup=False)

    return say


async def _watch(
    watcher: Watcher, targets: Sequence[Target], watch: Watch, console: Console, seconds: float | None, webhook: str
) -> None:
    stop = _stopped_by_signals()
    async with _session() as session:

        async def ask(url: str) -> int:
            async with session.get(url, allow_redirects=False) as answer:
                await answer.content.read(_MOST_BYTES)
                return answer.status

        async def post(url: str, document: dict[str, Any]) -> int:
            async with session.post(url, json=document, allow_redirects=False) as answer:
                return answer.status

        if webhook:
            watcher.webhook = Webhook(webhook, post, _say_on(console))
        schedule = Schedule(watch.every_s, watch.timeout_s, watch.stall_s)
        prober = Prober(targets, schedule, ask, watcher.saw, watcher.overdue)
        showing = asyncio.create_task(_show(watcher, console))
        try:
            await prober.run(stop, seconds)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
            if watcher.webhook:
                await watcher.webhook.close(_FLUSH_S)


def _session() -> aiohttp.ClientSession:
    """Return a client that opens a connection for each question, as somebody new would. Called within the loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "sync-or-async-monitor"},
    )


def _stopped_by_signals() -> asyncio.Event:
    """Return an event that Ctrl-C, SIGTERM and SIGHUP set; one that is ignored, as under nohup, stays ignored."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _show(watcher: Watcher, console: Console) -> None:
    """Keep one line up to date, where a person looks at it."""
    if not console.is_terminal:
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(watcher.line(), refresh=True)
            await asyncio.sleep(_REDRAWN_EVERY_S)
