"""What the whole machine has done, and what others than this run had of it.

A figure is about the contender only while nothing else wants the same cores. So the machine's own account is
read beside that of our processes: what it did in a time span, minus what all of ours used, is what other programs
used. What a hypervisor gave to other virtual machines (steal) is kept apart, since nothing here can stop that.

The machine counts in ticks of 10 ms (proc_stat(5)), our processes are read to the ns. Held against the sum of all
processes, windows of 0.6 s on two cores were off by 2 % of the machine at most. What interrupts cost is the machine's,
and mostly counted in the process that was interrupted, too; where the kernel counts it apart
(CONFIG_IRQ_TIME_ACCOUNTING) it is taken for another program's. So is a container engine's own daemon.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmark.measure.sampling import cpu_ns_of, processes_of
from benchmark.record.resources import BUSY, HARNESS, IDLE, STEAL, Disturbance, MachineTimes, disturbance
from benchmark.stack.cgroups import Counters


def machine_times() -> MachineTimes:
    """Return what the machine has spent so far. What guests of this machine use is part of its user time."""
    times = psutil.cpu_times()
    busy_s, idle_s, steal_s = (
        sum(getattr(times, field, 0.0) for field in fields)
        for fields in (("user", "nice", "system", "irq", "softirq"), ("idle", "iowait"), ("steal",))
    )
    return MachineTimes(busy_s * 1e9, idle_s * 1e9, steal_s * 1e9)


@dataclass(frozen=True)
class _Spent:
    """One of the machine's times, as a Sampler reads it."""

    field: str

    def read(self) -> tuple[int, int]:
        return int(getattr(machine_times(), self.field)), 0


class _Harness:
    """This process, without its children."""

    def read(self) -> tuple[int, int]:
        return time.process_time_ns(), int(psutil.Process().memory_info().rss)


# What a Sampler reads beside the processes of a contender and the load generator.
SURROUNDINGS: Mapping[str, Counters] = {
    BUSY: _Spent("busy_ns"),
    IDLE: _Spent("idle_ns"),
    STEAL: _Spent("steal_ns"),
    HARNESS: _Harness(),
}


class Watch:
    """What others had of the machine while its `with` blocks ran, all of them together.

    Ours are a process and its children as they are now; they go on through every block. What one that has ended
    used within its last block is taken for another program's.
    """

    def __init__(self, root: int) -> None:
        self._own: Sequence[psutil.Process] = processes_of(root)
        self._machine, self._own_ns = MachineTimes(0, 0, 0), 0

    def __enter__(self) -> "Watch":
        self._begin = machine_times(), self._used_ns()
        return self

    def __exit__(self, *_: object) -> None:
        machine, used_ns = machine_times() - self._begin[0], self._used_ns()
        self._machine = MachineTimes(*map(sum, zip(self._machine, machine, strict=True)))
        self._own_ns += sum(used_ns[pid] - before_ns for pid, before_ns in self._begin[1].items() if pid in used_ns)

    @property
    def disturbance(self) -> Disturbance:
        """What others had of all blocks so far."""
        return disturbance(self._machine, self._own_ns)

    def _used_ns(self) -> dict[int, int]:
        used_ns = {}
        for process in self._own:
            with contextlib.suppress(psutil.NoSuchProcess):
                used_ns[process.pid] = cpu_ns_of(process)
        return used_ns
