"""Finds the scenarios: the rows of every scenario.toml in the repository."""

from functools import cache
from pathlib import Path

from benchmark.contenders.discovery import ROOT, Contender
from benchmark.contenders.toml_rows import find_rows, rows_of
from benchmark.errors import ScenarioError
from benchmark.scenarios.spec import Scenario


@cache
def discover(root: Path = ROOT) -> dict[str, Scenario]:
    """Return all scenarios by name. Raises ScenarioError naming the file, the key and what was expected."""
    return find_rows(root, "scenario", Scenario, ScenarioError)


def scenario_of(contender: Contender) -> Scenario:
    """Return the scenario of a contender; one of another repository has its own beside it. Raises ScenarioError."""
    known = discover()
    own = contender.folder / "scenario.toml"
    if not contender.folder.is_relative_to(ROOT) and own.is_file():
        known = {**known, **_of_file(own)}
    if contender.scenario not in known:
        raise ScenarioError(
            f"contender {contender.name}: there is no scenario {contender.scenario!r}; choose from {', '.join(known)}"
        )
    return known[contender.scenario]


@cache
def _of_file(path: Path) -> dict[str, Scenario]:
    return rows_of(path, "scenario", Scenario, ScenarioError)
