"""A batch endpoint: every item is answered in its own place, whatever stands in the other places."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.experiments.strategies.discovery import load_strategy
from benchmark.load.scenario_requests import ask_of
from benchmark.scenarios import discovery as scenarios
from contract.errors import BadModelAnswer, InvalidRequest, ServiceError, TooManyItems
from contract.settings import load_settings
from strategies.batch_endpoint import positions, vectorised
from strategies.batch_endpoint.batch import distinct, encode, naive, one_by_one, parse_items, whole
from strategies.batch_endpoint.model import Row, scores, scores_in_a_loop
from strategies.batch_endpoint.parameters import MAX_ROWS, cost_ms
from strategies.batch_endpoint.service import Gpu, make_app
from strategies.web import SCORE_PATH, STATISTICS_PATH

FORMS = (whole, distinct)
REFUSED = [-2.0, 1, 1, 1]
numbers = st.sampled_from([0, 0.0, -0.0, 0.5, 1, 2.5, -0.5, -1, -3, 1e300])
items_of: st.SearchStrategy[list[object]] = st.lists(
    st.one_of(
        st.lists(numbers, min_size=4, max_size=4),
        st.sampled_from([None, "row", [], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, True], [1, 2, 3, float("nan")], {}]),
    ),
    min_size=1,
    max_size=30,
)


class Watched:
    """The model, and the rows of each of its calls."""

    def __init__(self) -> None:
        self.calls: list[list[Row]] = []

    def __call__(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        self.calls.append(list(rows))
        return scores(rows)


@given(items_of)
def test_every_item_is_answered_as_if_it_were_alone(items: list[object]) -> None:
    right = one_by_one(items, scores)
    for form in FORMS:
        answers = form(items, scores)
        assert len(answers) == len(items)
        assert all(positions.same(*pair) for pair in zip(answers, right, strict=True))


@given(items_of)
def test_the_model_is_called_once_and_sees_every_different_row_once(items: list[object]) -> None:
    model = Watched()
    distinct(items, model)
    assert len(model.calls) <= 1
    for seen in model.calls:
        assert len(seen) == len(set(seen))


def test_rows_that_are_written_differently_but_equal_are_one() -> None:
    model = Watched()
    answers = distinct([[0, 1, 2, 3], [-0.0, 1.0, 2.0, 3.0]], model)
    assert (model.calls, answers[0]) == ([[(0, 1, 2, 3)]], answers[1])


def test_an_item_that_fails_carries_its_error_and_its_neighbours_their_scores() -> None:
    before, refused, after, invalid = distinct([[0, 0, 0, 0], REFUSED, [1, 1, 1, 1], [1, 2]], scores)
    assert isinstance(refused, BadModelAnswer)
    assert isinstance(invalid, InvalidRequest)
    assert before == pytest.approx([1 / 3] * 3)
    assert after == pytest.approx(scores([(1, 1, 1, 1)])[0].tolist())


def test_the_form_of_the_talk_loses_number_and_order() -> None:
    items = [[3, 1, 1, 1], [0, 0, 0, 0], [3, 1, 1, 1], None, [2, 1, 1, 1]]
    assert len(naive(items, scores)) == 3


def test_a_model_that_fails_or_answers_too_few_rows_is_a_bad_model_answer() -> None:
    def fails(rows: Sequence[Row]) -> NDArray[np.float64]:
        raise MemoryError

    for model in (fails, lambda rows: scores(rows)[1:]):
        with pytest.raises(BadModelAnswer):
            distinct([[1, 1, 1, 1], [2, 1, 1, 1]], model)


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"7", b"[]", b'"rows"', b"null"])
def test_what_is_no_list_of_items_is_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_items(body)


def test_one_row_too_many_is_refused_and_one_fewer_is_not() -> None:
    many = b"[" + b"0," * MAX_ROWS + b"0]"
    with pytest.raises(TooManyItems, match=r"10001 items in the request, expected at most 10000"):
        parse_items(many)
    assert len(parse_items(many.replace(b"0,", b"", 1))) == MAX_ROWS


@pytest.mark.parametrize("number", [b"1" + b"0" * 400, b"1e999", b"NaN", b"-Infinity", b"true", b'"1"', b"null"])
def test_a_number_that_is_none_fails_in_its_place(number: bytes) -> None:
    items = parse_items(b"[[0, 0, 0, 0], [1, 2, 3, %s]]" % number)
    good, bad = distinct(items, scores)
    assert isinstance(good, list)
    assert isinstance(bad, InvalidRequest)


def test_a_loop_and_numpy_agree_to_the_twelfth_digit() -> None:
    rows = vectorised.random_rows()
    in_a_loop = np.asarray(scores_in_a_loop(rows), dtype=float)
    assert np.abs(scores(rows) - in_a_loop).max() <= vectorised.CLOSE


def test_random_lists_are_answered_alike_in_processes_with_other_hashes() -> None:
    found = positions.figures(lists=60)
    assert (found["lists"], found["wrong_items"], found["needless_rows"]) == (60, 0, 0)
    assert found["naive_wrong_lists"] > 0


def test_the_check_of_positions_finds_a_form_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "distinct", lambda items, model: distinct(items[::-1], model))
    assert positions.check(50, seed=1)["wrong_items"] > 0


def post(body: bytes, monkeypatch: pytest.MonkeyPatch, form: str = "distinct") -> tuple[httpx.Response, dict[str, Any]]:
    """Return the answer of the service, with a model that takes no time, and its statistics."""
    monkeypatch.setenv("STRATEGY_FORM", form)
    app = make_app(load_settings("async", "scoring", max_body_bytes=1 << 20), Gpu(lambda _: 0.0))

    async def ask() -> tuple[httpx.Response, dict[str, Any]]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            answer = await client.post(SCORE_PATH, content=body, headers={"Content-Type": "application/json"})
            return answer, (await client.get(STATISTICS_PATH)).json()

    return asyncio.run(ask())


@pytest.mark.parametrize(("body", "status"), [(b"[]", 400), (b"{}", 400), (b"[" + b"0," * 10_000 + b"0]", 413)])
def test_bad_input_is_answered_as_the_contract_does(body: bytes, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, _ = post(body, monkeypatch)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_the_service_answers_each_place_and_counts_what_the_model_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, said = post(json.dumps([[0, 0, 0, 0], "x", REFUSED, [0, 0, 0, 0]]).encode(), monkeypatch)
    first, invalid, refused, last = answer.json()["rows"]
    assert first == last == {"scores": [0.333333] * 3}
    assert (invalid["problem"]["status"], refused["problem"]["status"]) == (400, 502)
    assert (said["rows"], said["modelled"], said["calls"]) == (4, 2, 1)


def test_a_request_without_a_single_row_still_has_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, said = post(b"[1, 2]", monkeypatch)
    assert [set(row) for row in answer.json()["rows"]] == [{"problem"}] * 2
    assert said["calls"] == 0


@pytest.mark.parametrize("name", ["single", "hundred", "thousand", "faulty"])
def test_a_scenario_is_right_for_our_form_and_its_law_counts_its_rows(name: str) -> None:
    ask = ask_of(scenarios.discover()[f"batch-endpoint-{name}"], SCORE_PATH, 1, (0.0, 1.0))
    items, model = parse_items(next(ask.bodies) or b""), Watched()
    ask.read(encode(distinct(items, model)))  # raises if it is wrong
    contender = f"batch-endpoint-{'distinct' if name == 'hundred' else name}"
    laws = {law.subject: law for law in load_strategy("batch_endpoint").laws if law.figure.name == "modelled_per_rows"}
    if contender in laws:
        assert laws[contender].expected == len(model.calls[0]) / len(items)


def test_a_thousand_rows_of_which_a_hundred_differ_are_48_times_as_fast() -> None:
    laws = {law.subject: law for law in load_strategy("batch_endpoint").laws if law.figure.name == "items_per_s"}
    thousand, single = laws["batch-endpoint-thousand"], laws["batch-endpoint-single"]
    assert thousand.expected / single.expected == pytest.approx(1_000 * cost_ms(1) / cost_ms(100))
    assert thousand.expected / single.expected == pytest.approx(48, abs=0.1)


def test_errors_are_told_apart_when_answers_are_compared() -> None:
    one: list[float] | ServiceError = BadModelAnswer("one")
    assert positions.same(one, BadModelAnswer("one"))
    for other in (BadModelAnswer("other"), InvalidRequest("one"), [1.0]):
        assert not positions.same(one, other)
    assert not positions.same([0.5, 0.5], [0.5, 0.5 + 1e-9])
