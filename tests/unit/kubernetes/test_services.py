"""The manifests agree with the contract: settings, probes, and how a service stops."""

import os
import re
from typing import get_args
from urllib.parse import urlsplit

import pytest

from contract.schema import HEALTHCHECK_PATH, READY_PATH, predict_path
from contract.settings import PREFIX, Role, Settings, load_settings
from tests.unit.kubernetes.conftest import KUBERNETES, Manifests, main, pod
from tests.unit.kubernetes.kustomize import Document, build


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def settings_of(manifests: Manifests, name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings that a service would load in its pod."""
    workload = manifests.services[name]
    for variable, value in manifests.environment(workload).items():
        monkeypatch.setenv(variable, value)
    (role,) = main(workload)["args"]
    assert role in get_args(Role)
    return load_settings(name.split("-", maxsplit=1)[0], role)  # type: ignore[arg-type]


SERVICES = ("sync-scoring", "sync-model", "async-scoring", "async-model")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_listens_where_its_service_looks(
    manifests: Manifests, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(manifests, name, monkeypatch)
    assert (settings.host, settings.port) == ("0.0.0.0", main(manifests.services[name])["ports"][0]["containerPort"])


def test_what_looks_like_a_setting_is_one(manifests: Manifests) -> None:
    names = {name for config in manifests.of("ConfigMap").values() for name in config["data"]}
    given = {name.removeprefix(PREFIX).lower() for name in names if name.startswith(PREFIX)}
    assert given
    assert given <= set(Settings.model_fields) - {"architecture", "role"}
    assert all(data for config in manifests.of("ConfigMap").values() for data in config["data"].values())


@pytest.mark.parametrize("name", ["sync-scoring", "async-scoring"])
def test_a_scoring_handler_asks_the_services_of_its_architecture(
    manifests: Manifests, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(manifests, name, monkeypatch)
    architecture = name.split("-", maxsplit=1)[0]
    ports = {service: d["spec"]["ports"][0]["port"] for service, d in manifests.of("Service").items()}
    model, redis = f"{architecture}-model", urlsplit(settings.redis_url)
    assert settings.model_urls == (f"http://{model}:{ports[model]}{predict_path(architecture)}",) * 2
    assert (redis.hostname, redis.port) == ("redis", ports["redis"])


def test_the_seeding_fills_the_store_that_the_services_read(manifests: Manifests) -> None:
    urls = {manifests.environment(d)["SERVING_REDIS_URL"] for d in manifests.services.values()}
    assert urls == {manifests.environment(manifests.workloads["seed"])["SERVING_REDIS_URL"]}


def test_probes_ask_what_the_contract_has(manifests: Manifests) -> None:
    for name, workload in manifests.services.items():
        container = main(workload)
        probes = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
        assert probes["readiness"]["path"] == READY_PATH, name
        # Were it /ready, a dead Redis would restart every scoring handler.
        assert probes["startup"]["path"] == probes["liveness"]["path"] == HEALTHCHECK_PATH, name
        assert {probe["port"] for probe in probes.values()} == {port["name"] for port in container["ports"]}, name


def test_the_readiness_probe_waits_as_long_as_the_answer_may_take(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sync-scoring", "async-scoring"):
        settings = settings_of(manifests, name, monkeypatch)
        longest_ms = settings.redis_timeout_ms + len(settings.model_urls) * settings.model_timeout_ms
        assert main(manifests.services[name])["readinessProbe"]["timeoutSeconds"] * 1000 >= longest_ms


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_is_given_the_time_to_drain(manifests: Manifests, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(manifests, name, monkeypatch)
    workload = manifests.services[name]
    waits_s = main(workload)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert waits_s > 0
    assert pod(workload)["terminationGracePeriodSeconds"] > waits_s + settings.drain_timeout_s


Edge = tuple[str, str, int]


def test_who_may_talk_to_whom(manifests: Manifests) -> None:
    expected = {
        *_asked("locust-worker", ("sync-scoring", 5001), ("async-scoring", 8001), ("locust-master", 5557)),
        *_asked("sync-scoring", ("sync-model", 5000), ("redis", 6379)),
        *_asked("async-scoring", ("async-model", 8000), ("redis", 6379)),
        *_asked("seed", ("redis", 6379)),
    }
    if manifests.has_jobs:
        for name in ("job-rq", "job-rq-worker", "job-rq-callbacks"):
            expected |= _asked(name, ("jobs-redis", 6379))
        for name in ("push-api", "push-worker"):
            expected |= _asked(name, ("jobs-redis", 6379), ("database", 5432))
    assert _edges(manifests, "egress", "to") == expected
    assert _edges(manifests, "ingress", "from") == expected


def _asked(source: str, *targets: tuple[str, int]) -> set[Edge]:
    return {(source, target, port) for target, port in targets}


def _edges(manifests: Manifests, direction: str, peers: str) -> set[Edge]:
    """Return who may talk to whom on which port, as one side's policies say; selectors must match something."""
    edges: set[Edge] = set()
    for policy in manifests.of("NetworkPolicy").values():
        own = manifests.selected(policy["spec"]["podSelector"].get("matchLabels", {}))
        assert own, f"{policy['metadata']['name']} selects no pod"
        for rule in policy["spec"].get(direction, []):
            for peer in (peer for peer in rule[peers] if "podSelector" in peer):
                others = manifests.selected(peer["podSelector"]["matchLabels"])
                assert others, f"{policy['metadata']['name']} names a peer that is not there: {peer}"
                ports = [port["port"] for port in rule["ports"]]
                pairs = [(a, b) if direction == "egress" else (b, a) for a in own for b in others]
                edges |= {(source, target, port) for source, target in pairs for port in ports}
    return edges


def test_nothing_else_may_talk(manifests: Manifests) -> None:
    policies = manifests.of("NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    # Beside pods of ours, only the name server is reached, and by one worker the receivers of callbacks.
    foreign = [
        (name, port["port"])
        for name, policy in policies.items()
        for direction, peers in (("egress", "to"), ("ingress", "from"))
        for rule in policy["spec"].get(direction, [])
        if not all(set(peer) == {"podSelector"} for peer in rule[peers])
        for port in rule["ports"]
    ]
    callbacks = [("job-rq-callbacks", 80), ("job-rq-callbacks", 443)] if manifests.has_jobs else []
    keda = [("keda", 6379)] if manifests.folder.name == "jobs-keda" else []
    assert foreign == [("names", 53), ("names", 53), *callbacks, *keda]


def test_a_policy_opens_a_port_on_which_somebody_listens(manifests: Manifests) -> None:
    for _, target, port in _edges(manifests, "ingress", "from"):
        assert port in _ports(manifests.workloads[target])


def _ports(workload: Document) -> set[int]:
    return {port["containerPort"] for port in main(workload)["ports"]}


def test_a_command_of_the_deployment_page_names_what_is_there() -> None:
    page = (KUBERNETES.parents[1] / "doc" / "deployment.md").read_text()
    named = set(re.findall(r"(?:deployment|service|job)/([a-z-]+)", page))
    assert named
    documents = build(KUBERNETES / "overlays" / "jobs")  # which holds everything
    assert named <= {d["metadata"]["name"] for d in documents if d["kind"] in {"Deployment", "Service", "Job"}}
