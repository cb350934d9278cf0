"""What a watch writes can be read again, whatever ended it."""

from pathlib import Path

import pytest

from benchmark.errors import RecordError
from benchmark.monitor.record import SAMPLES, ProbeWriter, Watch, new_folder, read_watch
from benchmark.monitor.targets import Target
from tests.unit.benchmark.monitor.watched import WATCH, A, B, probe


def write(folder: Path, close: bool = True) -> ProbeWriter:
    writer = ProbeWriter(folder, WATCH)
    for number, answer in enumerate(".xt"):
        writer.append(probe(number, answer))
    writer.append(probe(3, ".", B))
    if close:
        writer.close()
    return writer


def test_every_row_is_on_its_way_to_the_disk_before_the_next_question(tmp_path: Path) -> None:
    writer = write(tmp_path, close=False)
    assert len((tmp_path / SAMPLES).read_text().splitlines()) == 5
    writer.close()


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    write(tmp_path / "new" / "folder")
    watch, probes = read_watch(tmp_path / "new" / "folder")
    assert watch == WATCH
    assert probes == {A: [probe(0, "."), probe(1, "x"), probe(2, "t")], B: [probe(3, ".", B)]}


def test_a_row_that_was_cut_off_is_skipped(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / SAMPLES
    path.write_text(path.read_text()[:-5])
    assert read_watch(tmp_path)[1][B] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [("watch.json", "{"), ("watch.json", "[1]"), ("watch.json", "{}"), (SAMPLES, "service\nnobody\n"), (SAMPLES, None)],
)
def test_a_folder_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, content: str | None) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(RecordError, match="holds no watch that can be read"):
        read_watch(tmp_path)


def test_a_watch_never_overwrites_another(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(RecordError, match="holds a watch already"):
        ProbeWriter(tmp_path, WATCH)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot write to"):
        ProbeWriter(tmp_path / "file", WATCH)


def test_no_password_is_written(tmp_path: Path) -> None:
    watch = Watch.begin([Target("a", "http://me:hunter2@a.example/health")], 0.1, 1.0, 0.5)
    ProbeWriter(tmp_path, watch).close()
    assert "hunter2" not in (tmp_path / "watch.json").read_text()


def test_two_watches_that_begin_in_the_same_second_have_a_folder_each(tmp_path: Path) -> None:
    parent = tmp_path / "results" / "monitor"
    assert [new_folder(parent, "now").name for _ in range(3)] == ["now", "now-2", "now-3"]
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="expected a folder"):
        new_folder(tmp_path / "file", "now")
