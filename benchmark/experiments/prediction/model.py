"""What a queueing model says that has seen nothing but light load; written down before the rest is measured.

What one calibration foretells of its contender (prediction.json holds them all, and their means; see
calibration.py):

    {"contenders": {"sync": [{"users": 1, "calibrated": true, "rps": 10.6, "p50_ms": 94.0,
                               "cpu_ms": {"scoring": 3.1}}]},
     "what_if": [{"what_if": 0, "users": 64, "rps": 460.0, "p50_ms": 140.0}],
     "demands": {"sync": {"backlog": [0.0, 2.0], "scoring_ms": [1.7, 1.8]}}}

`what_if` numbers the what-ifs in the order in which they were asked. The map, asked once, before it is measured:

    {"crossover": [{"cpu_ms": 2, "users": 1, "ratio": 1.9}]}

`ratio` is the rate of `to` over the rate of `from`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.contenders.answer_law import law_of, scoring_settings
from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import architecture_of
from benchmark.contenders.variant import with_settings
from benchmark.errors import ContenderError
from benchmark.experiments.prediction.all_cores import all_cores
from benchmark.experiments.prediction.demand import Demands, GeneratorDemand
from benchmark.experiments.prediction.simulation import Demand, Network, Steady, constant, simulate, simulate_burst
from benchmark.experiments.prediction.what_ifs import WhatIf
from benchmark.record.allowance import whole_cores
from contract.settings import PREFIX, Settings

USERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MAP_CPU_MS = (0, 2, 5, 10, 20)
MAP_USERS = (1, 4, 8, 16, 32, 64)
RUNTIMES = Path(__file__).with_name("networks.toml")
_REQUESTS = 600  # of a simulation, at least


@dataclass(frozen=True)
class PredictionQuestion:
    """What the predictions are asked."""

    what_ifs: Sequence[WhatIf]
    from_: Contender
    to: Contender
    cpu_ms: Sequence[int]  # at which the crossover will be measured
    map_users: Sequence[int]
    users: Sequence[int] = USERS  # of the contenders as they are


@dataclass(frozen=True)
class Job:
    """One network with a number of users, to be simulated."""

    network: Network
    generator: GeneratorDemand
    users: int


def predict(model: "Model", question: PredictionQuestion) -> dict[str, Any]:
    """Return rates and medians over users, and the what-ifs of this contender (form: see above)."""
    name = model.contender.name
    jobs: dict[tuple[Any, ...], Job] = {("users", users): model.job(users) for users in question.users}
    for number, what_if in enumerate(question.what_ifs):
        if what_if.contender == name:
            changed = model.changed(what_if.setting, what_if.assume)
            jobs |= {("what_if", number, users): changed.job(users) for users in what_if.users}
    found = simulate_all(jobs)
    highest = max(model.demands.levels)
    rows = [found["users", users] for users in question.users]
    return {
        "contenders": {
            name: [{**_row(row), "calibrated": row.users <= highest, "cpu_ms": _cpu_ms(row)} for row in rows]
        },
        "what_if": [{"what_if": key[1], **_row(state)} for key, state in found.items() if key[0] == "what_if"],
        "demands": {name: _demands(model)},
    }


def predict_map(from_: "Model", to: "Model", question: PredictionQuestion) -> list[dict[str, Any]]:
    """Return the ratio of the rates, over the CPU time of a model's answer and the users."""
    places = [
        (cpu_ms, users)
        for cpu_ms in sorted({*MAP_CPU_MS, *question.cpu_ms})
        for users in sorted({*MAP_USERS, *question.map_users})
    ]
    jobs: dict[tuple[Any, ...], Job] = {
        (side, cpu_ms, users): model.computing(cpu_ms).job(users)
        for cpu_ms, users in places
        for side, model in (("from", from_), ("to", to))
    }
    found = simulate_all(jobs)
    return [
        {"cpu_ms": cpu_ms, "users": users, "ratio": found["to", cpu_ms, users].rps / found["from", cpu_ms, users].rps}
        for cpu_ms, users in places
    ]


@dataclass(frozen=True)
class Model:
    """A contender as a queueing network, calibrated."""

    contender: Contender
    network: Network
    generator: GeneratorDemand
    demands: Demands

    def job(self, users: int) -> Job:
        return Job(self.network, self.generator, users)

    def changed(self, setting: Mapping[str, Mapping[str, str]], assume: Mapping[str, float]) -> "Model":
        """Return the model of a contender with other settings (by role) and assumptions (fields of Network)."""
        contender = with_settings(self.contender, setting)
        network = replace(self.network, **network_settings(contender))
        assumed: dict[str, Any] = {name: type(getattr(network, name))(value) for name, value in assume.items()}
        return replace(self, network=replace(network, **assumed))

    def computing(self, cpu_ms: float) -> "Model":
        return replace(self, network=replace(self.network, model_cpu_ms=cpu_ms))


def calibrated(contender: Contender, demands: Demands, generator: GeneratorDemand) -> Model:
    """Return a contender's model that explains what its light load has cost."""
    network = Network(
        load=constant(0),
        scoring=constant(demands.scoring_ms),
        store=constant(demands.store_ms),
        model=constant(demands.model_ms),
        cores=whole_cores(),
        **network_settings(contender),
    )
    # What a model burns for an answer was measured with the rest; the network has it as work of its own.
    burnt_ms = network.models * network.model_cpu_ms
    network = replace(network, model=constant(max(demands.model_ms - burnt_ms, 0.0)))
    return Model(contender, fitted(network, generator, demands), generator, demands)


def fitted(network: Network, generator: GeneratorDemand, demands: Demands) -> Network:
    """Return a network that answers a single user as late as was measured, and bursts for as much CPU."""
    alone = steady(Job(network, generator, 1))
    network = replace(network, overhead_ms=max(demands.mean_ms - alone.mean_ms, 0.0))
    for _ in range(_REPEATS if demands.bursts else 0):  # what bursts cost changes the backlog that they meet
        network = replace(network, scoring=_over_backlog(network, demands))
    return network


_REPEATS = 2


def _over_backlog(network: Network, demands: Demands) -> Demand:
    """Return what a request costs, over the backlog that its burst makes in the simulation."""
    points = {0.0: demands.scoring_ms}
    for size in demands.sizes:
        burst = simulate_burst(replace(network, load=constant(0)), size, demands.asks(size))
        points[burst.backlog] = demands.in_burst(size, "scoring")
    backlog = sorted(points)
    return Demand(tuple(backlog), tuple(points[each] for each in backlog))


def network_settings(contender: Contender) -> dict[str, Any]:
    """Return the fields of Network that a contender's settings decide.

    Raises ContenderError for a process whose runtime networks.toml does not describe.
    """
    env = {process.role: process.env for process in contender.process}
    if missing := set(_SERVICES) - set(env):
        raise ContenderError(f"{contender.label} has no process of the role {' and '.join(sorted(missing))}")
    runtimes = {process.role: _runtime(process.module) for process in contender.process if process.role in _SERVICES}
    law, threads = law_of(contender), _threads("scoring", env, runtimes)
    found: dict[str, Any] = {
        "one_by_one": law.asked == "sum",
        "models": law.models,
        "pool": _pool(contender, threads, law.models),
        "threads": threads,
        "model_threads": _threads("model", env, runtimes),
        "workers": int(env["scoring"].get(f"{PREFIX}WORKERS", 1)),
        "model_workers": int(env["model"].get(f"{PREFIX}WORKERS", 1)),
        "slice_ms": runtimes["scoring"]["slice_ms"],
        "model_slice_ms": runtimes["model"]["slice_ms"],
        "steps": runtimes["scoring"]["steps"],
        "model_steps": runtimes["model"]["steps"],
        "model_cpu_ms": float(env["model"].get(f"{PREFIX}MODEL_CPU_MS", 0.0)),
    }
    return found | _sleep(env["model"])


def _sleep(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of Network that say how long a model sleeps."""
    law, low_ms, high_ms, sigma = (
        env.get(f"{PREFIX}{name.upper()}", Settings.model_fields[name].default)
        for name in ("model_law", "model_min_ms", "model_max_ms", "model_sigma")
    )
    return {"law": law, "sleep_ms": (float(low_ms), float(high_ms)), "sigma": float(sigma)}


def _pool(contender: Contender, threads: int, models: int) -> int:
    """Return the connections to the models if they can be fewer than the calls in flight, or else 0."""
    size = scoring_settings(contender).model_pool_size
    is_enough = threads and size >= threads * models
    return 0 if is_enough or architecture_of(contender) is None else size


_SERVICES = ("scoring", "model")


def _runtime(module: str | None) -> dict[str, Any]:
    runtimes: dict[str, dict[str, Any]] = tomllib.loads(RUNTIMES.read_text())["module"]
    if module not in runtimes:
        raise ContenderError(f"{RUNTIMES} says nothing of module {module!r}, expected one of {', '.join(runtimes)}")
    return runtimes[module]


def _threads(role: str, env: Mapping[str, Mapping[str, str]], runtimes: Mapping[str, Mapping[str, Any]]) -> int:
    default = int(runtimes[role]["threads"].get(role, 0))
    return int(env[role].get(f"{PREFIX}THREADS", default)) if default else 0


def simulate_all(jobs: Mapping[tuple[Any, ...], Job]) -> dict[tuple[Any, ...], Steady]:
    """Simulate everything, on all cores: nothing is being measured meanwhile."""
    with all_cores(__name__, at_a_time=2) as apply:
        return dict(zip(jobs, apply(steady, jobs.values()), strict=True))


def steady(job: Job) -> Steady:
    """Return the steady state, the generator's demand being what it is at that rate."""
    unhindered_rps = job.users / sum(job.network.sleep_ms) * 2e3
    network = replace(job.network, load=job.generator.at(unhindered_rps))
    return simulate(network, job.users, requests=_REQUESTS, load_at=job.generator.at)


def _demands(model: Model) -> dict[str, Any]:
    """Return what the simulation was told of a contender."""
    network = model.network
    return {
        "backlog": list(network.scoring.backlog),
        "scoring_ms": list(network.scoring.cpu_ms),
        "model_ms": network.model.at(0),
        "store_ms": network.store.at(0),
        "overhead_ms": network.overhead_ms,
        "light_users": list(model.demands.levels),
    }


def _cpu_ms(state: Steady) -> dict[str, float]:
    """Return the CPU per request that is predicted, by role."""
    return {role: 1e3 * cores / state.rps for role, cores in state.utilisation.items()}


def _row(state: Steady) -> dict[str, Any]:
    return {"users": state.users, "rps": state.rps, "p50_ms": state.p50_ms}
