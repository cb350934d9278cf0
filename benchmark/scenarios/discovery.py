"""Finds the scenarios: the rows of every scenario.toml in the repository, or of a file of the user's own."""

from functools import cache
from pathlib import Path

from benchmark.contenders.discovery import ROOT, Contender
from benchmark.contenders.toml_rows import find_rows, read_rows
from benchmark.errors import ScenarioError
from benchmark.scenarios.spec import Scenario


@cache
def discover(root: Path = ROOT) -> dict[str, Scenario]:
    """Return all scenarios by name. Raises ScenarioError naming the file, the key and what was expected."""
    return find_rows(root, "scenario", Scenario, ScenarioError)


@cache
def read_scenarios(path: Path) -> dict[str, Scenario]:
    """Return the scenarios of one file by name. Raises ScenarioError as `discover` does."""
    return read_rows(path, "scenario", Scenario, ScenarioError)


def scenario_named(text: str) -> tuple[Path, Scenario]:
    """Return a file and its scenario, written as FILE, if that has one row, or as FILE:NAME. Raises ScenarioError."""
    path, name = Path(text), ""
    if not path.exists():
        file, colon, name = text.rpartition(":")
        path, name = (Path(file), name) if colon and Path(file).exists() else (path, "")
    rows = read_scenarios(path.resolve())
    if not name and len(rows) > 1:
        raise ScenarioError(f"{path} has several scenarios: choose one, such as {path}:{next(iter(rows))}")
    name = name or next(iter(rows))
    if name not in rows:
        raise ScenarioError(f"{path} has no scenario {name!r}; choose from {', '.join(rows)}")
    return path.resolve(), rows[name]


def scenario_of(contender: Contender) -> Scenario:
    """Return the scenario of a contender; one of another repository has its own beside it. Raises ScenarioError."""
    known = read_scenarios(contender.scenario_file) if contender.scenario_file else discover()
    own = contender.folder / "scenario.toml"
    if not contender.folder.is_relative_to(ROOT) and own.is_file():
        known = {**known, **read_scenarios(own)}
    if contender.scenario not in known:
        raise ScenarioError(
            f"contender {contender.name}: there is no scenario {contender.scenario!r}; choose from {', '.join(known)}"
        )
    return known[contender.scenario]
