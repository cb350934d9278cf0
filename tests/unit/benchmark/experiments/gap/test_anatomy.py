"""The stages of a request: they sum to the latency, and what does not fit is said."""

import numpy as np
import pandas as pd
import pytest

from benchmark.analysis.stats import samples_needed
from benchmark.experiments.gap.anatomy import anatomy_rows
from tests.unit.said import said

STAGES = {"queue": 1.0, "parse": 0.2, "features": 0.5, "respond": 0.1}
DRAWN = (44.0, 47.0)
OVERHEAD_MS, CLIENT_MS = 2.0, 0.7


def header(models_ms: float, **stages: float) -> str:
    parts = {**STAGES, **stages}
    before = [f"{name};dur={parts[name]}" for name in ("queue", "parse", "features") if parts[name] is not None]
    asked = [f"model;desc={i};dur={ms + 1}" for i, ms in enumerate(DRAWN, 1)]
    slept = [f"drawn;desc={i};dur={ms}" for i, ms in enumerate(DRAWN, 1)]
    return ", ".join([*before, f"models;dur={models_ms}", *asked, *slept, f"respond;dur={parts['respond']}"])


def samples(n: int, floor: str, extra_ms: float = 0.0, users: int = 1, **stages: float) -> pd.DataFrame:
    """Return requests whose queue grows by `extra_ms` from the first to the last."""
    slept = sum(DRAWN) if floor == "sum" else max(DRAWN)
    queue = stages.pop("queue", STAGES["queue"]) + np.linspace(0, extra_ms, n)
    fixed = {**STAGES, **stages}
    rest = fixed["parse"] + fixed["features"] + fixed["respond"] + slept + OVERHEAD_MS + CLIENT_MS
    headers = [header(slept + OVERHEAD_MS, queue=round(q, 6), **stages) for q in queue]
    return pd.DataFrame(
        {"users": users, "measured": True, "ok": True, "latency_ms": queue + rest, "server_timing": headers}
    )


@pytest.mark.parametrize(("floor", "slept"), [("sum", 91.0), ("max", 47.0)])
def test_known_stages_are_found_again(floor: str, slept: float) -> None:
    (row,) = anatomy_rows(samples(40, floor), floor)
    expected = {"client_and_network": CLIENT_MS, **STAGES, "model_sleep": slept, "model_overhead": OVERHEAD_MS}
    assert row["stages_ms"] == pytest.approx(expected, abs=1e-3)
    assert (row["users"], row["percentile"], said(row["reasons"])) == (1, 50, [])


def test_stages_sum_to_the_latency_of_the_requests_around_the_percentile() -> None:
    rows = anatomy_rows(samples(1000, "sum", extra_ms=99.9), "sum")
    assert [row["percentile"] for row in rows] == [50, 99]
    for row, queue_ms, n in zip(rows, (50.95, 99.9), (100, 10), strict=True):
        assert sum(row["stages_ms"].values()) == pytest.approx(row["client_ms"], abs=1e-9)
        assert row["stages_ms"]["queue"] == pytest.approx(queue_ms, abs=0.2)
        assert row["n"] == n


@pytest.mark.parametrize("n", [6, 7, 40, 458, 459, 1000])
def test_a_percentile_takes_enough_requests_and_a_band_at_least_five(n: int) -> None:
    rows = {row["percentile"]: row for row in anatomy_rows(samples(n, "max", extra_ms=10), "max")}
    assert set(rows) == {percent for percent in (50, 99) if n >= samples_needed(percent)}
    assert all(row["n"] >= 5 for row in rows.values())
    if 50 in rows:
        assert rows[50]["stages_ms"]["queue"] == pytest.approx(6.0, abs=0.9)


def test_levels_are_kept_apart_and_what_does_not_count_is_left_out() -> None:
    warm_up = samples(40, "max", users=1).assign(measured=False, latency_ms=1e6)
    failed = samples(40, "max", users=1).assign(ok=False, latency_ms=1e6)
    frame = pd.concat([samples(40, "max", users=8), warm_up, failed, samples(40, "max", users=1)], ignore_index=True)
    assert [(row["users"], row["client_ms"] < 100) for row in anatomy_rows(frame, "max")] == [(1, True), (8, True)]


def test_stages_longer_than_the_latency_are_a_reason() -> None:
    frame = samples(40, "max")
    (row,) = anatomy_rows(frame.assign(latency_ms=frame["latency_ms"] - 3.0), "max")
    assert said(row["reasons"]) == ["the server's stages are 4.7 % longer than the client's latency"]
    (row,) = anatomy_rows(frame.assign(latency_ms=frame["latency_ms"] - 1.5), "max")
    assert said(row["reasons"]) == []


@pytest.mark.parametrize(("odd", "reasons"), [(2, 0), (12, 1)])
def test_a_request_in_a_hundred_may_say_more_than_was_measured(odd: int, reasons: int) -> None:
    # All of one latency: the band around the median is the 240 in the middle.
    frame = samples(2400, "max").assign(latency_ms=70.0)
    frame.loc[frame.index[1200 : 1200 + odd], "server_timing"] = header(80.0, queue=1.0)
    (row,) = [row for row in anatomy_rows(frame, "max") if row["percentile"] == 50]
    assert len(row["reasons"]) == reasons, row["reasons"]


def test_a_queue_on_a_clock_that_is_ahead_is_a_reason() -> None:
    (row,) = anatomy_rows(samples(40, "max", queue=0.0), "max")
    assert "the client's clock is ahead" in said(row["reasons"])[0]


def test_models_that_answer_before_they_have_slept_are_a_reason() -> None:
    frame = samples(40, "max")
    early = [header(45.0, queue=1.0)] * 40
    (row,) = anatomy_rows(frame.assign(server_timing=early), "max")
    assert said(row["reasons"]) == ["the models answered 2.00 ms before their sleep was over"]


def test_without_the_draws_the_models_are_one_stage() -> None:
    frame = samples(40, "max")
    bare = "queue;dur=1.0, parse;dur=0.2, features;dur=0.5, models;dur=49.0, respond;dur=0.1"
    (row,) = anatomy_rows(frame.assign(server_timing=bare), "max")
    assert row["stages_ms"]["models"] == 49.0
    assert not {"model_sleep", "model_overhead"} & set(row["stages_ms"])


def test_answers_without_stages_have_no_anatomy_or_say_how_many() -> None:
    frame = samples(40, "max")
    assert anatomy_rows(frame.assign(server_timing=pd.array([None] * 40, dtype="string")), "max") == []
    frame.loc[frame.index % 4 == 0, "server_timing"] = ""
    (row,) = anatomy_rows(frame, "max")
    assert "answers carry no stages" in said(row["reasons"])[0]
