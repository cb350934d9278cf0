"""Is an answer right? By its content: a value at a place, a JSON schema, a duration, or the same as another's."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from benchmark.errors import ScenarioError
from benchmark.load.bodies import check_answer
from benchmark.scenarios.spec import Check
from contract.errors import BadModelAnswer

Read = Callable[[bytes], float | None]  # returns an answer's duration if it has one; raises BadModelAnswer
_STEPS = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+|\*)\]")  # of a JSON path such as $.rows[0]
_SHOWN: Final = 40


@dataclass(frozen=True)
class Expected:
    """What was answered before: a digest for each of the first bodies of a seed. Only these bodies are asked."""

    seed: int
    digests: tuple[str, ...]
    whose: str  # contender


def reader(check: Check, bounds_s: tuple[float, float], schema: Any = None) -> Read:
    """Return a function that checks an answer and returns its duration if it has one. Raises ScenarioError."""
    if check.law:
        return lambda body: check_answer(body, bounds_s)
    if schema is not None:
        return _conforms(schema)
    if check.json_path is None:
        return lambda _: None
    return _equals(check.json_path, check.equals)


def digest(body: bytes, ignore: tuple[str, ...]) -> str:
    """Return a digest of an answer without what may differ, the same whatever the order of its keys."""
    try:
        document = comparable(json.loads(body), ignore)
    except ValueError:
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def comparable(document: Any, ignore: tuple[str, ...]) -> Any:
    """Return a JSON document without the values at these paths, which it loses."""
    for path in ignore:
        _remove(document, [name or (place if place == "*" else int(place)) for name, place in _STEPS.findall(path)])
    return document


def first_difference(one: Any, other: Any, path: str = "$") -> tuple[str, Any, Any] | None:
    """Return where two JSON documents differ first, and both values there; None where they do not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        missing = "nothing"
        pairs = [(f"{path}.{key}", one.get(key, missing), other.get(key, missing)) for key in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{path}[{place}]", *both) for place, both in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other and type(one) is type(other) else (path, one, other)
    return next(filter(None, (first_difference(a, b, at) for at, a, b in pairs)), None)


def _parsed(body: bytes) -> Any:
    """Return an answer as JSON. Raises BadModelAnswer."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        begin = body[:_SHOWN].decode(errors="replace")
        raise BadModelAnswer(f"an answer is not JSON, it begins with {begin!r}") from error


def _equals(path: str, expected: Any) -> Read:
    def compare(body: bytes) -> None:
        found = _parsed(body)
        try:
            for key, index in _STEPS.findall(path):
                found = found[key or int(index)]
        except (LookupError, TypeError) as error:
            raise BadModelAnswer(f"an answer has nothing at {path}, expected {expected!r}") from error
        if found != expected:
            raise BadModelAnswer(f"{path} is {found!r:.80}, expected {expected!r}")

    return compare


def _conforms(schema: Any) -> Read:
    try:
        validator = jsonschema_rs.validator_for(schema)
    except (ValueError, TypeError) as error:
        text = str(error).splitlines()[0]
        raise ScenarioError(f"check.schema is no JSON schema: {text}") from error

    def validate(body: bytes) -> None:
        for error in validator.iter_errors(_parsed(body)):
            place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.instance_path)
            raise BadModelAnswer(f"${place}: {error.message:.120}")

    return validate


def _remove(document: Any, steps: list[str | int]) -> None:
    first, *rest = steps
    if first == "*" and isinstance(document, list):
        if rest:
            for item in document:
                _remove(item, rest)
        else:
            document.clear()
        return
    has_it = (isinstance(document, dict) and first in document) or (
        isinstance(document, list) and isinstance(first, int) and first < len(document)
    )
    if not has_it:
        return
    if rest:
        _remove(document[first], rest)
    else:
        document[first] = None
