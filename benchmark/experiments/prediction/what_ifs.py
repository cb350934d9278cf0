"""What-ifs: one change to a contender, asked of the prediction and, where it can be, measured."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from benchmark.contenders.discovery import Contender
from benchmark.contenders.variant import with_settings
from benchmark.errors import ContenderError

FILE = Path(__file__).with_name("what_ifs.toml")
# What of the network is a number that no measurement of the contender has to say.
ASSUMABLE = ("cores", "feature_reads", "models", "overhead_ms", "threads", "model_threads", "workers", "model_workers")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class WhatIf:
    """One change. `setting` goes by role and can be measured; `assume` can only be predicted."""

    contender: str
    title: str
    setting: dict[str, dict[str, str]] = Field(default_factory=dict)
    assume: dict[str, float] = Field(default_factory=dict)
    measured: bool = False
    users: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.measured and (self.assume or not self.setting):
            raise ValueError("only a `setting` can be measured; an assumption cannot")
        if unknown := set(self.assume) - set(ASSUMABLE):
            raise ValueError(f"{sorted(unknown)[0]!r} cannot be assumed, expected one of {', '.join(ASSUMABLE)}")


def read_what_ifs(known: Mapping[str, Contender], path: Path = FILE) -> list[WhatIf]:
    """Return the what-ifs of a file. Raises ContenderError naming the file, the key and what was expected."""
    try:
        document = tomllib.loads(path.read_text())
        users = document.pop("users", [])
        rows = TypeAdapter(dict[str, list[WhatIf]]).validate_python(
            {key: [{"users": users, **row} for row in found] for key, found in document.items()}
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContenderError(f"{path}: not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ContenderError(f"{path}: {key}: {first['msg']}, given {first['input']!r:.80}") from error
    what_ifs = rows.get("what_if", [])
    for what_if in what_ifs:
        if what_if.contender not in known:
            raise ContenderError(f"{path}: what_if {what_if.title!r}: there is no contender {what_if.contender!r}")
        with_settings(known[what_if.contender], what_if.setting)
    return what_ifs
