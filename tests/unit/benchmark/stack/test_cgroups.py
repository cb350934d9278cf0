"""Where the kernel counts what a container uses, and what is read there."""

from pathlib import Path

import pytest

from benchmark.stack.cgroups import ControlGroup, control_group


def fake_process(folder: Path, lines: str) -> Path:
    (folder / "proc" / "7").mkdir(parents=True)
    (folder / "proc" / "7" / "cgroup").write_text(lines)
    return folder / "proc"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_version_1_counts_nanoseconds_and_memory_without_the_inactive_file_cache(tmp_path: Path) -> None:
    proc = fake_process(tmp_path, "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n")
    write(tmp_path / "fs" / "cpuacct" / "docker" / "abc", cpuacct__usage="123456789\n")
    memory = tmp_path / "fs" / "memory" / "docker" / "abc"
    write(memory, memory__usage_in_bytes="5000\n", memory__stat="inactive_file 1\ntotal_inactive_file 1500\n")
    group = control_group(7, proc, tmp_path / "fs")
    assert group
    assert group.read() == (123456789, 3500)


def test_version_2_counts_microseconds(tmp_path: Path) -> None:
    proc = fake_process(tmp_path, "0::/system.slice/docker-abc.scope\n")
    folder = tmp_path / "fs" / "system.slice" / "docker-abc.scope"
    stat = "anon 3000\ninactive_file 500\n"
    write(folder, cpu__stat="usage_usec 2500\nuser_usec 2000\n", memory__current="4000\n", memory__stat=stat)
    group = control_group(7, proc, tmp_path / "fs")
    assert group
    assert group.read() == (2_500_000, 3500)


@pytest.mark.parametrize("lines", ["0::/\n", "1:name=systemd:/docker/abc\n"])
def test_the_root_group_and_foreign_controllers_are_no_containers_counters(tmp_path: Path, lines: str) -> None:
    assert control_group(7, fake_process(tmp_path, lines), tmp_path / "fs") is None


def test_a_process_that_has_ended_has_no_counters(tmp_path: Path) -> None:
    assert control_group(7, tmp_path, tmp_path) is None


def test_a_group_that_is_gone_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cpu\.stat"):
        ControlGroup(tmp_path, tmp_path, unified=True).read()
