"""A command that a page tells the reader to type exists and takes these options, and each example of a row is one."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from benchmark.cli import app as benchmark_app
from benchmark.contenders.discovery import ROOT, discover
from benchmark.experiments import experiment
from benchmark.scenarios.discovery import discover as discover_scenarios
from feature_store.cli import app as store_app
from tests.unit.doc.pages import PAGES, PYTHON, blocks_of, name_of, python_commands

APPS = {"benchmark": benchmark_app, "feature_store": store_app}
RULES = re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
VERBS = {verb for rule in RULES for verb in rule.split()}
COMMANDS = [pytest.param(words, id=" ".join(words)) for page in PAGES for words in python_commands(page)]


def refuse_unless_it_parses(module: str, words: list[str]) -> None:
    """Parse a command line as the program would, without running it. Raises for an option that there is not."""
    group = get_command(APPS[module])
    assert isinstance(group, TyperGroup)
    context = group.make_context(module, list(words))
    name, command, rest = group.resolve_command(context, list(words))
    assert command is not None
    if "--help" not in rest:
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_of_a_page_is_one(words: list[str]) -> None:
    if words[0] != "-m":
        assert (ROOT / words[0]).is_file()
    elif words[1] in APPS:
        if words[2:]:
            refuse_unless_it_parses(words[1], words[2:])
    else:
        assert importlib.util.find_spec(words[1])


def recorded_benches() -> list[str]:
    """Return the commands with which `make record-...` measures: those with a sweep once for each of its settings."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", "")
    sweeps = re.findall(r"for sweep in (.*?); do", makefile)[0].split()
    commands = re.findall(r"-m benchmark (bench (?:--field|.*--sweep \$\$sweep .*?--blocks \d+))", makefile)
    return [each.replace("$$sweep", sweep) for each in commands for sweep in (sweeps if "$$sweep" in each else [""])]


def test_all_that_make_records_with_bench_is_tried() -> None:
    """The field, and two sweeps."""
    assert len(recorded_benches()) == 3


@pytest.mark.parametrize("command", recorded_benches())
def test_what_make_records_is_not_refused(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Up to the measurement itself, which is left out."""
    monkeypatch.setattr(experiment, "carry_out", lambda *_: sys.exit(77))
    result = CliRunner().invoke(benchmark_app, [*command.split(), "--results", str(tmp_path)])
    assert result.exit_code == 77, result.output


@pytest.mark.parametrize("words", ["bench --no-such-option", "no-such-command", "compare only-one"])
def test_a_command_that_is_none_would_be_found(words: str) -> None:
    with pytest.raises(Exception, match=r"No such (option|command)|Missing parameter"):
        refuse_unless_it_parses("benchmark", words.split())


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_verb_of_make_that_a_page_names_exists(page: Path) -> None:
    asked = re.findall(r"(?:^|`|&& )make ((?:[a-z][a-z0-9-]*(?: (?=[a-z]))?)+)", page.read_text(), re.MULTILINE)
    assert {verb for words in asked for verb in words.split()} - VERBS == set()


def test_a_call_of_a_page_is_one_of_the_readme_where_a_test_types_it() -> None:
    calls = {page: set(re.findall(r"^curl .*$", page.read_text(), re.MULTILINE)) for page in PAGES}
    readme = calls.pop(ROOT / "README.md")
    assert set().union(*calls.values())
    assert set().union(*calls.values()) - readme == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_names_the_python_that_has_the_packages(page: Path) -> None:
    bare = re.findall(r"(?:^|`)python3? -m (?:benchmark|feature_store|sync_api|async_api).*", page.read_text(), re.M)
    assert bare == [], f"expected {PYTHON}"


def test_the_own_contender_of_the_first_steps_is_one(tmp_path: Path) -> None:
    (row,) = blocks_of(ROOT / "doc" / "start.md", "toml")
    (tmp_path / "contender.toml").write_text((ROOT / "async" / "contender.toml").read_text() + row)
    mine = discover(tmp_path)["mine"]
    assert (mine.floor, mine.default) == ("sum", True)
    assert [p.env["SERVING_FAN_OUT"] for p in mine.process if p.role == "scoring"] == ["sequential"]


@pytest.mark.parametrize("kind", ["contender", "scenario"])
def test_the_example_of_a_row_is_one(kind: str, tmp_path: Path) -> None:
    (rows,) = blocks_of(ROOT / "doc" / f"{kind}s.md", "toml")
    (tmp_path / f"{kind}.toml").write_text(rows)
    found = discover(tmp_path) if kind == "contender" else discover_scenarios(tmp_path)
    assert "mine" in found
