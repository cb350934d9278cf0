"""From single answers to a state: whether a service is well, stalls or is down. Reads no clock.

One lost answer of ten a second is no outage: a service is well until three of its last five answers were bad, and well
again when the last five were good. So a service that wavers is reported once, until it is stable.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

State = Literal["well", "stalled", "down"]
Kind = Literal["good", "slow", "failed"]

_WINDOW: Final = 5
_BAD: Final = 3


class Probe(NamedTuple):
    """One question to a health check, and what became of it. Times are of the monotonic clock."""

    service: str
    scheduled_ns: int
    start_ns: int
    ms: float  # until the answer, or until waiting for it ended
    status: int  # 0: there was no answer
    error: str  # why there was none
    late_ms: float = 0.0  # how long the monitor itself was held up meanwhile

    @property
    def waited_ms(self) -> float:
        """How long the service took, without what the monitor itself was held up."""
        return max(self.ms - self.late_ms, 0.0)

    @property
    def said(self) -> str:
        """What was seen, in a few words."""
        return self.error or f"status {self.status} after {self.waited_ms:.0f} ms"

    def kind(self, stall_ms: float) -> Kind:
        """Return what this says of the service: too slow counts before failed, since a timeout is both."""
        if self.waited_ms >= stall_ms:
            return "slow"
        return "good" if 200 <= self.status < 300 else "failed"


@dataclass(frozen=True)
class Change:
    """A service has another state than before: since when, and when that was noticed."""

    service: str
    state: State
    since_ns: int
    noticed_ns: int
    why: str
    lasted_ns: int = 0  # of a service that is well again: how long it was not


@dataclass(frozen=True)
class Outage:
    """A period in which a service was down or stalled; `until_ns` is None if it lasted to the end."""

    state: State
    since_ns: int
    until_ns: int | None
    why: str


class Health:
    """The state of one service, from what is seen of it, one after the other."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.state: State = "well"
        self.why = ""
        self.since_ns = 0
        self._bad_since_ns = 0
        self._seen: deque[tuple[Kind, int]] = deque(maxlen=_WINDOW)

    def see(self, kind: Kind, scheduled_ns: int, noticed_ns: int, why: str = "") -> Change | None:
        """Take in one answer, or that one is overdue; return a change of the state if it makes one."""
        self._seen.append((kind, scheduled_ns))
        state = self._judged()
        if state == self.state:
            return None
        lasted_ns = 0
        if state == "well":
            since_ns, why = self._first("good"), "answers again"
            lasted_ns = since_ns - self._bad_since_ns
        else:
            since_ns = self._first("slow", "failed")
            if self.state == "well":
                self._bad_since_ns = since_ns
            else:
                since_ns = max(since_ns, self.since_ns)
        self.state, self.since_ns, self.why = state, since_ns, why
        return Change(self.service, state, since_ns, noticed_ns, why, lasted_ns)

    def _judged(self) -> State:
        kinds = [kind for kind, _ in self._seen]
        if self.state == "well":
            if len(kinds) - kinds.count("good") < _BAD:
                return "well"
            return "down" if kinds.count("failed") >= kinds.count("slow") else "stalled"
        if kinds.count("good") == _WINDOW:
            return "well"
        last = kinds[-_BAD:]
        if last == ["failed"] * _BAD:
            return "down"
        return "stalled" if last == ["slow"] * _BAD else self.state

    def _first(self, *kinds: Kind) -> int:
        return min(scheduled_ns for kind, scheduled_ns in self._seen if kind in kinds)


def changes(service: str, probes: Iterable[Probe], stall_ms: float) -> list[Change]:
    """Return the changes that were reported of a service while these answers came, computed from them again."""
    health = Health(service)
    found = (
        health.see(kind, probe.scheduled_ns, at_ns, probe.said) for at_ns, kind, probe in _in_time(probes, stall_ms)
    )
    return [change for change in found if change]


def outages(probes: Sequence[Probe], changed: Sequence[Change], stall_ms: float) -> list[Outage]:
    """Return when a service was down or stalled. One that never answered well was down, however short the watch."""
    if probes and not changed and not any(probe.kind(stall_ms) == "good" for probe in probes):
        state: State = "down" if any(probe.kind(stall_ms) == "failed" for probe in probes) else "stalled"
        return [Outage(state, probes[0].scheduled_ns, None, probes[0].said)]
    ends = [*(change.since_ns for change in changed[1:]), None]
    return [
        Outage(change.state, change.since_ns, end_ns, change.why)
        for change, end_ns in zip(changed, ends, strict=True)
        if change.state != "well"
    ]


def _in_time(probes: Iterable[Probe], stall_ms: float) -> list[tuple[int, Kind, Probe]]:
    """Return what each answer says, in the order in which it was known: that one is overdue is known before it ends."""
    known = [
        (probe.start_ns + int(1e6 * (min(probe.waited_ms, stall_ms) + probe.late_ms)), probe.kind(stall_ms), probe)
        for probe in probes
    ]
    return sorted(known, key=lambda each: each[0])
