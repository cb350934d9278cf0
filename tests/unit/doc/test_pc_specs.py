"""`make pc-specs` works with and without lshw, and tells nobody which machine it is."""

import platform
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT

Script = dict[str, Any]
Install = Callable[[str], None]


@pytest.fixture
def script() -> Script:
    return runpy.run_path(str(ROOT / "doc" / "pc_specs.py"))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make an empty PATH, and an lshw on it of the given shell script."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(lines: str) -> None:
        program = tmp_path / "lshw"
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(0o755)

    return write


def test_with_lshw_the_page_is_what_it_says_without_what_identifies_the_machine(
    script: Script, install: Install
) -> None:
    install('echo "<html>$*</html>"; echo "WARNING: you should run this program as super-user." >&2')
    text, source = script["page"]()
    assert source == "lshw"
    assert text == "<html>-html -sanitize</html>\n"


def test_without_lshw_the_page_is_what_every_run_records(script: Script, install: Install) -> None:
    text, source = script["page"]()
    assert "provenance" in source
    assert platform.python_version() in text
    assert platform.release() in text
    assert "pydantic-settings" in text


@pytest.mark.parametrize("lines", ["echo broken >&2; exit 3", "echo broken >&2", "printf '\\377</html>'"])
def test_an_lshw_that_fails_is_named_and_replaced(lines: str, script: Script, install: Install) -> None:
    install(lines)
    text, source = script["page"]()
    assert platform.python_version() in text
    assert "because lshw" in source
    assert ("broken" in source) == ("broken" in lines)


def test_everything_on_the_page_is_escaped(script: Script, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "<script>alert('&')</script>"
    recorded = {
        "machine": {"cpu_model": hostile},
        "python": hostile,
        "python_build": hostile,
        "packages": {hostile: hostile},
    }
    monkeypatch.setitem(script["recorded_page"].__globals__, "environment", lambda: recorded)
    text = script["recorded_page"]()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5


def test_the_name_of_the_machine_is_not_on_the_page(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "name-of-the-machine")
    monkeypatch.setattr("socket.gethostname", lambda: "name-of-the-machine")
    assert "name-of-the-machine" not in script["recorded_page"]()


def test_git_does_not_take_the_page(script: Script) -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert str(script["PAGE"].relative_to(ROOT)) in ignored


def test_the_page_is_written(
    script: Script,
    install: Install,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "page.html"
    monkeypatch.setitem(script["main"].__globals__, "PAGE", target)
    install('echo "<html>été</html>"')
    assert script["main"]() == 0
    assert target.read_text(encoding="utf-8") == "<html>été</html>\n"
    assert f"{target}: from lshw" in capsys.readouterr().out
