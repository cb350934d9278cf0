"""The handlers in the words of their frameworks: what they answer is what the twins answer, byte for byte."""

import pytest

from benchmark.load.parity import Case, ParityResponse, cases
from contract.errors import StoreUnreachable, TooManyInFlight
from contract.settings import Architecture
from contract.timing import SERVER_TIMING_HEADER, parse_server_timing
from tests.unit.services.conftest import ENTITIES, TWINS, Services

LIMIT_BYTES = 4096
MORE_CASES = [
    Case("a content type like JSON", headers={"Content-Type": "application/problem+json"}),
    Case("a large body that is no JSON", body=b"[" * 2 * LIMIT_BYTES),
    Case("one byte too many", body=b"[1]" + b" " * (LIMIT_BYTES - 2)),
    Case("not one byte too many", body=b"[1]" + b" " * (LIMIT_BYTES - 3)),
    Case("two entities", query="?entity_id=3&entity_id=9"),
    Case("a bad body for an unknown entity", query="?entity_id=x", body=b"[]"),
]
CASES = [*cases(ENTITIES, LIMIT_BYTES), *MORE_CASES]
GOOD = CASES[0]

every_twin = pytest.mark.parametrize("twin", TWINS)


def bytes_of(response: ParityResponse) -> tuple[int, bytes, dict[str, str]]:
    """Return all of an answer but how long its stages took."""
    headers = {name: value for name, value in response.headers.items() if name != SERVER_TIMING_HEADER.lower()}
    return response.status, response.body, headers


@every_twin
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_answer_is_that_of_the_twin(services: Services, twin: Architecture, case: Case) -> None:
    plain = services.make(twin, "scoring", max_body_bytes=LIMIT_BYTES)
    idiomatic = services.compose(twin, "scoring", "idiomatic", max_body_bytes=LIMIT_BYTES)
    assert bytes_of(idiomatic.ask(case)) == bytes_of(plain.ask(case))


@every_twin
def test_the_store_and_the_models_are_asked_as_by_the_twin(services: Services, twin: Architecture) -> None:
    for module in ("serve", "idiomatic"):
        services.compose(twin, "scoring", module).ask(Case("one of two", query="?entity_id=3&entity_id=9"))
    assert services.world.entity_ids == ["3", "3"]
    plain, idiomatic = services.world.model_inputs
    assert plain == idiomatic


@every_twin
def test_a_store_that_is_down_and_too_many_requests_are_refused(services: Services, twin: Architecture) -> None:
    service = services.compose(twin, "scoring", "idiomatic", max_in_flight=1)
    for error in (StoreUnreachable(), TooManyInFlight(1)):
        services.world.store_failure = error
        answer = service.ask(GOOD)
        assert (answer.status, answer.body) == (503, error.body())
    services.world.store_failure = None
    assert service.ask(GOOD).status == 200  # whoever was refused has given its place back


@every_twin
def test_the_stages_that_the_handler_sees_are_told(services: Services, twin: Architecture) -> None:
    answer = services.compose(twin, "scoring", "idiomatic").ask(GOOD)
    stages = set(parse_server_timing(answer.headers["server-timing"]))
    # FastAPI has parsed before the handler begins.
    assert stages == {"features", "models", "model", "drawn", "respond"} | ({"parse"} if twin == "sync" else set())


@every_twin
def test_stages_that_are_off_are_not_told(services: Services, twin: Architecture) -> None:
    answer = services.compose(twin, "scoring", "idiomatic", stage_clock=False).ask(GOOD)
    assert (answer.status, "server-timing" in answer.headers) == (200, False)
