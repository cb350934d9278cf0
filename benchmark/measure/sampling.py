"""CPU time and memory of processes, sampled while they are under load."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import psutil

from benchmark.record.columns import ResourceSample
from benchmark.stack.cgroups import Counters

INTERVAL_S = 0.1
_REDISCOVER_EVERY = 10  # samples after which new child processes are looked for


class Sampler:
    """Samples process trees, or counters, from a thread until it is stopped; `sink` receives every sample.

    A time span's CPU is the difference of two samples, so a tree's children must not end in between:
    servers keep their workers, which makes that so.
    """

    def __init__(self, sources: Mapping[str, int | Counters], sink: Callable[[ResourceSample], None]) -> None:
        self._trees: dict[str, list[psutil.Process]] = {}
        self._roots = {role: psutil.Process(source) for role, source in sources.items() if isinstance(source, int)}
        self._counters = {role: source for role, source in sources.items() if not isinstance(source, int)}
        self._sink = sink
        self._due = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._due.set()
        self._thread.join()

    def sample_soon(self) -> None:
        """Have samples taken at once instead of when they are due: the load is about to change."""
        self._due.set()

    def _run(self) -> None:
        count = 0
        while True:
            if count % _REDISCOVER_EVERY == 0:
                self._trees = {role: _tree(root) for role, root in self._roots.items()}
            for sample in self._samples():
                if sample is not None:
                    self._sink(sample)
            count += 1
            self._due.wait(INTERVAL_S)
            self._due.clear()  # before looking whether to stop, so that no wish to stop is overlooked
            if self._stopping:
                return

    def _samples(self) -> Iterator[ResourceSample | None]:
        for role, tree in self._trees.items():
            yield _sample(role, tree)
        for role, counters in self._counters.items():
            yield _count(role, counters)


def _count(role: str, counters: Counters) -> ResourceSample | None:
    """Return one sample of what somebody else counts, or None if that has ended."""
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
    """Return one sample, or None if a process has ended: half a sum would be a lie."""
    try:
        rss_bytes = sum(_rss_bytes(process) for process in tree)
        cpu_ns = sum(cpu_ns_of(process) for process in tree)
    except psutil.NoSuchProcess:
        return None
    return ResourceSample(time.monotonic_ns(), role, cpu_ns, rss_bytes) if tree else None


def _rss_bytes(process: psutil.Process) -> int:
    """Return the memory of a process; one that has ended and was not collected yet has none."""
    rss_bytes = int(process.memory_info().rss)
    if not rss_bytes:
        raise psutil.NoSuchProcess(process.pid)
    return rss_bytes


def cpu_ns_of(process: psutil.Process) -> int:
    """Return the CPU time of a process, all threads, in ns: to the ns where the system has such a clock.

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
    """Return a process and its children, and theirs, as they are now; none if it has ended."""
    try:
        return _tree(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return []


def cpu_ns_of_tree(pid: int) -> int:
    """Return the CPU time of a process and its children so far, in ns."""
    return sum(cpu_ns_of(process) for process in _tree(psutil.Process(pid)))
