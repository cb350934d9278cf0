"""The keys of a scenario.toml row: request, protocol, and check of the answers."""

import json
import os
import re
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from benchmark.contenders.toml_rows import Row, Table
from benchmark.errors import ScenarioError

_FROM_ENVIRONMENT: Final = "env:"
# Headers that may hold secrets. Rows are written into every record, so these values must come from the environment.
_SECRET = re.compile(r"authorization|cookie|key|token|secret|password", re.IGNORECASE)
# The value of a header: the variable, behind the name of a scheme such as Bearer if there is one.
_VARIABLE = re.compile(rf"([A-Za-z][A-Za-z0-9-]* )?{_FROM_ENVIRONMENT}([A-Za-z_][A-Za-z0-9_]*)")
_PLACE: Final = r"(\.[A-Za-z_][A-Za-z0-9_-]*|\[\d+\])"
_PLACES: Final = r"(\.[A-Za-z_][A-Za-z0-9_-]*|\[(\d+|\*)\])"  # [*]: every item
_RULES: Final = {"law": "law", "json_path": "json", "schema_given": "schema", "same_as": "same_as"}


class Check(Table):
    """When an answer is correct: its status, and at most one rule for its content."""

    model_config = ConfigDict(populate_by_name=True)

    status: int = Field(200, ge=100, le=599)
    law: bool = False  # the service contract's rule: a duration that the contender's models can have drawn
    json_path: str | None = Field(None, alias="json", pattern=rf"^\${_PLACE}*$")
    equals: Any = None  # the expected value at that path
    schema_given: str | None = Field(None, alias="schema")  # a JSON schema: a file, or its text
    same_as: str | None = None  # the contender whose answers are right: only of `versus`
    ignore: tuple[Annotated[str, StringConstraints(pattern=rf"^\${_PLACES}+$")], ...] = ()  # what may differ

    @model_validator(mode="after")
    def _has_one_rule(self) -> "Check":
        if (self.json_path is None) != (self.equals is None):
            raise ValueError("`json` is a path in the answer, `equals` the value expected there: give both or neither")
        given = [name for field, name in _RULES.items() if getattr(self, field)]
        if len(given) > 1:
            raise ValueError(f"an answer is checked by one rule: give `{'` or `'.join(given)}`")
        if self.ignore and not self.same_as:
            raise ValueError("`ignore` says what may differ from another answer: give it with `same_as`")
        return self


class Scenario(Row):
    """A scenario. Without `path`, requests go to the contender's endpoint."""

    title: str
    method: str = Field("POST", pattern="^[A-Z]+$")
    path: str | None = Field(None, pattern="^/")
    headers: dict[str, str] = Field({})  # the value `env:NAME` is replaced by that environment variable
    body: str | None = None  # the same for every request
    bodies: str | None = None  # a file with one body per line, a folder with a file for each, or a CSV with `column`
    column: str | None = None  # of the CSV file
    template: str | None = None  # a Jinja file: a body with random numbers from the seed
    protocol: str = "predict"  # a name in benchmark.load.protocols
    check: Check

    @field_validator("headers")
    @classmethod
    def _keeps_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if (_SECRET.search(name) or _FROM_ENVIRONMENT in value) and not _VARIABLE.fullmatch(value):
                raise ValueError(f"{name} may be a secret: write {_FROM_ENVIRONMENT}NAME, and set the variable NAME")
        return headers

    @model_validator(mode="after")
    def _has_one_body(self) -> "Scenario":
        given = [key for key in ("body", "bodies", "template") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"expected at most one of body, bodies and template, given {' and '.join(given)}")
        files = [self.template, None if _is_json_text(self.check.schema_given) else self.check.schema_given]
        if self.bodies is not None and not (self.folder / self.bodies).is_dir():
            files.append(self.bodies)
        for name in files:
            if name is not None and not (self.folder / name).is_file():
                raise ValueError(f"there is no file {name!r} in the folder of the scenario.toml")
        if self.column is not None and not str(self.bodies).endswith(".csv"):
            raise ValueError(
                f"`column` belongs to bodies in a CSV file, whose name ends with .csv, not {self.bodies!r}"
            )
        return self

    def secrets(self) -> dict[str, str]:
        """Return the environment variables that the headers need. Raises ScenarioError if one is missing."""
        names = [match[2] for match in map(_VARIABLE.fullmatch, self.headers.values()) if match]
        for name in names:
            if not os.environ.get(name):
                raise ScenarioError(f"scenario {self.name} needs the environment variable {name}, which is not set")
        return {name: os.environ[name] for name in names}

    def sent_headers(self) -> dict[str, str]:
        """Return the headers with secrets filled in: only for sending, never for files. Raises ScenarioError."""
        secrets = self.secrets()
        filled = {}
        for name, value in self.headers.items():
            match = _VARIABLE.fullmatch(value)
            filled[name] = (match[1] or "") + secrets[match[2]] if match else value
        return filled

    def answer_schema(self) -> Any:
        """Return the JSON schema of the answers, None without one. Raises ScenarioError."""
        given = self.check.schema_given
        if given is None:
            return None
        try:
            return json.loads(given if _is_json_text(given) else (self.folder / given).read_text())
        except ValueError as error:
            raise ScenarioError(f"scenario {self.name}: check.schema is not JSON: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Return the row for the load generator, with names of variables instead of their values."""
        return self.model_dump(mode="json", by_alias=True)

    def recorded(self) -> dict[str, Any]:
        """Return the row for the record, which names no folder of the machine."""
        return self.model_dump(mode="json", by_alias=True, exclude={"folder"})


def _is_json_text(schema: str | None) -> bool:
    return schema is not None and schema.lstrip().startswith("{")
