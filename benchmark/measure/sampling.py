"""Samples CPU time and memory of processes while they are under load."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import psutil

from benchmark.record.columns import ResourceSample
from benchmark.stack.cgroups import Counters

INTERVAL_S = 0.1
_REDISCOVER_EVERY = 10  # samples after which new child processes are looked for


class Sampler:
    """Samples process trees or counters in a thread until it is stopped; `sink` receives every sample.

    CPU use between two moments is the difference of two samples. What a child process used that has ended in between
    is in its parent's count of its ended children.
    """

    def __init__(self, sources: Mapping[str, int | Counters], sink: Callable[[ResourceSample], None]) -> None:
        self._trees: dict[str, list[psutil.Process]] = {}
        self._roots = {role: psutil.Process(source) for role, source in sources.items() if isinstance(source, int)}
        self._counters = {role: source for role, source in sources.items() if not isinstance(source, int)}
        self._sink = sink
        self._due = threading.Event()
        self._stopping = self._rediscover = False
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._due.set()
        self._thread.join()

    def sample_soon(self) -> None:
        """Sample now instead of at the next interval, because the load is about to change."""
        self._due.set()

    def follow(self, role: str, pid: int) -> None:
        """Sample another process in the place of a role's former one, which has ended."""
        self._roots = {**self._roots, role: psutil.Process(pid)}
        self._rediscover = True
        self._due.set()

    def _run(self) -> None:
        count = 0
        while True:
            if count % _REDISCOVER_EVERY == 0 or self._rediscover:
                self._rediscover = False
                self._trees = {role: _tree(root) for role, root in self._roots.items()}
            for sample in self._samples():
                if sample is not None:
                    self._sink(sample)
            count += 1
            self._due.wait(INTERVAL_S)
            self._due.clear()  # before the check below, so that a stop in between is not missed
            if self._stopping:
                return

    def _samples(self) -> Iterator[ResourceSample | None]:
        for role, tree in self._trees.items():
            yield _sample(role, tree)
        for role, counters in self._counters.items():
            yield _count(role, counters)


def _count(role: str, counters: Counters) -> ResourceSample | None:
    """Return one sample of a counter, or None if what it counts has ended."""
    try:
        cpu_ns, rss_bytes = counters.read()
    except OSError:
        return None
    return ResourceSample(time.monotonic_ns(), role, cpu_ns, rss_bytes)


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _sample(role: str, tree: list[psutil.Process]) -> ResourceSample | None:
    """Return one sample, or None while a process is a zombie or the first one has ended: the sum would be wrong."""
    rss_bytes = cpu_ns = 0
    for process in tree:
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    return None
                rss_bytes += int(process.memory_info().rss)
                cpu_ns += cpu_ns_of(process) + _ended_children_cpu_ns(process)
        except psutil.NoSuchProcess:
            if process is tree[0]:
                return None  # the CPU time of any other is counted by its parent from now on
    return ResourceSample(time.monotonic_ns(), role, cpu_ns, rss_bytes) if tree else None


def _ended_children_cpu_ns(process: psutil.Process) -> int:
    """Return the CPU time of all descendants that have ended and been waited for, in ns; in ticks of 10 ms on Linux.

    Short-lived processes, such as what a worker forks for every job, are seen in no sample, but are counted here.
    """
    times = process.cpu_times()
    return int((times.children_user + times.children_system) * 1e9)


def cpu_ns_of(process: psutil.Process) -> int:
    """Return the CPU time of all threads of a process in ns, with ns resolution where the system offers it.

    Raises psutil.NoSuchProcess.
    """
    try:
        # Linux: the clock id of another process's CPU time, see clock_getcpuclockid(3) and
        # CPUCLOCK_SCHED in the kernel's posix-timers.h.
        return time.clock_gettime_ns((~process.pid << 3) | 2)
    except OSError:
        times = process.cpu_times()
        return int((times.user + times.system) * 1e9)


def processes_of(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants, as they are now; an empty list if it has ended."""
    try:
        return _tree(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return []


def cpu_ns_of_tree(pid: int) -> int:
    """Return the CPU time of a process and its children so far, in ns."""
    return sum(cpu_ns_of(process) for process in _tree(psutil.Process(pid)))
