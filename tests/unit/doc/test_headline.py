"""The first sentences of the README say what the recorded run shows, whatever it shows."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.schema import parse_summary
from benchmark.experiments.gap.schema import parse
from doc.headline import headline
from tests.unit.plain import faults

RECORDED = Path(__file__).resolve().parents[3] / "doc" / "recorded"


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / name).read_text())
    return found


@pytest.fixture
def contenders() -> dict[str, Any]:
    """The recorded contenders, with every difference to the baseline shown."""
    summary = read("summary.json")
    for each in summary["comparisons"]:
        each["difference_shown"] = True
    return summary


def said(contenders: dict[str, Any], **attribution: Any) -> list[str]:
    explained = copy.deepcopy(read("explain/summary.json"))
    for response, shares in attribution.items():
        for name, value in shares.items():
            explained["attribution"][response]["shares"][name]["value"] = value
    found = headline(parse_summary(contenders), parse(explained, read("explain/manifest.json")))
    assert [fault for sentence in found for fault in faults(sentence)] == []
    return found


def compared(summary: dict[str, Any], figure: str, contender: str, **changes: Any) -> None:
    for each in summary["comparisons"]:
        if (each["figure"], each["contender"]) == (figure, contender):
            each.update(changes)


def test_the_recorded_run_has_an_answer_to_all_three() -> None:
    assert len(said(read("summary.json"))) == 3


def test_half_the_time_is_called_that_and_another_share_by_its_number(contenders: dict[str, Any]) -> None:
    contenders["contenders"]["sync"]["low_load"]["mean_ms"] = 100.0
    contenders["contenders"]["async-aiohttp"]["low_load"]["mean_ms"] = 50.0
    assert said(contenders)[0] == "Alone, FastAPI answers in half the time of Flask: 50.0 ms against 100.0 ms."
    contenders["contenders"]["async-aiohttp"]["low_load"]["mean_ms"] = 70.0
    assert said(contenders)[0] == "Alone, FastAPI answers in 70 % of the time of Flask: 70.0 ms against 100.0 ms."


def test_what_is_not_shown_is_not_claimed(contenders: dict[str, Any]) -> None:
    compared(contenders, "low_load_mean_ms", "async-aiohttp", difference_shown=False)
    compared(contenders, "peak_rps", "async-aiohttp", difference_shown=False)
    alone, load = said(contenders)
    assert alone.startswith("Alone, FastAPI is not shown to answer faster than Flask (")
    assert load == "Under load, FastAPI is not shown to carry more requests than Flask."


def test_flask_with_threads_is_as_fast_only_if_no_difference_is_shown(contenders: dict[str, Any]) -> None:
    fastest, low = (contenders["contenders"][name]["low_load"] for name in ("async-aiohttp", "sync-concurrent"))
    low.update(mean_ms=fastest["mean_ms"], ci95_mean_ms=fastest["ci95_mean_ms"])
    assert "which Flask does as fast with a thread pool" in said(contenders)[1]
    low.update(mean_ms=70.0, ci95_mean_ms=[69.0, 71.0])
    assert "which Flask does too, with a thread pool" in said(contenders)[1]


def test_a_smaller_share_of_the_fan_out_is_said_with_its_number(contenders: dict[str, Any]) -> None:
    gap = read("explain/summary.json")["attribution"]["latency_ms"]["gap"]
    text = said(contenders, latency_ms={"fan_out": 0.6 * gap})[1]
    assert text.startswith("60 % of that is asking both models at once")


def test_the_client_decides_only_if_no_other_factor_does_more(contenders: dict[str, Any]) -> None:
    compared(contenders, "peak_rps", "async-aiohttp", ratio=3.0)
    compared(contenders, "peak_rps", "async", ratio=1.2)
    clients = said(contenders, peak_rps={"http_client": 2.5, "runtime": 1.2, "model_runtime": 1.1, "fan_out": 0.9})
    assert clients[2] == (
        "Under load the HTTP client decides: with aiohttp FastAPI carries 3.0 times the requests of Flask, "
        "with httpx 1.2 times."
    )
    runtimes = said(contenders, peak_rps={"http_client": 1.1, "runtime": 2.5, "model_runtime": 1.1, "fan_out": 0.9})
    assert runtimes[2].startswith("Under load, with aiohttp FastAPI carries 3.0 times")


def test_httpx_carries_more_only_if_it_is_shown(contenders: dict[str, Any]) -> None:
    compared(contenders, "peak_rps", "async", difference_shown=False)
    assert said(contenders)[2].endswith("with httpx no gain is shown.")
