"""The API: paths, the parser of requests, and the encoding of answers, shared by both twins."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, FiniteFloat, Strict, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from contract.errors import BadModelAnswer, BodyTooLarge, InvalidRequest

JSON_CONTENT_TYPE: Final = "application/json"
MAX_NUMBERS: Final = 64  # in a request to the scoring handler
MAX_STORED_FEATURES: Final = 64
MAX_MODEL_NUMBERS: Final = MAX_NUMBERS + MAX_STORED_FEATURES

INDEX_PATH: Final = "/"
HEALTHCHECK_PATH: Final = "/api/v1/healthcheck"
READY_PATH: Final = "/api/v1/ready"
DOCS_PATH: Final = "/docs"
OPENAPI_PATH: Final = "/openapi.json"
ASSETS_PATH: Final = "/docs/assets"

OK_BODY: Final = b'{"status": "OK"}'


class AnswerDocument(TypedDict):
    """A model's or a scoring handler's answer: a duration in seconds."""

    detail: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]


_Number = Annotated[FiniteFloat, Strict()]
_scoring_numbers: TypeAdapter[list[float]] = TypeAdapter(
    Annotated[list[_Number], Field(min_length=1, max_length=MAX_NUMBERS)]
)
_model_numbers: TypeAdapter[list[float]] = TypeAdapter(
    Annotated[list[_Number], Field(min_length=1, max_length=MAX_MODEL_NUMBERS)]
)
_answer: TypeAdapter[AnswerDocument] = TypeAdapter(AnswerDocument)
_json_numbers: TypeAdapter[list[float]] = TypeAdapter(list[float])


def predict_path(architecture: str) -> str:
    """Return the path of the predict endpoint, the same for scoring handler and model."""
    return f"/api/v1/ml/{architecture}/predict"


def check_content_type(content_type: str | None) -> None:
    """Raise InvalidRequest unless the header is JSON or missing."""
    if not content_type:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != JSON_CONTENT_TYPE:
        raise InvalidRequest(f"Content-Type is {media_type[:60]!r}, expected {JSON_CONTENT_TYPE!r}.")


def check_length(length: int | None, limit_bytes: int) -> None:
    """Raise BodyTooLarge if a declared or counted length is over the limit."""
    if length is not None and length > limit_bytes:
        raise BodyTooLarge(limit_bytes)


def parse_scoring_numbers(body: bytes) -> list[float]:
    """Parse a request to the scoring handler: 1 to 64 finite numbers. Raises InvalidRequest."""
    return _parse(_scoring_numbers, body)


def parse_model_numbers(body: bytes) -> list[float]:
    """Parse a request to a model: the scoring request's numbers and the stored features. Raises InvalidRequest."""
    return _parse(_model_numbers, body)


def encode_numbers(numbers: Sequence[float]) -> bytes:
    """Return the body of a request to a model: a JSON array."""
    return _json_numbers.dump_json(list(numbers))


def encode_answer(detail_s: float) -> bytes:
    """Return the body of a 200: a duration in seconds, to the microsecond."""
    return b'{"detail": %s}' % repr(round(detail_s, 6)).encode()


def parse_answer(body: bytes, number: int) -> float:
    """Return the duration in seconds that model `number` answered. Raises BadModelAnswer."""
    try:
        return _answer.validate_json(body)["detail"]
    except ValidationError as error:
        raise BadModelAnswer(f"Model {number} answered something else than a duration.") from error


def _parse(adapter: TypeAdapter[list[float]], body: bytes) -> list[float]:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise InvalidRequest(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    """Describe the first fault, without repeating the client's data."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = f"Number {first['loc'][0]}" if first["loc"] else "Body"
    return f"{place}: {first['msg']}. Expected a JSON array of finite numbers such as [5.1, 3.5, 1.4, 0.2]."
