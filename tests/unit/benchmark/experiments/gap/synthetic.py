"""Summaries of `explain` as they would look: seeded, plausible, made up; and every way to be incomplete."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

FACTORS = {
    "runtime": {
        "title": "runtime of the scoring handler",
        "from": "Flask, gunicorn's threads",
        "to": "FastAPI, uvicorn's event loop",
    },
    "fan_out": {"title": "fan-out", "from": "one after the other", "to": "both at once"},
    "http_client": {
        "title": "HTTP client",
        "from": "the customary one (requests, httpx)",
        "to": "the lean one (urllib3, aiohttp)",
    },
    "model_runtime": {
        "title": "runtime of the model service",
        "from": "Flask, gunicorn's threads",
        "to": "FastAPI, uvicorn's event loop",
    },
}
TITLES = {
    "sync": "Flask, one model after the other",
    "sync-concurrent": "Flask, both models at once (thread pool)",
    "async": "FastAPI, both models at once, httpx",
    "async-aiohttp": "FastAPI, both models at once, aiohttp",
}
# What each factor adds by itself: ms of latency, a factor of the rate, ms of CPU.
EFFECTS = {
    "runtime": (-0.9, 1.62, -0.78),
    "fan_out": (-43.4, 1.02, 0.11),
    "http_client": (-0.8, 1.9, -1.05),
    "model_runtime": (-0.6, 1.18, -0.42),
}
FROM = {"latency_ms": 94.8, "peak_rps": 448.0, "cpu_ms": 3.1}
MAIN = {
    "sync": (),
    "sync-concurrent": ("fan_out",),
    "async": ("runtime", "fan_out", "model_runtime"),
    "async-aiohttp": tuple(FACTORS),
}
USERS = (1, 4, 8, 16, 32, 64, 128)
Summary = dict[str, Any]


def make_summary() -> Summary:
    """Return a complete, VALID summary of a full design."""
    random = np.random.default_rng(5)
    cells = [_cell(levels, random) for levels in itertools.product(("from", "to"), repeat=len(FACTORS))]
    return {
        "schema": 1,
        "command": "explain",
        "started_utc": "2026-11-21T05:00:00Z",
        "finished_utc": "2026-11-21T05:22:00Z",
        "complete": True,
        "valid": True,
        "reasons": [],
        "baseline": "sync",
        "environment": {},
        "quick": False,
        "notes": [],
        "factors": FACTORS,
        "confounded": {},
        "cells": cells,
        "attribution": {response: _attribution(response, "async-aiohttp", tuple(FACTORS)) for response in FROM},
        "attribution_customary": {
            response: _attribution(response, "async", ("runtime", "fan_out", "model_runtime")) for response in FROM
        },
        "latency_parts": {
            "slept_ms": {"shares": {name: _share(-43.4 if name == "fan_out" else 0.0, 0.2) for name in FACTORS}},
            "beyond_sleep_ms": {"shares": {name: _share(EFFECTS[name][0] / 20, 0.1) for name in FACTORS}},
            "expected": {name: -43.3333 if name == "fan_out" else 0.0 for name in FACTORS},
        },
        "anatomy": {name: _anatomy(name) for name in MAIN},
        "waiting": {
            name: [
                {"users": users, "kind": kind, "mean_ms": 0.02 * users, "p99_ms": 0.3 * users, "n": 200}
                for users in USERS
            ]
            for name, kind in (("sync", "interpreter lock"), ("async", "event-loop lag"))
        },
        "clock_cost": {
            name: {
                "latency_ms": {"value": 0.04, "ci95": [-0.2, 0.28]},
                "cpu_ms": {"value": 0.03, "ci95": [0.01, 0.05]},
            }
            for name in ("sync", "async-aiohttp")
        },
        "prediction": {name: _prediction(name, random) for name in MAIN},
        "peaks": {name: _peak(name, error) for name, error in zip(MAIN, (0.04, -0.07, 0.13, 0.09), strict=True)},
        "what_if": [
            _what_if("sync", "threads doubled", 451, 470, 462.0),
            _what_if("async", "httpx replaced by aiohttp", 306, 1480, 1716.0),
            _what_if("async-aiohttp", "four cores", 1716, 2400, None),
        ],
        "crossover": _crossover(random),
        "predicted_before": "2026-11-21T05:03:10Z",
    }


def make_manifest() -> dict[str, Any]:
    return {
        "schema": 1,
        "command": "explain",
        "started_utc": "2026-11-21T05:00:00Z",
        "command_line": "python -m benchmark explain",
        "seed": 1,
        "plan": {"blocks": 4, "levels": [1, 8, 32, 64]},
        "contenders": {
            name: {"name": name, "label": name, "title": title, "order": i, "harness_floor": False}
            for i, (name, title) in enumerate(TITLES.items())
        },
        "settings": {"services": {}, "defaults": {"workers": 1, "threads": 64}},
        "busy_before_start": 0.02,
        "environment": {
            "machine": {"cores": 2, "cpu_model": "a processor", "kernel": "6.1", "memory_gb": 8.0, "os": "Debian 12"},
            "python": "3.11.2",
            "packages": {"aiohttp": "3.14.1", "flask": "3.1.2"},
            "git": {"commit": "0f3c2a1", "dirty": False},
        },
    }


def variants() -> dict[str, Callable[[], Summary]]:
    """Return the makers of every kind of summary that the page must be able to show."""
    return {
        "complete": make_summary,
        "quick": _quick,
        "interrupted": _interrupted,
        "nothing": _nothing,
        "invalid_cell": _invalid_cell,
        "busy": _busy,
        "no_difference": _no_difference,
        "one_block": _one_block,
        "slower": _slower,
    }


def _cell(levels: tuple[str, ...], random: np.random.Generator) -> Summary:
    chosen = tuple(name for name, level in zip(FACTORS, levels, strict=True) if level == "to")
    contender = next((name for name, own in MAIN.items() if own == chosen), None)
    latency_ms = FROM["latency_ms"] + sum(EFFECTS[name][0] for name in chosen)
    rps = FROM["peak_rps"] * math.prod(EFFECTS[name][1] for name in chosen)
    cpu_ms = FROM["cpu_ms"] + sum(EFFECTS[name][2] for name in chosen)
    noise = 1 + random.normal(0, 0.002, 3) * (contender is None)
    values = {"latency_ms": latency_ms * noise[0], "peak_rps": rps * noise[1], "cpu_ms": cpu_ms * noise[2]}
    label = "cell-" + "-".join("tf"[level == "from"] for level in levels)
    figures: Summary = {name: {"value": v, "ci95": [v * 0.99, v * 1.01], "users": 64} for name, v in values.items()}
    figures["cpu_ms"]["users"] = 8
    del figures["latency_ms"]["users"]
    levels_by_name = dict(zip(FACTORS, levels, strict=True))
    return {"label": label, "levels": levels_by_name, "contender": contender, **figures, "valid": True, "reasons": []}


def _share(value: float, half: float) -> Summary:
    return {"value": value, "ci95": [value - half, value + half]}


def _attribution(response: str, to: str, factors: tuple[str, ...]) -> Summary:
    place = list(FROM).index(response) if response != "peak_rps" else 1
    place = {"latency_ms": 0, "peak_rps": 1, "cpu_ms": 2}[response]
    effects = {name: EFFECTS[name][place] for name in factors}
    if response == "peak_rps":
        gap = math.prod(effects.values())
        shares = {name: {"value": v, "ci95": [v * 0.95, v * 1.05]} for name, v in effects.items()}
        to_value, ci95 = FROM[response] * gap, [gap * 0.93, gap * 1.07]
    else:
        gap = sum(effects.values())
        half = 0.3 if response == "latency_ms" else 0.12
        shares = {name: {"value": v, "ci95": [v - half, v + half]} for name, v in effects.items()}
        to_value, ci95 = FROM[response] + gap, [gap - 0.6, gap + 0.6]
    none = 1.0 if response == "peak_rps" else 0.0
    pairs = itertools.combinations(factors, 2)
    return {
        "from": "sync",
        "to": to,
        "from_value": FROM[response],
        "to_value": to_value,
        "gap": gap,
        "ci95": ci95,
        "shares": shares,
        "interactions": [
            {"factors": list(pair), "value": none + 0.05, "ci95": [none - 0.1, none + 0.2]} for pair in pairs
        ],
    }


def _rps(name: str, users: int) -> float:
    rate = FROM["peak_rps"] * math.prod(EFFECTS[each][1] for each in MAIN[name])
    alone_ms = FROM["latency_ms"] + sum(EFFECTS[each][0] for each in MAIN[name])
    return float(((users * 1e3 / alone_ms) ** -4 + rate**-4) ** -0.25)


def _anatomy(name: str) -> list[Summary]:
    rows = []
    for users in USERS:
        slept = 46.67 if "fan_out" in MAIN[name] else 90.0
        latency_ms = users * 1e3 / _rps(name, users)
        for percentile in (50, 99) if users > 4 else (50,):
            client_ms = latency_ms * (1 if percentile == 50 else 1.3)
            small = {"client_and_network": 0.4, "parse": 0.1, "features": 0.3, "respond": 0.05}
            rest_ms = client_ms - slept - sum(small.values())
            stages = {**small, "model_sleep": slept, "queue": rest_ms * 0.6, "model_overhead": rest_ms * 0.4}
            rows.append(
                {"users": users, "percentile": percentile, "n": 40, "client_ms": client_ms, "stages_ms": stages}
            )
    return rows


def _prediction(name: str, random: np.random.Generator) -> list[Summary]:
    rows: list[Summary] = []
    for users in (1, 2, *USERS[1:]):
        rps = _rps(name, users)
        off = 1 + random.normal(0, 0.03) * (users > 8)
        measured = users != 128 or name != "async"
        rows.append(
            {
                "users": users,
                "calibrated": users <= 8,
                "rps_predicted": rps * off,
                "rps_measured": rps if measured else None,
                "p50_predicted_ms": users * 1e3 / rps / off,
                "p50_measured_ms": users * 1e3 / rps if measured else None,
            }
        )
    return rows


def _peak(name: str, error: float) -> Summary:
    rps = _rps(name, 10_000)
    return {
        "users_predicted": 128,
        "users_measured": 64,
        "rps_predicted": rps * (1 + error),
        "rps_measured": rps,
        "error": error,
        "error_ci95": [error - 0.08, error + 0.09],
        "cpu_off": {"scoring": 0.02, "model": -0.01, "redis": 0.0, "load": 0.1},
    }


def _what_if(contender: str, title: str, before: float, predicted: float, measured: float | None) -> Summary:
    p50 = 64e3
    return {
        "contender": contender,
        "title": title,
        "setting": {},
        "users": 64,
        "rps_before": before,
        "rps_predicted_before": before,
        "rps_predicted": predicted,
        "rps_measured": measured,
        "error": predicted / measured - 1 if measured else None,
        "error_ci95": [predicted / measured - 1.2, predicted / measured - 0.8] if measured else None,
        "p50_before_ms": p50 / before,
        "p50_predicted_ms": p50 / predicted,
        "p50_measured_ms": p50 / measured if measured else None,
    }


def _crossover(random: np.random.Generator) -> list[Summary]:
    points: list[Summary] = []
    for cpu_ms, users in itertools.product((0, 2, 5, 10, 15, 20), (1, 2, 4, 8, 16, 32)):
        ratio = math.exp(0.64 - 0.055 * cpu_ms * (1 - 0.7 / users) + 0.05 * math.log(users))
        points.append({"cpu_ms": cpu_ms, "users": users, "ratio": ratio, "measured": False, "ci95": None})
    for point in points:
        if point["cpu_ms"] in (2, 10, 20) and point["users"] in (1, 8, 32):
            ratio = point["ratio"] * (1 + random.normal(0, 0.02))
            ends = [ratio * 0.95, ratio * 1.05]
            point.update(ratio_predicted=point["ratio"], ratio=ratio, measured=True, ci95=ends)
    return points


def _quick() -> Summary:
    summary = make_summary()
    summary.update(quick=True, cells=summary["cells"][::2])
    summary["confounded"] = {"fan_out": "runtime x http_client x model_runtime"}
    for attribution in summary["attribution"].values():
        pairs = attribution["interactions"]
        attribution["interactions"] = [
            {**pair, "confounded_with": other["factors"]} for pair, other in zip(pairs[:3], pairs[:2:-1], strict=True)
        ]
    del summary["attribution_customary"]
    summary["notes"] = ["QUICK: half of the design"]
    return summary


def _interrupted() -> Summary:
    summary = make_summary()
    summary.update(complete=False, valid=False, reasons=["interrupted: 9 of 40 cells were measured"])
    summary.update(attribution={"latency_ms": summary["attribution"]["latency_ms"]}, attribution_customary=None)
    summary.update(clock_cost=None, peaks={}, what_if=[], crossover=[], waiting={})
    summary["anatomy"] = {"sync": summary["anatomy"]["sync"][:1]}
    for rows in summary["prediction"].values():
        for row in rows:
            row.update(rps_measured=None, p50_measured_ms=None)
    for cell in summary["cells"][3:]:
        cell.update(peak_rps=None, cpu_ms=None)
    return summary


def _nothing() -> Summary:
    head = ("schema", "command", "started_utc", "finished_utc", "environment", "factors", "baseline")
    summary = {key: value for key, value in make_summary().items() if key in head}
    return {**summary, "complete": False, "valid": False, "reasons": ["interrupted before the first cell"]}


def _invalid_cell() -> Summary:
    summary = make_summary()
    cell = summary["cells"][5]
    cell.update(valid=False, reasons=["12 of 13,100 answers were wrong"])
    row = summary["anatomy"]["async"][0]
    row["reasons"] = ["the server's stages are 4.7% longer than the client's latency"]
    reasons = [f"{cell['label']}: 12 of 13,100 answers were wrong", f"async: 1 users, p50: {row['reasons'][0]}"]
    summary.update(valid=False, reasons=reasons)
    return summary


def _busy() -> Summary:
    return {**make_summary(), "valid": False, "reasons": ["the machine was 38 % busy before the start"]}


def _no_difference() -> Summary:
    """A contender against itself: every interval contains none."""
    summary = make_summary()
    for attribution in (*summary["attribution"].values(), *summary["attribution_customary"].values()):
        none = 1.0 if attribution["from_value"] == FROM["peak_rps"] else 0.0
        attribution.update(to_value=attribution["from_value"], gap=none, ci95=[none - 0.1, none + 0.1])
        for share in attribution["shares"].values():
            share.update(value=none, ci95=[none - 0.05, none + 0.05])
    for point in summary["crossover"]:
        point.update(
            ratio=1.0,
            ratio_predicted=1.0 if point["measured"] else None,
            ci95=[0.97, 1.03] if point["measured"] else None,
        )
    return summary


def _one_block() -> Summary:
    summary = make_summary()
    for attribution in (*summary["attribution"].values(), *summary["attribution_customary"].values()):
        attribution["ci95"] = None
        for share in (*attribution["shares"].values(), *attribution["interactions"]):
            share["ci95"] = None
    for cell in summary["cells"]:
        for response in FROM:
            cell[response]["ci95"] = None
    for point in summary["crossover"]:
        point["ci95"] = None
    return summary


def _slower() -> Summary:
    """The other way round: `to` is the slow one."""
    summary = copy.deepcopy(make_summary())
    for response, attribution in summary["attribution"].items():
        inverse = response == "peak_rps"
        for share in (attribution, *attribution["shares"].values()):
            key = "gap" if share is attribution else "value"
            low, high = share["ci95"]
            share[key] = 1 / share[key] if inverse else -share[key]
            share["ci95"] = [1 / high, 1 / low] if inverse else [-high, -low]
        attribution["from_value"], attribution["to_value"] = attribution["to_value"], attribution["from_value"]
    return summary
