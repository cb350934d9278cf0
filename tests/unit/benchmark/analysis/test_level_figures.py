"""Samples and resources that are known exactly -> the figures of a level."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.analysis.level_figures import LevelFigures, level_figures
from benchmark.contenders.answer_law import law_of
from benchmark.record.columns import ResourceSample
from benchmark.record.resources import BUSY, HARNESS, IDLE, STEAL, Disturbance, disturbance_between
from benchmark.record.run import TrialRecord, Window
from tests.unit.benchmark.synthetic import MS_NS, SECOND_NS, make_contender, samples_of

START_NS = 100 * SECOND_NS
WINDOW = Window(users=4, start_ns=START_NS, end_ns=START_NS + 2 * SECOND_NS)
NO_RESOURCES = pd.DataFrame(columns=list(ResourceSample._fields))


def answers(start_ms: Sequence[float], latency_ms: Any, **columns: Any) -> pd.DataFrame:
    """Return requests as they are read from a record, `start_ms` counted from the window's start."""
    starts = START_NS + (np.asarray(start_ms) * MS_NS).astype(int)
    frame = samples_of(starts, (np.asarray(latency_ms) * MS_NS).astype(int), **columns)
    frame["ok"] = frame["ok"].astype(bool)
    return frame.assign(end_ns=frame["start_ns"] + frame["latency_ns"], latency_ms=frame["latency_ns"] / MS_NS)


def resources(*samples: tuple[float, str, float, float]) -> pd.DataFrame:
    """Return resource samples from (seconds since the window's start, role, CPU seconds, MB)."""
    rows = [(START_NS + int(t * 1e9), role, int(cpu * 1e9), int(mb * 1e6)) for t, role, cpu, mb in samples]
    return pd.DataFrame(rows, columns=list(ResourceSample._fields))


def figures(samples: pd.DataFrame, used: pd.DataFrame = NO_RESOURCES, floor: str = "none") -> LevelFigures:
    cell = TrialRecord(block=3, contender="a", seed=1, windows=[WINDOW])
    (level,) = level_figures(cell, samples, used, law_of(make_contender(floor=floor)))
    return level


def steady(users: int = 4, latency_ms: float = 80) -> pd.DataFrame:
    """Return each user's requests, one after the other, from before the window until after it."""
    starts = [np.arange(-latency_ms * (1 + user / users), 2_100, latency_ms) for user in range(users)]
    return answers(list(np.sort(np.concatenate(starts))), latency_ms)


def test_a_steady_level_has_its_exact_rate_and_obeys_littles_law() -> None:
    level = figures(steady())
    assert (level.block, level.users) == (3, 4)
    assert level.rps == pytest.approx(50)
    assert level.little_n == pytest.approx(4)
    assert level.drift == pytest.approx(0, abs=1e-9)
    assert level.n == 100
    assert level.mean_ms == pytest.approx(80)


def test_a_latency_belongs_to_the_window_in_which_its_answer_came() -> None:
    level = figures(answers([-50, -10, 1_000, 1_980], [40, 30, 20, 50]))
    assert list(level.latencies_ms) == [30, 20]


def test_an_answer_that_is_not_ok_counts_for_nothing_but_an_error() -> None:
    failed = answers([10, 500], 5, ok=0, detail_s=np.nan, error="status 500")
    level = figures(pd.concat([steady(), failed], ignore_index=True))
    assert level.rps == pytest.approx(50)
    assert (level.n, level.latencies_ms.min()) == (100, 80)
    assert (level.errors, level.first_error) == (2, "status 500")


def test_errors_outside_of_the_window_are_not_counted() -> None:
    failed = answers([-20, 1_990, 2_100], 15, ok=0, detail_s=np.nan, error="status 500")
    level = figures(pd.concat([steady(), failed], ignore_index=True))
    assert (level.errors, level.first_error) == (0, "")


def test_a_level_without_answers_has_no_latency_and_no_rate() -> None:
    level = figures(answers([], []), resources((-1, "load", 0, 10), (3, "load", 1, 10)))
    assert (level.n, level.rps, level.errors) == (0, 0, 0)
    assert math.isnan(level.mean_ms)
    assert level.cpu_ms_per_request == {}


def test_cpu_is_read_off_at_the_edges_of_the_window_between_two_samples() -> None:
    # One core until the middle of the window, then a quarter of one; no sample lies on an edge.
    used = resources((-0.5, "scoring", 7.0, 10), (1.0, "scoring", 8.5, 10), (3.0, "scoring", 9.0, 10))
    level = figures(steady(), used)
    assert level.cpu_share == {"scoring": pytest.approx((1.0 + 0.25) / 2)}
    assert level.cpu_ms_per_request == {"scoring": pytest.approx(0.625 * 1e3 / 50)}


def test_cpu_is_told_apart_by_role() -> None:
    used = resources((-1, "load", 0, 1), (-1, "model", 5, 1), (3, "load", 4, 1), (3, "model", 6, 1))
    assert figures(steady(), used).cpu_share == {"load": pytest.approx(1), "model": pytest.approx(0.25)}


def test_memory_is_the_largest_within_the_window() -> None:
    used = resources((-1, "scoring", 0, 99), (0.5, "scoring", 0, 40), (1.5, "scoring", 0, 60), (3, "scoring", 0, 99))
    assert figures(steady(), used).rss_mb == {"scoring": 60}


@pytest.mark.parametrize(("first", "second", "drift"), [(10, 20, 10 / 15), (20, 10, -10 / 15), (10, 10, 0)])
def test_drift_is_positive_when_the_rate_grows_within_the_window(first: int, second: int, drift: float) -> None:
    halves = [0 + 1_000 * i / first for i in range(first)], [1_000 + 1_000 * i / second for i in range(second)]
    assert figures(answers([*halves[0], *halves[1]], 1.0)).drift == pytest.approx(drift)


@pytest.mark.parametrize(
    ("floor", "latency_ms", "excess_ms"),
    [("sum", 92, 2), ("sum", 85, -5), ("max", 47, 2), ("max", 40, -5), ("none", 0.5, 0.5)],
)
def test_an_answer_sooner_than_its_models_took_has_a_negative_excess(
    floor: str, latency_ms: float, excess_ms: float
) -> None:
    samples = pd.concat([answers([500], latency_ms), answers([600], 200)], ignore_index=True)
    assert figures(samples, floor=floor).fastest_excess_ms == pytest.approx(excess_ms)


def test_an_early_answer_that_is_not_ok_or_not_in_the_window_makes_no_excess() -> None:
    failed = answers([500], 1, ok=0, detail_s=np.nan, error="status 503")
    samples = pd.concat([answers([600, 2_500], [50, 1]), failed], ignore_index=True)
    assert figures(samples, floor="max").fastest_excess_ms == pytest.approx(5)


def test_a_mean_latency_counts_each_request_by_its_share_of_the_window() -> None:
    level = figures(answers([-50, 500, 1_900], [100, 40, 400]))
    assert level.mean_ms == pytest.approx((0.5 * 100 + 1 * 40 + 0.25 * 400) / 1.75)
    assert level.rps == pytest.approx(1.75 / 2)


def test_every_window_of_a_cell_has_figures_of_its_own() -> None:
    later = Window(8, START_NS + 3 * SECOND_NS, START_NS + 4 * SECOND_NS)
    cell = TrialRecord(0, "a", 1, windows=[WINDOW, later])
    found = level_figures(cell, steady(), NO_RESOURCES, law_of(make_contender(floor="none")))
    assert [(level.users, level.n) for level in found] == [(4, 100), (8, 0)]


def test_a_cell_that_was_stopped_before_its_first_window_has_no_figures() -> None:
    assert level_figures(TrialRecord(0, "a", 1), steady(), NO_RESOURCES, law_of(make_contender(floor="none"))) == []


# What others had of the machine meanwhile


def between(start: float, end: float, **cores: float) -> list[tuple[float, str, float, float]]:
    """Return samples of roles that use so many cores from a second before the window until a second after it."""
    names = {"busy": BUSY, "idle": IDLE, "steal": STEAL, "harness": HARNESS}
    return [
        (t, names.get(role, role), 7.0 + share * (t - start), 10) for role, share in cores.items() for t in (start, end)
    ]


def test_what_is_used_beside_us_is_foreign_and_enters_no_other_figure() -> None:
    ours = {"scoring": 0.6, "load": 0.2, "harness": 0.1}
    level = figures(steady(), resources(*between(-1, 3, busy=1.4, idle=0.4, steal=0.2, **ours)))
    assert level.foreign_share == pytest.approx(0.5 / 2)
    assert level.steal_share == pytest.approx(0.2 / 2)
    assert level.cpu_share == {"scoring": pytest.approx(0.6), "load": pytest.approx(0.2)}
    assert set(level.cpu_ms_per_request) == {"scoring", "load"}
    assert level.rss_mb == {"scoring": 10, "load": 10}


def test_every_role_of_the_contender_counts_as_ours_a_container_too() -> None:
    ours = {"scoring": 0.5, "model": 0.25, "redis": 0.125, "load": 0.25}
    level = figures(steady(), resources(*between(-1, 3, busy=1.125, idle=0.875, steal=0, **ours)))
    assert (level.foreign_share, level.steal_share) == pytest.approx((0, 0))


def test_the_machine_may_count_less_than_we_do() -> None:
    level = figures(steady(), resources(*between(-1, 3, busy=0.5, idle=1.5, steal=0, scoring=0.6)))
    assert level.foreign_share == 0


def test_only_what_is_used_within_the_window_is_foreign() -> None:
    # A core until the window begins, another one from its end on; half a core within.
    busy = [(-1.0, 0.0), (0.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    rows = [(t, BUSY, used, 0.0) for t, used in busy] + [(t, IDLE, 2 * t - used, 0.0) for t, used in busy]
    level = figures(steady(), resources(*rows, *between(-1, 3, steal=0, scoring=0.1)))
    assert level.foreign_share == pytest.approx(0.4 / 2)


@pytest.mark.parametrize("missing", [("busy", "idle", "steal", "harness"), ("busy",), ("idle",), ("steal",)])
def test_a_record_that_does_not_tell_of_the_machine_tells_of_no_disturbance(missing: tuple[str, ...]) -> None:
    cores = {"busy": 1.0, "idle": 1.0, "steal": 0.0, "harness": 0.1, "scoring": 0.3}
    kept = {role: share for role, share in cores.items() if role not in missing}
    level = figures(steady(), resources(*between(-1, 3, **kept)))
    assert (level.foreign_share, level.steal_share) == (None, None)
    assert level.cpu_share == {"scoring": pytest.approx(0.3)}


def test_a_machine_whose_clock_stands_still_tells_of_no_disturbance() -> None:
    level = figures(steady(), resources(*between(-1, 3, busy=0, idle=0, steal=0, scoring=0.3)))
    assert (level.foreign_share, level.steal_share) == (None, None)


def test_without_samples_there_is_no_disturbance_to_tell_of() -> None:
    assert disturbance_between(NO_RESOURCES, 0, SECOND_NS) == Disturbance(None, None)
