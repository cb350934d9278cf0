"""A damaged run directory is a sentence that names the file and says what to do, and never a traceback.

Every file of a small run of every experiment is damaged in every way. Pictures are left out: they cost most of the
time, and are drawn from the summary alone.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark import cli
from benchmark.cli import app
from benchmark.experiments import experiment as experiments
from benchmark.experiments.index import write_joined_report
from benchmark.experiments.registry import REGISTRY, experiment_of
from benchmark.experiments.strategies import summarise as strategies_summarise
from benchmark.report.charts import picture
from tests.unit.benchmark.conftest import NO_DRAWING
from tests.unit.benchmark.experiments.recorders import RECORDERS
from tests.unit.benchmark.experiments.strategies.synthetic import make_strategy

DRAWN = {"report.html", "share.png", "share.svg", "headline.svg", "headline-narrow.svg"}
NAMES = [row.name for row in REGISTRY]
# One experiment meets every way in every file, the others in some: most files are read by the same code. A summary of
# `explain` takes most of a second.
EVERY = {**dict.fromkeys(NAMES, 12), "timeit": 1, "bench": 4, "strategies": 4}


def _in_the_middle(line: bytes) -> Callable[[Path], object]:
    def insert(path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[: len(lines) // 2], line, *lines[len(lines) // 2 :]]))

    return insert


def _replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


WAYS: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(b"garbage\nmore, of, it\n"),
    "a garbage line": _in_the_middle(b"gar\xc3\xbcbage\n"),
    "a line of another kind": _in_the_middle(b'{"block": "x", "windows": 5}\n'),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00\x00" * 10 + b"\n"),
    "another kind of document": lambda path: path.write_text("[]\n"),
    "an empty document": lambda path: path.write_text("{}\n"),
    "nested without end": lambda path: path.write_text("[" * 100_000 + "\n"),
    "a folder": _replace_by_a_folder,
}
TO_DO = ("restore it", "cannot write to", "use the version", "expected", "is not a run directory")
WRONG_TYPES: tuple[object, ...] = (5, "text", [], {"a": 5}, None)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole run of each experiment, by command."""
    runs = {}
    for name in NAMES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(experiments, "card_files", lambda *_: {})
            patch.setattr(picture, "svg_file", lambda draw, layout: NO_DRAWING)
            runs[name] = RECORDERS[name].record(tmp_path_factory.mktemp(name), patch, "whole").path
    return runs


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        cli, "experiment_of", lambda name: replace(experiment_of(name), write_page=lambda run: run.path / "report.html")
    )
    monkeypatch.setattr(experiments, "card_files", lambda *_: {})
    monkeypatch.setattr(strategies_summarise, "load_strategy", lambda *_: make_strategy())


@pytest.fixture
def copied(recorded: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a fresh copy of a run, in place of the one before."""

    def copy(name: str) -> Path:
        target = tmp_path / recorded[name].name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(recorded[name], target)
        return target

    return copy


def files_of(run: Path) -> list[str]:
    """Return one file of each kind: that of the first trial stands for those of the others."""
    found: dict[object, str] = {}
    for path in sorted(each for each in run.rglob("*") if each.is_file() and each.name not in DRAWN):
        kind = (path.parent, path.suffix) if path.parent != run else path
        found.setdefault(kind, str(path.relative_to(run)))
    return list(found.values())


def check(answer: Result, *names: str, status: int = 1) -> None:
    """Check that a command has either done its work, or ended with the status of what cannot be read, and said why."""
    assert answer.exception is None or isinstance(answer.exception, SystemExit), repr(answer.exception)
    assert answer.exit_code in {0, 3, status}
    if answer.exit_code == status:
        lines = [line for line in answer.output.splitlines() if line.strip()]
        assert len(lines) == 1, lines
        assert any(name in lines[0] for name in names), (names, lines[0])
        assert any(each in lines[0] for each in TO_DO), lines[0]


def report(run: Path) -> Result:
    return CliRunner().invoke(app, ["report", str(run)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_report_of_a_run_with_a_damaged_file_names_it(copied: Callable[[str], Path], name: str, way: str) -> None:
    for number, file in enumerate(files_of(copied(name))):
        if (number + list(WAYS).index(way)) % EVERY[name]:
            continue
        run = copied(name)
        WAYS[way](run / file)
        check(report(run), file, "has schema")


@pytest.mark.parametrize("folder", ["samples", "resources", "profiles", "locust", "logs"])
@pytest.mark.parametrize("name", NAMES)
def test_a_report_of_a_run_without_one_of_its_folders_names_it(
    copied: Callable[[str], Path], name: str, folder: str
) -> None:
    run = copied(name)
    shutil.rmtree(run / folder, ignore_errors=True)
    check(report(run), folder)
    run = copied(name)
    shutil.rmtree(run / folder, ignore_errors=True)
    (run / folder).write_text("a file in its place")
    check(report(run), folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_type_anywhere_in_the_manifest_names_it(copied: Callable[[str], Path], name: str) -> None:
    run = copied(name)
    manifest = json.loads((run / "manifest.json").read_text())
    for place, key in enumerate(manifest):
        if place % EVERY[name] and key not in {"schema", "command"}:
            continue
        for number, value in enumerate(WRONG_TYPES):
            if number == sum(map(ord, key)) % len(WRONG_TYPES) or key in {"schema", "command"}:
                (run / "manifest.json").write_text(json.dumps({**manifest, key: value}))
                check(report(run), "manifest.json", "has schema", "command is")
        (run / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != key}))
        check(report(run), "manifest.json", "has schema", "command is")


@pytest.mark.parametrize("way", WAYS)
def test_compare_names_a_damaged_file_and_ends_with_2(
    copied: Callable[[str], Path], recorded: dict[str, Path], way: str
) -> None:
    for name in ("timeit", "bench"):
        for file in files_of(copied(name)):
            run = copied(name)
            WAYS[way](run / file)
            check(CliRunner().invoke(app, ["compare", str(recorded[name]), str(run)]), file, "has schema", status=2)


@pytest.mark.parametrize("way", WAYS)
def test_the_index_leaves_out_damaged_runs_and_names_them(recorded: dict[str, Path], tmp_path: Path, way: str) -> None:
    for path in recorded.values():
        for file in ("manifest.json", "summary.json", "headline-narrow.svg"):
            run = tmp_path / "results" / f"{path.name}-{file}"
            shutil.copytree(path, run, ignore=shutil.ignore_patterns("samples", "resources", "locust", "logs"))
            if (run / file).exists():
                WAYS[way](run / file)
    (tmp_path / "results" / "an empty folder").mkdir()
    (tmp_path / "results" / "a file").write_text("")
    assert write_joined_report(tmp_path / "results").exists()


def test_what_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name in ("empty", "file", "missing"):
        answer = report(tmp_path / name)
        assert answer.exit_code == 1
        check(answer, name)
        check(CliRunner().invoke(app, ["compare", *[str(tmp_path / name)] * 2]), name, status=2)


def test_what_may_not_be_read_is_one_sentence(copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    run, opened = copied("timeit"), Path.read_text

    def refuse(path: Path, *rest: str, **more: str) -> str:
        if path.name == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(Path, "read_text", refuse)
    for refused in ("manifest.json", "cells.jsonl", "repeats.csv"):
        answer = report(run)
        assert answer.exit_code == 1
        check(answer, refused)
        assert "Permission denied" in answer.output
