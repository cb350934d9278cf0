"""Finds, reads and validates rows of TOML files, such as [contender.NAME]."""

import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from benchmark.errors import BenchmarkError

_NOT_SEARCHED = {".venv", ".venvs", ".gate", ".nox", ".git", "results", "run", "node_modules", "__pycache__"}

RowName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Table(BaseModel):
    """A row, or a table within one: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(Table):
    """The fields of every row. Name and folder come from its header and its file."""

    name: RowName
    folder: Path  # where its file lies


RowT = TypeVar("RowT", bound=Row)
# Completes a row, from: file, all its rows, name of the row, content of the row.
Complete = Callable[[Path, dict[str, Any], str, dict[str, Any]], dict[str, Any]]


def find_rows(
    root: Path, kind: str, model: type[RowT], error: type[BenchmarkError], complete: Complete | None = None
) -> dict[str, RowT]:
    """Return the rows of every `{kind}.toml` below `root`, by name.

    Raises `error` naming the file, the key and what was expected.
    """
    found: dict[str, RowT] = {}
    for path in sorted(_files(root, f"{kind}.toml")):
        for name, row in read_rows(path, kind, model, error, complete).items():
            if name in found:
                raise error(f"{path}: {kind}.{name} is defined in two files")
            found[name] = row
    return found


def read_rows(
    path: Path, kind: str, model: type[RowT], error: type[BenchmarkError], complete: Complete | None = None
) -> dict[str, RowT]:
    """Return the rows of one file, by name. Raises `error` naming the file, the key and what was expected."""
    found: dict[str, RowT] = {}
    rows = _read(path, kind, error)
    for name, given in rows.items():
        if not isinstance(given, dict):
            raise error(f"{path}: {kind}.{name} is {given!r}, expected a table")
        row = complete(path, rows, name, given) if complete else given
        for key in {"name", "folder"}.intersection(row):
            raise error(f"{path}: {kind}.{name}.{key} is not a key of a {kind}, given {row[key]!r}")
        found[name] = _parse(path, kind, name, row, model, error)
    return found


def _files(root: Path, name: str) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = [each for each in subfolders if each not in _NOT_SEARCHED]
        if name in files:
            yield Path(folder, name)


def _read(path: Path, kind: str, error: type[BenchmarkError]) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{path}: not readable as TOML: {problem}") from problem
    rows = tables.pop(kind, None)
    if tables or not isinstance(rows, dict) or not rows:
        raise error(f"{path}: expected tables [{kind}.<name>] and nothing else")
    return rows


def _parse(
    path: Path, kind: str, name: str, row: dict[str, Any], model: type[RowT], error: type[BenchmarkError]
) -> RowT:
    try:
        return model(name=name, folder=path.parent, **row)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        key = ".".join(str(part) for part in (kind, name, *first["loc"]))
        what = _unknown_key(model, first["loc"]) if first["type"] == "extra_forbidden" else first["msg"]
        given = "" if isinstance(first["input"], dict) else f", given {first['input']!r:.80}"  # it may hold a secret
        raise error(f"{path}: {key}: {what.removeprefix('Value error, ')}{given}") from problem


def _unknown_key(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """Return what is wrong with a key that there is not, with those that there are where this can be told."""
    *tables, _ = place
    for table in tables:
        field = model.model_fields.get(str(table))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return "there is no such key"
        model = field.annotation
    known = [field.alias or name for name, field in model.model_fields.items()]
    return f"there is no such key; expected one of {', '.join(key for key in known if key not in ('name', 'folder'))}"
