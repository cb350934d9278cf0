"""Every answer that is not a 200 is a problem document (RFC 9457) with the status that the contract names."""

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import errors

# The contract's table: what went wrong, the status, and headers beside the content type.
TABLE: list[tuple[errors.ServiceError, int, dict[str, str]]] = [
    (errors.InvalidRequest("The body is no JSON."), 400, {}),
    (errors.Unauthorized("The API key is unknown."), 401, {"WWW-Authenticate": 'Bearer realm="API keys"'}),
    (errors.Forbidden("read"), 403, {}),
    (errors.UnknownPath(), 404, {}),
    (errors.UnknownEntity("10000", 10_000), 404, {}),
    (errors.UnknownJob("abc"), 404, {}),
    (errors.MethodNotAllowed(["POST"]), 405, {"Allow": "POST"}),
    (errors.MethodNotAllowed({"HEAD", "GET"}), 405, {"Allow": "GET, HEAD"}),
    (errors.KeyReused(), 409, {}),
    (errors.GoneJob("abc"), 410, {}),
    (errors.BodyTooLarge(16384), 413, {}),
    (errors.TooManyItems(10_001, 10_000), 413, {}),
    (errors.BadModelAnswer("Model 1 cannot be reached."), 502, {}),
    (errors.StoreUnreachable(), 503, {"Retry-After": "1"}),
    (errors.StoreNotSeeded(), 503, {"Retry-After": "1"}),
    (errors.StoreCorrupt("entity 17 is missing"), 503, {"Retry-After": "1"}),
    (errors.ModelNotReady(2), 503, {"Retry-After": "1"}),
    (errors.ModelBusy(2, "7"), 503, {"Retry-After": "7"}),
    (errors.ConnectionsInUse(4, "the models"), 503, {"Retry-After": "1"}),
    (errors.QueueUnreachable(), 503, {"Retry-After": "1"}),
    (errors.BacklogFull(512), 503, {"Retry-After": "1"}),
    (errors.MalformedRequest(), 400, {}),
    (errors.RequestTimeout(10), 408, {}),
    (errors.RequestLineTooLong(8190), 414, {}),
    (errors.ExpectationFailed(), 417, {}),
    (errors.HeadTooLarge(100, 8190, 32768), 431, {}),
    (errors.TooManyInFlight(1024), 503, {"Retry-After": "1"}),
    (errors.ModelTimeout(2, 2000), 504, {}),
]
IDS = [f"{type(error).__name__} {status}" for error, status, _ in TABLE]


@pytest.mark.parametrize(("error", "status", "headers"), TABLE, ids=IDS)
def test_an_error_has_the_status_and_headers_of_the_contract(
    error: errors.ServiceError, status: int, headers: dict[str, str]
) -> None:
    assert (int(error.status), error.headers()) == (status, headers)


@pytest.mark.parametrize("error", [row[0] for row in TABLE], ids=IDS)
def test_a_body_is_a_problem_document(error: errors.ServiceError) -> None:
    assert json.loads(error.body()) == {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": int(error.status),
        "detail": error.detail,
    }
    assert error.detail == str(error)
    assert error.detail.endswith((".", "`."))


def test_every_error_of_the_tree_is_in_the_table() -> None:
    def leaves(error: type[errors.ServiceError]) -> set[type[errors.ServiceError]]:
        below = error.__subclasses__()
        return set().union(*map(leaves, below)) if below else {error}

    own = {error for error in leaves(errors.ServiceError) if error.__module__ == errors.__name__}
    assert own == {type(error) for error, _, _ in TABLE}


def test_an_error_without_a_status_of_its_own_is_a_500_and_none_is_in_the_table() -> None:
    assert errors.ServiceError("?").status == 500
    assert 500 not in {status for _, status, _ in TABLE}


def test_a_bug_answers_500_and_says_nothing_about_itself() -> None:
    problem = json.loads(errors.INTERNAL_ERROR_BODY)
    assert problem["status"] == 500
    assert problem["title"] == "Internal Server Error"
    assert problem["detail"] == "The service failed; its log says why."


@given(st.text(), st.sampled_from(HTTPStatus))
def test_a_problem_document_is_readable_json_whatever_its_detail(detail: str, status: HTTPStatus) -> None:
    body = errors.problem_body(status, detail)
    assert json.loads(body.decode("ascii")) == {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
    }


def test_messages_name_what_was_given_and_what_was_expected() -> None:
    assert errors.UnknownEntity("10000", 10_000).detail == "No entity '10000'; the store holds the entities 0 to 9999."
    assert errors.ModelTimeout(2, 2000).detail == "Model 2 did not answer within 2000 ms."
    assert errors.BodyTooLarge(16384).detail == "The body is larger than 16384 bytes."
    assert errors.TooManyInFlight(7).detail == "7 requests are in flight already, the limit of this process."
    assert "make seed" in errors.StoreNotSeeded().detail
    assert "Redis" in errors.StoreUnreachable().detail


def test_an_unknown_entity_is_repeated_in_few_words() -> None:
    assert len(errors.UnknownEntity("9" * 8000, 10).detail) < 120
