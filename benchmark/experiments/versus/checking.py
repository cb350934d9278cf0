"""Asks both services before anything is measured: what cannot be measured ends here, in one line."""

import http.client
import json
import ssl
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.service_settings import STAGE_CLOCK, with_variables
from benchmark.errors import ScenarioError, ServiceRefused
from benchmark.experiments.versus.sides import POLITE_RPS, Side
from benchmark.load.bodies import distinct_bodies
from benchmark.load.checks import Expected, comparable, digest, first_difference
from benchmark.load.plain_clients import TIMEOUT_S, obtain
from benchmark.load.protocols import Ask, JudgedAnswer, Request, Response
from benchmark.load.scenario_requests import ask_of
from benchmark.scenarios.spec import Scenario
from benchmark.stack.processes import running_stack
from benchmark.stack.uninterrupted import temporary_folder
from benchmark.stack.watchdog import Guard

ASKED: Final = 5  # of each service
COMPARED: Final = 20  # answers, at most, where both have to answer the same
MAX_ANSWER_BYTES: Final = 10_000_000
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Checked:
    """What the first answers tell: how long they take, by label, and what is right where answers are compared."""

    latency_ms: dict[str, float]
    requests: int  # that each service has answered
    expected: Expected | None = None


@dataclass
class _Asking:
    """One service that is asked."""

    side: Side
    ask: Ask
    send: Callable[[Request], Response]
    last: Response | None = None

    def answer(self) -> JudgedAnswer:
        if self.side.is_polite and self.last:
            time.sleep(1 / POLITE_RPS)

        def send(request: Request) -> Response:
            self.last = self.send(request)
            return self.last

        return obtain(self.ask.flow(), send)


def check_sides(sides: Sequence[Side], scenario: Scenario, seed: int) -> Checked:
    """Ask both services a few times. Raises ServiceRefused, ScenarioError, or StackError for one that cannot start."""
    refuse_no_json(scenario, seed)
    latency_ms, answers, requests = {}, {}, 0
    first = scenario.check.same_as
    for side in sorted(sides, key=lambda each: each.label != first):
        with _up(side) as asking:
            latency_ms[side.label] = _first_answers(asking(scenario, seed), scenario)
            requests = ASKED
            if first:
                count = min(len(distinct_bodies(scenario, seed)), COMPARED)
                answers[side.label] = _bodies_answered(asking(scenario, seed), count)
                requests += count
    if not first:
        return Checked(latency_ms, requests)
    (other,) = (label for label in answers if label != first)
    refuse_other_answers(first, answers[first], other, answers[other], scenario.check.ignore)
    digests = tuple(digest(body, scenario.check.ignore) for body in answers[first])
    return Checked(latency_ms, requests, Expected(seed, digests, first))


def refuse_no_json(scenario: Scenario, seed: int) -> None:
    """Raise ScenarioError for a body that is not JSON, although its header says so."""
    kinds = [value for name, value in scenario.headers.items() if name.lower() == "content-type"]
    if not any("json" in kind for kind in kinds):
        return
    for number, body in enumerate(distinct_bodies(scenario, seed), 1):
        try:
            json.loads(body or b"")
        except ValueError as error:
            source = scenario.bodies or scenario.template or "body"
            raise ScenarioError(
                f"scenario {scenario.name}: request {number} of {source} is not JSON ({error}): mend it, or leave the "
                "header Content-Type out"
            ) from error


def refuse_other_answers(
    first: str, right: Sequence[bytes], other: str, given: Sequence[bytes], ignore: tuple[str, ...]
) -> None:
    """Raise ServiceRefused if two services answer the same requests in another way."""
    differ = [
        number
        for number, (one, two) in enumerate(zip(right, given, strict=True), 1)
        if digest(one, ignore) != digest(two, ignore)
    ]
    if not differ:
        return
    one, two = (_document(answers[differ[0] - 1], ignore) for answers in (right, given))
    path, mine, theirs = first_difference(one, two) or ("$", one, two)
    raise ServiceRefused(
        f"{first} and {other} do not answer the same: to request {differ[0]}, {path} is {mine!r:.60} from {first} and "
        f"{theirs!r:.60} from {other} ({len(differ)} of {len(right)} answers differ): name what may differ in "
        "check.ignore"
    )


@contextmanager
def _up(side: Side) -> Iterator[Callable[[Scenario, int], _Asking]]:
    """Start a service, if it does not run elsewhere, for as long as it is asked."""
    contender = side.contender
    if contender.runs_elsewhere:
        yield lambda scenario, seed: _asking(side, scenario, seed, contender.url)
        return
    started = with_variables(contender, {STAGE_CLOCK: "false"})
    with (
        temporary_folder() as logs,
        closing(Guard()) as guard,
        running_stack(started, logs, guard, free_ports=True) as stack,
    ):
        yield lambda scenario, seed: _asking(side, scenario, seed, stack.base_url, stack.receiver_url)


def _asking(side: Side, scenario: Scenario, seed: int, url: str, receiver: str = "") -> _Asking:
    law = law_of(side.contender)
    ask = ask_of(scenario, side.contender.endpoint, seed, law.bounds_s, receiver=receiver)
    return _Asking(side, ask, sender(side.label, url, scenario))


def _first_answers(asking: _Asking, scenario: Scenario) -> float:
    """Return the median latency of the first answers, in ms, without the very first. Raises ServiceRefused."""
    answers = [asking.answer() for _ in range(ASKED)]
    wrong = [answer for answer in answers if answer.error]
    if len(wrong) == ASKED:
        what = f"{scenario.method} {asking.ask.path}"
        raise ServiceRefused(
            f"{asking.side.label}: no answer to {what} passes the check of scenario {scenario.name} "
            f"(0 of {ASKED}): {wrong[0].error}: mend the request or the check"
        )
    return statistics.median((answer.done_ns - answer.sent_ns) / 1e6 for answer in answers[1:])


def _bodies_answered(asking: _Asking, count: int) -> list[bytes]:
    """Return the answers to the first bodies. Raises ServiceRefused for one that is wrong by itself."""
    found = []
    for number in range(1, count + 1):
        answer = asking.answer()
        if answer.error or asking.last is None:
            raise ServiceRefused(f"{asking.side.label}: request {number} has no right answer: {answer.error}")
        found.append(asking.last.body)
    return found


def _document(body: bytes, ignore: tuple[str, ...]) -> Any:
    try:
        return comparable(json.loads(body), ignore)
    except ValueError:
        return body.decode(errors="replace")


def sender(label: str, base_url: str, scenario: Scenario) -> Callable[[Request], Response]:
    """Return what sends a request to a service. Raises ServiceRefused where nothing could be measured."""

    def send(request: Request) -> Response:
        url = request.path if request.path.startswith("http") else base_url + request.path
        try:
            return _exchange(label, url, request, scenario)
        except ssl.SSLCertVerificationError as error:
            raise ServiceRefused(
                f"{label}: the certificate of {urlsplit(url).netloc} is not accepted ({error.verify_message}): "
                "use the name that it was made for, or set SSL_CERT_FILE to the authority that signed it"
            ) from error
        except TimeoutError as error:
            raise ServiceRefused(f"{label}: {url} did not answer within {TIMEOUT_S:g} s: is it up?") from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ServiceRefused(f"{label}: {url} cannot be reached ({why}): is it up, and the port right?") from error

    return send


def _exchange(label: str, url: str, request: Request, scenario: Scenario) -> Response:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with closing(kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)) as connection:
        connection.connect()
        sent_ns = time.monotonic_ns()
        path = parts._replace(scheme="", netloc="").geturl()
        connection.request(request.method, path, request.body, dict(request.headers))
        response = connection.getresponse()
        if response.status in _REDIRECTS and scenario.check.status != response.status:
            raise ServiceRefused(_redirected(label, url, response))
        return Response(response.status, response.headers, _whole(label, url, response), sent_ns, time.monotonic_ns())


def _redirected(label: str, url: str, response: http.client.HTTPResponse) -> str:
    to = urljoin(url, response.headers.get("Location", ""))
    if urlsplit(to).netloc == urlsplit(url).netloc:
        return f"{label}: {url} redirects to {to}: put that path into the scenario"
    parts = urlsplit(to)
    return (
        f"{label}: {url} redirects to another host, {parts.netloc}, which is not asked: "
        f"if that is the service that you mean, write {label}={parts.scheme}://{parts.netloc}"
    )


def _whole(label: str, url: str, response: http.client.HTTPResponse) -> bytes:
    """Return the body of an answer. Raises ServiceRefused if it is too large to be asked for again and again."""
    body = bytearray()
    while chunk := response.read(_CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ServiceRefused(
                f"{label}: the answer of {url} is larger than {MAX_ANSWER_BYTES // 1_000_000} MB: ask for less"
            )
    return bytes(body)
