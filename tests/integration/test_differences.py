"""The services of a known difference are what `python -m tests.differences.check` takes them for."""

import asyncio
import json
import subprocess
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.differences.fastapi_service import Hungry
from tests.differences.running import COMMANDS, KEY, benchmark, can_run, files_with_key, newest, running

pytestmark = pytest.mark.integration


def scored(url: str, key: str) -> tuple[int, object]:
    """Return the status and the body of an answer to a row."""
    headers = {"Content-Type": "application/json", "X-API-Key": key}
    request = urllib.request.Request(f"{url}/score", b'{"row": [5.1, 3.5, 1.4, 0.2]}', headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_service_scores_for_who_has_the_key_and_its_own_document_makes_a_scenario(kind: str, tmp_path: Path) -> None:
    if not can_run(kind):
        pytest.skip(f"{COMMANDS[kind][0]} is not installed")
    with running(kind) as url:
        assert scored(url, KEY) == (200, {"score": pytest.approx(0.102)})
        assert scored(url, "another") == (401, None)
        words = ["scenario", "init", url, "--header", "X-API-Key=env:SCORE_API_KEY"]
        done: subprocess.CompletedProcess[str] = benchmark(words, tmp_path, "mine.toml")
    assert done.returncode == 0, done.stderr
    (scenario,) = tomllib.loads((tmp_path / "mine.toml").read_text())["scenario"].values()
    assert scenario["path"] == "/score"
    assert scenario["headers"]["X-API-Key"] == "env:SCORE_API_KEY"
    assert not files_with_key(tmp_path)


def test_the_hungry_service_uses_a_share_more_of_what_it_has_used(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0

    def passing() -> float:
        nonlocal now_s
        now_s += 1e-6  # looking takes time, too
        return now_s

    async def app(*_: object) -> None:
        nonlocal now_s
        now_s += 0.001

    async def ask() -> None:
        hungry = Hungry(app, 0.05)
        for _ in range(1_000):
            await hungry({"type": "http"}, None, None)  # type: ignore[arg-type]

    monkeypatch.setattr("tests.differences.fastapi_service.time.process_time", passing)
    asyncio.run(ask())
    assert now_s - 100.0 == pytest.approx(1.05, abs=0.01)


@pytest.mark.parametrize("status", [1, 2])
def test_a_command_that_measured_nothing_is_not_taken_for_the_one_before(status: int, tmp_path: Path) -> None:
    (tmp_path / "earlier").mkdir()
    (tmp_path / "latest").symlink_to("earlier")
    assert newest(tmp_path, 0).path.name == "earlier"
    with pytest.raises(RuntimeError, match=f"exit status {status}"):
        newest(tmp_path, status)
