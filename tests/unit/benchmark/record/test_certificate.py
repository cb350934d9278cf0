"""A certificate holds on its own machine, for a while; otherwise there is none, and every page says so."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import ShapeError
from benchmark.record import provenance
from benchmark.record.certificate import (
    FILE,
    MAX_AGE_DAYS,
    Certificate,
    keep,
    machine_facts,
    noted,
    refuse_beyond_ceiling,
    standing,
)
from benchmark.report.certificate import generator_line

HERE: Mapping[str, Any] = {
    "machine": {"cpu_model": "a processor", "kernel": "6.1", "architecture": "x86_64"},
    "allowance": {"cores": 2},
    "python": "3.11.7",
    "packages": {"locust": "2.47.0", "gevent": "26.9.0", "geventhttpclient": "2.6.1", "rich": "1"},
}
DONE = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)


def certificate(**changes: Any) -> Certificate:
    facts: dict[str, Any] = {
        "finished_utc": "2026-11-28T10:00:00Z", "run": "a-run", "passed": True, "ceiling_rps": 2400.0,
        "overhead_p50_ms": 0.24, "overhead_p99_ms": 0.5, "late_p99_ms": 0.4, "worst_error_pct": 0.8, "bounds": {},
        "failed": (), "machine": machine_facts(HERE),
    }  # fmt: skip
    return Certificate(**{**facts, **changes})


def line(results: Path, environment: Mapping[str, Any] = HERE, now: datetime = DONE) -> str:
    """Return what a page of a run says that began then, read from its manifest."""
    return generator_line({"certificate": standing(results, environment, now).recorded()})


def test_a_certificate_is_named_with_its_verdict_its_date_and_its_figures(tmp_path: Path) -> None:
    keep(tmp_path, certificate())
    assert line(tmp_path) == (
        "Load generator: passed its selftest on this machine on 2026-11-28: up to 2,400 requests/s on time, 0.24 ms "
        "added at one user, off the truth by at most 0.80 %."
    )


def test_one_that_was_not_passed_says_why(tmp_path: Path) -> None:
    keep(tmp_path, certificate(passed=False, failed=("added at one user, p50",)))
    said = "did not pass its selftest on this machine on 2026-11-28: added at one user, p50 beyond the bound."
    assert line(tmp_path) == f"Load generator: {said}"
    assert standing(tmp_path, HERE, DONE).ceiling_rps == 2400.0  # what it offers on time is another matter


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "[" * 10_000, '{"passed": 5}'], ids=range(6))
def test_without_a_readable_one_there_is_none_and_the_page_says_how_to_get_it(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    said = line(tmp_path)
    assert said.startswith("Load generator: not certified on this machine when this was measured.")
    assert "`python -m benchmark selftest`" in said


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"python": "3.12.1"}, ("Python",)),
        ({"allowance": {"cores": 1}}, ("cores",)),
        ({"packages": {**HERE["packages"], "gevent": "27"}}, ("gevent",)),
        ({"machine": {**HERE["machine"], "cpu_model": "another", "kernel": "7"}}, ("CPU", "kernel")),
    ],
    ids=["Python", "cores", "gevent", "CPU"],
)
def test_one_of_another_machine_counts_as_none(
    tmp_path: Path, changed: Mapping[str, Any], differs: tuple[str, ...]
) -> None:
    keep(tmp_path, certificate())
    held = standing(tmp_path, {**HERE, **changed}, DONE)
    assert (held.state, held.differs, held.ceiling_rps) == ("other_machine", differs, None)
    assert "was on another machine" in generator_line({"certificate": held.recorded()})


def test_what_does_not_decide_how_fast_it_is_may_differ(tmp_path: Path) -> None:
    keep(tmp_path, certificate())
    assert standing(tmp_path, {**HERE, "packages": {**HERE["packages"], "rich": "2"}}, DONE).state == "passed"


def test_one_that_is_too_old_counts_as_none(tmp_path: Path) -> None:
    keep(tmp_path, certificate())
    last = DONE + timedelta(days=MAX_AGE_DAYS)
    assert standing(tmp_path, HERE, last).state == "passed"
    assert standing(tmp_path, HERE, last + timedelta(seconds=1)).state == "old"
    assert "more than 30 days before" in line(tmp_path, now=last + timedelta(days=1))


@pytest.mark.parametrize("manifest", [{}, {"certificate": 5}, {"certificate": {"state": "golden"}}], ids=range(3))
def test_a_record_that_does_not_say_has_none(manifest: Mapping[str, Any]) -> None:
    assert noted(manifest).state == "none"


def test_a_rate_over_the_ceiling_is_refused_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "environment", lambda: HERE)
    refuse_beyond_ceiling(9_000, tmp_path)  # nothing is known
    keep(tmp_path, certificate(finished_utc=datetime.now(UTC).isoformat()))
    refuse_beyond_ceiling(2_400, tmp_path)
    with pytest.raises(
        ShapeError, match=r"rises to 2,401 requests/s, but the load generator offers 2,400 on time here"
    ):
        refuse_beyond_ceiling(2_401, tmp_path)
