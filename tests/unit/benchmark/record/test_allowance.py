"""What a run may use of its machine is recorded, said and compared, and not what the machine has."""

import os
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark.compare.run_pairs import circumstances
from benchmark.record import allowance as allowances
from benchmark.record import provenance
from benchmark.record.allowance import (
    cores_text,
    cpu_quota_cores,
    frequency_governor,
    memory_limit_bytes,
    recorded_cores,
    usable_cores,
    whole_cores,
)
from benchmark.report.page import machine_line

TOTAL_BYTES = 16 * 10**9
V1, V2 = "5:memory:/a/b\n4:cpu,cpuacct:/a/b\n1:name=systemd:/a/b\n", "0::/a/b\n"


@pytest.fixture
def group(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Return where a process and its control groups are found, after writing files of these groups."""

    def write(cgroup: str, files: dict[str, str]) -> tuple[Path, Path]:
        proc, mount = tmp_path / "proc", tmp_path / "fs"
        for path, text in {"proc/self/cgroup": cgroup, **{f"fs/{name}": text for name, text in files.items()}}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return proc, mount

    return write


@pytest.mark.parametrize(
    ("cgroup", "files", "cores"),
    [
        (V2, {"a/b/cpu.max": "150000 100000\n"}, 1.5),
        (V2, {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2.0),  # of the group above
        (V2, {"a/b/cpu.max": "max 100000\n"}, None),
        (V2, {"cpu.max": "50000 100000\n"}, 0.5),  # inside a container its own group is at the top
        (V2, {"unified/a/b/cpu.max": "50000 100000\n"}, 0.5),
        (V1, {"cpu,cpuacct/a/b/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n"}, 2.5),
        (V1, {"cpu/a/b/cpu.cfs_quota_us": "-1\n", "cpu/a/b/cpu.cfs_period_us": "100000\n"}, None),
        (V1, {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1.0),
        (V1, {}, None),
        ("nonsense", {}, None),
    ],
)
def test_the_quota_of_both_versions_of_control_groups_is_read(
    group: Callable[..., tuple[Path, Path]], cgroup: str, files: dict[str, str], cores: float | None
) -> None:
    assert cpu_quota_cores(*group(cgroup, files)) == cores


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        (V2, {"a/b/memory.max": "4000000000\n", "a/memory.max": "2000000000\n"}, 2 * 10**9),
        (V2, {"a/b/memory.max": "max\n"}, None),
        (V1, {"memory/a/b/memory.limit_in_bytes": "1000000000\n"}, 10**9),
        (V1, {"memory/a/b/memory.limit_in_bytes": "9223372036854771712\n"}, None),
    ],
)
def test_the_limit_of_memory_of_both_versions_is_read(
    group: Callable[..., tuple[Path, Path]], cgroup: str, files: dict[str, str], limit: int | None
) -> None:
    assert memory_limit_bytes(*group(cgroup, files), lambda: TOTAL_BYTES) == limit


def test_a_system_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert cpu_quota_cores(tmp_path, tmp_path) is None
    assert memory_limit_bytes(tmp_path, tmp_path) is None
    assert frequency_governor(tmp_path, [0]) is None


def test_the_governors_of_the_cpus_that_are_used_are_named(tmp_path: Path) -> None:
    for cpu, governor in enumerate(("powersave", "performance", "schedutil")):
        (tmp_path / f"cpu{cpu}" / "cpufreq").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}" / "cpufreq" / "scaling_governor").write_text(f"{governor}\n")
    assert frequency_governor(tmp_path, [0, 1]) == "performance, powersave"


@pytest.mark.parametrize(
    ("cpus", "quota", "usable", "whole"),
    [({0, 3}, None, 2, 2), ({0, 3}, 1.5, 1.5, 1), ({0}, 4.0, 1, 1), ({0}, 0.5, 0.5, 1)],
)
def test_affinity_and_quota_decide_how_many_cores_there_are(
    monkeypatch: pytest.MonkeyPatch, cpus: set[int], quota: float | None, usable: float, whole: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cpus)
    monkeypatch.setattr(allowances, "cpu_quota_cores", lambda: quota)
    assert usable_cores() == usable
    assert whole_cores() == whole


def test_the_manifest_says_what_this_run_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    environment = provenance.environment()
    assert environment["machine"]["cores"] == 8
    assert environment["allowance"]["affinity_cores"] == 1
    assert environment["allowance"]["cores"] <= 1
    assert set(environment["allowance"]) == {
        "cores", "affinity_cores", "cpu_quota_cores", "memory_limit_gb", "frequency_governor"
    }  # fmt: skip


def test_a_busy_core_that_this_run_may_not_use_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = namedtuple("cpu", "user idle")
    monkeypatch.setattr(psutil, "cpu_times_percent", lambda **_: [cpu(100.0, 0.0), cpu(20.0, 80.0)])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1})
    assert provenance.busy_share(0) == 0.2


def recorded(cores: float | None = None, of: int = 8, **allowed: Any) -> dict[str, Any]:
    open_files = allowed.pop("open_files", 1024)
    given = {"allowance": {"cores": cores, **allowed}} if cores else {}
    return {"machine": {"cores": of}, "open_files": {"soft": open_files}, **given}


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        (recorded(8), "8 cores"),
        (recorded(2), "2 of 8 cores"),
        (recorded(1.5), "1.5 of 8 cores"),
        (recorded(1, of=1), "1 core"),
        (recorded(), "8 cores"),  # an older record
        ({}, None),
    ],
)
def test_pages_say_how_many_cores_of_how_many(environment: dict[str, Any], text: str | None) -> None:
    assert cores_text(environment) == text
    assert (text or "cores") in machine_line(environment) or text is None


def test_what_follows_from_the_number_of_cores_follows_from_those_that_a_run_could_use() -> None:
    assert recorded_cores(recorded(2)) == 2
    assert recorded_cores(recorded()) == 8
    assert recorded_cores({}) is None


def test_pages_name_the_other_limits() -> None:
    line = machine_line(recorded(2, memory_limit_gb=2.0, frequency_governor="powersave"))
    for text in ("at most 2 GB of them", "frequency governor powersave", "at most 1,024 open files"):
        assert text in line


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (recorded(1), "cores: 2 of 8 cores, then 1 of 8 cores"),
        (recorded(2, cpu_quota_cores=2.0), "CPU quota [cores]: None, then 2.0"),
        (recorded(2, memory_limit_gb=2.0), "memory limit [GB]: None, then 2.0"),
        (recorded(2, frequency_governor="powersave"), "frequency governor: None, then powersave"),
        (recorded(2, open_files=4096), "open files: 1024, then 4096"),
        (recorded(), "cores: 2 of 8 cores, then 8 cores"),
    ],
)
def test_compare_names_limits_that_differ(other: dict[str, Any], said: str) -> None:
    assert circumstances({"plan": {}, "environment": recorded(2)}, {"plan": {}, "environment": other}) == [said]
