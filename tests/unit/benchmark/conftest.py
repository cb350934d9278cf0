"""Runs that look like real ones: figures as on two shared cores, and every way in which a run can be incomplete."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.experiments.bench.page import write_bench_report
from benchmark.report.charts import picture
from benchmark.report.charts.chart import NARROW, WIDE, Layout, Sheet, drawing
from benchmark.report.charts.picture import Picture
from tests.unit.benchmark.report.looks import laid_out

LEVELS = [1, 2, 4, 8, 16, 32, 64]
BLOCKS = 4


@dataclass
class FakeRun:
    """A run in memory, as benchmark.analysis.schema.RunData wants it."""

    path: Path
    summary: dict[str, Any]
    manifest: dict[str, Any]
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)

    def samples(self) -> pd.DataFrame:
        return self.frame


@dataclass(frozen=True)
class Kind:
    """What a made-up contender is like: latency alone, capacity, CPU per process."""

    title: str
    floor_ms: float
    alone_ms: float
    capacity_rps: float
    scoring_ms: float
    model_ms: float


KINDS = {
    "sync": Kind("Flask, one model after the other", 90.0, 101.2, 147, 6.1, 2.8),
    "sync-concurrent": Kind("Flask, both models at once in a thread pool", 46.67, 54.1, 155, 6.0, 2.6),
    "async": Kind("FastAPI, both models at once with httpx", 46.67, 52.6, 103, 11.8, 2.2),
    "async-aiohttp": Kind("FastAPI, both models at once with aiohttp", 46.67, 50.8, 655, 1.6, 1.3),
}
NULL = Kind("answers at once", 0.0, 1.13, 1080, 0.12, 0.0)
NULL_ON_THE_AXIS = Kind("answers at once", 0.0, 9.3, 790, 0.12, 0.0)
MORE = {
    "sync#2": KINDS["sync"],
    "async#2": Kind("FastAPI again", 46.67, 52.7, 101, 11.9, 2.2),
    "sync-gevent": Kind("Flask on gevent", 90.0, 99.8, 168, 5.2, 2.5),
    "async-httpx2": Kind("FastAPI with httpx2", 46.67, 52.9, 144, 7.0, 2.1),
    "async-httpx-aiohttp": Kind("FastAPI with httpx over aiohttp", 46.67, 52.3, 241, 4.1, 1.9),
    "sync-urllib3": Kind("Flask with urllib3", 90.0, 99.1, 190, 4.6, 2.6),
    "async-2-workers": Kind("FastAPI with two workers", 46.67, 53.0, 180, 11.1, 2.2),
}


def make_summary(kinds: dict[str, Kind], *, null: Kind | None = NULL, blocks: int = BLOCKS) -> dict[str, Any]:
    """Return a complete, VALID summary of these contenders."""
    contenders = {name: _contender(kind, blocks) for name, kind in kinds.items()}
    if null:
        contenders["null"] = _contender(null, blocks, harness_floor=True)
    return {
        "schema": 1,
        "command": "bench",
        "started_utc": "2026-11-21T05:00:00Z",
        "complete": True,
        "valid": True,
        "reasons": [],
        "blocks": blocks,
        "baseline": "sync",
        "levels": LEVELS,
        "contenders": contenders,
        "comparisons": _comparisons(contenders, blocks),
        "environment": {},
    }


def make_manifest(names: list[str], blocks: int = BLOCKS) -> dict[str, Any]:
    """Return the manifest of such a run."""
    random = np.random.default_rng(1)
    return {
        "command_line": "python -m benchmark bench --blocks 4 --levels 1,2,4,8,16,32,64 --seed 1",
        "environment": {
            "machine": {
                "kernel": "6.1.0-28-amd64",
                "cpu_model": "Intel(R) Xeon(R) CPU @ 2.20GHz",
                "cores": 2,
                "memory_gb": 8.3,
                "os": "Debian GNU/Linux 12 (bookworm)",
            },
            "python": "3.11.7",
            "packages": {"aiohttp": "3.14.1", "fastapi": "0.160.0", "flask": "3.1.2", "httpx": "0.28.1"},
            "git": {"commit": "0f3c2a1", "dirty": False},
        },
        "settings": {
            "scoring": {
                "workers": 1,
                "threads": 64,
                "model_urls": ["http://127.0.0.1:5000/", "http://127.0.0.1:5000/"],
            },
            "model": {"workers": 1, "law": "uniform", "min_ms": 40.0, "max_ms": 50.0},
        },
        "seed": 1,
        "plan": {
            "blocks": blocks,
            "levels": [{"users": users, "warmup_s": 0.5, "measure_s": 20.0} for users in LEVELS],
        },
        "busy_before_start": 0.03,
        "order": [[str(name) for name in random.permutation(names)] for _ in range(blocks)],
    }


def make_samples(summary: dict[str, Any], levels: tuple[int, ...] = (1, 64)) -> pd.DataFrame:
    """Return samples at some levels: uniform stubs, a little overhead, and queueing at the higher level."""
    random = np.random.default_rng(2)
    frames = []
    for name, contender in summary["contenders"].items():
        for level in contender["levels"]:
            if level["users"] not in levels:
                continue
            size = min(level["n"], 1500)
            floor_ms = contender["floor_ms"] if contender["floor_ms"] < level["mean_ms"] else 0.0
            overhead_ms = random.gamma(9.0, (level["mean_ms"] - floor_ms) / 9.0, size)
            models_ms = random.uniform(0.95, 1.05, size) * floor_ms
            frames.append(
                pd.DataFrame(
                    {
                        "contender": name,
                        "block": random.integers(0, summary["blocks"], size),
                        "users": level["users"],
                        "measured": random.random(size) > 0.1,
                        "start_ns": np.arange(size) * 1_000_000,
                        "latency_ms": models_ms + overhead_ms,
                        "status": 200,
                        "ok": random.random(size) > 0.001,
                        "detail_s": 0.045,
                    }
                )
            )
    columns = ["contender", "block", "users", "measured", "start_ns", "latency_ms", "status", "ok", "detail_s"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def variants() -> dict[str, Callable[[], dict[str, Any]]]:
    """Return the makers of every kind of summary that a report must be able to show."""
    return {
        "valid": lambda: make_summary(KINDS),
        "invalid_contender": _with_an_invalid_contender,
        "interrupted": _interrupted,
        "twelve": lambda: make_summary({**KINDS, **MORE}, null=NULL_ON_THE_AXIS),
        "climbed": _climbed,
        "wide_intervals": _wide_intervals,
        "one_block": lambda: make_summary(KINDS, blocks=1),
        "nothing": _nothing_measured,
        "busy_machine": _busy_machine,
    }


def make_run(path: Path, variant: str) -> FakeRun:
    """Return a run of this variant that writes into `path`."""
    summary = variants()[variant]()
    return FakeRun(path, summary, make_manifest(list(summary["contenders"]), summary["blocks"]), make_samples(summary))


def _level(kind: Kind, users: int, blocks: int) -> dict[str, Any]:
    """One worker saturates smoothly; N = X R gives the mean latency."""
    alone_rps = users * 1e3 / kind.alone_ms
    rps = (alone_rps**-4 + kind.capacity_rps**-4) ** -0.25
    mean_ms = users * 1e3 / rps
    n = int(rps * 20 * blocks)
    return {
        "users": users,
        "valid": True,
        "reasons": [],
        "rps": rps,
        "ci95_rps": [rps * 0.97, rps * 1.03] if blocks > 1 else None,
        "mean_ms": mean_ms,
        "p50_ms": mean_ms * 0.99,
        "p95_ms": mean_ms * 1.12,
        "p99_ms": mean_ms * 1.3 if n >= 1000 else None,
        "errors": 0,
        "n": n,
        "generator_cpu": rps * 0.0009,
        "little_n": users * 0.997,
        "cpu_ms_per_request": {"scoring": kind.scoring_ms, "model": kind.model_ms, "redis": 0.09, "load": 0.9},
    }


def _contender(kind: Kind, blocks: int, harness_floor: bool = False) -> dict[str, Any]:
    levels = [_level(kind, users, blocks) for users in LEVELS]
    peak = max(levels, key=lambda level: level["rps"])
    return {
        "title": kind.title,
        "floor_ms": kind.floor_ms,
        "harness_floor": harness_floor,
        "valid": True,
        "reasons": [],
        "notes": ["saturating: the generator is at its ceiling"] if harness_floor else [],
        "low_load": {
            "n": 120,
            "mean_ms": kind.alone_ms,
            "p50_ms": kind.alone_ms * 0.998,
            "p95_ms": kind.alone_ms * 1.05,
            "p99_ms": None,
            "ci95_mean_ms": [kind.alone_ms * 0.996, kind.alone_ms * 1.004] if blocks > 1 else None,
            "over_floor": kind.alone_ms / kind.floor_ms if kind.floor_ms else None,
        },
        "levels": levels,
        "peak": {key: peak[key] for key in ("users", "rps", "ci95_rps", "p50_ms", "p99_ms", "generator_cpu")},
        "cpu_users": 64,
        "cpu_ms_per_request": dict(levels[-1]["cpu_ms_per_request"]),
        "rss_mb": {"scoring": 61.0, "model": 48.0, "redis": 9.1},
    }


def _comparisons(contenders: dict[str, Any], blocks: int) -> list[dict[str, Any]]:
    base = contenders.get("sync")
    found = []
    for name, contender in contenders.items():
        if base is None or name == "sync" or contender["harness_floor"]:
            continue
        pairs = {
            "low_load_mean_ms": (contender["low_load"]["mean_ms"], base["low_load"]["mean_ms"]),
            "peak_rps": (contender["peak"]["rps"], base["peak"]["rps"]),
            "cpu_ms_per_request": tuple(
                sum(ms for role, ms in each["cpu_ms_per_request"].items() if role != "load")
                for each in (contender, base)
            ),
        }
        for figure, (mine, theirs) in pairs.items():
            ratio = mine / theirs
            interval = [ratio * 0.98, ratio * 1.02] if blocks > 1 else None
            shown = interval is not None and not interval[0] <= 1 <= interval[1]
            found.append(
                {"figure": figure, "baseline": "sync", "contender": name, "ratio": ratio, "ci95": interval,
                 "difference_shown": shown}
            )  # fmt: skip
    return found


def _with_an_invalid_contender() -> dict[str, Any]:
    """The fastest is INVALID as a whole, and another at its highest level only."""
    summary = make_summary(KINDS)
    fast = summary["contenders"]["async-aiohttp"]
    fast["valid"] = False
    fast["reasons"] = ["12 of 13,100 answers were wrong"]
    level = summary["contenders"]["sync-concurrent"]["levels"][-1]
    level["valid"] = False
    level["reasons"] = ["rate x latency is -7.2% off the number of users (Little's law)"]
    level["little_n"] = 59.4
    summary["contenders"]["sync-concurrent"]["valid"] = False
    summary["contenders"]["sync-concurrent"]["reasons"] = [f"64 users: {level['reasons'][0]}"]
    summary["valid"] = False
    summary["reasons"] = [
        "async-aiohttp: 12 of 13,100 answers were wrong",
        f"sync-concurrent: 64 users: {level['reasons'][0]}",
    ]
    return summary


def _interrupted() -> dict[str, Any]:
    """One contender stopped half-way, one failed parity, one died before it was measured."""
    summary = make_summary(KINDS, blocks=2)
    summary.update(complete=False, valid=False, reasons=["interrupted: 3 of 10 cells were measured"])
    half = summary["contenders"]["async"]
    half["levels"] = half["levels"][:4]
    half["peak"] = None
    half["cpu_ms_per_request"] = None
    half["cpu_users"] = None
    half["rss_mb"] = None
    for name, reason in (
        ("async-aiohttp", "failed parity: a malformed body answered 500, expected 400"),
        ("sync-concurrent", "its process ended before it was ready"),
    ):
        lost = summary["contenders"][name]
        lost.update(low_load=None, levels=[], peak=None, cpu_ms_per_request=None, cpu_users=None, rss_mb=None)
        lost.update(valid=False, reasons=[reason])
    measured = {"sync", "async"}
    summary["comparisons"] = [
        c for c in summary["comparisons"] if c["contender"] in measured and c["figure"] == "low_load_mean_ms"
    ]
    return summary


def _climbed() -> dict[str, Any]:
    """Higher levels were tried with the one contender whose rate still grew."""
    kinds = {**KINDS, "async-aiohttp": replace(KINDS["async-aiohttp"], capacity_rps=830)}
    summary = make_summary(kinds)
    for name in ("async-aiohttp", "null"):
        kind = kinds.get(name, NULL)
        contender = summary["contenders"][name]
        contender["levels"] += [_level(kind, users, BLOCKS) for users in (128, 256)]
        peak = max(contender["levels"], key=lambda level: level["rps"])
        contender["peak"] = {key: peak[key] for key in contender["peak"]}
        contender["cpu_users"] = peak["users"]
    summary["levels"] = [*LEVELS, 128, 256]
    return summary


def _wide_intervals() -> dict[str, Any]:
    """Two blocks that disagree: Student's t with one degree of freedom reaches below zero."""
    summary = make_summary(KINDS, blocks=2)
    for contender in summary["contenders"].values():
        mean_ms = contender["low_load"]["mean_ms"]
        contender["low_load"]["ci95_mean_ms"] = [mean_ms * -0.3, mean_ms * 2.3]
        for level in contender["levels"]:
            level["ci95_rps"] = [level["rps"] * -1.1, level["rps"] * 3.1]
        contender["peak"]["ci95_rps"] = contender["levels"][-1]["ci95_rps"]
    for comparison in summary["comparisons"]:
        comparison.update(ci95=[comparison["ratio"] * 0.3, comparison["ratio"] * 4], difference_shown=False)
    return summary


def _nothing_measured() -> dict[str, Any]:
    summary = make_summary(KINDS, null=None)
    for contender in summary["contenders"].values():
        contender.update(low_load=None, levels=[], peak=None, cpu_ms_per_request=None, cpu_users=None, rss_mb=None)
        contender.update(valid=False, reasons=["its process ended before it was ready"])
    summary.update(complete=False, valid=False, reasons=["interrupted in the first block"], comparisons=[], blocks=0)
    return summary


def _busy_machine() -> dict[str, Any]:
    summary = make_summary(KINDS)
    summary.update(valid=False, reasons=["the machine was 38 % busy before the start"])
    return summary


@pytest.fixture(scope="module", params=list(variants()))
def reported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    """One run of every variant, with its report."""
    run = make_run(tmp_path_factory.mktemp(request.param), request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture, "svg_file", lambda draw, layout: NO_DRAWING)
        write_bench_report(run)
    return run


@pytest.fixture
def valid_run(tmp_path: Path) -> FakeRun:
    return make_run(tmp_path, "valid")


@pytest.fixture
def summaries() -> dict[str, dict[str, Any]]:
    """Every variant's summary, by name, free to be changed."""
    return {name: copy.deepcopy(make()) for name, make in variants().items()}


SheetsOf = Callable[[Iterable[Picture]], list[Sheet]]
NO_DRAWING = '<svg viewBox="0 0 1 1" />'


@pytest.fixture
def drawings() -> None:
    """Asked for by tests that look at drawings: to make a page takes ten times as long with them."""


@pytest.fixture
def cards() -> None:
    """Asked for by tests that want the share cards of runs: to draw them takes seconds."""


@pytest.fixture(autouse=True)
def _without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "drawings" not in request.fixturenames:
        monkeypatch.setattr(picture, "svg_file", lambda draw, layout: NO_DRAWING)
    if "cards" not in request.fixturenames:
        monkeypatch.setattr("benchmark.experiments.experiment.card_files", lambda *_: {})


@pytest.fixture
def sheets_of(monkeypatch: pytest.MonkeyPatch) -> SheetsOf:
    """Return what lays pictures out without making SVG of them: each for a desk, then for a phone."""
    drawn: list[Sheet] = []

    def keep(draw: Callable[[Layout], Sheet], layout: Layout) -> str:
        with drawing(layout):
            drawn.append(laid_out(draw(layout)))
        return NO_DRAWING

    def sheets(pictures: Iterable[Picture]) -> list[Sheet]:
        drawn.clear()
        for each in pictures:
            each.element(WIDE)
            each.element(NARROW)
        return list(drawn)

    monkeypatch.setattr(picture, "svg_file", keep)
    return sheets
