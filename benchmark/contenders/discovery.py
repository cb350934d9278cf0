"""Finds the contenders: the rows of every contender.toml in the repository."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from benchmark.contenders.toml_rows import Row, RowName, Table, find_rows, read_rows
from benchmark.errors import ContenderError, UnknownContender

ROOT = Path(__file__).resolve().parents[2]
_CONTRACT = "scoring"  # the scenario of the service contract
_NOT_KEYS = ("label", "place")  # set by the harness


class Process(Table):
    """One process of a contender. In `args` and `env`, `{port}` is its own port and `{role}` the
    host:port of the process with that role."""

    role: RowName
    module: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    port: int = Field(ge=1, le=65535)
    env: dict[str, str] = Field({})
    requirements: str = ""  # a lock in its contender's folder, for an environment of its own
    image: str = ""  # its container image, for --containers; empty: always a plain process
    ready: str = "/api/v1/ready"  # a path that answers 200, or `tcp`: the port accepts connections

    @model_validator(mode="after")
    def _runs_something(self) -> "Process":
        if bool(self.module) == bool(self.command):
            raise ValueError("a process has either `module` or `command`")
        return self


class Place(Table):
    """Where the processes of a contender run that is not ours: the folder, and the root of the code around it."""

    folder: Path
    root: Path


class Contender(Row):
    """A contender: a row of a contender.toml. Its modules are imported from its folder."""

    title: str
    floor: Literal["sum", "max", "none"]
    endpoint: str = Field(pattern="^/")
    scenario: RowName = _CONTRACT  # its requests: a row of a scenario.toml
    order: int = 100  # its position in tables and figures; the first one is the baseline
    default: bool = True  # whether it is measured if no contenders are named
    harness_floor: bool = False  # measures the limit of the harness itself, and may saturate it
    url: str = ""  # of a service that runs elsewhere, in place of processes: its base URL
    process: tuple[Process, ...] = Field((), validate_default=True)
    scenario_file: Path | None = Field(None, exclude=True)  # where its scenario is, if not in this repository
    checkout: str = ""  # a git revision of the repository around the file: its processes run from there
    setup: str = ""  # a shell command that builds it, in its folder
    label: str = ""  # the name, or name#2 if it is measured twice
    place: Place | None = None

    @property
    def follows_contract(self) -> bool:
        """Whether it is asked what the service contract says, and may be compared with the twins."""
        return self.scenario == _CONTRACT and self.scenario_file is None

    @property
    def runs_elsewhere(self) -> bool:
        """Whether it is a URL: nothing is started, and neither its processes nor its machine can be observed."""
        return bool(self.url)

    @field_validator("process")
    @classmethod
    def _is_started_or_elsewhere(cls, process: tuple[Process, ...], info: ValidationInfo) -> tuple[Process, ...]:
        if bool(process) == bool(info.data.get("url")):
            raise ValueError("expected at least 1 process, or the `url` of a service that runs elsewhere")
        return process

    @model_validator(mode="after")
    def _has_an_entrance(self) -> "Contender":
        roles = [process.role for process in self.process]
        if self.url:
            return self
        if len(set(roles)) != len(roles):
            raise ValueError(f"each role once, given {', '.join(roles)}")
        if "scoring" not in roles:
            raise ValueError(f"one process has the role 'scoring', given {', '.join(roles)}")
        return self


def discover(root: Path = ROOT) -> dict[str, Contender]:
    """Return all contenders by name, sorted by `order`.

    Raises ContenderError naming the file, the key and what was expected.
    """
    found = find_rows(root, "contender", Contender, ContenderError, _inherit)
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def read_contenders(path: Path) -> dict[str, Contender]:
    """Return the contenders of one file, such as one in a repository of the user's own. Raises ContenderError."""
    return read_rows(path, "contender", Contender, ContenderError, _inherit)


def row_at(written: str) -> Contender:
    """Return the row that `FILE:NAME` says, such as `contender.toml:head`, of any repository.

    Raises ContenderError or UnknownContender.
    """
    file, _, name = written.rpartition(":")
    if not file or not name:
        raise ContenderError(f"{written!r} is no row, expected FILE:NAME such as contender.toml:head")
    path = Path(file).absolute()
    if not path.is_file():
        raise ContenderError(f"there is no file {file}, expected FILE:NAME such as contender.toml:head")
    found = read_contenders(path)
    if name not in found:
        raise UnknownContender(f"{file} has no contender {name!r}; choose from {', '.join(found)}")
    return found[name]


def choose(names: Iterable[str], known: Mapping[str, Contender]) -> list[Contender]:
    """Return the named contenders with unique labels. Raises UnknownContender, or ContenderError for a revision."""
    chosen: list[Contender] = []
    counts: dict[str, int] = {}
    for name in names:
        if name not in known:
            raise UnknownContender(f"there is no contender {name!r}; choose from {', '.join(known)}")
        if known[name].checkout:
            raise ContenderError(f"{name} is measured at the revision {known[name].checkout!r}: only `gate` does that")
        counts[name] = counts.get(name, 0) + 1
        label = name if counts[name] == 1 else f"{name}#{counts[name]}"
        chosen.append(known[name].model_copy(update={"label": label}))
    return chosen


def _inherit(path: Path, rows: dict[str, Any], name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Apply `like` (another row of the file) and, by role, `env` and `change`, so that a variant is a short row."""
    row = dict(given)
    like, env, change = row.pop("like", None), row.pop("env", {}), row.pop("change", {})
    if like is not None:
        base = rows.get(like) if isinstance(like, str) else None
        if not isinstance(base, dict) or "like" in base:
            raise ContenderError(f"{path}: contender.{name}.like is {like!r}, expected a full row of the same file")
        row = {**base, **row}
    for key in _NOT_KEYS:
        if key in row:
            raise ContenderError(f"{path}: contender.{name}.{key} is not a key of a contender, given {row[key]!r}")
    processes = row.get("process", [])
    if not isinstance(processes, list) or not all(isinstance(process, dict) for process in processes):
        raise ContenderError(f"{path}: contender.{name}.process is {processes!r}, expected tables [[...process]]")
    for number, process in enumerate(processes):
        if not isinstance(process.get("env", {}), dict):
            where = f"{path}: contender.{name}.process.{number}.env"
            raise ContenderError(f"{where} is {process['env']!r}, expected {{ NAME = 'value' }}")
    roles = [process.get("role") for process in processes]
    for key, example, by_role in (("env", "NAME", env), ("change", "key", change)):
        _check_by_role(f"{path}: contender.{name}.{key}", example, by_role, roles)
    changed = [{**process, **change.get(process.get("role"), {})} for process in processes]
    row["process"] = [{**p, "env": {**p.get("env", {}), **env.get(p.get("role"), {})}} for p in changed]
    return row


def _check_by_role(where: str, example: str, by_role: object, roles: list[Any]) -> None:
    if not isinstance(by_role, dict) or not all(isinstance(values, dict) for values in by_role.values()):
        raise ContenderError(f"{where} is {by_role!r}, expected {{ role = {{ {example} = 'value' }} }}")
    for role in by_role:
        if role not in roles:
            raise ContenderError(f"{where}.{role}: no such role, expected one of {roles}")
