"""Everything that is foretold of every contender, before anything is measured; in the form of prediction.json.

    {"contenders": {"async": {"choices": [{"threads": 0, "workers": 1, "rps": 320.0, ...}], "chosen": {...},
                              "scoring": {...}, "models": {...}, "hourly": 0.1, "starts": [...], "regions": {...},
                              "here": [{"threads": 0, "workers": 2, "rps": 400.0, ...}]}}}

`here` is what the machine of the run would carry, with the load generator beside it: what --verify measures.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmark.contenders.answer_law import scoring_settings
from benchmark.contenders.service_settings import architecture_of
from benchmark.errors import ContenderError, SettingRefused
from benchmark.experiments.prediction.all_cores import Map
from benchmark.experiments.prediction.model import network_settings
from benchmark.experiments.prediction.simulation import Network
from benchmark.experiments.sizing.capacity import (
    Capacity,
    Configuration,
    as_row,
    calibrated,
    capacity_of,
    configurations,
    configured,
    generator_at,
    in_a_pod,
)
from benchmark.experiments.sizing.choose import (
    choose,
    model_pods,
    per_million,
)
from benchmark.experiments.sizing.outlook import day_of, regions, sized, starts
from benchmark.experiments.sizing.plan import SizingPlan
from benchmark.experiments.sizing.source import Learnt
from benchmark.load.objectives import Objective
from contract.settings import PREFIX

# What belongs to the processes of a measurement, and has a value of its own in docker/kubernetes.
_NOT_TAKEN: Final = {f"{PREFIX}{name}" for name in ("PORT", "HOST", "REDIS_URL", "MODEL_URLS", "MODEL_SEED")}


@dataclass(frozen=True)
class _Calibration:
    learnt: Learnt
    cores: int


@dataclass(frozen=True)
class _Question:
    """What one configuration carries: in a pod of its own, or here beside the load generator."""

    learnt: Learnt
    network: Network
    configuration: Configuration
    objectives: tuple[Objective, ...]
    here: bool


@dataclass(frozen=True)
class _Answered:
    """One contender, and what its configurations carry in a pod."""

    plan: SizingPlan
    learnt: Learnt
    network: Network
    found: tuple[tuple[Configuration, Capacity], ...]
    here: tuple[tuple[Configuration, Capacity], ...]


def predict(plan: SizingPlan, apply: Map, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Return the prediction by contender; `refused` says why there is none of some."""
    known, refused = _known(plan)
    say("calibration")
    networks = list(apply(_calibrate, [_Calibration(each, plan.source.cores) for each in known]))
    say("capacities")
    questions = [
        _Question(learnt, network, configuration, plan.objectives, here)
        for learnt, network in zip(known, networks, strict=True)
        for here, wanted in (
            (False, configurations(network, learnt.lone_ms)),
            (True, plan.to_verify(network.threads, plan.source.cores)),
        )
        for configuration in wanted
    ]
    capacities = list(zip(questions, apply(_carries, questions), strict=True))
    say("pods over time")
    answered = [
        _Answered(plan, learnt, network, *(_of(learnt, here, capacities) for here in (False, True)))
        for learnt, network in zip(known, networks, strict=True)
    ]
    rows = apply(_planned, answered)
    return {
        "contenders": {each.name: row for each, row in zip(known, rows, strict=True)},
        "refused": {**plan.source.refused, **refused},
    }


def _known(plan: SizingPlan) -> tuple[list[Learnt], dict[str, str]]:
    """Return the contenders whose runtime the model knows, and why it does not know the others."""
    known, refused = [], {}
    for each in plan.source.learnt:
        try:
            network_settings(each.contender)
        except (ContenderError, SettingRefused) as error:
            refused[each.name] = str(error)
        else:
            known.append(each)
    return known, refused


def _of(
    learnt: Learnt, here: bool, capacities: Sequence[tuple[_Question, Capacity]]
) -> tuple[tuple[Configuration, Capacity], ...]:
    return tuple((q.configuration, found) for q, found in capacities if q.learnt is learnt and q.here == here)


def _calibrate(given: _Calibration) -> Network:
    return calibrated(given.learnt, given.cores)


def _carries(asked: _Question) -> Capacity:
    learnt, network = asked.learnt, configured(asked.network, asked.learnt, asked.configuration)
    if asked.here:
        return capacity_of(network, learnt.lone_ms, asked.objectives, generator_at(learnt.levels))
    return capacity_of(in_a_pod(network), learnt.lone_ms, asked.objectives)


def _planned(given: _Answered) -> dict[str, Any]:
    """Return one contender's plan; without pods if no rate at all keeps the promise."""
    plan, learnt = given.plan, given.learnt
    row: dict[str, Any] = {
        "title": learnt.title,
        "floor_ms": learnt.floor_ms,
        "lone_ms": round(learnt.lone_ms, 3),
        "choices": [as_row(*each) for each in given.found],
        "here": [as_row(*each) for each in given.here],
    }
    models = model_pods(plan.rate_rps, given.network, learnt)
    choice = choose(plan.rate_rps, given.found, learnt, models, plan.price)
    if choice is None:
        return row
    configuration, capacity, scoring = choice.configuration, choice.capacity, choice.scoring
    network = configured(given.network, learnt, configuration)
    outlook = sized(
        network, learnt.lone_ms, learnt.floor_ms, configuration, capacity, scoring, plan.latency_limit_ms, plan.assumed
    )
    days = {
        name: day_of(shape, plan.rate_rps, plan.assumed, number * plan.assumed.apart_h, plan.seed)
        for number, (name, shape) in enumerate(plan.regions.items())
    }
    return row | {
        "chosen": as_row(configuration, capacity),
        "scoring": {**asdict(scoring), "most": scoring.most},
        "models": {**asdict(models), "most": models.most},
        "deployment": architecture_of(learnt.contender) or "",
        "environment": _environment(learnt, configuration),
        "hourly": choice.hourly,
        "per_million": per_million(choice.hourly, plan.rate_rps),
        "starts": starts(outlook, plan.shape, plan.assumed, plan.seed),
        "regions": regions(outlook, days, scoring, models, plan.price, plan.assumed, plan.seed),
    }


def _environment(learnt: Learnt, configuration: Configuration) -> dict[str, str]:
    """Return what makes a scoring handler this contender: its settings, threads and workers."""
    scoring = next(process for process in learnt.contender.process if process.role == "scoring")
    own = {name: value for name, value in scoring.env.items() if name.startswith(PREFIX) and name not in _NOT_TAKEN}
    settings = scoring_settings(learnt.contender)
    named = {f"{PREFIX}FAN_OUT": str(settings.fan_out), f"{PREFIX}HTTP_CLIENT": str(settings.http_client)}
    return {**named, **own, **configuration.settings["scoring"]}
