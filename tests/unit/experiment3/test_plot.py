"""The page of a locust run."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.experiment3_locust.data import parse
from benchmark.experiment3_locust.findings import Finding
from benchmark.experiment3_locust.plot import table_rows, verdict, write_report
from benchmark.experiment3_locust.summary import OPEN_LOOP
from tests.unit.experiment3.synthetic import findings_of, locust_run, recorded


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def page_of(tmp_path: Path, findings: list[Finding]) -> str:
    return write_report(recorded(tmp_path, findings)).read_text()


def test_the_page_shows_every_figure(tmp_path: Path) -> None:
    page = page_of(tmp_path, findings_of("one") + findings_of("two"))
    figures = re.findall(r'<figure id="([^"]+)"', page)
    assert figures == [
        "breaking-points",
        "tries",
        "response-time",
        "load-test",
        "max-performance",
        "open-loop",
        "tails",
    ]
    assert "one broke at 100 requests/s (95 % interval 95.0 to 104) in 2 tries: its p95 rose." in page.replace(
        "\u00a0", " "
    )
    assert "90 requests/s were" in page.replace("\u00a0", " ")


def test_links_lead_to_what_locust_itself_wrote(tmp_path: Path) -> None:
    page = page_of(tmp_path, [locust_run()])
    assert 'href="locust/0-one-response-time.html"' in page


def test_a_run_without_a_breaking_point_has_a_page_and_no_headline(tmp_path: Path) -> None:
    run = recorded(tmp_path, [locust_run()])
    write_report(run)
    assert not (run.path / "headline.svg").exists()


def test_a_run_with_breaking_points_has_a_headline_for_desk_and_phone(tmp_path: Path) -> None:
    run = recorded(tmp_path, findings_of("one"))
    write_report(run)
    assert (run.path / "headline.svg").read_text().count("100 rps") == 1
    assert (run.path / "headline-narrow.svg").exists()


def test_a_run_of_which_nothing_was_measured_has_a_page(tmp_path: Path) -> None:
    assert "Nothing was measured, so nothing is claimed." in page_of(tmp_path, [])


def test_a_run_without_an_answer_has_a_page(tmp_path: Path) -> None:
    nothing = locust_run(n=0, errors=10, rps=0.0, mean_ms=None, p50_ms=None, p95_ms=None, p99_ms=None)
    opened = locust_run(example=OPEN_LOOP, n=0, p50_ms=None, p95_ms=None, p99_ms=None, rate_rps=8.0)
    run = recorded(tmp_path, [nothing, opened])
    write_report(run)
    (row, _), (open_row, _) = table_rows(parse(run.summary))
    assert row.cells[4:8] == ("0", "–", "–", "n/a*")
    assert (row.cells[1], open_row.cells[1]) == ("", "8.00")  # offered
    assert row.invalid


def test_the_verdict_on_an_invalid_contender_is_struck_through(tmp_path: Path) -> None:
    spoilt = [locust_run("two", "response-time", generator_cpu=0.99)]
    run = recorded(tmp_path, [*findings_of("one"), *findings_of("two"), *spoilt])
    said = verdict(parse(run.summary))
    assert {sentence.text.split()[0]: sentence.struck for sentence in said} == {"one": False, "two": True}
    assert "<s>two broke at" in write_report(run).read_text()
