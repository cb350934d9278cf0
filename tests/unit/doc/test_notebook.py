"""doc/explore.ipynb computes the README's figures from raw samples, and they are those that the README says."""

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.record import load
from benchmark.record.run import Run
from doc import notebook, raw
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record

README = (ROOT / "README.md").read_text()
RECORDED = ROOT / "doc" / "recorded" / "explain"
MEGABYTE = 10**6
NUMBER = re.compile(r"\d[\d.,]*(?: ms| %| times)")
ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def done() -> tuple[dict[str, Any], dict[str, Any]]:
    return notebook.executed()


@pytest.fixture(scope="module")
def computed(done: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    return done[1]


def block(name: str) -> str:
    return README.partition(f"<!-- generated: {name} -->\n")[2].partition("<!-- end -->")[0]


def rows(name: str) -> dict[str, list[str]]:
    """Return the rows of a table without its head: the cells by the first of them, without what stands in brackets."""
    found = [row.split(" | ") for row in ROW.findall(block(name)) if not row.startswith("---")]
    return {cells[0].strip("`").lower(): [cell.partition(" (")[0] for cell in cells[1:]] for cells in found[1:]}


def test_it_holds_what_its_cells_print(done: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert notebook.EXPLORE.read_text() == notebook.text_of(done[0])


def test_each_number_of_the_headline_is_one_of_its_numbers(computed: dict[str, Any]) -> None:
    said = block("headline").partition("Recorded with")[0]
    numbers = NUMBER.findall(said)
    assert len(numbers) >= 1
    assert [number for number in numbers if number not in computed["headline"].values()] == []
    shares = {of: float(number.split()[0]) for of, number in computed["headline"].items()}
    assert ("half the time" in said) == (45 < shares["FastAPI of Flask"] < 55)
    assert ("Nearly all of that" in said) == (shares["asking both at once"] > 90)
    client_does_most = max(computed["rate_shares"].items(), key=lambda share: share[1])[0] == "http_client"
    assert ("the HTTP client decides" in said) == client_does_most


def test_each_contender_of_the_table_has_its_numbers(computed: dict[str, Any]) -> None:
    said = {name: [cell.removeprefix("at least ") for cell in cells[1:]] for name, cells in rows("table").items()}
    assert said == computed["table"]


def test_each_share_of_the_gap_is_its_share(computed: dict[str, Any]) -> None:
    assert rows("gap") == {title.lower(): numbers for title, numbers in computed["gap"].items()}


def test_it_says_itself_that_they_are_the_same(done: tuple[dict[str, Any], dict[str, Any]]) -> None:
    *_, last = (cell for cell in done[0]["cells"] if cell["cell_type"] == "code")
    lines = "".join(last["outputs"][0]["text"]).splitlines()
    compared = [*NUMBER.findall(block("headline").partition("Recorded")[0]), *rows("table"), *rows("gap")]
    assert [line.rpartition("  ")[2] for line in lines] == ["the same"] * len(compared)


def test_samples_that_are_slower_give_other_numbers(computed: dict[str, Any], tmp_path: Path) -> None:
    """What the notebook says comes from the samples: a hundredth more latency in those of one user changes it."""
    (tmp_path / "doc" / "recorded").mkdir(parents=True)
    shutil.copytree(RECORDED, tmp_path / "doc" / "recorded" / "explain", ignore=shutil.ignore_patterns("*.svg"))
    shutil.copy(ROOT / "README.md", tmp_path)
    path = Path(shutil.copy(notebook.EXPLORE, tmp_path / "doc"))
    packed = tmp_path / "doc" / "recorded" / "explain" / "samples.csv.xz"
    samples = pd.read_csv(packed, keep_default_na=False)
    slower = (samples.users == 1) & (samples.contender == computed["contenders"]["sync"])
    samples.loc[slower, "latency_ns"] += samples.latency_ns // 100
    samples.to_csv(packed, index=False, compression={"method": "xz", "preset": 0})
    changed, names = notebook.executed(path)
    assert names["headline"]["Flask alone"] != computed["headline"]["Flask alone"]
    assert names["headline"]["FastAPI alone"] == computed["headline"]["FastAPI alone"]
    *_, last = (cell for cell in changed["cells"] if cell["cell_type"] == "code")
    assert "ANOTHER NUMBER" in "".join(last["outputs"][0]["text"])


def test_the_raw_data_that_are_kept_are_small() -> None:
    assert sum(path.stat().st_size for path in RECORDED.glob("*.csv.xz")) < MEGABYTE


@pytest.fixture
def explained(tmp_path: Path) -> Run:
    """A cell that is a contender, one that is not, and a trial that is no cell, at three levels each."""
    names = ("cell-none", "cell-client", "light-sync")
    run = make_run(tmp_path / "results", [make_contender(name) for name in names])
    for name in names:
        record(run, 0, name, *(Held(users, 50.0, seconds=1.0) for users in (1, 4, 8)))
    cells = [
        {"label": "cell-none", "contender": "sync", "peak_rps": {"users": 8}},
        {"label": "cell-client", "contender": None, "peak_rps": {"users": 4}},
    ]
    run.write_json("summary.json", {"cells": cells})
    return run


def test_of_a_contender_all_levels_are_kept_and_of_other_cells_two(explained: Run, tmp_path: Path) -> None:
    raw.keep(explained, tmp_path / "kept")
    for name in ("manifest.json", "summary.json"):
        shutil.copy(explained.path / name, tmp_path / "kept")
    kept = load(tmp_path / "kept")
    levels = kept.windows.groupby("contender").users.apply(list).to_dict()
    assert levels == {"cell-none": [1, 4, 8], "cell-client": [1, 4]}
    assert set(kept.samples.contender) == {"cell-none", "cell-client"}
    assert set(kept.resources.contender) == {"cell-none"}
