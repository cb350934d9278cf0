"""The manifests of what answers later: what runs, what it is told, what it keeps, and how many there are of it."""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmark.contenders.discovery import ROOT
from contract.errors import InvalidRequest
from contract.schema import HEALTHCHECK_PATH, READY_PATH
from contract.settings import load_settings
from docker import up
from strategies.callbacks import CallbackSettings, check_callback_url
from strategies.job_rq.parameters import CALLBACKS, JOBS, LONGEST_MS
from strategies.push_worker.dispatcher import DispatcherSettings
from strategies.push_worker.service import ApiSettings
from strategies.push_worker.stream import MESSAGES
from strategies.push_worker.worker import WorkerSettings
from tests.unit.docker.jobs_settings import names_read
from tests.unit.kubernetes.conftest import KUBERNETES, WITH_JOBS, Manifests, all_containers, main, pod
from tests.unit.kubernetes.kustomize import Document, build

SECRETS = {"CALLBACK_SECRET", "DATABASE_PASSWORD"}


@pytest.fixture(scope="session", params=WITH_JOBS)
def jobs(request: pytest.FixtureRequest) -> Manifests:
    folder = KUBERNETES / "overlays" / request.param
    return Manifests(folder, build(folder))


def ours(jobs: Manifests) -> list[dict[str, Any]]:
    """Return the containers that run modules of ours."""
    workloads = {**jobs.apis, **jobs.workers}.values()
    return [container for workload in workloads for container in all_containers(workload)]


def listening(jobs: Manifests) -> list[dict[str, Any]]:
    return [container for container in ours(jobs) if "ports" in container]


def test_what_a_container_runs_is_a_module_that_can_be_run(jobs: Manifests) -> None:
    modules = [container["args"][0] for container in ours(jobs)]
    assert len(modules) == 6
    for module in modules:
        text = (ROOT / Path(*module.split("."))).with_suffix(".py").read_text()
        assert 'if __name__ == "__main__":' in text, module


def test_the_image_is_built_with_the_others() -> None:
    assert "jobs" in up.PROFILES


def test_a_variable_that_a_container_is_given_is_read_by_it(jobs: Manifests) -> None:
    for container in ours(jobs):
        given = set(jobs.environment_of(container)) - {"TMPDIR", "DATABASE_PASSWORD"}  # the latter is in the URL
        assert given <= names_read(container["args"][0]), container["args"]


def test_a_container_listens_where_it_is_looked_for(jobs: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(listening(jobs)) == 3
    for container in listening(jobs):
        with monkeypatch.context() as patch:
            for name, value in jobs.environment_of(container).items():
                patch.setenv(name, value)
            settings = load_settings("async", "scoring")
        assert (settings.host, settings.port) == ("0.0.0.0", container["ports"][0]["containerPort"])


def test_probes_ask_what_the_services_have(jobs: Manifests) -> None:
    for container in listening(jobs):
        probes = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
        assert probes["readiness"] == {"path": READY_PATH, "port": "http"}
        assert probes["startup"] == probes["liveness"] == {"path": HEALTHCHECK_PATH, "port": "http"}


def test_the_settings_can_be_read(jobs: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"service": ApiSettings, "worker": WorkerSettings, "dispatcher": DispatcherSettings}
    for container in [each for each in ours(jobs) if "push_worker" in each["args"][0]]:
        with monkeypatch.context() as patch:
            for name, value in jobs.environment_of(container).items():
                patch.setenv(name, value)
            kinds[container["args"][0].rpartition(".")[2]]()


def test_everybody_asks_the_same_redis_and_the_same_database(jobs: Manifests) -> None:
    services = jobs.of("Service")
    for container in ours(jobs):
        for name, value in jobs.environment_of(container).items():
            if name.endswith("_URL"):
                url = urlsplit(value)
                if url.hostname != "127.0.0.1":
                    assert url.port == services[str(url.hostname)]["spec"]["ports"][0]["port"]
    urls = {name: _values(jobs, name) for name in ("STRATEGY_REDIS_URL", "PUSH_REDIS_URL", "PUSH_DATABASE_URL")}
    assert {name: len(values) for name, values in urls.items()} == dict.fromkeys(urls, 1)
    database = jobs.environment(jobs.workloads["database"])
    url = urlsplit(urls["PUSH_DATABASE_URL"].pop())
    assert (url.username, url.path) == (database["POSTGRES_USER"], f"/{database['POSTGRES_DB']}")
    assert url.password == database["POSTGRES_PASSWORD"]


def _values(jobs: Manifests, name: str) -> set[str]:
    return {environment[name] for each in ours(jobs) if name in (environment := jobs.environment_of(each))}


def test_the_dispatcher_pushes_to_the_worker_of_its_own_pod(jobs: Manifests) -> None:
    workload = jobs.workers["push-worker"]
    worker, dispatcher = all_containers(workload)
    assert worker["restartPolicy"] == "Always", "else the dispatcher would wait for its end"
    url = urlsplit(jobs.environment_of(dispatcher)["PUSH_WORKER_URL"])
    assert (url.hostname, url.port) == ("127.0.0.1", worker["ports"][0]["containerPort"])


def test_no_secret_is_written_down(jobs: Manifests) -> None:
    found = [value for each in ours(jobs) for name, value in jobs.environment_of(each).items() if name in SECRETS]
    assert {value.strip("<>") for value in found} == SECRETS
    assert jobs.of("Secret") == {}
    page = (ROOT / "doc" / "deployment.md").read_text()
    for name in SECRETS:
        assert f"--from-literal={name}=" in page


def test_a_pod_has_the_time_to_finish_what_it_has_begun(jobs: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, workload in {**jobs.apis, "push-worker": jobs.workers["push-worker"]}.items():
        for variable, value in jobs.environment_of(all_containers(workload)[0]).items():
            monkeypatch.setenv(variable, value)
        waits_s = main(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain_s = load_settings("async", "scoring").drain_timeout_s
        assert pod(workload)["terminationGracePeriodSeconds"] > waits_s + drain_s, name
    delivery_s = CallbackSettings().timeout_s
    assert pod(jobs.workers["job-rq-callbacks"])["terminationGracePeriodSeconds"] > 2 * delivery_s
    assert pod(jobs.workers["job-rq-worker"])["terminationGracePeriodSeconds"] > LONGEST_MS / 1e3


@pytest.mark.parametrize(("name", "folder"), [("jobs-redis", "/data"), ("database", "/var/lib/postgresql/data")])
def test_what_is_kept_outlives_the_pod(jobs: Manifests, name: str, folder: str) -> None:
    workload = jobs.of("StatefulSet")[name]
    assert workload["spec"]["replicas"] == 1
    assert workload["spec"]["serviceName"] == name
    mounts = {mount["mountPath"]: mount["name"] for mount in main(workload)["volumeMounts"]}
    assert mounts[folder] in {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}


def test_redis_has_on_disk_what_it_has_acknowledged(jobs: Manifests) -> None:
    arguments = main(jobs.workloads["jobs-redis"])["args"]
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert (options["--appendonly"], options["--appendfsync"], options["--dir"]) == ("yes", "always", "/data")


def test_a_callback_leaves_the_cluster_only_to_where_the_service_lets_it(jobs: Manifests) -> None:
    (block,) = [
        peer["ipBlock"]
        for rule in jobs.of("NetworkPolicy")["job-rq-callbacks"]["spec"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    denied = [ip_network(each) for each in block["except"]]
    for address in ("10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.0.1", "1.1.1.1"):
        assert any(ip_address(address) in each for each in denied) == _is_refused(address), address


def _is_refused(address: str) -> bool:
    try:
        check_callback_url(f"http://{address}/", CallbackSettings().allow)
    except InvalidRequest:
        return True
    return False


# How many


def test_without_keda_there_are_as_many_workers_as_the_overlay_says() -> None:
    folder = KUBERNETES / "overlays" / "jobs"
    workers = Manifests(folder, build(folder)).workers
    assert {name: d["spec"]["replicas"] for name, d in workers.items()} == dict.fromkeys(workers, 2)


def test_each_queue_has_workers_of_its_own(jobs: Manifests) -> None:
    names = ("job-rq-worker", "job-rq-callbacks")
    assert [main(jobs.workers[name])["args"][1:] for name in names] == [[JOBS], [CALLBACKS]]


@pytest.fixture(scope="module")
def scaled() -> Manifests:
    folder = KUBERNETES / "overlays" / "jobs-keda"
    return Manifests(folder, build(folder))


def test_with_keda_every_worker_is_scaled_and_nothing_undoes_it(scaled: Manifests) -> None:
    objects = scaled.of("ScaledObject")
    assert {d["spec"]["scaleTargetRef"]["name"] for d in objects.values()} == set(scaled.workers)
    for name, d in objects.items():
        assert (d["apiVersion"], d["metadata"]["namespace"]) == ("keda.sh/v1alpha1", "sync-or-async")
        assert set(d["spec"]) == {
            "scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod", "triggers"
        }  # fmt: skip
        assert 1 <= d["spec"]["minReplicaCount"] < d["spec"]["maxReplicaCount"]
        assert "replicas" not in scaled.workers[name]["spec"], "each apply would undo what KEDA did"


def test_it_counts_what_waits_where_the_services_put_it(scaled: Manifests) -> None:
    expected = {
        "job-rq-worker": ("redis", {"listName": f"rq:queue:{JOBS}"}, "listLength", "STRATEGY_REDIS_URL"),
        "job-rq-callbacks": ("redis", {"listName": f"rq:queue:{CALLBACKS}"}, "listLength", "STRATEGY_REDIS_URL"),
        "push-worker": ("redis-streams", {"stream": MESSAGES}, "streamLength", "PUSH_REDIS_URL"),
    }
    for name, (kind, where, target, url) in expected.items():
        (trigger,) = scaled.of("ScaledObject")[name]["spec"]["triggers"]
        metadata = trigger["metadata"]
        redis = urlsplit(_values(scaled, url).pop())
        assert trigger["type"] == kind
        assert metadata["address"] == f"{redis.hostname}.sync-or-async:{redis.port}"
        assert metadata["databaseIndex"] == redis.path.removeprefix("/")
        assert int(metadata[target]) > 0
        assert set(metadata) == {"address", "databaseIndex", *where, target}
        assert {key: metadata[key] for key in where} == where
        assert all(isinstance(value, str) for value in metadata.values()), "KEDA takes only strings"


def test_keda_may_ask_redis_and_only_with_it_anybody_else(scaled: Manifests, jobs: Manifests) -> None:
    assert _foreign_namespaces(scaled.of("NetworkPolicy")["keda"]) == ["keda"]
    if jobs.folder.name == "jobs":
        assert "keda" not in jobs.of("NetworkPolicy")


def _foreign_namespaces(policy: Document) -> list[str]:
    peers = [peer for rule in policy["spec"]["ingress"] for peer in rule["from"]]
    return [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in peers]


def test_the_page_says_what_each_overlay_needs() -> None:
    page = (ROOT / "doc" / "deployment.md").read_text()
    for overlay in WITH_JOBS:
        assert re.search(rf"overlays/{overlay}(?![\w-])", page), overlay
