"""The push envelope: how a message is wrapped to be delivered as the body of a POST, as Google Pub/Sub does it."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contract.errors import InvalidRequest
from strategies.push_worker.stream import Entry

PUSH_PATH: Final = "/api/v1/push"
DEAD_PATH: Final = "/api/v1/push/dead"
# A status that says that a message is done with; anything else says that it has to be delivered again.
ACKNOWLEDGED: Final = frozenset({102, 200, 201, 202, 204})
MARGIN_BYTES: Final = 4096  # of an envelope, beside its data


def _decode(value: Any) -> bytes:
    """Decode base64 with nothing else in it: the lenient decoders skip what they do not know."""
    if not isinstance(value, str):
        raise ValueError("expected a text in base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("expected a text in base64") from error


class PushedMessage(BaseModel):
    """The message of an envelope."""

    model_config = ConfigDict(frozen=True)

    data: Annotated[bytes, BeforeValidator(_decode)]
    id: str = Field(alias="messageId", min_length=1)
    attributes: dict[str, str] = Field({})
    published: datetime | None = Field(None, alias="publishTime")


class Envelope(BaseModel):
    """The body of a push. Further keys are ignored, as Pub/Sub adds some now and then."""

    model_config = ConfigDict(frozen=True)

    message: PushedMessage
    subscription: str = ""
    attempt: int = Field(1, alias="deliveryAttempt", ge=1)


def wrap(entry: Entry, subscription: str, attempt: int) -> bytes:
    """Return the envelope of a message."""
    published = datetime.fromtimestamp(entry.published_ms / 1e3, UTC)
    message = {
        "data": base64.b64encode(entry.message.payload).decode(),
        "messageId": entry.message.id,
        "attributes": dict(entry.attributes),
        "publishTime": published.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return json.dumps({"message": message, "subscription": subscription, "deliveryAttempt": attempt}).encode()


def unwrap(body: bytes) -> Envelope:
    """Return the envelope of a push. Raises InvalidRequest, without repeating what was sent."""
    try:
        return Envelope.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise InvalidRequest(f"The push envelope is wrong at {place}: {first['msg']}.") from error


def envelope_limit(payload_bytes: int) -> int:
    """Return how large the envelope of a payload may be: base64 makes four bytes of three."""
    return 4 * -(-payload_bytes // 3) + MARGIN_BYTES
