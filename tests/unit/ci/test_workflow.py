"""The public CI runs verbs that exist, on every supported Python, with no more rights than it needs."""

import re
import runpy
import tomllib
from typing import Any

import pytest
import yaml

from benchmark.contenders.discovery import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CI = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
ON = CI[True]  # YAML 1.1 reads `on` so
JOBS: dict[str, dict[str, Any]] = CI["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
PYTHONS = JOBS["test"]["strategy"]["matrix"]["python"]


def makefile_verbs() -> set[str]:
    makefile = (ROOT / "Makefile").read_text()
    return {verb for line in re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", makefile, re.MULTILINE) for verb in line.split()}


def test_every_verb_that_it_runs_is_in_the_makefile() -> None:
    asked = {verb for step in STEPS for verb in re.findall(r"\bmake ([a-z][a-z-]*)", step.get("run", ""))}
    assert asked == {"test", "audit", "docker-build", "docker-bench"}
    assert asked - makefile_verbs() == set()


def test_it_runs_on_pushes_to_main_and_on_pull_requests() -> None:
    assert set(ON) == {"push", "pull_request", "workflow_dispatch"}
    assert ON["push"] == {"branches": ["main"]}


def test_actions_are_pinned_to_a_commit_and_say_which_version_that_is() -> None:
    for workflow in WORKFLOWS:
        uses = re.findall(r"uses: (.*)", workflow.read_text())
        assert uses
        for line in uses:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_it_may_read_and_nothing_else() -> None:
    assert CI["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert "secrets." not in str(CI)


def test_a_run_ends_by_itself_and_makes_way_for_a_newer_one() -> None:
    assert all(0 < job["timeout-minutes"] <= 60 for job in JOBS.values())
    assert CI["concurrency"]["cancel-in-progress"]


def test_what_comes_from_outside_is_never_part_of_a_command() -> None:
    assert not any("${{" in step.get("run", "") for step in STEPS)


def test_the_report_of_the_containers_is_kept_also_after_a_failure() -> None:
    (upload,) = [step for step in STEPS if step.get("uses", "").startswith("actions/upload-artifact@")]
    assert (upload["if"], upload["with"]["path"], upload["with"]["if-no-files-found"]) == (
        "always()",
        "results/",
        "error",
    )


def test_it_runs_on_every_supported_python() -> None:
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    minors = [int(version.removeprefix("3.")) for version in PYTHONS]
    assert PYTHONS[0] == oldest
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_nox_runs_on_the_same_pythons() -> None:
    noxfile = runpy.run_path(str(ROOT / "noxfile.py"))
    assert list(noxfile["PYTHONS"]) == PYTHONS


@pytest.mark.parametrize("name", ["dev", "benchmark"])
def test_the_list_that_it_caches_by_is_there(name: str) -> None:
    listed = {
        step["with"]["cache-dependency-path"] for step in STEPS if "cache-dependency-path" in step.get("with", {})
    }
    assert f"requirements/{name}.txt" in listed
    assert (ROOT / "requirements" / f"{name}.txt").is_file()
