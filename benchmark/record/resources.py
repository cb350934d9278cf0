"""What the resource samples of a record say of a time span: what was used, and what others than this run had."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

# Roles of resource samples. No contender's can have a colon.
BUSY, IDLE, STEAL, HARNESS = "machine:busy", "machine:idle", "machine:steal", "harness:own"


class MachineTimes(NamedTuple):
    """What all cores together have spent since the machine started, or within a time span."""

    busy_ns: float
    idle_ns: float  # waiting for a disk included
    steal_ns: float  # that the hypervisor gave to others while somebody here wanted it

    def __sub__(self, earlier: "MachineTimes") -> "MachineTimes":
        return MachineTimes(*(mine - before for mine, before in zip(self, earlier, strict=True)))


@dataclass(frozen=True)
class Disturbance:
    """Shares of all cores that others had within a time span; None where that was not observed."""

    foreign_share: float | None = None  # other programs
    steal_share: float | None = None  # other virtual machines


def disturbance(machine: MachineTimes, own_ns: float) -> Disturbance:
    """Return what others had of a time span in which the machine spent this, and our processes used `own_ns`."""
    all_ns = sum(machine)
    if not all_ns > 0:  # shorter than a tick, or a machine that does not count
        return Disturbance()
    foreign_ns, steal_ns = machine.busy_ns - own_ns, machine.steal_ns
    return Disturbance(max(foreign_ns / all_ns, 0.0), max(steal_ns / all_ns, 0.0))


def disturbance_between(resources: pd.DataFrame, start_ns: int, end_ns: int) -> Disturbance:
    """Return what others had of the machine between two moments; `resources` hold all roles of a Sampler.

    Whatever is no row of the machine's counts as ours: the contender, the load generator and the harness.
    """
    used_ns = {str(role): cpu_ns_between(group, start_ns, end_ns) for role, group in resources.groupby("role")}
    if not used_ns.keys() >= {BUSY, IDLE, STEAL}:
        return Disturbance()
    machine = MachineTimes(*(used_ns.pop(role) for role in (BUSY, IDLE, STEAL)))
    return disturbance(machine, sum(used_ns.values()))


def cpu_ns_between(samples: pd.DataFrame, start_ns: int, end_ns: int) -> float:
    """Return the CPU time that one role has used between two moments, read off between its samples."""
    t_ns, cpu_ns = samples["t_ns"].to_numpy(dtype=float), samples["cpu_ns"].to_numpy(dtype=float)
    at_ns = np.interp([start_ns, end_ns], t_ns, cpu_ns)
    return float(at_ns[1] - at_ns[0])
