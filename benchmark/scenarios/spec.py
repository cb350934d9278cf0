"""What a row of a scenario.toml may say: a request, how its answer is obtained, and which answer is right."""

import os
import re
from typing import Any, Final

from pydantic import ConfigDict, Field, field_validator, model_validator

from benchmark.contenders.toml_rows import Row, Table
from benchmark.errors import ScenarioError

_FROM_ENVIRONMENT: Final = "env:"
# A header that is named so may hold what is nobody else's business, and a row is written into every record.
_SECRET = re.compile(r"authorization|cookie|key|token|secret|password", re.IGNORECASE)
_NOT_YET: Final = {
    "schema": "answers are not held against a schema yet; expected `json` with `equals`, `law`, or a status alone",
    "same_as": "answers are not held against another contender's yet; expected `json` with `equals`, or `law`",
}


class Check(Table):
    """What makes an answer right: its status, and at most one rule for its content."""

    model_config = ConfigDict(populate_by_name=True)

    status: int = Field(200, ge=100, le=599)
    law: bool = False  # the service contract's: a duration that the contender's models can have drawn
    json_path: str | None = Field(None, alias="json", pattern=r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*|\[\d+\])*$")
    equals: Any = None  # what is found there

    @model_validator(mode="before")
    @classmethod
    def _is_carried_out(cls, given: Any) -> Any:
        for key in _NOT_YET.keys() & (given if isinstance(given, dict) else {}):
            raise ValueError(f"{key}: {_NOT_YET[key]}")
        return given

    @model_validator(mode="after")
    def _has_one_rule(self) -> "Check":
        if (self.json_path is None) != (self.equals is None):
            raise ValueError("`json` says where in an answer, `equals` what is right there: expected both or none")
        if self.law and self.json_path is not None:
            raise ValueError("an answer follows the law or equals something: expected `law` or `json`")
        return self


class Scenario(Row):
    """What is asked. Without a path of its own, a contender is asked at its endpoint."""

    title: str
    method: str = Field("POST", pattern="^[A-Z]+$")
    path: str | None = Field(None, pattern="^/")
    headers: dict[str, str] = Field({})  # `env:NAME` stands for the value of a variable
    body: str | None = None  # the same for every request
    bodies: str | None = None  # a file with one body per line
    template: str | None = None  # a file of Jinja: a body, with numbers that are drawn from the seed
    protocol: str = "predict"  # how an answer is obtained, a name in benchmark.load.protocols
    check: Check

    @field_validator("headers")
    @classmethod
    def _keeps_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if _SECRET.search(name) and not value.startswith(_FROM_ENVIRONMENT):
                raise ValueError(f"{name} may be a secret: write {_FROM_ENVIRONMENT}NAME, and its value into NAME")
        return headers

    @model_validator(mode="after")
    def _has_one_body(self) -> "Scenario":
        given = [key for key in ("body", "bodies", "template") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"expected at most one of body, bodies and template, and there are {' and '.join(given)}")
        for name in (self.bodies, self.template):
            if name is not None and not (self.folder / name).is_file():
                raise ValueError(f"there is no file {name!r} beside the scenario.toml")
        return self

    def secrets(self) -> dict[str, str]:
        """Return the variables that the headers name, for a process that will send them. Raises ScenarioError."""
        names = [value.removeprefix(_FROM_ENVIRONMENT) for value in self.headers.values() if _is_secret(value)]
        for name in names:
            if name not in os.environ:
                raise ScenarioError(f"scenario {self.name} needs the variable {name}, which is not set; export it")
        return {name: os.environ[name] for name in names}

    def sent_headers(self) -> dict[str, str]:
        """Return the headers with their values, which are to be sent and never written. Raises ScenarioError."""
        secrets = self.secrets()
        return {
            name: secrets[value.removeprefix(_FROM_ENVIRONMENT)] if _is_secret(value) else value
            for name, value in self.headers.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the row as it was given, names of variables in place of their values."""
        return self.model_dump(mode="json", by_alias=True)


def _is_secret(value: str) -> bool:
    return value.startswith(_FROM_ENVIRONMENT)
