"""The reference pages hold what the code has."""

import re

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from benchmark.cli import app
from benchmark.contenders.discovery import ROOT
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.frames import DERIVED_COLUMNS, OF_A_TRIAL, SUMMARY_COLUMNS, TRIAL_COLUMNS, WINDOW_COLUMNS
from contract.settings import PREFIX, Settings
from doc.reference import command_line
from tests.unit.doc.pages import PAGES

GROUP = get_command(app)
COMMANDS = GROUP.commands if isinstance(GROUP, TyperGroup) else {}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_is_listed_with_all_its_options(name: str) -> None:
    section = command_line().split(f"\n## `{name}`\n")[1].split("\n## ")[0]
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts]
    assert [option for option in options if option.startswith("--") and option not in section] == []


def test_the_reference_names_no_folder_of_a_machine() -> None:
    assert str(ROOT) not in command_line()
    assert "[default: (results)]" in command_line().replace("\\", "")


@pytest.mark.parametrize(
    ("heading", "columns"),
    [("Columns of `samples/`", SAMPLE_COLUMNS), ("Columns of `resources/`", ResourceSample._fields)],
)
def test_each_column_of_the_record_is_explained(heading: str, columns: tuple[str, ...]) -> None:
    section = (ROOT / "doc" / "record.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == columns


@pytest.mark.parametrize(
    ("frame", "columns"),
    [
        ("samples", ("generator", *DERIVED_COLUMNS)),
        ("windows", WINDOW_COLUMNS[len(OF_A_TRIAL) :]),
        ("trials", TRIAL_COLUMNS[len(OF_A_TRIAL) :]),
        ("summary", SUMMARY_COLUMNS),
    ],
)
def test_each_column_of_a_frame_is_explained(frame: str, columns: tuple[str, ...]) -> None:
    section = (ROOT / "doc" / "record.md").read_text().split(f"### Columns of `run.{frame}`\n")[1].split("\n##")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == columns


def test_a_setting_that_a_page_names_is_one() -> None:
    text = "".join(page.read_text() for page in PAGES)
    names = {name.removeprefix(PREFIX).lower() for name in re.findall(rf"{PREFIX}[A-Z_]+", text)}
    assert names
    assert names <= set(Settings.model_fields)
