"""A plan as kustomize overlays: for each contender a folder that patches docker/kubernetes/base."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import ROOT
from benchmark.experiments.sizing.schema import PlanEntry, PlanSummary, PodsRow
from benchmark.report.page import write_whole

FOLDER: Final = "kubernetes"
KUSTOMIZATION: Final = "kustomization.yaml"
_BASE: Final = ROOT / "docker" / "kubernetes" / "base"
_KUSTOMIZATION: Final = """\
# {name}: {rate:g} requests/s within {objectives}. Predicted from {source}.
# Everything else stays as in the base, the other architecture, too.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - {base}
patches:
  - path: scoring.yaml
  - path: model.yaml
  - path: scoring-autoscaler.yaml
  - path: model-autoscaler.yaml
"""
_DEPLOYMENT: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  template:
    spec:
      containers:
        - name: main
{environment}          resources:
            requests: {{ cpu: {cpu_m}m, memory: {memory_mi}Mi }}
            limits: {{ cpu: {limit_m}m, memory: {memory_limit_mi}Mi }}
"""
_AUTOSCALER: Final = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {name}
spec:
  # {needed} {carry} the rate, one more may be down, and an update never has fewer.
  minReplicas: {replicas}
  maxReplicas: {most}
  metrics:
    - type: Resource
      resource:
        name: cpu
        # What a pod uses at the most that it is planned to carry, {carries:g} requests/s.
        target:
          type: AverageValue
          averageValue: {target_m}m
"""


def overlays(summary: PlanSummary, folder: Path) -> dict[str, dict[str, str]]:
    """Return by contender the files of its overlay by name, as they are for a run in `folder`."""
    return {
        name: _overlay(name, entry, summary, folder / FOLDER / name)
        for name, entry in summary.contenders.items()
        if entry.chosen and entry.deployment
    }


def write_overlays(summary: PlanSummary, folder: Path) -> None:
    """Write the overlays below a run's directory. Raises RecordError."""
    for name, files in overlays(summary, folder).items():
        target = folder / FOLDER / name
        target.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            write_whole(target / file, text.encode())


def _overlay(name: str, entry: PlanEntry, summary: PlanSummary, folder: Path) -> dict[str, str]:
    assert entry.scoring is not None
    assert entry.models is not None
    return {
        KUSTOMIZATION: _KUSTOMIZATION.format(
            name=name,
            rate=summary.rate_rps,
            objectives=" and ".join(summary.objectives),
            source=summary.source.path,
            base=os.path.relpath(_BASE, folder.resolve()),
        ),
        "scoring.yaml": _deployment(f"{entry.deployment}-scoring", entry.scoring, entry.environment),
        "model.yaml": _deployment(f"{entry.deployment}-model", entry.models, {}),
        "scoring-autoscaler.yaml": _autoscaler(f"{entry.deployment}-scoring", entry.scoring),
        "model-autoscaler.yaml": _autoscaler(f"{entry.deployment}-model", entry.models),
    }


def _deployment(name: str, pods: PodsRow, environment: Mapping[str, str]) -> str:
    lines = [f'            - {{ name: {variable}, value: "{value}" }}\n' for variable, value in environment.items()]
    return _DEPLOYMENT.format(
        name=name,
        environment="".join(["          env:\n", *lines]) if lines else "",
        cpu_m=pods.cpu_m,
        memory_mi=pods.memory_mi,
        limit_m=pods.cpu_limit_m,
        memory_limit_mi=2 * pods.memory_mi,
    )


def _autoscaler(name: str, pods: PodsRow) -> str:
    return _AUTOSCALER.format(
        name=name,
        needed=f"{pods.needed} {'pod' if pods.needed == 1 else 'pods'}",
        carry="carries" if pods.needed == 1 else "carry",
        replicas=pods.replicas,
        most=pods.most,
        carries=pods.carries_rps,
        target_m=pods.target_m,
    )
