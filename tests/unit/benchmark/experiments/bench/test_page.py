"""The page of `bench`: complete for every kind of run, self-contained, and the same each time."""

import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from benchmark.analysis.schema import parse_summary
from benchmark.experiments.bench.figures import throughput_figure
from benchmark.experiments.bench.page import render_bench_report, write_bench_report

if TYPE_CHECKING:
    from tests.unit.benchmark.conftest import FakeRun

KEYS = ["throughput", "low-load", "latency", "distribution", "cpu"]
RESOURCES = re.compile(r"""(?:\b(?:src|href|srcset|data|action)\s*=\s*["']?|url\(["']?|@import\s+["']?)([^"'\s)>]+)""")


def test_every_kind_of_run_has_a_report(reported: "FakeRun") -> None:
    path = reported.path / "report.html"
    page = path.read_text(encoding="utf-8")
    assert {each.suffix for each in reported.path.iterdir()} <= {".html", ".svg"}  # no half of a file is left
    assert page.rstrip().endswith("</html>")
    for name in reported.summary["contenders"]:
        assert name in page


def test_it_loads_nothing(reported: "FakeRun") -> None:
    page = (reported.path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<link" not in page
    targets = set(RESOURCES.findall(page))
    assert {target for target in targets if not target.startswith(("#", "data:text/csv"))} == {
        "summary.json",
        "manifest.json",
        "samples/",
        "resources/",
        "locust/",
        "logs/",
        "share.svg",
        "share.png",
    }


@pytest.mark.usefixtures("drawings")
def test_two_renders_are_the_same_bytes(valid_run: "FakeRun") -> None:
    assert write_bench_report(valid_run).read_bytes() == write_bench_report(valid_run).read_bytes()


@pytest.mark.usefixtures("drawings")
def test_ids_are_unique_and_what_is_referred_to_exists(valid_run: "FakeRun") -> None:
    page = render_bench_report(valid_run)
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', page))
    assert referred
    assert referred <= set(ids)


def test_every_figure_has_a_text_alternative_and_a_caption(valid_run: "FakeRun") -> None:
    page = render_bench_report(valid_run)
    assert page.count("<figure ") == page.count('role="img" aria-label="') == page.count("<figcaption>") == 5
    assert all(0 < len(alt) <= 250 for alt in re.findall(r'role="img" aria-label="([^"]*)"', page))


def test_levels_that_were_left_out_and_the_limits_of_open_files_are_said(valid_run: "FakeRun") -> None:
    valid_run.manifest["plan"] = {"left_out": "512 users were left out: the limit of 1,024 open files allows 231"}
    valid_run.manifest["environment"]["open_files"] = {"soft": 1024, "hard": None}
    page = render_bench_report(valid_run)
    assert "<li>512 users were left out: the limit of 1,024 open files allows 231.</li>" in page
    assert "<dt>open files</dt><dd>1024 per process, up to no limit</dd>" in page


def test_too_few_samples_are_not_a_number(valid_run: "FakeRun") -> None:
    page = render_bench_report(valid_run)
    assert "n/a*" in page
    assert "* not enough samples: a p99 needs at least 459." in page


def test_invalid_figures_are_struck_and_shown(valid_run: "FakeRun") -> None:
    contender = valid_run.summary["contenders"]["async"]
    contender.update(valid=False, reasons=["12 answers were wrong"])
    valid_run.summary.update(valid=False, reasons=["async: 12 answers were wrong"])
    page = render_bench_report(valid_run)
    assert '<span class="badge invalid">INVALID</span>' in page
    assert page.count('<tr class="invalid') == 1 + 1 + 1 + 3 + len(contender["levels"])
    assert "text-decoration: line-through" in page
    assert "<li>async is INVALID: 12 answers were wrong.</li>" in page


def test_every_figure_offers_its_data_as_a_table_and_to_download(valid_run: "FakeRun") -> None:
    page = render_bench_report(valid_run)
    links = re.findall(r'<a download="([^"]+)" href="data:text/csv;charset=utf-8,([^"]+)"', page)
    assert [name for name, _ in links] == [f"{key}.csv" for key in KEYS]
    assert page.count('<details class="data">') == len(KEYS)
    rates = unquote(links[0][1]).splitlines()
    assert rates[0] == "figure,name,users,value,low,high,state"
    contenders = valid_run.summary["contenders"]
    level = contenders["async"]["levels"][0]
    assert f"Throughput [requests/s],async,{level['users']},{level['rps']:.6g}," in "\n".join(rates)
    assert len(rates) == 1 + sum(len(each["levels"]) for each in contenders.values() if not each["harness_floor"])


def test_names_are_only_text(valid_run: "FakeRun") -> None:
    contenders = valid_run.summary["contenders"]
    contenders["<script>alert(1)</script> $x$"] = contenders.pop("async")
    page = render_bench_report(valid_run)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x$" in page


def test_it_says_how_to_reproduce_the_run(valid_run: "FakeRun") -> None:
    page = render_bench_report(valid_run)
    assert valid_run.manifest["command_line"] in page
    assert "settings and seed (1)" in page


def test_a_manifest_without_environment_still_renders(valid_run: "FakeRun") -> None:
    valid_run.manifest.clear()
    assert "the command line was not recorded" in render_bench_report(valid_run)


@pytest.mark.usefixtures("drawings")
def test_a_rate_that_is_no_peak_is_at_least_so_much_in_table_and_figure(valid_run: "FakeRun") -> None:
    """The fastest still rises at the last level; nothing is said of who carries more."""
    page = render_bench_report(valid_run)
    assert "≥ 644" in page
    assert page.count(">no peak<") == 1
    assert "async-aiohttp ≥ 644 at 64 users" in page
    assert "async-aiohttp (no peak)" in throughput_figure(parse_summary(valid_run.summary)).wide_svg
    assert "No peak within the levels measured: async-aiohttp." in page
    assert "≥ 147" not in page


def test_the_interval_of_a_ratio_is_the_one_that_decides(valid_run: "FakeRun") -> None:
    for each in valid_run.summary["comparisons"]:
        each.update(ci=[0.451, 1.11], confidence=0.994, ci95=[0.568, 0.877], difference_shown=False)
    page = render_bench_report(valid_run)
    assert "interval, adjusted for 9 comparisons" in page
    assert page.count(">0.451 to 1.11<") == 9
    assert "0.568" not in page
