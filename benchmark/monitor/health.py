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
_SIGNS: Final[dict[State, Kind]] = {"down": "failed", "stalled": "slow"}
_Seen = tuple[int, Kind]  # when it was asked, and what became of it


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
    """The state of one service, from what is seen of it, one after the other.

    It becomes bad by the latest answers as they come. It becomes well by the latest questions: that an old one is
    overdue, which is known only later, does not count against a service that answers again.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.state: State = "well"
        self.why = ""
        self._bad_since_ns = 0
        self._as_they_came: deque[_Seen] = deque(maxlen=_WINDOW)
        self._as_asked: list[_Seen] = []

    def see(self, kind: Kind, scheduled_ns: int, noticed_ns: int, why: str = "") -> Change | None:
        """Take in one answer, or that one is overdue; return a change of the state if it makes one."""
        self._as_they_came.append((scheduled_ns, kind))
        self._as_asked = sorted([*self._as_asked, (scheduled_ns, kind)])[-_WINDOW:]
        before, self.state = self.state, self._judged()
        if self.state == before:
            return None
        if self.state == "well":
            since_ns, self.why = self._as_asked[0][0], ""
            self._as_they_came.clear()
            lasted_ns = since_ns - self._bad_since_ns
            return Change(self.service, self.state, since_ns, noticed_ns, "answers again", lasted_ns)
        since_ns = min(asked_ns for asked_ns, kind in self._as_they_came if kind == _SIGNS[self.state])
        if before == "well":
            since_ns = min(asked_ns for asked_ns, kind in self._as_they_came if kind != "good")
            self._bad_since_ns = since_ns
        self.why = why
        return Change(self.service, self.state, since_ns, noticed_ns, why)

    def _judged(self) -> State:
        kinds = [kind for _, kind in self._as_they_came]
        if self.state == "well":
            if len(kinds) - kinds.count("good") < _BAD:
                return "well"
            return "down" if kinds.count("failed") >= kinds.count("slow") else "stalled"
        if [kind for _, kind in self._as_asked] == ["good"] * _WINDOW:
            return "well"
        last = kinds[-_BAD:]
        return next((state for state, sign in _SIGNS.items() if last == [sign] * _BAD), self.state)


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
    ends: list[int | None] = [*(change.since_ns for change in changed), None]
    return [
        Outage(change.state, change.since_ns, end_ns, change.why)
        for change, end_ns in zip(changed, ends[1:], strict=True)
        if change.state != "well"
    ]


def _in_time(probes: Iterable[Probe], stall_ms: float) -> list[tuple[int, Kind, Probe]]:
    """Return what each answer says, in the order in which it was known: that one is overdue is known before it ends."""
    known = [
        (probe.start_ns + int(1e6 * (min(probe.waited_ms, stall_ms) + probe.late_ms)), probe.kind(stall_ms), probe)
        for probe in probes
    ]
    return sorted(known, key=lambda each: each[0])
