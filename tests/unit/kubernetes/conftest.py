"""The manifests as a cluster would get them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from tests.unit.kubernetes.kustomize import Document, build

KUBERNETES = ROOT / "docker" / "kubernetes"
WITH_JOBS = ("jobs", "jobs-keda")  # overlays that hold what answers later
OVERLAYS = ("small", "large", *WITH_JOBS)
NAME = "app.kubernetes.io/name"


@dataclass(frozen=True)
class Manifests:
    """The documents of one overlay."""

    folder: Path
    documents: list[Document]

    def of(self, *kinds: str) -> dict[str, Document]:
        """Return the documents of these kinds by name."""
        return {d["metadata"]["name"]: d for d in self.documents if d["kind"] in kinds}

    @property
    def apis(self) -> dict[str, Document]:
        """The Deployments that take in what is answered later, by name."""
        return {name: d for name, d in self.of("Deployment").items() if name in {"job-rq", "push-api"}}

    @property
    def workers(self) -> dict[str, Document]:
        """The Deployments that work on it, by name."""
        names = {"job-rq-worker", "job-rq-callbacks", "push-worker"}
        return {name: d for name, d in self.of("Deployment").items() if name in names}

    @property
    def has_jobs(self) -> bool:
        return self.folder.name in WITH_JOBS

    @property
    def workloads(self) -> dict[str, Document]:
        return self.of("Deployment", "StatefulSet", "Job")

    @property
    def services(self) -> dict[str, Document]:
        """The Deployments of our own four services, by name."""
        return {name: d for name, d in self.of("Deployment").items() if name.endswith(("-scoring", "-model"))}

    def selected(self, labels: dict[str, str]) -> list[str]:
        """Return the names of the workloads whose pods have these labels."""
        pods = {name: d["spec"]["template"]["metadata"]["labels"] for name, d in self.workloads.items()}
        return sorted(name for name, found in pods.items() if labels.items() <= found.items())

    def environment(self, workload: Document) -> dict[str, str]:
        """Return what the container of a workload has in its environment, as the kubelet puts it together."""
        return self.environment_of(main(workload))

    def environment_of(self, container: dict[str, Any]) -> dict[str, str]:
        """Return the same of a container. What a Secret says is the name of the entry, in angle brackets."""
        maps = self.of("ConfigMap")
        sources = [maps[source["configMapRef"]["name"]]["data"] for source in container.get("envFrom", [])]
        found = {name: value for source in sources for name, value in source.items()}
        for entry in container.get("env", []):
            found[entry["name"]] = entry.get("value") or f"<{entry['valueFrom']['secretKeyRef']['key']}>"
        return {name: _expanded(value, found) for name, value in found.items()}


def _expanded(value: str, environment: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], value)


def main(workload: Document) -> dict[str, Any]:
    """Return the one container of a workload."""
    (container,) = pod(workload)["containers"]
    return dict(container)


def all_containers(workload: Document) -> list[dict[str, Any]]:
    """Return the containers of a workload, those that are started before the others included."""
    return [*pod(workload).get("initContainers", []), main(workload)]


def pod(workload: Document) -> dict[str, Any]:
    return dict(workload["spec"]["template"]["spec"])


@pytest.fixture(scope="session", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    folder = KUBERNETES / "overlays" / request.param
    return Manifests(folder, build(folder))
