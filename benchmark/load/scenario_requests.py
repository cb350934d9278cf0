"""Turns a scenario into the requests of a protocol: what to send, and how to check the answers."""

from collections.abc import Callable, Iterable
from itertools import cycle, islice

from benchmark.contenders.answer_law import AnswerLaw
from benchmark.contenders.discovery import Contender
from benchmark.errors import ScenarioError
from benchmark.load.bodies import request_bodies
from benchmark.load.checks import Expected, digest, reader
from benchmark.load.protocols import PROTOCOLS, Ask, Flow, callback
from benchmark.scenarios.discovery import scenario_of
from benchmark.scenarios.spec import Scenario


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
    expected: Expected | None = None,
) -> Ask:
    """Return the requests of a scenario; without a path of its own they go to `endpoint`. Raises ScenarioError.

    `bounds_s` is the range of correct answers. An answer of d seconds takes at least `least_times_answer` times d.
    `receiver` is the base URL of the process that callbacks go to. With `expected` answers, only their requests are
    sent, and their answers must be the same.
    """
    bodies, whole = request_bodies(scenario, expected.seed if expected else seed), scenario.check
    same: dict[bytes | None, str] = {}
    if expected:
        asked = list(islice(bodies, len(expected.digests)))
        same, bodies = dict(zip(asked, expected.digests, strict=True)), cycle(asked)
    return Ask(
        protocol=_protocol_with(scenario, receiver),
        method=scenario.method,
        path=scenario.path or endpoint,
        headers=scenario.sent_headers(),
        bodies=bodies,
        status=whole.status,
        read=reader(whole, bounds_s, scenario.answer_schema()),
        stage_clock=stage_clock,
        least_times_answer=least_times_answer if whole.law else 0.0,
        receiver=receiver,
        secrets=tuple(scenario.secrets().values()),
        same=same,
        digest=lambda body: digest(body, whole.ignore),
        same_as=expected.whose if expected else "",
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
