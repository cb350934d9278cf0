"""What work waits for in a simulation: processes that do one piece at a time, and the cores that they share."""

import random
from collections.abc import Generator

import simpy

Event = Generator[simpy.Event, object, None]


class Cores:
    """The cores of a machine, each with a queue of its own.

    As operating systems have them: who becomes ready gets a core that is idle, at best the one it had last.
    If none is, it waits for the last one, and is not fetched by another that becomes idle first: what ran a
    moment ago counts as hot in its cache there (Lozi et al., The Linux scheduler: a decade of wasted cores,
    EuroSys 2016, on how cores come to be idle while there is work).
    """

    def __init__(self, env: simpy.Environment, number: int, draw: random.Random) -> None:
        self._cores = [simpy.Resource(env) for _ in range(number)]
        self._draw = draw

    def choose(self, last: simpy.Resource | None) -> simpy.Resource:
        """Return the core on which to run, or for which to wait."""
        idle = self._idle()
        if last in idle or (last and not idle):
            return last
        return idle[0] if idle else self._cores[0]

    def wake(self, waker: simpy.Resource) -> simpy.Resource:
        """Return the core of a thread that is woken by another, which still runs on the core `waker`.

        Any core may have been its last. With none idle it waits for that or for the waker's, whichever has less to
        do (Linux, kernel/sched/fair.c, wake_affine): so it can wait for one core while the waker's becomes idle.
        """
        last, idle = self._draw.choice(self._cores), self._idle()
        if idle:
            return last if last in idle else idle[0]
        return min((waker, last), key=lambda core: (len(core.queue), self._draw.random()))

    def _idle(self) -> list[simpy.Resource]:
        return [core for core in self._cores if not core.count]


class Station:
    """A group of processes with one queue: each does one piece at a time, and only while it has a core."""

    def __init__(
        self,
        env: simpy.Environment,
        cores: Cores,
        processes: int = 1,
        slice_ms: float = 0.0,
        steps: int = 1,
    ) -> None:
        """With a `slice_ms` it has threads: each turn belongs to another one, woken by the one before."""
        self._env, self._cores = env, cores
        self._threads = slice_ms > 0
        self._slice_ms, self._steps = slice_ms or float("inf"), steps
        self._server = simpy.Resource(env, processes)
        self._processes = processes
        self._lasts: list[simpy.Resource | None] = [None] * processes  # the core of each that has nothing to do
        self._woken: list[simpy.Resource] = []  # the core of each whose next thread has been woken
        self.busy_ms = 0.0

    @property
    def backlog(self) -> float:
        """Pieces waiting for each process."""
        return len(self._server.queue) / self._processes

    def work(self, cpu_ms: float) -> Event:
        step_ms = cpu_ms / self._steps
        while cpu_ms > 1e-9:
            part_ms = min(cpu_ms, step_ms, self._slice_ms)
            with self._server.request() as turn:
                yield turn
                core = self._woken.pop(0) if self._woken else self._cores.choose(self._lasts.pop())
                with core.request() as granted:
                    yield granted
                    yield self._env.timeout(part_ms)
                    if self._threads and self._server.queue:
                        self._woken.append(self._cores.wake(core))
                    else:
                        self._lasts.append(core)
            self.busy_ms += part_ms
            cpu_ms -= part_ms
