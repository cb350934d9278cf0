"""What a request becomes, in both twins alike: the contract's answer, whatever surrounds the handler."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmark.load import parity
from benchmark.load.parity import Case, ParityResponse
from contract import docs, errors, schema
from contract.errors import ServiceError
from contract.model import quantile_function
from contract.settings import Architecture, Role
from contract.timing import parse_server_timing, request_start_header
from tests.unit.services.conftest import ENTITIES, FEATURES, TWINS, Service, Services, World

LIMIT_BYTES = 16384
GOOD = Case("predict", query="?entity_id=17")
READY = Case("ready", "GET", schema.READY_PATH, body=b"")
HEALTH = Case("health", "GET", schema.HEALTHCHECK_PATH, body=b"")
GET_PATHS = [
    schema.INDEX_PATH,
    schema.DOCS_PATH,
    schema.OPENAPI_PATH,
    schema.HEALTHCHECK_PATH,
    schema.READY_PATH,
    f"{schema.ASSETS_PATH}/swagger-ui.css",
    f"{schema.ASSETS_PATH}/favicon-32x32.png",
]
SCORING_CASES = parity.cases(ENTITIES, LIMIT_BYTES)
NO_WAIT = {"model_min_ms": 0, "model_max_ms": 0}

every_twin = pytest.mark.parametrize("twin", TWINS)
every_role = pytest.mark.parametrize("role", ["scoring", "model"])


def model_cases() -> Iterator[Case]:
    """The cases of a scoring handler that a model answers alike, and its own limit."""
    for case in SCORING_CASES:
        if case.name != "too many numbers" and "entity" not in case.name:
            yield case
    at_limit = schema.encode_numbers([1.0] * schema.MAX_MODEL_NUMBERS)
    yield Case("as many numbers as a model takes", body=at_limit)
    over = schema.encode_numbers([1.0] * (schema.MAX_MODEL_NUMBERS + 1))
    try:
        schema.parse_model_numbers(over)
    except ServiceError as error:
        yield Case("one number more", body=over, error=error)


def expect(service: Service, case: Case, error: ServiceError | None = None) -> ParityResponse:
    """Assert that a service answers a case with a 200 or with exactly this error, and return the answer."""
    response = service.ask(case)
    bounds_s = (0.0, 1.0)
    expected_body = None if case.path is None else schema.OK_BODY
    assert parity.check(replace(case, error=error, expected_body=expected_body), response, bounds_s) is None
    return response


@every_twin
@pytest.mark.parametrize("case", SCORING_CASES, ids=lambda case: case.name)
def test_a_scoring_handler_answers_as_the_contract_says(services: Services, twin: Architecture, case: Case) -> None:
    service = services.make(twin, "scoring")
    assert parity.check(case, service.ask(case), quantile_function(service.settings).bounds_s) is None


@every_twin
@pytest.mark.parametrize("case", list(model_cases()), ids=lambda case: case.name)
def test_a_model_answers_as_the_contract_says(services: Services, twin: Architecture, case: Case) -> None:
    service = services.make(twin, "model", **NO_WAIT)
    assert parity.check(case, service.ask(case), (0.0, 0.0)) is None


@every_twin
@every_role
@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_answered_like_get_without_a_body(
    services: Services, twin: Architecture, role: Role, path: str
) -> None:
    service = services.make(twin, role)
    got, headed = (service.ask(Case(method, method, path, body=b"", headers={})) for method in ("GET", "HEAD"))
    assert (got.status, headed.status) == (200, 200)
    assert got.body
    assert headed.body == b""
    for name in ("content-type", "content-length"):
        assert headed.headers[name] == got.headers[name]


@every_twin
def test_head_of_a_missing_path_and_of_predict_has_no_body(services: Services, twin: Architecture) -> None:
    service = services.make(twin, "scoring")
    missing = service.ask(Case("missing", "HEAD", "/nowhere", body=b"", headers={}))
    predict = service.ask(Case("predict", "HEAD", body=b"", headers={}))
    assert (missing.status, missing.body) == (404, b"")
    assert (predict.status, predict.body, predict.headers["allow"]) == (405, b"", "POST")


@every_twin
@every_role
def test_the_pages_and_the_document_are_the_contracts(services: Services, twin: Architecture, role: Role) -> None:
    service = services.make(twin, role)

    def get(path: str) -> ParityResponse:
        return service.ask(Case(path, "GET", path, body=b"", headers={}))

    assert get("/").body == docs.index_page(service.settings)
    assert get("/docs").body == docs.swagger_page(service.settings)
    assert {get(path).headers["content-type"] for path in ("/", "/docs")} == {docs.HTML_CONTENT_TYPE}
    assert json.loads(get("/openapi.json").body) == docs.openapi_document(service.settings)
    assert get("/openapi.json").headers["content-type"] == schema.JSON_CONTENT_TYPE
    css = get("/docs/assets/swagger-ui.css")
    assert (css.body, css.headers["content-type"]) == docs.asset("swagger-ui.css")


@every_twin
def test_the_models_receive_the_numbers_then_the_features(services: Services, twin: Architecture) -> None:
    expect(services.make(twin, "scoring"), replace(GOOD, body=b"[1, 2.5]"))
    assert services.world.model_inputs == [[1.0, 2.5, *FEATURES]]
    assert services.world.entity_ids == ["17"]


@every_twin
def test_the_answer_is_the_mean_of_the_models_answers(services: Services, twin: Architecture) -> None:
    assert expect(services.make(twin, "scoring"), GOOD).body == b'{"detail": 0.044}'


@every_twin
def test_a_bad_body_reaches_neither_the_store_nor_the_models(services: Services, twin: Architecture) -> None:
    assert services.make(twin, "scoring").ask(replace(GOOD, body=b"[]")).status == 400
    assert (services.world.entity_ids, services.world.model_inputs) == ([], [])


@every_twin
def test_an_unknown_entity_does_not_reach_the_models(services: Services, twin: Architecture) -> None:
    expect(services.make(twin, "scoring"), replace(GOOD, query="?entity_id=x"), errors.UnknownEntity("x", ENTITIES))
    assert services.world.model_inputs == []


@every_twin
@pytest.mark.parametrize(
    "failure",
    [errors.StoreUnreachable(), errors.StoreNotSeeded(), errors.StoreCorrupt("entity 17 is missing")],
    ids=lambda error: type(error).__name__,
)
def test_a_failing_store_answers_503(services: Services, twin: Architecture, failure: ServiceError) -> None:
    services.world.store_failure = failure
    service = services.make(twin, "scoring")
    expect(service, GOOD, failure)
    expect(service, READY, failure)
    expect(service, HEALTH)


@every_twin
@pytest.mark.parametrize(
    ("failure", "status"),
    [(errors.BadModelAnswer("Model 1 cannot be reached."), 502), (errors.ModelTimeout(2, 5), 504)],
)
def test_a_failing_model_answers_502_or_504(
    services: Services, twin: Architecture, failure: ServiceError, status: int
) -> None:
    services.world.models_failure = failure
    assert expect(services.make(twin, "scoring"), GOOD, failure).status == status


@every_twin
def test_readiness_names_the_dependency_that_does_not_answer(services: Services, twin: Architecture) -> None:
    service = services.make(twin, "scoring")
    expect(service, READY)
    assert services.world.checked == ["store", "models"]
    services.world.models_failure = errors.ModelNotReady(2)
    expect(service, READY, errors.ModelNotReady(2))


@every_twin
def test_health_touches_neither_the_store_nor_the_models(services: Services, twin: Architecture) -> None:
    services.world.store_failure = services.world.models_failure = RuntimeError("a bug")
    expect(services.make(twin, "scoring"), HEALTH)
    assert services.world.checked == []


@every_twin
def test_a_service_starts_and_is_healthy_while_nothing_else_runs(
    twin: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object) -> None:
        pytest.fail("it connected")

    services = Services(World())  # with a real store and real clients
    monkeypatch.setattr("socket.socket.connect", connect)
    try:
        expect(services.make(twin, "scoring"), HEALTH)
    finally:
        services.close()


@every_twin
def test_a_slot_is_given_back_whatever_the_answer(services: Services, twin: Architecture) -> None:
    service = services.make(twin, "scoring", max_in_flight=1)
    for failure in (errors.ModelTimeout(1, 5), RuntimeError("a bug")):
        services.world.models_failure = failure
        assert service.ask(GOOD).status != 503
        assert service.ask(replace(GOOD, body=b"[")).status == 400
    services.world.models_failure = None
    expect(service, GOOD)


@every_twin
@every_role
def test_a_full_process_answers_503(
    services: Services, twin: Architecture, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, limit: int) -> None:
            self.limit = limit

        def __enter__(self) -> None:
            raise errors.TooManyInFlight(self.limit)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(f"{twin}_api.{role}.InFlight", Full)
    service = services.make(twin, role, max_in_flight=3)
    expect(service, GOOD, errors.TooManyInFlight(3))
    expect(service, HEALTH)


@every_twin
@pytest.mark.parametrize("limit", [20, 100])
def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(
    services: Services, twin: Architecture, limit: int
) -> None:
    service = services.make(twin, "scoring", max_body_bytes=limit)
    body = b"[1" + b" " * (limit - 3) + b"]"
    expect(service, replace(GOOD, body=body))
    expect(service, replace(GOOD, body=body + b" "), errors.BodyTooLarge(limit))


@pytest.mark.parametrize(
    "query",
    [
        *("", "?", "?entity_id", "?entity_id=", "?entity_id=17", "?entity_id=1%37", "?entity%5fid=17"),
        *("?entity_id=17&entity_id=18", "?entity_id=17&entity_id=x", "?entity_id=x&entity_id=17"),
        *("?entity_id=+17", "?entity_id=17+", "?entity_id=17%00", "?entity_id=%D9%A1", "?entity_id=%C3%A9"),
        *("?entity_id=%FF", "?entity_id=%", "?entity_id=%zz"),
        *("?ENTITY_ID=17", "?x=1;entity_id=17", "?&&entity_id=17&", "?x=1&entity_id=17", "?=17"),
    ],
)
def test_the_twins_read_a_query_alike(services: Services, query: str) -> None:
    ours, theirs = (services.make(twin, "scoring").ask(replace(GOOD, query=query)) for twin in TWINS)
    assert services.world.entity_ids[0] == services.world.entity_ids[1]
    assert (ours.status, ours.body) == (theirs.status, theirs.body)


@every_twin
@every_role
@pytest.mark.parametrize("where", ["store", "models"])
def test_a_bug_answers_500_without_a_stack_trace_and_the_log_has_it(
    services: Services,
    twin: Architecture,
    role: Role,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bug = RuntimeError("the secret of this bug")
    setattr(services.world, f"{where}_failure", bug)

    def failing_draw(_: object) -> float:
        raise bug

    monkeypatch.setattr("contract.model.FakeModel.draw_s", failing_draw)
    service = services.make(twin, role)
    response = service.ask(GOOD)
    assert (response.status, response.body) == (500, errors.INTERNAL_ERROR_BODY)
    assert response.headers["content-type"] == errors.PROBLEM_CONTENT_TYPE
    assert "server-timing" not in response.headers
    assert "the secret of this bug" in caplog.text
    expect(service, HEALTH)


@every_twin
def test_a_bug_in_a_readiness_check_answers_500(services: Services, twin: Architecture) -> None:
    services.world.store_failure = ZeroDivisionError("the secret of this bug")
    response = services.make(twin, "scoring").ask(READY)
    assert (response.status, response.body) == (500, errors.INTERNAL_ERROR_BODY)


STAGES = {
    "scoring": ["parse", "features", "models", "model", "drawn", "respond"],
    "model": ["parse", "compute", "sleep", "respond"],
}


@every_twin
@every_role
def test_an_answer_lists_its_stages(services: Services, twin: Architecture, role: Role) -> None:
    response = expect(services.make(twin, role, **NO_WAIT), replace(GOOD, query=""))
    stages = parse_server_timing(response.headers["server-timing"])
    assert list(stages) == STAGES[role]
    if role == "scoring":
        assert stages["model"] == [42.0, 48.5]
        assert stages["drawn"] == [41.0, 47.0]


@every_twin
@every_role
def test_the_clients_clock_adds_the_stage_queue(services: Services, twin: Architecture, role: Role) -> None:
    response = services.make(twin, role, **NO_WAIT).ask(Case("sent", headers=request_start_header()))
    assert list(parse_server_timing(response.headers["server-timing"])) == ["queue", *STAGES[role]]


@every_twin
@every_role
def test_a_service_without_stage_clock_says_nothing_of_its_stages(
    services: Services, twin: Architecture, role: Role
) -> None:
    response = expect(services.make(twin, role, stage_clock=False, **NO_WAIT), replace(GOOD, query=""))
    assert "server-timing" not in response.headers


@every_twin
def test_the_model_answers_what_it_drew_and_sleeps_that_long(
    services: Services, twin: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept_s: list[float] = []

    async def async_sleep(seconds: float) -> None:
        slept_s.append(seconds)

    monkeypatch.setattr("time.sleep", slept_s.append)
    monkeypatch.setattr("async_api.model.asyncio.sleep", async_sleep)
    service = services.make(twin, "model", model_seed=7)
    answered_s = [json.loads(service.ask(Case("predict")).body)["detail"] for _ in range(3)]
    assert answered_s == slept_s
    assert len(set(answered_s)) == 3
    assert all(0.040 <= s <= 0.050 for s in answered_s)


def test_the_twins_models_draw_the_same_sequence(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_sleep(_: float) -> None: ...

    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("async_api.model.asyncio.sleep", no_sleep)
    ours, theirs = (services.make(twin, "model") for twin in TWINS)
    assert [ours.ask(Case("predict")).body for _ in range(5)] == [theirs.ask(Case("predict")).body for _ in range(5)]


@every_twin
def test_store_and_models_are_made_once_and_not_per_request(services: Services, twin: Architecture) -> None:
    service = services.make(twin, "scoring")
    for _ in range(3):
        expect(service, GOOD)
    assert services.world.made == ["store", "models"]


def test_the_async_twin_closes_what_it_made_when_it_stops(services: Services) -> None:
    services.make("async", "scoring")
    assert services.world.closed == []
    services.stop()
    assert sorted(services.world.closed) == ["models", "store"]
