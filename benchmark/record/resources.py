"""Computes from resource samples what was used in a time span: CPU time, and the shares of other programs."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

# Roles of resource samples. A contender's role cannot contain a colon.
BUSY, IDLE, STEAL, HARNESS = "machine:busy", "machine:idle", "machine:steal", "harness:own"
SURROUNDING_ROLES = (BUSY, IDLE, STEAL, HARNESS)  # neither the contender's processes nor the load generator


class MachineTimes(NamedTuple):
    """CPU times of all cores together, since the machine started or within a time span."""

    busy_ns: float
    idle_ns: float  # includes waiting for a disk
    steal_ns: float  # given to other virtual machines while a process here was ready to run

    def __sub__(self, earlier: "MachineTimes") -> "MachineTimes":
        return MachineTimes(*(mine - before for mine, before in zip(self, earlier, strict=True)))


@dataclass(frozen=True)
class Disturbance:
    """Shares of all cores that others used within a time span; None if not observed."""

    foreign_share: float | None = None  # other programs
    steal_share: float | None = None  # other virtual machines


def disturbance(machine: MachineTimes, own_ns: float) -> Disturbance:
    """Return the shares of others, from the machine's CPU times and those of our own processes in a time span."""
    all_ns = sum(machine)
    if not all_ns > 0:  # shorter than a clock tick, or a system without these counters
        return Disturbance()
    foreign_ns, steal_ns = machine.busy_ns - own_ns, machine.steal_ns
    return Disturbance(max(foreign_ns / all_ns, 0.0), max(steal_ns / all_ns, 0.0))


def disturbance_between(resources: pd.DataFrame, start_ns: int, end_ns: int) -> Disturbance:
    """Return the shares of others between two moments; `resources` holds all roles of a Sampler.

    All roles except the machine's own count as ours: the contender, the load generator and the harness.
    """
    used_ns = {str(role): cpu_ns_between(group, start_ns, end_ns) for role, group in resources.groupby("role")}
    if not used_ns.keys() >= {BUSY, IDLE, STEAL}:
        return Disturbance()
    machine = MachineTimes(*(used_ns.pop(role) for role in (BUSY, IDLE, STEAL)))
    return disturbance(machine, sum(used_ns.values()))


def cpu_ns_between(samples: pd.DataFrame, start_ns: int, end_ns: int) -> float:
    """Return the CPU time of one role between two moments, interpolated between its samples.

    Where one of its processes has ended, the sum over those that live is smaller than before: what the ended one had
    used until then is not taken back.
    """
    t_ns, cpu_ns = samples["t_ns"].to_numpy(dtype=float), samples["cpu_ns"].to_numpy(dtype=float)
    used_ns = np.cumsum(np.clip(np.diff(cpu_ns, prepend=cpu_ns[:1]), 0, None))
    at_ns = np.interp([start_ns, end_ns], t_ns, used_ns)
    return float(at_ns[1] - at_ns[0])
