"""Watches that are made up: what a service answered, beat by beat."""

from collections.abc import Sequence

import numpy as np

from benchmark.monitor.beside import Load
from benchmark.monitor.health import Probe
from benchmark.monitor.record import Watch

STALL_MS = 500.0
EVERY_NS = 100_000_000
STARTED_NS = 7_000_000_000_000
A, B = "127.0.0.1:5001", "127.0.0.1:8001"
WATCH = Watch(
    services={A: f"http://{A}/api/v1/healthcheck", B: f"http://{B}/api/v1/healthcheck"},
    every_s=0.1,
    timeout_s=1.0,
    stall_s=STALL_MS / 1e3,
    started_utc="2026-11-28T07:00:00.000+00:00",
    started_ns=STARTED_NS,
)


def beat(number: int) -> int:
    """Return when the question of this number was due."""
    return STARTED_NS + number * EVERY_NS


def probe(number: int, answer: str, service: str = A) -> Probe:
    """Return what became of a question: `.` good, `x` refused, `5` status 500, `s` slow, `t` never answered."""
    ms, status, error = {
        ".": (2.0, 200, ""),
        "x": (0.5, 0, "ConnectionRefusedError: [Errno 111]"),
        "5": (3.0, 500, ""),
        "s": (700.0, 200, ""),
        "t": (1000.0, 0, "no answer within 1 s"),
    }[answer]
    return Probe(service, beat(number), beat(number), ms, status, error)


def probes(answers: str, service: str = A) -> Sequence[Probe]:
    return [probe(number, answer, service) for number, answer in enumerate(answers)]


GOOD = {A: list(probes("." * 100)), B: list(probes("." * 100, B))}
BAD = {A: list(probes("." * 20 + "t" * 20 + "." * 30 + "x" * 10 + "." * 20)), B: list(probes("." * 100, B))}
LOAD = Load("20261128T070000Z-bench", np.arange(10.0), np.full(10, 50.0), np.zeros(10))
