"""The bound that takes one line: what a simulation of queues has to beat.

Asymptotic bounds of a closed network (Denning & Buzen, Computing Surveys 10(3), 1978; Lazowska et al., Quantitative
System Performance, 1984, chapter 5): users who wait for their answers, threads that are busy with one each, the
process that a request costs most, and all cores together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.analysis.level_figures import LOW_USERS
from benchmark.analysis.variant_figures import Measured
from benchmark.contenders.answer_law import scoring_settings
from benchmark.contenders.service_settings import architecture_of


@dataclass(frozen=True)
class Bound:
    """Rates that cannot be exceeded, from what light load costs."""

    lone_ms: float  # latency of a single user
    demands_ms: Mapping[str, float]  # CPU per request by process, the load generator's included
    cores: float
    threads: int | None = None  # None where nobody waits for one

    def rate_rps(self, users: int) -> float:
        """Return min(N / R1, threads / R1, 1 / max D, cores / sum D): one process has one core at most."""
        waiting = min(users, self.threads or users)
        demands = self.demands_ms.values()
        return 1e3 * min(waiting / self.lone_ms, 1 / max(demands), self.cores / sum(demands))


def bound_of(light: Measured, cores: float) -> Bound | None:
    """Return the bound of a contender from its light levels: CPU at the highest of them; None without any."""
    latencies_ms = light.latency_ms(LOW_USERS)
    users = max((users for users, blocks in light.by_users.items() if any(block.n for block in blocks)), default=None)
    if users is None or not latencies_ms:
        return None
    demands_ms = {role: sum(ms.values()) / len(ms) for role, ms in light.cpu_by_role(users).items() if ms}
    if not demands_ms:
        return None
    lone_ms = sum(latencies_ms.values()) / len(latencies_ms)
    settings = scoring_settings(light.contender)
    threads = settings.threads * settings.workers if architecture_of(light.contender) == "sync" else None
    return Bound(lone_ms, demands_ms, cores, threads)
