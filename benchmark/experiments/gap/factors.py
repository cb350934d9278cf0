"""Factors: what is crossed with what, and the contender that every cell of the design is."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from benchmark.contenders.discovery import Contender, Process, choose
from benchmark.contenders.service_settings import architecture_of, with_env
from benchmark.contenders.toml_rows import Table
from benchmark.contenders.variant import value_in
from benchmark.errors import ContenderError
from contract.settings import PREFIX

FILE = Path(__file__).with_name("factors.toml")
ENTRANCE = "scoring"  # the role that is asked; its process decides what else a cell consists of

Side = Literal["from", "to"]
SIDES: tuple[Side, Side] = ("from", "to")


class FactorLevel(Table):
    """One of a factor's levels: the value of its variable, or the values by architecture."""

    title: str
    value: str | dict[str, str]
    floor: Literal["sum", "max", "none"] | None = None  # how the models are asked at this level

    def values(self) -> set[str]:
        return {self.value} if isinstance(self.value, str) else set(self.value.values())


class Factor(Table):
    """Either a process that is taken from one contender or the other, or a variable with named levels."""

    title: str
    default: bool = True  # whether it is crossed unless factors are chosen
    process: str | None = None
    titles: dict[str, str] = Field({})  # of the processes, by architecture
    names: tuple[str, ...] = ()  # variables of the entrance that go with the process
    role: str | None = None
    variable: str | None = None
    level: dict[str, FactorLevel] = Field({})
    from_: str | None = Field(None, alias="from")  # a level, where it is not how the contender has it
    to: str | None = None

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> "Factor":
        if bool(self.process) == bool(self.variable):
            raise ValueError("a factor has either `process` or `variable`")
        if self.variable and (not self.role or len(self.level) < 2):
            raise ValueError("a factor with a `variable` has a `role` and at least two tables `level`")
        for name in (self.from_, self.to):
            if name is not None and name not in self.level:
                raise ValueError(f"level {name!r} is not one of {', '.join(self.level) or 'none'}")
        return self


class FactorFile(Table):
    """What factors.toml says."""

    from_: str = Field(alias="from")
    to: str
    customary_to: str | None = None
    waiting: dict[str, str] = Field({})  # by architecture, what a process's sampler of its own delays shows
    factor: dict[str, Factor] = Field(min_length=1)


@dataclass(frozen=True)
class DesignCell:
    """One combination of levels."""

    levels: Mapping[str, Side]  # by factor
    contender: Contender
    same_as: str | None  # the contender that this is

    @property
    def raised(self) -> frozenset[str]:
        """The factors that are at `to`."""
        return frozenset(name for name, side in self.levels.items() if side == "to")


def read_factors(path: Path = FILE) -> FactorFile:
    """Return the factors of a file. Raises ContenderError naming the file, the key and what was expected."""
    try:
        return FactorFile(**tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContenderError(f"{path}: not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ContenderError(f"{path}: {key}: {first['msg']}, given {first['input']!r:.80}") from error


class Design:
    """Two contenders and the factors between them; builds the contender of every combination."""

    def __init__(self, file: FactorFile, known: Mapping[str, Contender], names: Sequence[str] = ()) -> None:
        """Take the factors named, or those that are crossed by default.

        `file` names the two contenders, which are among `known`. Raises ContenderError or UnknownContender.
        """
        for name in names:
            if name not in file.factor:
                raise ContenderError(f"there is no factor {name!r}; choose from {', '.join(file.factor)}")
        self.factors = {n: f for n, f in file.factor.items() if (n in names if names else f.default)}
        self.known = dict(known)
        self.waiting = {
            c.name: file.waiting[kind] for c in known.values() if (kind := architecture_of(c)) in file.waiting
        }
        self.contenders: dict[Side, Contender] = {
            side: choose([name], known)[0] for side, name in zip(SIDES, (file.from_, file.to), strict=True)
        }
        self.customary = choose([file.customary_to], known)[0] if file.customary_to else None
        self._levels = {
            (name, side): self._level_of(name, factor, side)
            for name, factor in self.factors.items()
            if factor.variable
            for side in SIDES
        }

    def refuse(self, service_settings: Mapping[str, str]) -> None:
        """Raise ContenderError if a setting for all services is one that a factor sets."""
        for name, factor in self.factors.items():
            if factor.variable and factor.variable.removeprefix(PREFIX).lower() in service_settings:
                raise ContenderError(f"{factor.variable} is set by the factor {name}; leave it out of --set")

    def title(self, name: str, side: Side) -> str:
        """Return how a reader is told of a factor's level."""
        factor = self.factors[name]
        if factor.variable:
            return factor.level[self._levels[name, side]].title
        contender = self.contenders[side]
        return factor.titles.get(architecture_of(contender) or "", contender.title)

    def cell(self, raised: frozenset[str]) -> Contender:
        """Return the contender in which these factors are at `to` and all others at `from`."""
        side_of: dict[str, Side] = {name: "to" if name in raised else "from" for name in self.factors}
        entrance = next((n for n, f in self.factors.items() if f.process == ENTRANCE), None)
        base = self.contenders[side_of[entrance] if entrance else "from"]
        processes = {process.role: process for process in base.process}
        for name, factor in self.factors.items():
            if factor.process and name != entrance:
                self._exchange(processes, name, factor, self.contenders[side_of[name]])
        floor = base.floor
        for name, factor in self.factors.items():
            if factor.variable:
                level = factor.level[self._levels[name, side_of[name]]]
                value = self._value(name, level, base)
                role = self._role(name, factor, base)
                processes[role] = with_env(processes[role], {factor.variable: value})
                floor = level.floor or floor
        titles = [self.title(name, side) for name, side in side_of.items()]
        label = "cell-" + ("-".join(name for name in self.factors if name in raised) or "none")
        return base.model_copy(
            update={
                "label": label,
                "title": "; ".join(titles),
                "floor": floor,
                "process": tuple(processes.values()),
                "order": 100,
            }
        )

    def cells(self, subsets: Sequence[frozenset[str]]) -> list[DesignCell]:
        """Return the cells of a design; each contender is recognised in one of them at most."""
        found: list[DesignCell] = []
        for raised in subsets:
            contender = self.cell(raised)
            seen = {cell.same_as for cell in found}
            candidates = [c.name for c in self.known.values() if c.name not in seen and self.is_same(c, contender)]
            levels: dict[str, Side] = {name: "to" if name in raised else "from" for name in self.factors}
            # With two contenders of equal settings every cell is both; each name stands once.
            found.append(DesignCell(levels, contender, candidates[0] if candidates else None))
        return found

    def is_same(self, one: Contender, other: Contender) -> bool:
        """Return whether two contenders start the same processes with the same settings."""
        return one.endpoint == other.endpoint and self._setup(one) == self._setup(other)

    def _setup(self, contender: Contender) -> dict[str, Any]:
        setup = {}
        for process in contender.process:
            env = dict(process.env)
            for factor in self.factors.values():
                if factor.variable and factor.role == process.role:
                    env[factor.variable] = value_in(contender, process, factor.variable)
            setup[process.role] = (process.module, process.command, process.args, process.port, env)
        return setup

    def _exchange(self, processes: dict[str, Process], name: str, factor: Factor, source: Contender) -> None:
        """Take a process from a contender, and tell the entrance of it."""
        assert factor.process
        theirs = {process.role: process for process in source.process}
        if factor.process not in theirs or factor.process not in processes:
            raise ContenderError(
                f"factor {name}: {source.name} has no process of the role {factor.process!r}, only {', '.join(theirs)}"
            )
        processes[factor.process] = theirs[factor.process]
        for variable in factor.names:
            if variable not in theirs[ENTRANCE].env:
                raise ContenderError(f"factor {name}: {source.name} does not set {variable} for {ENTRANCE}")
        told = {variable: theirs[ENTRANCE].env[variable] for variable in factor.names}
        processes[ENTRANCE] = with_env(processes[ENTRANCE], told)

    def _level_of(self, name: str, factor: Factor, side: Side) -> str:
        """Return the level at which a contender has a factor."""
        explicit = factor.from_ if side == "from" else factor.to
        if explicit:
            return explicit
        contender = self.contenders[side]
        role = self._role(name, factor, contender)
        process = next(process for process in contender.process if process.role == role)
        assert factor.variable
        value = value_in(contender, process, factor.variable)
        for level_name, level in factor.level.items():
            if value in level.values():
                return level_name
        expected = ", ".join(sorted(v for level in factor.level.values() for v in level.values()))
        raise ContenderError(
            f"factor {name}: {contender.name} has {factor.variable}={value!r}, expected one of {expected}"
        )

    @staticmethod
    def _role(name: str, factor: Factor, contender: Contender) -> str:
        roles = [process.role for process in contender.process]
        if factor.role not in roles:
            raise ContenderError(f"factor {name}: role is {factor.role!r}, {contender.name} has {', '.join(roles)}")
        return factor.role

    @staticmethod
    def _value(name: str, level: FactorLevel, base: Contender) -> str:
        if isinstance(level.value, str):
            return level.value
        kind = architecture_of(base)
        if kind not in level.value:
            raise ContenderError(
                f"factor {name}: no value for {kind or base.name}, given {', '.join(level.value)} at {level.title!r}"
            )
        return level.value[kind]
