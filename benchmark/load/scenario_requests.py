"""Turns a scenario into the requests of a protocol: what to send, and how to check the answers."""

import json
import re
from collections.abc import Callable, Iterable

from benchmark.contenders.answer_law import AnswerLaw
from benchmark.contenders.discovery import Contender
from benchmark.errors import ScenarioError
from benchmark.load.bodies import check_answer, request_bodies
from benchmark.load.protocols import PROTOCOLS, Ask, Flow, callback
from benchmark.scenarios.discovery import scenario_of
from benchmark.scenarios.spec import Check, Scenario
from contract.errors import BadModelAnswer

_STEPS = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]")  # of a JSON path such as $.rows[0]


def ask_contender(
    contender: Contender, law: AnswerLaw, seed: int, stage_clock: bool = False, receiver: str = ""
) -> Ask:
    """Return the requests for a contender, with detection of answers that come too early. Raises ScenarioError."""
    scenario = scenario_of(contender)
    return ask_of(scenario, contender.endpoint, seed, law.bounds_s, law.least_times_answer, stage_clock, receiver)


def refuse_unknown(contenders: Iterable[Contender]) -> None:
    """Raise ScenarioError for a contender whose scenario is unusable, before anything is started."""
    for contender in contenders:
        scenario = scenario_of(contender)
        protocol_of(scenario)
        scenario.secrets()


def ask_of(
    scenario: Scenario,
    endpoint: str,
    seed: int,
    bounds_s: tuple[float, float],
    least_times_answer: float = 0.0,
    stage_clock: bool = False,
    receiver: str = "",
) -> Ask:
    """Return the requests of a scenario; without a path of its own they go to `endpoint`. Raises ScenarioError.

    `bounds_s` is the range of correct answers. An answer of d seconds takes at least `least_times_answer` times d.
    `receiver` is the base URL of the process that callbacks go to.
    """
    return Ask(
        protocol=_protocol_with(scenario, receiver),
        method=scenario.method,
        path=scenario.path or endpoint,
        headers=scenario.sent_headers(),
        bodies=request_bodies(scenario, seed),
        status=scenario.check.status,
        read=reader(scenario.check, bounds_s),
        stage_clock=stage_clock,
        least_times_answer=least_times_answer if scenario.check.law else 0.0,
        receiver=receiver,
    )


def protocol_of(scenario: Scenario) -> Callable[[Ask], Flow]:
    """Return the protocol function of a scenario. Raises ScenarioError."""
    if scenario.protocol not in PROTOCOLS:
        raise ScenarioError(
            f"scenario {scenario.name}: there is no protocol {scenario.protocol!r}; choose from {', '.join(PROTOCOLS)}"
        )
    return PROTOCOLS[scenario.protocol]


def _protocol_with(scenario: Scenario, receiver: str) -> Callable[[Ask], Flow]:
    protocol = protocol_of(scenario)
    if protocol is callback and not receiver:
        raise ScenarioError(
            f"scenario {scenario.name}: the protocol 'callback' needs a contender with a process of the role 'receiver'"
        )
    return protocol


def reader(check: Check, bounds_s: tuple[float, float]) -> Callable[[bytes], float | None]:
    """Return a function that checks an answer and returns its duration if it has one. It raises BadModelAnswer."""
    if check.law:
        return lambda body: check_answer(body, bounds_s)
    if check.json_path is None:
        return lambda _: None
    path, expected = check.json_path, check.equals

    def compare(body: bytes) -> None:
        try:
            found = json.loads(body)
            for key, index in _STEPS.findall(path):
                found = found[key or int(index)]
        except (ValueError, LookupError, TypeError) as error:
            raise BadModelAnswer(f"an answer has nothing at {path}, expected {expected!r}") from error
        if found != expected:
            raise BadModelAnswer(f"{path} is {found!r:.80}, expected {expected!r}")

    return compare
