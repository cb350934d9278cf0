"""One parser for both twins: what it takes, what it refuses, and in which words."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract import schema
from contract.errors import BadModelAnswer, BodyTooLarge, InvalidRequest

FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
BODIES = st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode())


@given(st.lists(FINITE, min_size=1, max_size=schema.MAX_NUMBERS))
@example([-0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e16, 123456789.123456789])
def test_every_list_of_finite_numbers_survives_encoding_and_parsing(numbers: list[float]) -> None:
    parsed = schema.parse_scoring_numbers(schema.encode_numbers(numbers))
    assert [value.hex() for value in parsed] == [value.hex() for value in numbers]


@given(BODIES)
@example(b"[1e999]")
@example(b"[" * 3000)
@example(b"[" + b"9" * 5000 + b"]")
@example(b"[NaN]")
@example(b"[-Infinity]")
@example(b"[0.5]\x00")
@example(b'["\xff"]')
@example(b"\xef\xbb\xbf[1]")
def test_any_bytes_are_finite_numbers_or_an_invalid_request(body: bytes) -> None:
    for parse, limit in (
        (schema.parse_scoring_numbers, schema.MAX_NUMBERS),
        (schema.parse_model_numbers, schema.MAX_MODEL_NUMBERS),
    ):
        try:
            numbers = parse(body)
        except InvalidRequest:
            continue
        assert 1 <= len(numbers) <= limit
        assert all(type(number) is float and math.isfinite(number) for number in numbers)


@given(BODIES)
@example(b"[9007199254740993]")  # 2^53 + 1 lies between two doubles
@example(b"[-9223372036854775809, 18446744073709551617]")
@example(b"[123456789012345678901234567890123456789]")
@example(b"[0.1, 1e-400, -0.0, 1.7976931348623157e308]")
def test_what_is_accepted_is_what_json_says(body: bytes) -> None:
    try:
        numbers = schema.parse_scoring_numbers(body)
    except InvalidRequest:
        return
    # A number is the double next to what is written (RFC 8259, section 6); Python reads integers exactly.
    assert numbers == [float(number) for number in json.loads(body)]


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=40))
def test_a_refusal_does_not_repeat_what_the_client_sent(secret: str) -> None:
    for body in (secret, f'["{secret}"]', f'{{"{secret}": 1}}'):
        with pytest.raises(InvalidRequest) as refused:
            schema.parse_scoring_numbers(body.encode())
        assert secret not in refused.value.detail


def test_a_refusal_names_the_bad_number_and_what_was_expected() -> None:
    with pytest.raises(InvalidRequest, match=r"^Number 2: .*number.* Expected a JSON array of finite numbers"):
        schema.parse_scoring_numbers(b"[1, 2, null, false]")
    with pytest.raises(InvalidRequest, match=r"^Body: .* Expected a JSON array of finite numbers"):
        schema.parse_scoring_numbers(b"{}")


def test_integers_are_numbers() -> None:
    assert schema.parse_scoring_numbers(b"[1, -2]") == [1.0, -2.0]


@pytest.mark.parametrize(
    "body", [b"[]", b"[true]", b'["1"]', b"[[1]]", b"[null]", b"1", b"null", b"", b"{}", b"[1,]", b"[1] 2", b"[01]"]
)
def test_anything_else_is_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        schema.parse_scoring_numbers(body)


def test_a_scoring_handler_takes_64_numbers_and_not_one_more() -> None:
    assert len(schema.parse_scoring_numbers(schema.encode_numbers([1.5] * 64))) == 64
    with pytest.raises(InvalidRequest, match="64"):
        schema.parse_scoring_numbers(schema.encode_numbers([1.5] * 65))


def test_a_model_takes_the_largest_request_with_the_most_features_and_not_one_more() -> None:
    limit = schema.MAX_NUMBERS + schema.MAX_STORED_FEATURES
    assert len(schema.parse_model_numbers(schema.encode_numbers([1.5] * limit))) == limit
    with pytest.raises(InvalidRequest, match=str(limit)):
        schema.parse_model_numbers(schema.encode_numbers([1.5] * (limit + 1)))


@pytest.mark.parametrize("architecture", ["sync", "async"])
def test_the_predict_path_names_the_architecture(architecture: str) -> None:
    assert schema.predict_path(architecture) == f"/api/v1/ml/{architecture}/predict"


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "APPLICATION/JSON", "application/json; charset=utf-8", " application/json ;x=y"],
)
def test_a_json_or_missing_content_type_is_taken(content_type: str | None) -> None:
    schema.check_content_type(content_type)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/problem+json", "application/jsonp", ";", "json", "x" * 5000]
)
def test_another_content_type_is_refused_in_few_words(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match="expected 'application/json'") as refused:
        schema.check_content_type(content_type)
    assert len(refused.value.detail) < 200


@given(st.text())
def test_any_content_type_is_taken_or_an_invalid_request(content_type: str) -> None:
    try:
        schema.check_content_type(content_type)
    except InvalidRequest as error:
        json.loads(error.body())


@pytest.mark.parametrize("length", [None, 0, 99, 100])
def test_a_length_up_to_the_limit_is_taken(length: int | None) -> None:
    schema.check_length(length, 100)


def test_a_length_over_the_limit_is_refused() -> None:
    with pytest.raises(BodyTooLarge, match="larger than 100 bytes"):
        schema.check_length(101, 100)


@given(st.floats(min_value=0, max_value=1e6))
@example(0.0451)
@example(1e-06)
@example(0.0)
def test_an_answer_is_read_back_to_the_microsecond(detail_s: float) -> None:
    body = schema.encode_answer(detail_s)
    assert json.loads(body) == {"detail": round(detail_s, 6)}
    assert schema.parse_answer(body, 1) == round(detail_s, 6)


def test_the_bytes_of_an_answer_are_these() -> None:
    assert schema.encode_answer(0.0451) == b'{"detail": 0.0451}'
    assert schema.encode_answer(0.04512345678) == b'{"detail": 0.045123}'
    assert json.loads(schema.OK_BODY) == {"status": "OK"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"0.04",
        b"\xff",
        b"<html>",
        b'{"result": 1}',
        *(b'{"detail": %s}' % detail for detail in (b'"0.04"', b"null", b"true", b"-0.001", b"NaN", b"1e999")),
    ],
)
def test_an_answer_without_a_duration_is_a_bad_model_answer(body: bytes) -> None:
    with pytest.raises(BadModelAnswer, match=r"^Model 2 answered something else than a duration\.$"):
        schema.parse_answer(body, 2)


@given(BODIES)
def test_any_answer_is_a_finite_duration_or_a_bad_model_answer(body: bytes) -> None:
    try:
        detail_s = schema.parse_answer(body, 1)
    except BadModelAnswer:
        return
    assert math.isfinite(detail_s)
    assert detail_s >= 0
