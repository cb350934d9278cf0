"""Builds an overlay as kustomize does, for the few features that ours use; a further one is an error.

`kubectl kustomize` is the real thing; where it is installed, a test holds this to it.
"""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

_NOT_IN_A_NAMESPACE = {"Namespace"}
_KNOWN = {
    "apiVersion",
    "kind",
    "resources",
    "configMapGenerator",
    "patches",
    "namespace",
    "labels",
    "images",
    "replicas",
}


def build(folder: Path) -> list[Document]:
    """Return the documents of a kustomization; the names of generated ConfigMaps come without their hash."""
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := set(plan) - _KNOWN:
        raise ValueError(f"{folder}/kustomization.yaml holds {sorted(unknown)}, which the tests cannot build")
    documents = [document for name in plan.get("resources", []) for document in _load(folder / name)]
    documents += [_config_map(folder, entry) for entry in plan.get("configMapGenerator", [])]
    for entry in plan.get("patches", []):
        _patch(documents, folder, entry)
    for entry in plan.get("replicas", []):
        _one(documents, "Deployment", entry["name"])["spec"]["replicas"] = entry["count"]
    for document in documents:
        if "namespace" in plan and document["kind"] not in _NOT_IN_A_NAMESPACE:
            document["metadata"]["namespace"] = plan["namespace"]
        for labels in plan.get("labels", []):
            _label(document, labels)
        for image in plan.get("images", []):
            _tag(document, image)
    return documents


def _load(path: Path) -> list[Document]:
    return build(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))


def _config_map(folder: Path, entry: dict[str, Any]) -> Document:
    lines = [line for name in entry["envs"] for line in (folder / name).read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    data = {name: value for name, _, value in pairs}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": entry["name"]}, "data": data}


def _patch(documents: list[Document], folder: Path, entry: dict[str, Any]) -> None:
    change = yaml.safe_load((folder / entry["path"]).read_text())
    target = entry.get("target") or {"kind": change["kind"], "name": change["metadata"]["name"]}
    found = [document for document in documents if _is_targeted(document, **target)]
    if not found or change["kind"] != target["kind"]:
        raise ValueError(f"{folder / entry['path']} patches nothing: its target is {target}")
    for document in found:
        name = document["metadata"]["name"]
        document.update(_merged(document, change))
        document["metadata"]["name"] = name


def _is_targeted(
    document: Document,
    kind: str,
    labelSelector: str = "",  # noqa: N803 - kustomize's name
    name: str = "",
) -> bool:
    label, _, value = labelSelector.partition("=")
    labels = document["metadata"].get("labels", {})
    named = not name or document["metadata"]["name"] == name
    return document["kind"] == kind and named and (not label or labels.get(label) == value)


def _merged(old: Any, new: Any) -> Any:
    """Return a strategic merge: tables by key, lists of named things by name, everything else replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: _merged(old.get(key), value) for key, value in new.items()}
    key = _merge_key(new)
    if not isinstance(old, list) or key is None:
        return deepcopy(new)
    by_key = {item[key]: item for item in old}
    return list((by_key | {item[key]: _merged(by_key.get(item[key]), item) for item in new}).values())


def _merge_key(items: Any) -> str | None:
    tables = isinstance(items, list) and items and all(isinstance(item, dict) for item in items)
    return next((key for key in ("mountPath", "name") if tables and all(key in item for item in items)), None)


def _label(document: Document, labels: dict[str, Any]) -> None:
    document["metadata"].setdefault("labels", {}).update(labels["pairs"])
    if labels.get("includeTemplates") and "template" in document.get("spec", {}):
        document["spec"]["template"]["metadata"].setdefault("labels", {}).update(labels["pairs"])


def _tag(document: Document, image: dict[str, str]) -> None:
    for container in containers(document):
        if container["image"] == image["name"]:
            container["image"] = f"{image['name']}:{image['newTag']}"


def containers(document: Document) -> Iterator[dict[str, Any]]:
    """Yield the containers of a workload; none of anything else."""
    spec = document.get("spec", {}).get("template", {}).get("spec", {})
    yield from [*spec.get("initContainers", []), *spec.get("containers", [])]


def _one(documents: list[Document], kind: str, name: str) -> Document:
    found = [document for document in documents if (document["kind"], document["metadata"]["name"]) == (kind, name)]
    if len(found) != 1:
        raise ValueError(f"there are {len(found)} of {kind} {name}, expected one")
    return found[0]
