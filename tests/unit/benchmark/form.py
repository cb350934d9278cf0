"""The form of summary.json, as DESIGN gives it under "The record"."""

from typing import Any

Form = dict[str, type]

_LATENCIES: Form = {"p50_ms": float, "p95_ms": float, "p99_ms": float}
SUMMARY: Form = {
    "schema": int,
    "command": str,
    "valid": bool,
    "reasons": list,
    "contenders": dict,
    "environment": dict,
}
CONTENDER: Form = {
    "floor_ms": float,
    "low_load": dict,
    "levels": list,
    "peak": dict,
    "cpu_ms_per_request": dict,
    "rss_mb": dict,
}
LOW_LOAD: Form = {"n": int, "mean_ms": float, **_LATENCIES, "ci95_mean_ms": list, "over_floor": float}
LEVEL: Form = {"users": int, "rps": float, **_LATENCIES, "errors": int, "n": int}
PEAK: Form = {"users": int, "rps": float, "p50_ms": float, "p99_ms": float}


def assert_summary_form(summary: dict[str, Any], missing: bool = False) -> None:
    """Assert the form of a summary; `missing` says that figures may be null where there was nothing to count."""
    _assert_form(summary, SUMMARY, missing=False)
    assert all(isinstance(reason["text"], str) and reason["code"] for reason in summary["reasons"])
    for entry in summary["contenders"].values():
        _assert_form(entry, CONTENDER, missing)
        if entry["low_load"]:
            _assert_form(entry["low_load"], LOW_LOAD, missing)
        if entry["peak"]:
            _assert_form(entry["peak"], PEAK, missing)
        for level in entry["levels"]:
            _assert_form(level, LEVEL, missing)
        for figures in (entry["cpu_ms_per_request"], entry["rss_mb"]):
            assert all(isinstance(value, float) for value in figures.values())


def _assert_form(document: dict[str, Any], form: Form, missing: bool) -> None:
    for key, kind in form.items():
        assert key in document
        value = document[key]
        if value is None and missing:
            continue
        # A whole number is a number, too, as far as JSON is concerned; true and false are none.
        kinds = (int, float) if kind is float else kind
        assert isinstance(value, kinds), f"{key} is {value!r}"
        assert isinstance(value, bool) == (kind is bool), f"{key} is {value!r}"
