"""`monitor` refuses what cannot be meant, with a sentence and exit status 2, and draws a watch again."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.monitor.record import ProbeWriter
from tests.unit.benchmark.monitor.watched import WATCH, probes

WELL, NOT_WELL, USAGE = 0, 1, 2
URL = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Give back the signals that a command takes over."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def monitor(*arguments: str) -> tuple[Result, str]:
    answer = CliRunner().invoke(app, ["monitor", *arguments], env={"COLUMNS": "200"})
    return answer, " ".join(re.sub("[│╭╮╰╯─]", " ", answer.output).split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected the URL of a service"),
        (["ftp://a.example"], "expected the base URL of a service"),
        ([URL, "--every", "0"], "--every"),
        ([URL, "--every", "nan"], "--every"),
        ([URL, "--for", "inf"], "finite"),
        ([URL, "--for", "0"], "--for"),
        ([URL, "--stall", "2"], "nothing would be seen to stall"),
        ([URL, "--timeout", "600"], "at most 100 may"),
        ([URL, "--webhook", "hooks.example/S3CRET"], "--webhook is no URL"),
        ([URL, "--webhook", "file:///etc/S3CRET"], "--webhook is no URL"),
        ([URL, "--webhook", "http://[/S3CRET"], "--webhook is no URL"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], says: str) -> None:
    answer, said = monitor(*arguments)
    assert answer.exit_code == USAGE, said
    assert says in said
    assert "S3CRET" not in said


def recorded(folder: Path, answers: str) -> None:
    writer = ProbeWriter(folder, WATCH)
    for name in WATCH.services:
        for each in probes(answers, name):
            writer.append(each)
    writer.close()


@pytest.mark.parametrize(("answers", "status"), [("." * 30, WELL), ("." * 10 + "x" * 5 + "." * 15, NOT_WELL)])
def test_a_watch_is_drawn_again_with_the_same_verdict(tmp_path: Path, answers: str, status: int) -> None:
    recorded(tmp_path, answers)
    answer, said = monitor("--out", str(tmp_path))
    assert answer.exit_code == status, said
    assert (tmp_path / "report.html").exists()


def test_a_load_that_cannot_be_drawn_is_said_and_changes_nothing_else(tmp_path: Path) -> None:
    recorded(tmp_path, "." * 30)
    answer, said = monitor("--out", str(tmp_path), "--beside", str(tmp_path / "nothing"))
    assert answer.exit_code == WELL, said
    assert "The load is not shown" in said
    assert "--beside RUN" in said


def test_a_watch_without_any_question_is_no_watch(tmp_path: Path) -> None:
    recorded(tmp_path, "")
    answer, said = monitor("--out", str(tmp_path))
    assert answer.exit_code == NOT_WELL
    assert "nothing was asked" in said
