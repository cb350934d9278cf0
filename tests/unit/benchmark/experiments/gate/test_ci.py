"""What CI systems read says the same as the page, and is well formed."""

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from benchmark.analysis.reasons import because
from benchmark.analysis.sequential import Decision
from benchmark.experiments.gate.ci import annotations, junit, step_summary
from benchmark.experiments.gate.page import write_report
from benchmark.experiments.gate.schema import GateFigure, GateSummary, Side
from tests.unit.benchmark.experiments.gate.synthetic import record, sides

COMMON = {"called": "p50 latency alone", "unit": "ms", "users": 1, "pairs": 7, "base": 50.0, "head": 56.0}
WORSE = GateFigure(
    name="p50_ms", allowed=0.02, decision=Decision.WORSE, change=0.12, interval=(0.09, 0.15), could_show=0.05, **COMMON
)
FINE = GateFigure(
    name="mean_ms", allowed=0.2, decision=Decision.NOT_WORSE, change=0.12, interval=(0.09, 0.15), **COMMON
)
OPEN = GateFigure(
    name="cpu_ms", allowed=0.1, decision=Decision.OPEN, could_show=0.13, why="too few: more --minutes", **COMMON
)
STRUCK = GateFigure(
    name="rps", allowed=0.1, decision=Decision.WORSE, valid=False, reasons=(because("silent"),), **COMMON
)  # fmt: skip


def summary(*figures: GateFigure) -> GateSummary:
    sides = {"base": Side(row="base", revision="ab" * 20), "head": Side(row="a|b", revision="as it is")}
    return GateSummary.model_validate(
        {"schema": 2, "started_utc": "2026-01-02T03:04:05Z", "budget_s": 60, "contenders": sides, "figures": figures}
    )


ALL = summary(WORSE, FINE, OPEN, STRUCK)


def test_junit_has_a_case_per_figure_and_fails_what_is_worse() -> None:
    suite = Xml.fromstring(junit(ALL))
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    kinds = {case.get("name", "").split()[0]: [child.tag for child in case] for case in suite}
    assert kinds == {
        "p50_ms": ["failure", "system-out"],
        "mean_ms": ["system-out"],
        "cpu_ms": ["skipped", "system-out"],
        "rps": ["error", "system-out"],
    }


def test_annotations_are_one_line_each_with_what_github_reads_as_a_command_escaped() -> None:
    worse, fine, unclear, struck = annotations(ALL)
    assert worse == (
        "::error title=p50_ms::P50 latency alone: head is 12 %25 worse than base, more than the 2 %25 allowed."
    )
    assert fine.startswith("::notice title=mean_ms::")
    assert unclear.startswith("::warning title=cpu_ms::")
    assert "more --minutes" in unclear
    assert struck.startswith("::warning title=rps::")
    assert "INVALID" in struck


def test_the_step_summary_is_a_table_of_which_no_name_breaks_the_columns() -> None:
    lines = step_summary(ALL).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + len(ALL.figures)
    assert {row.count("|") for row in rows} == {rows[0].count("|")}
    assert "❌ worse than allowed" in rows[2]
    assert "a\\|b" in lines[-1]


@pytest.mark.parametrize("figures", [(FINE,), (FINE, FINE)], ids=len)
def test_nothing_to_complain_of_is_one_sentence(figures: tuple[GateFigure, ...]) -> None:
    first = step_summary(summary(*figures)).splitlines()[0]
    assert first.endswith("shown to be no worse than allowed.")


def test_the_run_directory_has_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch, sides({"base": 50.0, "head": 50.0}), {"mean_ms": 0.02}, pairs=2)
    write_report(run)
    assert Xml.parse(run.path / "junit.xml").getroot().get("tests") == "1"
    assert "`mean_ms`" in (run.path / "summary.md").read_text()
