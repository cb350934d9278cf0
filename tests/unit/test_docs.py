"""What is written for people agrees with what the code says and what was recorded."""

import json
import re
import runpy
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT, discover
from benchmark.experiments.bench import command as bench
from benchmark.experiments.gap import command as explain
from benchmark.experiments.strategies import command as strategies
from benchmark.experiments.under_fire import command as under_fire

GENERATE = runpy.run_path(str(ROOT / "doc" / "generate.py"))
RECORDED = ROOT / "doc" / "recorded"
QUICK = (bench.QUICK_TAKES, explain.QUICK_TAKES, strategies.QUICK_TAKES, under_fire.QUICK_TAKES)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "doc").glob("*.md"))]


def test_generated_pages_are_up_to_date() -> None:
    stale = [path for path, text in GENERATE["generated"]().items() if path.read_text() != text]
    assert stale == []


def test_the_recorded_run_is_complete_and_valid() -> None:
    summary = json.loads((RECORDED / "summary.json").read_text())
    assert (summary["complete"], summary["valid"], summary["reasons"]) == (True, True, [])


def test_the_recorded_run_names_no_folder_of_a_machine() -> None:
    for path in RECORDED.rglob("*.json*"):
        assert not re.search(r"/(home|root|tmp|work|Users)/", path.read_text()), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_every_verb_of_the_makefile_is_listed_by_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = {verb for line in re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", makefile, re.MULTILINE) for verb in line.split()}
    explained = {verb for line in re.findall(r"^([a-z0-9 -]+):.*## ", makefile, re.MULTILINE) for verb in line.split()}
    assert verbs - explained <= {"install", "install-dev"}


def test_every_contender_that_is_measured_only_when_it_is_named_is_explained() -> None:
    page = (ROOT / "doc" / "contenders.md").read_text()
    named = [name for name, each in discover().items() if not each.default and each.follows_contract]
    assert named != []
    assert [name for name in named if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("page", ["README.md", "Makefile"])
def test_how_long_a_quick_run_takes_is_said_as_the_help_says_it(page: str) -> None:
    text = (ROOT / page).read_text()
    found = re.findall(r"QUICK=1`?(?: takes|:)? ([a-z ]+?)(?: and|[.,;:]|$)", text, re.MULTILINE)
    said = [words for words in found if re.search("minute|six", words)]
    assert said != []
    assert [words for words in said if not any(takes.startswith(words) for takes in QUICK)] == []
