"""The load of the whole machine, and the share of it that other programs and virtual machines used.

A figure describes the contender only while no other program competes for the same cores. Therefore the CPU time of
the whole machine is read together with that of our own processes: the difference is what other programs used. Steal
time, which a hypervisor gives to other virtual machines, is kept apart, since the user cannot stop it.

The machine counts in ticks of 10 ms (proc_stat(5)), our processes are read to the ns. Compared with the sum of all
processes, windows of 0.6 s on two cores were off by at most 2 % of the machine. Interrupts are mostly counted in the
interrupted process as well; if the kernel counts them apart (CONFIG_IRQ_TIME_ACCOUNTING), they appear as another
program's. So does a container engine's own daemon.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from benchmark.measure.sampling import cpu_ns_of, processes_of
from benchmark.record.provenance import of_own_cpus
from benchmark.record.resources import BUSY, HARNESS, IDLE, STEAL, Disturbance, MachineTimes, disturbance
from benchmark.stack.cgroups import Counters


def machine_times() -> MachineTimes:
    """Return the CPU times so far of the cores that this process may run on: its children run on no others.

    Guests of this machine are part of its user time.
    """
    cpus = of_own_cpus(psutil.cpu_times(percpu=True))
    busy_s, idle_s, steal_s = (
        sum(getattr(cpu, field, 0.0) for cpu in cpus for field in fields)
        for fields in (("user", "nice", "system", "irq", "softirq"), ("idle", "iowait"), ("steal",))
    )
    return MachineTimes(busy_s * 1e9, idle_s * 1e9, steal_s * 1e9)


@dataclass(frozen=True)
class _Spent:
    """One of the machine's CPU times, in the form that a Sampler reads."""

    field: str

    def read(self) -> tuple[int, int]:
        return int(getattr(machine_times(), self.field)), 0


class _Harness:
    """This process, without its children."""

    def read(self) -> tuple[int, int]:
        return time.process_time_ns(), int(psutil.Process().memory_info().rss)


# What a Sampler reads in addition to the processes of a contender and the load generator.
SURROUNDINGS: Mapping[str, Counters] = {
    BUSY: _Spent("busy_ns"),
    IDLE: _Spent("idle_ns"),
    STEAL: _Spent("steal_ns"),
    HARNESS: _Harness(),
}


class Watch:
    """Measures what other programs used of the machine while its `with` blocks ran, in total.

    Our processes are `root` and its children at construction. The CPU time of one that ends within a block is
    attributed to other programs.
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
        """What others used in all blocks so far."""
        return disturbance(self._machine, self._own_ns)

    def _used_ns(self) -> dict[int, int]:
        used_ns = {}
        for process in self._own:
            with contextlib.suppress(psutil.NoSuchProcess):
                used_ns[process.pid] = cpu_ns_of(process)
        return used_ns
