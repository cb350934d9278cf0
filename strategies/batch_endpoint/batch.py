"""Many rows in one request: who is answered what. Every row has its answer, or its error, in its own place."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, Strict, TypeAdapter, ValidationError

from contract.errors import BadModelAnswer, InvalidRequest, ServiceError, TooManyItems
from strategies.batch_endpoint.model import Row
from strategies.batch_endpoint.parameters import FEATURES, MAX_ROWS

Model = Callable[[Sequence[Row]], NDArray[np.float64]]
Answer = list[float] | ServiceError

logger = logging.getLogger(__name__)

_DIGITS: Final = 6
_Number = Annotated[FiniteFloat, Strict()]
_row: TypeAdapter[list[float]] = TypeAdapter(Annotated[list[_Number], Field(min_length=FEATURES, max_length=FEATURES)])
_items: TypeAdapter[list[Any]] = TypeAdapter(list[Any])
_document: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def parse_items(body: bytes) -> list[Any]:
    """Return the items of a body, whatever they are. Raises InvalidRequest without any, TooManyItems."""
    try:
        items = _items.validate_json(body)
    except ValidationError as error:
        raise InvalidRequest("Expected a JSON array of rows, such as [[5.1, 3.5, 1.4, 0.2]].") from error
    if not items:
        raise InvalidRequest("There is no row. Expected a JSON array of 1 or more.")
    if len(items) > MAX_ROWS:
        raise TooManyItems(len(items), MAX_ROWS)
    return items


def row_of(item: object) -> Row | InvalidRequest:
    """Return an item as a row, or why it is none."""
    try:
        return tuple(_row.validate_python(item))
    except ValidationError:
        return InvalidRequest(f"Expected {FEATURES} finite numbers.")


def one_by_one(items: Sequence[object], model: Model) -> list[Answer]:
    """Ask the model for each item alone: what every other form must come to."""
    return [answer for item in items for answer in distinct([item], model)]


def whole(items: Sequence[object], model: Model) -> list[Answer]:
    """Ask the model once, for all rows, even if they are equal."""
    rows = [row_of(item) for item in items]
    good = [row for row in rows if isinstance(row, tuple)]
    found = iter(_answers(good, model))
    return [next(found) if isinstance(row, tuple) else row for row in rows]


def distinct(items: Sequence[object], model: Model) -> list[Answer]:
    """Ask the model once, for each different row once, and give every item its answer in its place."""
    rows = [row_of(item) for item in items]
    different = list(dict.fromkeys(row for row in rows if isinstance(row, tuple)))  # in order; a set has none
    found = dict(zip(different, _answers(different, model), strict=True))
    return [found[row] if isinstance(row, tuple) else row for row in rows]


def naive(items: Sequence[object], model: Model) -> list[Answer]:
    """As the talk does it: invalid items are filtered out, duplicates go by a set, and so do number and order."""
    rows = [row_of(item) for item in items]
    return _answers(list({row for row in rows if isinstance(row, tuple)}), model)


def _answers(rows: Sequence[Row], model: Model) -> list[Answer]:
    """Return an answer for each row; a row without a finite score is that row's error alone. Raises BadModelAnswer."""
    if not rows:
        return []
    try:
        found = model(rows).tolist()
    except Exception as error:
        logger.error("the model failed on %d rows", len(rows), exc_info=error)
        raise BadModelAnswer("The model failed.") from error
    if len(found) != len(rows):
        raise BadModelAnswer(f"The model gave {len(found)} answers for {len(rows)} rows.")
    refused = BadModelAnswer("The model has no score for this row.")
    return [each if all(map(math.isfinite, each)) else refused for each in found]


def encode(answers: Sequence[Answer]) -> bytes:
    """Return the body of a 200: for each item its scores, or its problem."""
    return _document.dump_json({"rows": [_said(answer) for answer in answers]})


def _said(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, ServiceError):
        return {"problem": {"title": answer.status.phrase, "status": int(answer.status), "detail": answer.detail}}
    return {"scores": [round(score, _DIGITS) for score in answer]}
