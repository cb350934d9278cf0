"""The overlays of a plan are what Kubernetes takes, and say what the plan says."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from benchmark.experiments.sizing.kubernetes import FOLDER, overlays, write_overlays
from benchmark.experiments.sizing.schema import PlanSummary
from tests.unit.benchmark.experiments.sizing.synthetic import foretold
from tests.unit.kubernetes.kustomize import Document, build

NAMES = {"async-aiohttp": "async", "sync": "sync"}


def summary_of(**rows: Any) -> PlanSummary:
    return PlanSummary.model_validate(
        {
            "schema": 2, "rate_rps": 1000.0, "objectives": ["p99<100ms"], "price": {"core_hour": 0.04},
            "source": {"path": "doc/recorded"}, "shape": "", "contenders": rows,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    rows = {name: foretold(1000.0, deployment=twin) for name, twin in NAMES.items()}
    write_overlays(summary_of(**rows), run)
    return run / FOLDER


def of_kind(documents: list[Document], kind: str, name: str) -> Document:
    return next(each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("name", NAMES)
def test_every_document_of_an_overlay_validates(folder: Path, name: str) -> None:
    documents = build(folder / name)
    for document in documents:
        if document["metadata"]["name"].startswith(NAMES[name]):
            kubernetes_validate.validate(document, "1.30", strict=True)
    assert len(documents) > 10


def test_an_overlay_says_what_the_plan_says(folder: Path) -> None:
    documents = build(folder / "async-aiohttp")
    (container,) = of_kind(documents, "Deployment", "async-scoring")["spec"]["template"]["spec"]["containers"]
    # 240 requests/s each: five pods, and one more. With one down, 200 requests/s of 2.53 ms.
    assert container["resources"]["requests"] == {"cpu": "550m", "memory": "128Mi"}
    assert {each["name"]: each.get("value") for each in container["env"]}["SERVING_THREADS"] == "32"
    assert container["image"].startswith("sync-or-async/async")
    scaler = of_kind(documents, "HorizontalPodAutoscaler", "async-scoring")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (6, 12)
    (metric,) = scaler["metrics"]
    assert metric["resource"]["target"] == {"type": "AverageValue", "averageValue": "480m"}


def test_who_keeps_no_promise_gets_no_overlay(tmp_path: Path) -> None:
    assert overlays(summary_of(sync=foretold(rps=0.0)), tmp_path) == {}


@pytest.mark.parametrize("name", NAMES)
def test_kubectl_builds_an_overlay_as_the_tests_do(folder: Path, name: str) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl on the PATH to compare with")
    command = ["kubectl", "kustomize", str(folder / name)]
    answered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    built, ours = list(yaml.safe_load_all(answered)), build(folder / name)
    for kind, suffix in (("HorizontalPodAutoscaler", "scoring"), ("HorizontalPodAutoscaler", "model")):
        each = of_kind(built, kind, f"{NAMES[name]}-{suffix}")
        assert each["spec"] == of_kind(ours, kind, f"{NAMES[name]}-{suffix}")["spec"]
    (theirs,) = of_kind(built, "Deployment", f"{NAMES[name]}-scoring")["spec"]["template"]["spec"]["containers"]
    (own,) = of_kind(ours, "Deployment", f"{NAMES[name]}-scoring")["spec"]["template"]["spec"]["containers"]
    assert theirs["resources"] == own["resources"]
    assert {each["name"] for each in theirs["env"]} == {each["name"] for each in own["env"]}
