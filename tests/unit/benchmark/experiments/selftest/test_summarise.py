"""A generator is held to what was so: one that tells the truth passes, and one that does not is found out."""

from pathlib import Path

import pytest

from benchmark.errors import LoadError
from benchmark.experiments.selftest.answers import answers
from benchmark.experiments.selftest.certify import certificate_of
from benchmark.experiments.selftest.plan import BIMODAL
from benchmark.experiments.selftest.schema import SelftestSummary, Verdict
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.selftest.synthetic import Generator, only, record
from tests.unit.plain import faults
from tests.unit.said import said


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        return record(tmp_path_factory.mktemp("results"), patch)


@pytest.fixture(scope="module")
def summary(run: Run) -> SelftestSummary:
    return SelftestSummary.model_validate(run.summary)


def summarised(folder: Path, patch: pytest.MonkeyPatch, generator: Generator) -> SelftestSummary:
    return SelftestSummary.model_validate(record(folder, patch, generator).summary)


def test_a_generator_that_tells_the_truth_passes_every_check(summary: SelftestSummary) -> None:
    assert summary.valid, said(summary.reasons)
    assert [check.figure for check in summary.checks if not check.ok] == []
    assert summary.verdict_on_generator is Verdict.PASSED


def test_what_it_adds_is_what_is_measured_minus_what_the_service_says(summary: SelftestSummary) -> None:
    assert summary.overhead
    assert (summary.overhead.p50_ms, summary.overhead.p99_ms) == pytest.approx((0.2, 0.2), abs=1e-3)


def test_a_closed_loop_hides_the_stall_that_an_open_one_shows(summary: SelftestSummary) -> None:
    stall = summary.stall
    assert stall
    assert stall.closed
    assert (stall.start_s, stall.seconds) == (3.0, 2.0)
    assert stall.open.p99_ms == pytest.approx(stall.truth.p99_ms, rel=1e-3)
    assert stall.open.p99_ms
    assert stall.open.p99_ms > 1900
    assert stall.closed.p99_ms == pytest.approx(50.2)
    assert stall.closed.longest_ms > 2000  # one request of each user met it
    assert sum(each > 1000 for each in stall.closed_dots.latency_ms) == 3


def test_the_ceiling_is_the_highest_rate_up_to_which_all_were_on_time(summary: SelftestSummary, run: Run) -> None:
    # 8 users at 3.2 ms get 2,500 answers per second; 0.3 and 0.6 of it are beyond what this generator sustains.
    assert summary.fastest_rps == pytest.approx(2_500, rel=0.01)
    assert [step.on_time for step in summary.steps] == [False, False]
    assert summary.ceiling_rps is None
    assert "None of the rates that were tried was offered on time." in [each.text for each in answers(summary)]


def test_rates_that_are_on_time_are_certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = summarised(tmp_path, monkeypatch, Generator(sustains_rps=1_000))
    assert [step.on_time for step in found.steps] == [True, False]
    certificate = certificate_of("a-run", found)
    assert certificate
    assert certificate.ceiling_rps == found.steps[0].rate_rps == pytest.approx(750, rel=0.01)
    assert certificate.passed
    assert certificate.bounds["overhead_p50_ms"] == 0.3


def test_one_that_says_less_than_was_so_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = summarised(tmp_path, monkeypatch, Generator(forgets=0.97))
    failed = [
        f"error of the {each} {where}"
        for where in ("over the stall", "under the exponential law", "under the bimodal law")
        for each in ("mean", "p50", "p99")
    ]
    assert [check.says for check in summary.checks if check.ok is False] == failed
    assert summary.verdict_on_generator is Verdict.FAILED
    certificate = certificate_of("a-run", summary)
    assert certificate
    assert (certificate.passed, list(certificate.failed)) == (False, failed)
    assert answers(summary)[0].text.startswith("The generator is not good enough here: ")


def test_late_arrivals_are_found_out_and_are_errors_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = summarised(tmp_path, monkeypatch, Generator(late_ms=5.0))
    late, error = summary.checks[-1], summary.checks[1]
    assert (late.figure, late.value, late.ok) == ("late_p99_ms", 5.0, False)
    assert (error.figure, error.ok) == ("stall_mean_pct", False)


def test_a_part_that_fails_is_a_reason_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = summarised(tmp_path, monkeypatch, Generator(fails=only(BIMODAL, LoadError("no answer came"))))
    assert "no answer came" in " ".join(said(summary.reasons))
    assert (summary.valid, summary.complete) == (False, True)
    assert summary.verdict_on_generator is Verdict.UNTOLD
    assert summary.stall


def test_the_answers_are_short_and_plain(summary: SelftestSummary) -> None:
    found = [answer.text for answer in answers(summary)]
    assert [fault for text in found for fault in faults(text)] == []
    assert found[0].startswith("The generator tells the truth here: over a stall of 2 s")
    assert found[-1].startswith("A closed loop would have said of the same stall: p99 50.2 ms; it was 2,0")


def test_a_busy_machine_condemns_the_whole_run(summary: SelftestSummary) -> None:
    assert [answer.text for answer in answers(summary, 0.5)] == ["The run as a whole is INVALID and supports no claim."]
