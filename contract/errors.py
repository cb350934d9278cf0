"""All error answers of a service, as `application/problem+json` (RFC 9457).

ServiceError
├── InvalidRequest        400  the endpoint does not accept the body or its content type
├── Unauthorized          401  no API key, or an unknown one; with `WWW-Authenticate`
├── Forbidden             403  an API key without the scope that is needed
├── MalformedRequest      400  no HTTP/1.1, or framed in a way that two readers could understand differently
├── UnknownPath           404
├── UnknownEntity         404
├── UnknownJob            404  no job was ever accepted under this id
├── MethodNotAllowed      405  with `Allow`
├── RequestTimeout        408  the request did not arrive in time
├── KeyReused             409  an `Idempotency-Key` came again with another body
├── GoneJob               410  a job that was accepted, and whose result is kept no longer
├── BodyTooLarge          413
├── TooManyItems          413  a batch of more items than a request may hold
├── RequestLineTooLong    414
├── ExpectationFailed     417
├── HeadTooLarge          431
├── BadModelAnswer        502  a model refused, failed or gave an invalid answer
├── Unavailable           503  with `Retry-After`
│   ├── StoreUnreachable
│   ├── StoreNotSeeded
│   ├── StoreCorrupt
│   ├── ModelNotReady
│   ├── ModelBusy            a model answered 503; its `Retry-After` is passed on
│   ├── ConnectionsInUse     our own pool of connections to a model or to the store is full
│   ├── QueueUnreachable     a job cannot be accepted or looked up
│   ├── BacklogFull          so many jobs wait already that no further one is accepted
│   └── TooManyInFlight
└── ModelTimeout          504

Any other exception in a handler is a bug and answers 500 without details.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import ClassVar

PROBLEM_CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
_LONGEST_RETRY_AFTER_S = 60


class ServiceError(Exception):
    """An error answer of the contract; `detail` is the sentence for the client."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def headers(self) -> dict[str, str]:
        """Headers of the answer in addition to its content type."""
        return {}

    def body(self) -> bytes:
        """The problem document. Both twins send exactly these bytes."""
        return problem_body(self.status, self.detail)


class InvalidRequest(ServiceError):
    status = HTTPStatus.BAD_REQUEST


class Unauthorized(ServiceError):
    status = HTTPStatus.UNAUTHORIZED

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="API keys"'}


class Forbidden(ServiceError):
    status = HTTPStatus.FORBIDDEN

    def __init__(self, scope: str) -> None:
        super().__init__(f"The API key lacks the scope {scope!r}.")


class MalformedRequest(ServiceError):
    status = HTTPStatus.BAD_REQUEST

    def __init__(self) -> None:
        super().__init__("The request is not valid HTTP/1.1.")


class UnknownPath(ServiceError):
    status = HTTPStatus.NOT_FOUND

    def __init__(self) -> None:
        super().__init__("There is nothing at this path; /docs lists the endpoints.")


class UnknownEntity(ServiceError):
    status = HTTPStatus.NOT_FOUND

    def __init__(self, entity_id: str, entities: int) -> None:
        super().__init__(f"No entity {entity_id[:40]!r}; the store holds the entities 0 to {entities - 1}.")


class UnknownJob(ServiceError):
    status = HTTPStatus.NOT_FOUND

    def __init__(self, job_id: str) -> None:
        super().__init__(f"No job {job_id[:80]!r} was ever accepted.")


class MethodNotAllowed(ServiceError):
    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allow = ", ".join(sorted(allowed))
        super().__init__(f"This path takes {self.allow}.")

    def headers(self) -> dict[str, str]:
        return {"Allow": self.allow}


class RequestTimeout(ServiceError):
    status = HTTPStatus.REQUEST_TIMEOUT

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"The request did not arrive within {timeout_s:g} s.")


class KeyReused(ServiceError):
    status = HTTPStatus.CONFLICT

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used before, with another request.")


class GoneJob(ServiceError):
    status = HTTPStatus.GONE

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The result of job {job_id[:80]!r} is kept no longer.")


class BodyTooLarge(ServiceError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than {limit_bytes} bytes.")


class TooManyItems(ServiceError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, items: int, limit: int) -> None:
        super().__init__(f"There are {items} items in the request, expected at most {limit}.")


class RequestLineTooLong(ServiceError):
    status = HTTPStatus.REQUEST_URI_TOO_LONG

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The request line is longer than {limit_bytes} bytes.")


class ExpectationFailed(ServiceError):
    status = HTTPStatus.EXPECTATION_FAILED

    def __init__(self) -> None:
        super().__init__("The only expectation that is met is 100-continue.")


class HeadTooLarge(ServiceError):
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

    def __init__(self, fields: int, field_bytes: int, head_bytes: int) -> None:
        limits = f"{fields} fields, {field_bytes} bytes each and {head_bytes} bytes together"
        super().__init__(f"The head of the request is too large; the limits are {limits}.")


class BadModelAnswer(ServiceError):
    status = HTTPStatus.BAD_GATEWAY


class Unavailable(ServiceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(RETRY_AFTER_S)}


class StoreUnreachable(Unavailable):
    def __init__(self) -> None:
        super().__init__("The feature store (Redis) does not answer.")


class StoreNotSeeded(Unavailable):
    def __init__(self) -> None:
        super().__init__("The feature store is not seeded; run `make seed`.")


class StoreCorrupt(Unavailable):
    def __init__(self, what: str) -> None:
        super().__init__(f"The feature store holds something unreadable: {what}; run `make seed`.")


class ModelNotReady(Unavailable):
    def __init__(self, number: int) -> None:
        super().__init__(f"Model {number} does not answer its health check.")


class ModelBusy(Unavailable):
    """A model answered 503. Its `Retry-After` is passed on if it is a number of seconds that a client may wait."""

    def __init__(self, number: int, retry_after: str | None) -> None:
        super().__init__(f"Model {number} is busy.")
        self.retry_after_s = _seconds_to_wait(retry_after)

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class ConnectionsInUse(Unavailable):
    """None of our connections became free in time; whoever is at their other end has done nothing wrong."""

    def __init__(self, limit: int, to: str) -> None:
        super().__init__(f"All {limit} connections to {to} are in use.")


class QueueUnreachable(Unavailable):
    def __init__(self) -> None:
        super().__init__("The queue of the jobs does not answer.")


class BacklogFull(Unavailable):
    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs wait already, as many as may.")


class TooManyInFlight(Unavailable):
    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} requests are in flight already, the limit of this process.")


class ModelTimeout(ServiceError):
    status = HTTPStatus.GATEWAY_TIMEOUT

    def __init__(self, number: int, timeout_ms: float) -> None:
        super().__init__(f"Model {number} did not answer within {timeout_ms:g} ms.")


def _seconds_to_wait(retry_after: str | None) -> int:
    """Return a model's `Retry-After` if it is 1 to 60 seconds, else our own."""
    text = (retry_after or "").strip()
    is_short_number = text.isascii() and text.isdigit() and len(text) <= 2
    return int(text) if is_short_number and 1 <= int(text) <= _LONGEST_RETRY_AFTER_S else RETRY_AFTER_S


def problem_body(status: HTTPStatus, detail: str) -> bytes:
    """Return the problem document for a status."""
    problem = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    return json.dumps(problem).encode()


INTERNAL_ERROR_BODY = problem_body(HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed; its log says why.")
