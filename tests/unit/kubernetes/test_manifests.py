"""The manifests are valid, and what one names the other has."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from benchmark.contenders.discovery import ROOT, discover
from benchmark.stack.images import image_name
from contract.settings import PORTS
from docker.engine import DEFAULT_POSTGRES, DEFAULT_REDIS
from tests.unit.kubernetes.conftest import KUBERNETES, OVERLAYS, Manifests, all_containers, main, pod
from tests.unit.kubernetes.kustomize import Document, build

OLDEST = "1.30"  # the first one with a preStop that sleeps, by default
_HASH = re.compile(r"^(serving|sync-scoring|async-scoring|locust|jobs|job-rq|push)-[a-z0-9]{10}$")


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_manifest_validates(manifests: Manifests, version: str) -> None:
    for document in manifests.documents:
        if document["kind"] != "ScaledObject":  # KEDA's own, see test_jobs.py
            kubernetes_validate.validate(document, version, strict=True)


def test_a_wrong_manifest_does_not_validate(manifests: Manifests) -> None:
    document = manifests.of("Deployment")["redis"] | {"spec": {"replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, OLDEST, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_tests_build_an_overlay_as_kubectl_does(overlay: str) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl on the PATH to compare with")
    folder = KUBERNETES / "overlays" / overlay
    command = ["kubectl", "kustomize", str(folder)]
    built = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert _comparable(yaml.safe_load_all(built)) == _comparable(build(folder))


def _comparable(documents: Iterable[Document]) -> dict[tuple[str, str], Any]:
    plain = [_without_hashes(document) for document in documents]
    return {(document["kind"], document["metadata"]["name"]): document for document in plain}


def _without_hashes(value: Any) -> Any:
    """Return the value without the hashes of generated names, and named lists in the order of their names."""
    if isinstance(value, dict):
        return {key: _without_hashes(inner) for key, inner in value.items()}
    if isinstance(value, list):
        inner = [_without_hashes(item) for item in value]
        return (
            sorted(inner, key=lambda i: i["name"]) if all(isinstance(i, dict) and "name" in i for i in inner) else inner
        )
    hashed = _HASH.match(value) if isinstance(value, str) else None
    return hashed[1] if hashed else value


def test_every_file_is_used() -> None:
    listed = set()
    for plan in KUBERNETES.rglob("kustomization.yaml"):
        content = yaml.safe_load(plan.read_text())
        names = [*content["resources"], *(patch["path"] for patch in content.get("patches", []))]
        names += [name for entry in content.get("configMapGenerator", []) for name in entry["envs"]]
        listed |= {plan, *((plan.parent / name).resolve() for name in names)}
    assert {path for path in KUBERNETES.rglob("*") if path.is_file()} == {path for path in listed if path.is_file()}


def test_a_name_is_used_once_for_each_kind(manifests: Manifests) -> None:
    names = [(document["kind"], document["metadata"]["name"]) for document in manifests.documents]
    assert len(set(names)) == len(names)


def test_both_architectures_have_both_services_on_the_usual_ports(manifests: Manifests) -> None:
    expected = {f"{architecture}-{role}": port for (architecture, role), port in PORTS.items()}
    services = manifests.of("Service")
    assert {name: main(d)["ports"][0]["containerPort"] for name, d in manifests.services.items()} == expected
    assert {name: services[name]["spec"]["ports"][0]["port"] for name in expected} == expected


def test_a_service_finds_the_pods_of_its_name_and_a_port_of_theirs(manifests: Manifests) -> None:
    for name, service in manifests.of("Service").items():
        assert manifests.selected(service["spec"]["selector"]) == [name]
        ports = {port["name"] for port in main(manifests.workloads[name])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_a_deployment_selects_its_own_pods_and_no_others(manifests: Manifests) -> None:
    for name, workload in manifests.of("Deployment", "StatefulSet").items():
        assert manifests.selected(workload["spec"]["selector"]["matchLabels"]) == [name]


def test_every_service_grows_on_cpu_and_keeps_most_pods_when_nodes_are_drained(manifests: Manifests) -> None:
    scaled = {
        hpa["spec"]["scaleTargetRef"]["name"]: hpa["spec"] for hpa in manifests.of("HorizontalPodAutoscaler").values()
    }
    kept = [
        name
        for pdb in manifests.of("PodDisruptionBudget").values()
        for name in manifests.selected(pdb["spec"]["selector"]["matchLabels"])
    ]
    asked = {**manifests.services, **manifests.apis}
    assert set(scaled) == set(asked)
    assert set(kept) == {*asked, *manifests.workers}
    for name, spec in scaled.items():
        assert spec["scaleTargetRef"]["kind"] == asked[name]["kind"]
        assert "replicas" not in asked[name]["spec"], "each apply would undo what the autoscaler did"
        assert spec["minReplicas"] < spec["maxReplicas"]
        assert [metric["resource"]["name"] for metric in spec["metrics"]] == ["cpu"]


def test_images_are_those_that_docker_build_makes_and_the_databases_of_docker_up(
    manifests: Manifests, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("IMAGE_PREFIX", "IMAGE_TAG"):
        monkeypatch.delenv(variable, raising=False)
    kinds = {name: name.split("-")[0] for name in manifests.services}
    kinds |= {"seed": "store", "locust-master": "bench", "locust-worker": "bench"}
    kinds |= dict.fromkeys((*manifests.apis, *manifests.workers), "jobs")
    expected = {name: image_name(kind) for name, kind in kinds.items()} | {"redis": DEFAULT_REDIS}
    if manifests.has_jobs:
        expected |= {"jobs-redis": DEFAULT_REDIS, "database": DEFAULT_POSTGRES}
    for name, workload in manifests.workloads.items():
        assert {container["image"] for container in all_containers(workload)} == {expected[name]}, name
    assert set(manifests.workloads) == set(expected)


def test_a_pod_may_do_nothing_that_it_need_not(manifests: Manifests) -> None:
    for name, workload in manifests.workloads.items():
        spec = pod(workload)
        security = spec["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 10001), name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in all_containers(workload):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
        claimed = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        mounted = {mount["name"] for container in all_containers(workload) for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]} | claimed


def test_requests_and_limits_are_set_and_in_order(manifests: Manifests) -> None:
    found = [(name, each) for name, workload in manifests.workloads.items() for each in all_containers(workload)]
    for name, container in found:
        resources = container["resources"]
        for quantity, parse in (("cpu", _cores), ("memory", _mebibytes)):
            assert 0 < parse(resources["requests"][quantity]) <= parse(resources["limits"][quantity]), name


def test_a_service_may_use_the_memory_that_it_was_seen_to_use(manifests: Manifests) -> None:
    summary = yaml.safe_load((ROOT / "doc" / "recorded" / "summary.json").read_text())
    for name, workload in manifests.services.items():
        architecture, role = name.split("-")
        measured = [c["rss_mb"][role] for n, c in summary["contenders"].items() if n.split("-")[0] == architecture]
        assert measured
        assert _mebibytes(main(workload)["resources"]["requests"]["memory"]) * 2**20 >= max(measured) * 1e6


def _cores(text: str) -> float:
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def _mebibytes(text: str) -> float:
    assert text.endswith("Mi")
    return float(text.removesuffix("Mi"))


def test_what_a_container_runs_is_there(manifests: Manifests) -> None:
    for name in ("locust-master", "locust-worker"):
        command = main(manifests.workloads[name])["command"]
        assert command[:2] == ["locust", "-f"]
        assert (ROOT / command[2]).is_file()
    assert main(manifests.workloads["seed"])["args"] == ["seed"]


def test_locust_asks_each_architecture_at_its_service(manifests: Manifests) -> None:
    services = manifests.of("Service")
    for workload in ("locust-master", "locust-worker"):
        environment = manifests.environment(manifests.workloads[workload])
        for name in environment["CONTENDERS"].split(","):
            port = next(process.port for process in discover()[name].process if process.role == "scoring")
            url = environment["HOST_URL"].format(name=name, port=port)
            _, host, given = re.split(r"://|:", url)
            assert int(given) == services[host]["spec"]["ports"][0]["port"]


def test_the_settings_of_locust_are_read_by_its_locustfile(manifests: Manifests) -> None:
    locustfile = Path(ROOT / "benchmark" / "load" / "locustfile.py").read_text()
    for name in manifests.of("ConfigMap")["locust"]["data"]:
        assert f'os.environ.get("{name}"' in locustfile
