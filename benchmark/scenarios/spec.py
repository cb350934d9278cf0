"""The keys of a scenario.toml row: request, protocol, and check of the answers."""

import os
import re
from typing import Any, Final

from pydantic import ConfigDict, Field, field_validator, model_validator

from benchmark.contenders.toml_rows import Row, Table
from benchmark.errors import ScenarioError

_FROM_ENVIRONMENT: Final = "env:"
# Headers that may hold secrets. Rows are written into every record, so these values must come from the environment.
_SECRET = re.compile(r"authorization|cookie|key|token|secret|password", re.IGNORECASE)
_NOT_YET: Final = {
    "schema": "checking against a schema is not supported yet; expected `json` with `equals`, `law`, or only a status",
    "same_as": "checking against another contender is not supported yet; expected `json` with `equals`, or `law`",
}


class Check(Table):
    """When an answer is correct: its status, and at most one rule for its content."""

    model_config = ConfigDict(populate_by_name=True)

    status: int = Field(200, ge=100, le=599)
    law: bool = False  # the service contract's rule: a duration that the contender's models can have drawn
    json_path: str | None = Field(None, alias="json", pattern=r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*|\[\d+\])*$")
    equals: Any = None  # the expected value at that path

    @model_validator(mode="before")
    @classmethod
    def _is_carried_out(cls, given: Any) -> Any:
        for key in _NOT_YET.keys() & (given if isinstance(given, dict) else {}):
            raise ValueError(f"{key}: {_NOT_YET[key]}")
        return given

    @model_validator(mode="after")
    def _has_one_rule(self) -> "Check":
        if (self.json_path is None) != (self.equals is None):
            raise ValueError("`json` is a path in the answer, `equals` the value expected there: give both or neither")
        if self.law and self.json_path is not None:
            raise ValueError("an answer is checked by one rule: give `law` or `json`")
        return self


class Scenario(Row):
    """A scenario. Without `path`, requests go to the contender's endpoint."""

    title: str
    method: str = Field("POST", pattern="^[A-Z]+$")
    path: str | None = Field(None, pattern="^/")
    headers: dict[str, str] = Field({})  # the value `env:NAME` is replaced by that environment variable
    body: str | None = None  # the same for every request
    bodies: str | None = None  # a file with one body per line
    template: str | None = None  # a Jinja file: a body with random numbers from the seed
    protocol: str = "predict"  # a name in benchmark.load.protocols
    check: Check

    @field_validator("headers")
    @classmethod
    def _keeps_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if _SECRET.search(name) and not value.startswith(_FROM_ENVIRONMENT):
                raise ValueError(f"{name} may be a secret: write {_FROM_ENVIRONMENT}NAME, and set the variable NAME")
        return headers

    @model_validator(mode="after")
    def _has_one_body(self) -> "Scenario":
        given = [key for key in ("body", "bodies", "template") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"expected at most one of body, bodies and template, given {' and '.join(given)}")
        for name in (self.bodies, self.template):
            if name is not None and not (self.folder / name).is_file():
                raise ValueError(f"there is no file {name!r} in the folder of the scenario.toml")
        return self

    def secrets(self) -> dict[str, str]:
        """Return the environment variables that the headers need. Raises ScenarioError if one is missing."""
        names = [value.removeprefix(_FROM_ENVIRONMENT) for value in self.headers.values() if _is_secret(value)]
        for name in names:
            if name not in os.environ:
                raise ScenarioError(f"scenario {self.name} needs the environment variable {name}, which is not set")
        return {name: os.environ[name] for name in names}

    def sent_headers(self) -> dict[str, str]:
        """Return the headers with secrets filled in: only for sending, never for files. Raises ScenarioError."""
        secrets = self.secrets()
        return {
            name: secrets[value.removeprefix(_FROM_ENVIRONMENT)] if _is_secret(value) else value
            for name, value in self.headers.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the row for the load generator, with names of variables instead of their values."""
        return self.model_dump(mode="json", by_alias=True)

    def recorded(self) -> dict[str, Any]:
        """Return the row for the record, which names no folder of the machine."""
        return self.model_dump(mode="json", by_alias=True, exclude={"folder"})


def _is_secret(value: str) -> bool:
    return value.startswith(_FROM_ENVIRONMENT)
