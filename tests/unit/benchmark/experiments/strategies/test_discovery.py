"""What a folder of strategies/ must say, and what is said when it says something else."""

import sys
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments.strategies import discovery
from benchmark.experiments.strategies.discovery import (
    StrategyError,
    choose_strategies,
    faults_of,
    load_strategy,
    strategy_names,
)
from benchmark.experiments.strategies.figure_kinds import MEDIAN
from benchmark.experiments.strategies.law import Chart, Gain, Kill, Law, Seen
from tests.unit.benchmark.experiments.strategies.synthetic import make_strategy

CONTENDERS = ("one", "two")


def law(subject: str = "one", load: str = "busy", expected: float = 1, at_most: float = 1) -> Law:
    return Law("a law", subject, load, MEDIAN, expected, at_least=1, at_most=at_most)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown contender": ({"laws": (law("three"),)}, "there is no contender and no computation 'three'"),
    "an unknown load": ({"laws": (law(load="idel"),)}, "'a law': there is no load 'idel', expected one of"),
    "a contender without a load": ({"laws": (law(load=""),)}, "'a law': there is no load ''"),
    "a computation with a load": ({"laws": (law("sum"),)}, "'a law': a computation has no load, given 'busy'"),
    "a figure of an unknown load": ({"seen": (Seen("memory", "one", "x", MEDIAN),)}, "'memory': there is no load 'x'"),
    "a chart over an unknown load": (
        {"charts": (Chart("A chart", MEDIAN, ("one",), "x", {"y": 1}),)},
        "'A chart': there is no load 'y'",
    ),
    "a chart of an unknown contender": (
        {"charts": (Chart("A chart", MEDIAN, ("three",), "x", {"busy": 1}),)},
        "there is no contender and no computation 'three'",
    ),
    "a gain under an unknown load": (
        {"gain": Gain("times", MEDIAN, "z", "one", "two")},
        "'times': there is no load 'z'",
    ),
    "a kill under an unknown load": (
        {"kills": {"storm": Kill(1)}},
        "kills or watched: there is no load 'storm', expected one of",
    ),
    "no bound above": ({"laws": (law(at_most=inf),)}, "'a law': expected finite numbers, given 1 to inf"),
    "an expectation beside its tolerance": (
        {"laws": (law(expected=2),)},
        "'a law': 2 is not within its own tolerance, 1 to 1",
    ),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_is_named(change: dict[str, Any], message: str) -> None:
    assert any(fault.startswith(message) for fault in faults_of(make_strategy(**change), CONTENDERS))


def test_nothing_is_wrong_with_a_strategy_that_says_all_it_must() -> None:
    assert list(faults_of(make_strategy(), CONTENDERS)) == []


Folder = Callable[[str, str], Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Makes the strategy.py of a strategy, in a package that stands for strategies/."""
    monkeypatch.setattr(discovery, "ROOT", tmp_path)
    monkeypatch.setattr(discovery, "_PACKAGE", "other_strategies")
    monkeypatch.syspath_prepend(tmp_path)
    load_strategy.cache_clear()

    def make(name: str, text: str) -> Path:
        path = tmp_path / "other_strategies" / name / "strategy.py"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        return path

    yield make
    load_strategy.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "other_strategies"]:
        del sys.modules[name]


STATES = """
from benchmark.experiments.strategies.law import Strategy

def strategy(scale):
    return Strategy(f"at scale {scale:g}", "trouble", "claim", "source", "use when")
"""


def test_every_folder_with_a_strategy_is_found_and_no_other(folder: Folder, tmp_path: Path) -> None:
    folder("pools", STATES)
    folder("caches", STATES)
    (tmp_path / "other_strategies" / "no_strategy").mkdir()
    assert strategy_names() == ["caches", "pools"]


def test_a_strategy_is_asked_for_its_scale(folder: Folder) -> None:
    folder("pools", STATES)
    assert load_strategy("pools").title == "at scale 1"
    assert load_strategy("pools", 0.25).title == "at scale 0.25"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no function strategy"),
        ("def strategy(scale):\n    return 'hub'\n", "strategy\\(\\) returns 'hub', expected a Strategy"),
        (STATES.replace('"use when"', '"use when", kills={"x": 1}'), "kills or watched: there is no load 'x'"),
    ],
)
def test_a_file_that_does_not_state_a_strategy_is_named(folder: Folder, text: str, message: str) -> None:
    path = folder("broken", text)
    with pytest.raises(StrategyError, match=f"{path}: {message}"):
        load_strategy("broken")


def test_an_unknown_strategy_is_one_sentence_with_those_that_there_are() -> None:
    with pytest.raises(StrategyError, match=r"there is no strategy 'hubb'; choose from .*thread_pool"):
        choose_strategies("hubb", 1.0)


@pytest.mark.usefixtures("folder")
def test_where_there_is_no_strategy_nothing_is_measured() -> None:
    with pytest.raises(StrategyError, match="other_strategies holds no strategy"):
        choose_strategies("", 1.0)


def test_names_may_have_spaces_around_them_and_all_is_a_group() -> None:
    assert list(choose_strategies(" thread_pool , thread_pool", 0.25)) == ["thread_pool"]
    assert list(choose_strategies("all", 0.25)) == strategy_names()


def test_without_a_name_those_are_chosen_that_answer_at_once(folder: Folder) -> None:
    folder("pools", STATES)
    folder("queues", STATES.replace('"use when"', '"use when", group="later"'))
    assert list(choose_strategies("", 1.0)) == ["pools"]
    assert list(choose_strategies("later", 1.0)) == ["queues"]
    assert list(choose_strategies("queues,now", 1.0)) == ["queues", "pools"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('group="soon"', "the group is 'soon', expected 'now' or 'later'"),
        ('watched=("x",)', "kills or watched: there is no load 'x'"),
    ],
)
def test_a_group_or_a_load_that_there_is_not_is_named(folder: Folder, more: str, message: str) -> None:
    folder("broken", STATES.replace('"use when"', f'"use when", {more}'))
    with pytest.raises(StrategyError, match=message):
        load_strategy("broken")
