"""What a scoring handler takes for the answer of a model, the same with every HTTP client."""

from typing import Final, NamedTuple

from contract.errors import BadModelAnswer, ModelBusy
from contract.schema import JSON_CONTENT_TYPE, parse_answer

MAX_ANSWER_BYTES: Final = 65_536
# Accept-Encoding is set explicitly: by default, it depends on which packages are installed. No client decompresses:
# what comes compressed all the same is not JSON, and a small answer cannot become a large one.
REQUEST_HEADERS: Final = {"Content-Type": JSON_CONTENT_TYPE, "Accept-Encoding": "identity"}


class ModelAnswer(NamedTuple):
    """A model's answer as it came; of a body over MAX_ANSWER_BYTES, its beginning, and at least one byte more."""

    status: int
    body: bytes
    retry_after: str | None
    retried: bool


def read_duration(answer: ModelAnswer, number: int) -> float:
    """Return the duration in seconds that model `number` answered. Raises ModelBusy or BadModelAnswer."""
    if answer.status == 503:
        raise ModelBusy(number, answer.retry_after)
    if answer.status != 200:
        raise BadModelAnswer(f"Model {number} answered with status {answer.status}.")
    if len(answer.body) > MAX_ANSWER_BYTES:
        raise BadModelAnswer(f"Model {number} answered more than {MAX_ANSWER_BYTES} bytes.")
    return parse_answer(answer.body, number)
