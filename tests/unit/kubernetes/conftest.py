"""The manifests as a cluster would get them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from tests.unit.kubernetes.kustomize import Document, build

KUBERNETES = ROOT / "docker" / "kubernetes"
OVERLAYS = ("small", "large")
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
    def workloads(self) -> dict[str, Document]:
        return self.of("Deployment", "Job")

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
        container = main(workload)
        maps = self.of("ConfigMap")
        sources = [maps[source["configMapRef"]["name"]]["data"] for source in container.get("envFrom", [])]
        own = {entry["name"]: entry["value"] for entry in container.get("env", [])}
        return {name: value for source in sources for name, value in source.items()} | own


def main(workload: Document) -> dict[str, Any]:
    """Return the one container of a workload."""
    (container,) = pod(workload)["containers"]
    return dict(container)


def pod(workload: Document) -> dict[str, Any]:
    return dict(workload["spec"]["template"]["spec"])


@pytest.fixture(scope="session", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    folder = KUBERNETES / "overlays" / request.param
    return Manifests(folder, build(folder))
