"""Every folder of strategies/ states what it must: a claim, laws that can be kept, loads that are short enough."""

import json
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT, discover
from benchmark.experiments.strategies.answers import say_gains
from benchmark.experiments.strategies.discovery import (
    LATER,
    NOW,
    choose_strategies,
    load_strategy,
    strategy_names,
)
from benchmark.experiments.strategies.law import Strategy
from benchmark.experiments.strategies.observed import Observed
from benchmark.experiments.strategies.plan import (
    FULL_BLOCKS,
    QUICK_BLOCKS,
    QUICK_SCALE,
    StrategiesPlan,
    contenders_of,
    seconds_of,
)
from benchmark.experiments.strategies.recorded import predictions
from benchmark.load.scenario_requests import refuse_unknown
from tests.unit.plain import faults

NAMES = strategy_names()
SCALES = (1.0, QUICK_SCALE)
# What one strategy takes per block at most: those that answer later need time for kills, and for a backlog to go.
MOST_S = {NOW: {1.0: 75.0, QUICK_SCALE: 30.0}, LATER: {1.0: 260.0, QUICK_SCALE: 40.0}}
ALL_S = {1.0: 40 * 60.0, QUICK_SCALE: 5 * 60.0}  # that the run of a group takes
BLOCKS = {1.0: FULL_BLOCKS, QUICK_SCALE: QUICK_BLOCKS}
START_S = 2.0
FOLDERS = ROOT / "strategies"
CONTENDERS = {name: each for name, each in discover().items() if each.folder.is_relative_to(FOLDERS)}


def named(folder: str) -> list[str]:
    """Return the contenders that a folder brings."""
    return [name for name, each in CONTENDERS.items() if each.folder == FOLDERS / folder]


@pytest.fixture(params=[(name, scale) for name in NAMES for scale in SCALES], ids=lambda each: f"{each[0]}-{each[1]:g}")
def stated(request: pytest.FixtureRequest) -> tuple[str, float, Strategy]:
    """Each strategy at each scale; one that says what cannot be is refused when it is loaded."""
    name, scale = request.param
    return name, scale, load_strategy(name, scale)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_all_its_files_and_a_readme_with_claim_law_remedy_and_when_to_use_it(name: str) -> None:
    folder = FOLDERS / name
    for file in ("__init__.py", "strategy.py", "contender.toml", "README.md"):
        assert (folder / file).is_file(), file
    text = (folder / "README.md").read_text()
    assert text.startswith("# ")
    for part in ("**The claim.**", "**The law.**", "**Done right.**", "**Use it when**"):
        assert part in text, part


def test_a_contender_of_a_strategy_is_measured_only_where_it_is_asked_for() -> None:
    assert CONTENDERS
    assert [name for name, each in CONTENDERS.items() if each.default] == []
    assert [name for name, each in CONTENDERS.items() if each.order < 200] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_contenders_bear_its_name_and_each_is_measured(name: str) -> None:
    own, measured = named(name), load_strategy(name).contenders
    assert own
    assert [each for each in own if not each.startswith(name.replace("_", "-"))] == []
    assert [each for each in own if each not in measured] == []


def test_its_contenders_can_be_asked(stated: tuple[str, float, Strategy]) -> None:
    name, scale, strategy = stated
    refuse_unknown(contenders_of(StrategiesPlan({name: strategy}, 1, scale)))


def test_its_laws_can_be_written_down_and_told_or_not_told_of_nothing(stated: tuple[str, float, Strategy]) -> None:
    _, _, strategy = stated
    assert strategy.laws
    assert json.loads(json.dumps(predictions(strategy), allow_nan=False))["laws"]
    for asked in strategy.figures:
        value = asked.figure.of(Observed())
        assert value is None or isinstance(value, float)


def test_it_fits_into_its_time(stated: tuple[str, float, Strategy]) -> None:
    name, scale, strategy = stated
    jobs = StrategiesPlan({name: strategy}, 1, scale).jobs
    loads = [strategy.loads[load] for job in jobs for load in strategy.loads_of(job.subject)]
    assert START_S * len(jobs) + sum(map(seconds_of, loads)) <= MOST_S[strategy.group][scale]


@pytest.mark.parametrize("group", [NOW, LATER])
@pytest.mark.parametrize("scale", SCALES)
def test_each_group_fits_into_the_time_that_the_command_promises(scale: float, group: str) -> None:
    plan = StrategiesPlan(choose_strategies(group, scale), BLOCKS[scale], scale)
    assert plan.blocks * plan.expected_s() <= ALL_S[scale]


def test_its_helpers_have_time_to_be_killed(stated: tuple[str, float, Strategy]) -> None:
    _, _, strategy = stated
    for load, kill in strategy.kills.items():
        assert seconds_of(strategy.loads[load]) > kill.times * max(kill.every_s, 0.5), load


@pytest.mark.parametrize("name", NAMES)
def test_its_words_are_sentences_and_its_gain_is_a_short_one(name: str) -> None:
    strategy = load_strategy(name)
    for text in (strategy.trouble, strategy.claim, strategy.use_when):
        assert text.endswith("."), text
    assert strategy.title[0].isupper()
    assert not strategy.title.endswith(".")
    assert strategy.gain is not None
    assert faults(f"12 {strategy.gain.says}.") == []
    assert faults(say_gains(2.1, name, 12.3, name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_load_is_stated_that_nothing_asks_for(name: str) -> None:
    strategy = load_strategy(name)
    asked = {load for contender in strategy.contenders for load in strategy.loads_of(contender)}
    assert set(strategy.loads) == asked


@pytest.mark.parametrize("name", list(CONTENDERS))
def test_a_process_of_a_strategy_does_not_know_the_harness(name: str) -> None:
    modules = [process.module for process in CONTENDERS[name].process if process.module]
    places = [ROOT / Path(*module.split(".")) for module in modules]
    files = [path for place in places for path in (place.with_suffix(".py"), place / "__main__.py") if path.is_file()]
    assert [path for path in files if path.is_relative_to(FOLDERS) and _imports_the_harness(path)] == []


def _imports_the_harness(path: Path) -> bool:
    return any(line.startswith(("from benchmark", "import benchmark")) for line in path.read_text().splitlines())
