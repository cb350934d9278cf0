"""What a watch saw of each service, computed from its probes alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.analysis.stats import percentile
from benchmark.monitor.health import Outage, Probe, changes, outages
from benchmark.monitor.record import Watch


@dataclass(frozen=True)
class Seen:
    """One service: how often it was asked, what it answered, and when it was down or stalled."""

    service: str
    asked: int
    good: int
    slow: int
    failed: int
    median_ms: float | None  # of good answers; None where there are too few
    p99_ms: float | None
    longest_ms: float | None
    outages: list[Outage]


def seen_of(watch: Watch, probes: Mapping[str, Sequence[Probe]]) -> list[Seen]:
    """Return what was seen of each service, in the order of the command line."""
    return [_seen(name, probes[name], watch.stall_s * 1e3) for name in watch.services]


def end_of(watch: Watch, probes: Mapping[str, Sequence[Probe]]) -> int:
    """Return when the last probe of a watch ended, on the monotonic clock."""
    ends = (probe.start_ns + int(probe.ms * 1e6) for each in probes.values() for probe in each)
    return max(ends, default=watch.started_ns)


def _seen(service: str, probes: Sequence[Probe], stall_ms: float) -> Seen:
    kinds = [probe.kind(stall_ms) for probe in probes]
    good_ms = [probe.waited_ms for probe, kind in zip(probes, kinds, strict=True) if kind == "good"]
    return Seen(
        service=service,
        asked=len(probes),
        good=len(good_ms),
        slow=kinds.count("slow"),
        failed=kinds.count("failed"),
        median_ms=percentile(good_ms, 50),
        p99_ms=percentile(good_ms, 99),
        longest_ms=max(good_ms, default=None),
        outages=outages(probes, changes(service, probes, stall_ms), stall_ms),
    )
