"""What stands before the routes: API keys and the log of requests, in both twins alike, and nothing when off."""

import asyncio
import contextlib
import logging
from typing import Any

import pytest

from async_api.middleware import RequestLog
from benchmark.load.parity import Case, ParityResponse
from contract import schema
from contract.api_keys import new_key
from contract.errors import Forbidden, StoreUnreachable, Unauthorized
from contract.settings import Architecture
from tests.unit.services.conftest import TWINS, Service, Services

ASKS, _asks = new_key("asks", ["predict"])
READS, _reads = new_key("reads", ["read"])
BOTH, _both = new_key("both", ["predict", "read"])
LIST = ";".join(each.line() for each in (_asks, _reads, _both))
WITHOUT = "This path needs an API key, in X-API-Key or as Authorization: Bearer."

every_twin = pytest.mark.parametrize("twin", TWINS)


def get(path: str, **headers: str) -> Case:
    return Case(path, "GET", path, body=b"", headers={name.replace("_", "-"): value for name, value in headers.items()})


def post(**headers: str) -> Case:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Case("predict", headers={"Content-Type": "application/json", **given})


CASES: list[tuple[Case, int, bytes | None]] = [
    (get(schema.HEALTHCHECK_PATH), 200, schema.OK_BODY),
    (get(schema.HEALTHCHECK_PATH, X_API_Key="wrong"), 200, schema.OK_BODY),
    (get(schema.INDEX_PATH), 200, None),
    (get(schema.READY_PATH), 401, Unauthorized(WITHOUT).body()),
    (get(schema.READY_PATH, X_API_Key=READS), 200, schema.OK_BODY),
    (get(schema.READY_PATH, x_api_key=READS), 200, schema.OK_BODY),
    (get(schema.READY_PATH, X_API_Key=ASKS), 403, Forbidden("read").body()),
    (get(schema.DOCS_PATH), 401, None),
    (get(schema.DOCS_PATH, Authorization=f"Bearer {BOTH}"), 200, None),
    (get(schema.OPENAPI_PATH, Authorization=f"Bearer {ASKS}"), 403, None),
    (get("/nowhere"), 401, None),
    (get("/nowhere", X_API_Key=BOTH), 404, None),
    (get("/%61pi/v1/healthcheck"), 200, None),
    (get(f"{schema.HEALTHCHECK_PATH}/"), 401, None),
    (post(), 401, Unauthorized(WITHOUT).body()),
    (post(X_API_Key="wrong"), 401, Unauthorized("The API key is unknown.").body()),
    (post(X_API_Key=READS), 403, Forbidden("predict").body()),
    (post(X_API_Key=ASKS), 200, None),
    (post(Authorization=f"Bearer {ASKS}"), 200, None),
    (post(Authorization=f"Basic {ASKS}"), 401, None),
    (Case("HEAD", "HEAD", schema.DOCS_PATH, body=b""), 401, b""),
    (Case("wrong method", "GET", body=b"", headers={}), 401, None),
    (Case("too large", body=b" " * 20_000, headers={}), 401, None),
]


def seen(response: ParityResponse) -> tuple[Any, ...]:
    headers = {name: response.headers.get(name) for name in ("content-type", "content-length", "www-authenticate")}
    return response.status, headers, response.body


@pytest.mark.parametrize("module", ["serve", "idiomatic"])
def test_both_twins_let_in_and_refuse_the_same_with_the_same_bytes(services: Services, module: str) -> None:
    ours, theirs = (services.compose(twin, "scoring", module, api_keys=LIST) for twin in TWINS)
    for case, status, body in CASES:
        first, second = ours.ask(case), theirs.ask(case)
        assert first.status == status, case
        if status in (401, 403):
            assert seen(first) == seen(second), case
            assert (first.headers.get("www-authenticate") is not None) == (status == 401)
        assert second.status == status, case
        if body is not None:
            assert first.body == second.body == body, case


@every_twin
@pytest.mark.parametrize("around", ["{}%0A", "{}/", "{}%00", "{};a", "/.{}"])
def test_no_other_way_of_writing_the_path_makes_a_key_to_read_one_to_predict(
    services: Services, twin: Architecture, around: str
) -> None:
    path = around.format(schema.predict_path(twin))
    service = services.make(twin, "scoring", api_keys=LIST)
    given = {"Content-Type": "application/json", "X-API-Key": READS}
    assert service.ask(Case(path, path=path, headers=given)).status == 403
    assert services.world.model_inputs == []


@pytest.mark.parametrize("ended", [asyncio.CancelledError(), None], ids=["cancelled", "without an answer"])
def test_a_request_that_ends_without_an_answer_is_logged_without_a_status(
    ended: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(*_: object) -> None:
        if ended:
            raise ended

    async def unused(*_: object) -> Any:
        raise AssertionError

    asked = RequestLog(app, "/p")({"type": "http", "path": "/p"}, unused, unused)
    with caplog.at_level(logging.INFO), contextlib.suppress(asyncio.CancelledError):
        asyncio.run(asked)
    (record,) = caplog.records
    assert (vars(record)["status"], vars(record)["stages"]) == (None, {})
    assert record.getMessage().startswith("predict status=none ms=")


@every_twin
def test_off_there_is_nothing_before_the_routes(services: Services, twin: Architecture) -> None:
    app = services.make(twin, "scoring").app
    if twin == "sync":
        assert app.wsgi_app.__func__ is type(app).wsgi_app
    else:
        assert app.user_middleware == []


@every_twin
def test_a_model_is_asked_without_a_key(services: Services, twin: Architecture) -> None:
    service = services.make(twin, "model", api_keys=LIST, model_min_ms=0, model_max_ms=0)
    assert service.ask(post()).status == 200


def logged(service: Service, case: Case, caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        service.ask(case)
    return [record for record in caplog.records if record.getMessage().startswith("predict ")]


@every_twin
def test_a_predict_is_one_line_with_its_status_time_and_stages(
    services: Services, twin: Architecture, caplog: pytest.LogCaptureFixture
) -> None:
    service = services.make(twin, "scoring", log_requests=True)
    (record,) = logged(service, post(X_Request_Start="t=1"), caplog)
    fields = vars(record)
    assert (record.name, record.levelname, fields["status"]) == (f"{twin}_api", "INFO", 200)
    assert list(fields["stages"]) == ["parse", "features", "models", "model", "drawn", "respond"]
    assert fields["stages"]["model"] == [42.0, 48.5]
    assert fields["ms"] >= fields["stages"]["parse"]
    assert record.getMessage().startswith(f"predict status=200 ms={fields['ms']:.3f} parse=")
    assert logged(service, get(schema.HEALTHCHECK_PATH), caplog) == []


@every_twin
@pytest.mark.parametrize(
    ("case", "failure", "status"),
    [
        (post(), StoreUnreachable(), 503),
        (post(), RuntimeError("a bug"), 500),
        (Case("bad", body=b"["), None, 400),
        (Case("wrong method", "GET", body=b""), None, 405),
    ],
    ids=["503", "500", "400", "405"],
)
def test_what_is_refused_or_fails_is_logged_too(
    services: Services,
    twin: Architecture,
    case: Case,
    failure: Exception | None,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    services.world.store_failure = failure
    service = services.make(twin, "scoring", log_requests=True)
    (record,) = logged(service, case, caplog)
    assert (vars(record)["status"], vars(record)["stages"]) == (status, {})


@every_twin
def test_who_is_not_let_in_is_logged_without_the_key(
    services: Services, twin: Architecture, caplog: pytest.LogCaptureFixture
) -> None:
    service = services.make(twin, "scoring", log_requests=True, api_keys=LIST)
    (record,) = logged(service, post(X_API_Key=READS), caplog)
    assert vars(record)["status"] == 403
    assert READS not in caplog.text
    assert _reads.digest.hex() not in caplog.text


@every_twin
def test_by_default_no_request_is_logged(
    services: Services, twin: Architecture, caplog: pytest.LogCaptureFixture
) -> None:
    assert logged(services.make(twin, "scoring"), post(), caplog) == []


@every_twin
def test_without_the_stage_clock_a_line_has_no_stages(
    services: Services, twin: Architecture, caplog: pytest.LogCaptureFixture
) -> None:
    (record,) = logged(services.make(twin, "scoring", log_requests=True, stage_clock=False), post(), caplog)
    assert vars(record)["stages"] == {}
