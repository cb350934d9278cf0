"""What doc/deployment.md says of the recorded run is in it. After a new record, read its sentences again."""

import json
import re
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from contract.settings import PREFIX, Settings

PAGE = (ROOT / "doc" / "deployment.md").read_text()
RUN: dict[str, Any] = json.loads((ROOT / "doc" / "recorded" / "summary.json").read_text())["contenders"]


def level(name: str, users: int) -> dict[str, Any]:
    return next(level for level in RUN[name]["levels"] if level["users"] == users)


def cores(name: str) -> float:
    """Return the cores that the scoring handler used at the peak."""
    return float(RUN[name]["peak"]["rps"] * cpu_ms(name, RUN[name]["peak"]["users"]) / 1000)


def cpu_ms(name: str, users: int, role: str = "scoring") -> float:
    return float(level(name, users)["cpu_ms_per_request"][role])


MAIN = [name for name, entry in RUN.items() if not entry["harness_floor"]]
# The highest p99 of all is async's, at whatever number of users.
SLOWEST = max((level for name in MAIN for level in RUN[name]["levels"]), key=lambda level: level["p99_ms"] or 0)
SYNC, FAST = RUN["sync"]["peak"], RUN["async-aiohttp"]["peak"]
SENTENCES = (
    f"carried {level('async', 16)['rps']:.0f} requests/s at 16 users, "
    f"and {level('async', 64)['rps']:.0f} requests/s at 64",
    f"rose from {cpu_ms('async', 16):.1f} to {cpu_ms('async', 64):.1f} ms",
    f"it carried {FAST['rps']:,.0f} at {FAST['users']} users, at {cpu_ms('async-aiohttp', FAST['users']):.1f} ms",
    f"from {level('sync', 1)['p50_ms']:.1f} to {level('sync-concurrent', 1)['p50_ms']:.1f} ms",
    f"({RUN['sync-concurrent']['peak']['rps']:.0f} and {SYNC['rps']:.0f} requests/s)",
    f"{cpu_ms('sync', SYNC['users']):.1f} ms per request (sync), "
    f"{cpu_ms('async-aiohttp', FAST['users']):.1f} ms (async with",
    f"{cpu_ms('sync', SYNC['users'], 'model'):.1f} ms of CPU for both (sync), "
    f"{cpu_ms('async-aiohttp', FAST['users'], 'model'):.1f} ms (async)",
    f"{cpu_ms('async-aiohttp', FAST['users'], 'redis'):.2f} to {cpu_ms('sync', SYNC['users'], 'redis'):.2f} ms of CPU",
    f"{cpu_ms('async-aiohttp', FAST['users'], 'load'):.1f} to {cpu_ms('sync', SYNC['users'], 'load'):.1f} ms of CPU",
    f"all cost {level('async-aiohttp', 1)['p50_ms']:.1f} ms at a floor of {RUN['async']['floor_ms']:.2f}",
    f"{64 / level('sync', 1)['p50_ms'] * 1000:.0f} requests/s, and the recorded ceiling was {SYNC['rps']:.0f}",
    f"used {cores('sync'):.2f} cores ({SYNC['rps']:.0f} requests/s at {cpu_ms('sync', SYNC['users']):.2f} ms)",
    f"async with aiohttp {cores('async-aiohttp'):.2f}",
    f"answered within {max(RUN[name]['peak']['p99_ms'] for name in MAIN) / 1000:.1f} s (p99)",
    f"the slowest took {SLOWEST['p99_ms'] / 1000:.1f} s at p99 (async with httpx at {SLOWEST['users']} users)",
    f"httpx took {cpu_ms('async', 64) / cpu_ms('async-aiohttp', 64):.0f} times as much as aiohttp at 64 users",
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_figure_is_that_of_the_recorded_run(sentence: str) -> None:
    assert sentence in PAGE


def test_the_slowest_of_all_is_whom_it_names() -> None:
    assert SLOWEST in RUN["async"]["levels"]


def test_a_setting_that_it_names_is_one() -> None:
    names = {name.removeprefix(PREFIX).lower() for name in re.findall(rf"{PREFIX}[A-Z_]+", PAGE)}
    assert names
    assert names <= set(Settings.model_fields)
