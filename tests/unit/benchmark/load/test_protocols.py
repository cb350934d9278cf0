"""Flows, driven by hand: what is sent next, and what becomes of what comes back."""

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

import pytest

from benchmark.errors import ScenarioError
from benchmark.load import protocols
from benchmark.load.checks import reader
from benchmark.load.protocols import Ask, Flow, JudgedAnswer, Request, Response, batch, callback, poll, predict
from benchmark.load.scenario_requests import ask_of
from benchmark.scenarios.spec import Check
from contract.errors import BadModelAnswer
from contract.timing import REQUEST_START_HEADER
from tests.conftest import SCORING

MS_NS = 10**6
ASK = ask_of(SCORING, "/predict", 7, (0.04, 0.05))
GOOD = b'{"detail": 0.045}'


def came(body: bytes = GOOD, status: int = 200, done_ms: float = 60.0, **headers: str) -> Response:
    """Return a response to a request that was sent at 10 ms."""
    return Response(status, headers, body, 10 * MS_NS, int(done_ms * MS_NS))


def drive(flow: Flow, *responses: Response) -> tuple[list[Request], JudgedAnswer]:
    """Drive a flow with these responses, which must be as many as it asks for."""
    requests = [next(flow), *(flow.send(response) for response in responses[:-1])]
    with pytest.raises(StopIteration) as end:
        flow.send(responses[-1])
    return requests, end.value.value


def test_a_prediction_is_one_request_and_its_answer_is_the_duration() -> None:
    (request,), answer = drive(ASK.flow(), came()._replace(headers={"Server-Timing": "models;dur=20"}))
    assert (request.method, request.path, request.after_s) == ("POST", "/predict", 0.0)
    assert request.headers == {"Content-Type": "application/json"}
    assert answer == JudgedAnswer("", 0.045, 200, len(GOOD), "models;dur=20", 10 * MS_NS, 60 * MS_NS)


def test_every_request_has_the_next_body_and_a_stamp_of_its_own_where_the_stage_clock_runs() -> None:
    asked = replace(ASK, stage_clock=True, bodies=cycle([b"[1]", b"[2]"]))
    first, second = (next(asked.flow()) for _ in range(2))
    assert (first.body, second.body) == (b"[1]", b"[2]")
    assert first.headers[REQUEST_START_HEADER].startswith("t=")
    assert REQUEST_START_HEADER not in asked.headers


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (came(status=500), "status 500"),
        (came(status=204, body=b""), "status 204"),
        (came(b"<html>"), "Model 0 answered something else than a duration."),
        (came(b'{"detail": 0.2}'), "answer 0.2 s lies outside of 0.04 to 0.05 s"),
        (Response(0, {}, b"", 1, 2, "no answer (status 0): OSError: x"), "no answer (status 0): OSError: x"),
    ],
)
@pytest.mark.parametrize("protocol", [predict, poll])
def test_a_wrong_answer_says_why_whatever_the_protocol(
    protocol: Callable[[Ask], Flow], response: Response, why: str
) -> None:
    _, answer = drive(protocol(ASK), response)
    assert (answer.error, answer.value, answer.status) == (why, None, response.status)
    assert not answer.is_early


@pytest.mark.parametrize(("done_ms", "is_early"), [(10 + 90.0, False), (10 + 89.1, False), (10 + 88.9, True)])
def test_an_answer_that_comes_sooner_than_it_can_have_taken_is_wrong(done_ms: float, is_early: bool) -> None:
    _, answer = drive(replace(ASK, least_times_answer=2.0).flow(), came(done_ms=done_ms))
    assert answer.is_early is is_early
    assert ("before its models can have finished" in answer.error) is is_early
    assert answer.value == 0.045


@pytest.mark.parametrize(
    ("asked", "answered", "error"),
    [
        (b"[[1], [2], [3]]", b"[0.1, 0.2, 0.3]", ""),
        (b'{"rows": [1, 2, 3]}', b'{"model": "a", "scores": [0.1, 0.2, 0.3]}', ""),
        (b"[[1], [2], [3]]", b"[0.1, 0.2]", "2 rows in the answer, expected 3"),
        (b"[[1], [2], [3]]", b"<html>", "0 rows in the answer, expected 3"),
    ],
)
def test_a_batch_is_one_request_and_every_row_is_answered(asked: bytes, answered: bytes, error: str) -> None:
    ask = replace(ASK, bodies=cycle([asked]), read=lambda _: None)
    (request,), answer = drive(batch(ask), came(answered))
    assert (request.body, answer.error, answer.requests) == (asked, error, 1)
    if not error:
        assert answer.items == 3


def test_a_job_is_looked_for_at_its_place_until_its_answer_is_there_and_the_time_counts_from_its_submission() -> None:
    place = "http://127.0.0.1:1/jobs/7?key=a"
    submitted = came(b"", 202, 20, Location=place)
    pending, there = came(b"", 202, 80), Response(200, {}, GOOD, 130 * MS_NS, 135 * MS_NS)
    (submit, *looks), answer = drive(poll(ASK), submitted, pending, there)
    assert (submit.method, submit.path, submit.after_s) == ("POST", "/predict", 0.0)
    assert [(each.method, each.path, each.body) for each in looks] == [("GET", "/jobs/7?key=a", None)] * 2
    assert all(each.after_s > 0 for each in looks)
    assert (answer.error, answer.value, answer.requests, answer.items) == ("", 0.045, 3, 1)
    assert (answer.sent_ns, answer.done_ns) == (10 * MS_NS, 135 * MS_NS)


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_job_that_is_lost_is_a_wrong_answer(status: int) -> None:
    _, answer = drive(poll(ASK), came(b"", 202, Location="/jobs/7"), came(b"", status))
    assert (answer.error, answer.requests) == (f"status {status}", 2)


def test_a_job_whose_answer_is_known_already_takes_one_request() -> None:
    _, answer = drive(poll(ASK), came())
    assert (answer.error, answer.requests) == ("", 1)


def test_a_job_without_a_place_is_not_looked_for() -> None:
    _, answer = drive(poll(ASK), came(b"", 202))
    assert answer.error == "status 202 without a Location header"


def test_a_job_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "PATIENCE_S", 1.0)
    submitted, pending = came(b"", 202, Location="/jobs/7"), came(b"", 202, done_ms=1011)
    _, answer = drive(poll(ASK), submitted, pending)
    assert answer.error == "no answer within 1 s"


@pytest.mark.parametrize("body", [b'{"rows": [{"score": 0.5}]}', b'{"rows": [{"score": 0.50}], "more": 1}'])
def test_an_answer_that_holds_what_is_expected_is_right(body: bytes) -> None:
    check = Check.model_validate({"json": "$.rows[0].score", "equals": 0.5})
    assert reader(check, (0, 1))(body) is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"rows": [{"score": 0.6}]}', r"\$\.rows\[0\]\.score is 0\.6, expected 0\.5"),
        (b'{"rows": []}', r"nothing at \$\.rows\[0\]\.score, expected 0\.5"),
        (b'{"rows": 1}', "nothing at"),
        (b"<html>", "is not JSON, it begins with '<html>'"),
        (b"\xff", "is not JSON"),
    ],
)
def test_an_answer_that_holds_something_else_is_wrong(body: bytes, why: str) -> None:
    check = Check.model_validate({"json": "$.rows[0].score", "equals": 0.5})
    with pytest.raises(BadModelAnswer, match=why):
        reader(check, (0, 1))(body)


def test_an_answer_may_be_judged_by_its_status_alone() -> None:
    check = Check.model_validate({"status": 202})
    asked = replace(ASK, status=check.status, read=reader(check, (0, 1)))
    assert drive(predict(asked), came(b"whatever", 202))[1].error == ""
    assert drive(predict(asked), came(b"whatever", 200))[1].error == "status 200"


ELSEWHERE = replace(ASK, receiver="http://127.0.0.1:9")


def test_a_callback_is_waited_for_where_it_is_delivered_by_the_id_of_its_job() -> None:
    submitted = came(b"", 202, 20, Location="/api/v1/jobs/7")
    nothing_yet, there = came(b"", 202, 80), Response(200, {}, GOOD, 130 * MS_NS, 135 * MS_NS)
    (submit, *waits), answer = drive(callback(ELSEWHERE), submitted, nothing_yet, there)
    assert submit.headers["Callback-URL"] == "http://127.0.0.1:9/callbacks"
    assert submit.headers["Content-Type"] == "application/json"
    assert {(each.method, each.path) for each in waits} == {("GET", "http://127.0.0.1:9/callbacks/7?wait_s=10")}
    assert (answer.error, answer.value, answer.requests) == ("", 0.045, 3)
    assert (answer.sent_ns, answer.first_ns, answer.done_ns) == (10 * MS_NS, 20 * MS_NS, 135 * MS_NS)


def test_a_callback_of_a_job_without_a_place_is_not_waited_for() -> None:
    _, answer = drive(callback(ELSEWHERE), came(b"", 202))
    assert answer.error == "status 202 without a Location header"


@pytest.mark.parametrize("away", [came(b"", 503, 80), Response(0, {}, b"", 70 * MS_NS, 80 * MS_NS, "refused")])
@pytest.mark.parametrize("protocol", [poll, callback])
def test_what_was_accepted_is_asked_for_again_when_nobody_answers(
    protocol: Callable[[Ask], Flow], away: Response
) -> None:
    submitted = came(b"", 202, Location="/jobs/7")
    (*_, again), answer = drive(protocol(ELSEWHERE), submitted, away, came(done_ms=150))
    assert again.after_s > 0
    assert (answer.error, answer.requests) == ("", 3)


def test_what_was_not_accepted_is_not_asked_for_again() -> None:
    refused = Response(503, {"Retry-After": "1"}, b"", 10 * MS_NS, 60 * MS_NS)
    _, answer = drive(poll(ASK), refused)
    assert (answer.error, answer.requests) == ("status 503", 1)


def test_a_503_that_does_not_say_when_to_ask_again_is_told_from_one_that_does() -> None:
    _, answer = drive(predict(ASK), came(b"", 503))
    assert answer.error == "status 503 without Retry-After"


def test_who_never_comes_back_is_given_up_and_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "PATIENCE_S", 1.0)
    away = Response(0, {}, b"", 900 * MS_NS, 1011 * MS_NS, "refused")
    _, answer = drive(poll(ASK), came(b"", 202, Location="/jobs/7"), away)
    assert answer.error == "no answer within 1 s"


def test_callbacks_need_somebody_who_receives_them() -> None:
    scenario = SCORING.model_copy(update={"protocol": "callback"})
    with pytest.raises(ScenarioError, match="needs a contender with a process of the role 'receiver'"):
        ask_of(scenario, "/predict", 7, (0.04, 0.05))
    assert ask_of(scenario, "/predict", 7, (0.04, 0.05), receiver="http://127.0.0.1:9").protocol is callback
