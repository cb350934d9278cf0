"""What is written for people agrees with what the code says and what was recorded."""

import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT, discover

GENERATE = runpy.run_path(str(ROOT / "doc" / "generate.py"))
RECORDED = ROOT / "doc" / "recorded"
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


def test_make_diff_shows_the_handlers_whole_and_side_by_side_and_then_the_rest_without_the_servers() -> None:
    done = subprocess.run(["make", "diff"], cwd=ROOT, capture_output=True, text=True, check=True)
    handlers, *rest = done.stdout.split("diff -u ")
    for path in GENERATE["HANDLERS"]:
        missing = [line for line in (ROOT / path).read_text().splitlines() if line not in handlers]
        assert missing == []
    compared = {words.split()[-1] for words in (part.partition("\n")[0] for part in rest)}
    assert {Path(path).name for path in compared} >= {"features.py", "model_client.py", "serve.py", "web.py"}
    assert not [path for path in compared if path.endswith(("server.py", "scoring.py"))]


def test_every_contender_that_is_measured_only_when_it_is_named_is_explained() -> None:
    page = (ROOT / "doc" / "contenders.md").read_text()
    named = [name for name, contender in discover().items() if not contender.default]
    assert named != []
    assert [name for name in named if f"| `{name}` |" not in page] == []
