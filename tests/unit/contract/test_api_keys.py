"""API keys: who is let in where, what a list may look like, and that no key is shown but once."""

import hashlib
import hmac
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contract import api_keys
from contract.api_keys import ApiKey, ApiKeys, load_keys, new_key, refuse_keys
from contract.errors import Forbidden, ServiceError, Unauthorized
from contract.schema import ASSETS_PATH, DOCS_PATH, OPENAPI_PATH, READY_PATH, predict_path
from contract.settings import Settings, SettingsError, load_settings, loggable


def _known_key(name: str, scopes: list[str], letter: str) -> tuple[str, ApiKey]:
    """Return a key that is the same in every process that runs these tests, and what is stored of it."""
    key = f"soa_{letter * 43}"
    return key, ApiKey(name, frozenset(scopes), hashlib.sha256(key.encode()).digest())


KEY, ASKS = _known_key("alice", ["predict"], "a")
READ_KEY, READS = _known_key("bob", ["read"], "b")
BOTH_KEY, BOTH = _known_key("carol", ["predict", "read"], "c")
KEYS = ApiKeys([ASKS, READS, BOTH], "sync")
PREDICT = predict_path("sync")
READ_PATHS = [READY_PATH, DOCS_PATH, OPENAPI_PATH, f"{ASSETS_PATH}/swagger-ui.css", "/nowhere", "//", "", "/docs/"]


def outcome(path: str, api_key: str | None = None, authorization: str | None = None) -> type[ServiceError] | None:
    try:
        KEYS.check(path, api_key, authorization)
    except ServiceError as error:
        return type(error)
    return None


@pytest.mark.parametrize("path", ["/", "/api/v1/healthcheck"])
def test_health_and_index_are_open(path: str) -> None:
    assert outcome(path) is outcome(path, "wrong") is outcome(path, KEY) is None


@pytest.mark.parametrize("path", [PREDICT, *READ_PATHS])
def test_everything_else_needs_a_known_key(path: str) -> None:
    assert outcome(path) is outcome(path, "wrong") is outcome(path, None, "Bearer wrong") is Unauthorized


@pytest.mark.parametrize("path", [PREDICT, f"/{PREDICT}", f"//{PREDICT}", f"{PREDICT}\n", f"{PREDICT}/"])
def test_predict_needs_the_scope_predict(path: str) -> None:
    assert (outcome(path, KEY), outcome(path, READ_KEY), outcome(path, BOTH_KEY)) == (None, Forbidden, None)


@pytest.mark.parametrize("path", READ_PATHS)
def test_what_is_read_needs_the_scope_read(path: str) -> None:
    assert (outcome(path, KEY), outcome(path, READ_KEY), outcome(path, BOTH_KEY)) == (Forbidden, None, None)


@pytest.mark.parametrize(
    ("api_key", "authorization", "expected"),
    [
        (KEY, None, None),
        (f" {KEY}\t", None, None),
        (None, f"Bearer {KEY}", None),
        (None, f"bearer   {KEY} ", None),
        (KEY, "Basic dXNlcjpwYXNz", None),  # what a proxy asks for is not ours
        (KEY, "Bearer wrong", None),
        ("wrong", f"Bearer {KEY}", Unauthorized),
        ("", f"Bearer {KEY}", Unauthorized),
        (f"{KEY},{KEY}", None, Unauthorized),
        (None, f"Basic {KEY}", Unauthorized),
        (None, KEY, Unauthorized),
        (None, "Bearer", Unauthorized),
        (None, "Bearer ", Unauthorized),
        (None, "", Unauthorized),
        (KEY[:-1], None, Unauthorized),
        (f"{KEY}x", None, Unauthorized),
        (KEY.upper(), None, Unauthorized),
        (ASKS.digest.hex(), None, Unauthorized),
        ("\xff\xfe", None, Unauthorized),
        ("\udcff", None, Unauthorized),
    ],
)
def test_a_key_comes_in_one_of_two_headers(
    api_key: str | None, authorization: str | None, expected: type[ServiceError] | None
) -> None:
    assert outcome(PREDICT, api_key, authorization) is expected


def test_every_key_is_compared_in_constant_time_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(ours: bytes, given: bytes) -> bool:
        compared.append(ours)
        return hmac.compare_digest(ours, given)

    class Hmac:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(api_keys, "hmac", Hmac)
    for given in (KEY, READ_KEY, BOTH_KEY, "wrong"):
        compared.clear()
        outcome(PREDICT, given)
        assert compared == [ASKS.digest, READS.digest, BOTH.digest]


def test_a_key_is_new_each_time_and_only_its_hash_is_kept() -> None:
    made = [new_key("alice", ["read", "predict"]) for _ in range(20)]
    assert len({key for key, _ in made}) == 20
    for key, stored in made:
        assert re.fullmatch(r"soa_[A-Za-z0-9_-]{43}", key)
        assert stored.line() == f"alice:predict,read:{hashlib.sha256(key.encode()).hexdigest()}"


def keys_of(source: str, **settings: Any) -> ApiKeys | None:
    return load_keys(load_settings("sync", "scoring", api_keys=source, **settings))


@pytest.mark.parametrize(
    "source",
    [
        ASKS.line(),
        f" {ASKS.line()} ; {READS.line()};",
        f"{READS.line()}\n{ASKS.line()}\n",
        f"# the team\n\n{ASKS.line()}\n",
    ],
)
def test_a_list_may_be_inline_or_in_a_file(tmp_path: Path, source: str) -> None:
    path = tmp_path / "keys"
    path.write_text(source.replace(";", "\n"))
    for given in (source, str(path)):
        keys = keys_of(given)
        assert keys is not None
        keys.check(PREDICT, KEY, None)


def test_without_a_list_nobody_is_asked_and_a_model_asks_nobody() -> None:
    assert keys_of("") is None
    assert load_keys(load_settings("async", "model", api_keys=ASKS.line())) is None


HASH = "a" * 64
BAD = [
    (" ", "holds no key"),
    (";", "nor a file that can be read"),
    ("/nowhere/keys", "neither a list .* nor a file that can be read: No such file"),
    ("/", "Is a directory"),
    (KEY, "nor a file that can be read"),
    (f"a:predict:{KEY}", "entry 1: the hash is not 64"),
    (f"{ASKS.line()};b:predict:{HASH[1:]}", "entry 2: the hash"),
    (f"a:predict:{HASH.upper()}", "in lower case"),
    (f"a:write:{HASH}", "entry 1: unknown scope, expected predict or read"),
    (f"a::{HASH}", "unknown scope"),
    (f"a:predict,,read:{HASH}", "unknown scope"),
    (f":predict:{HASH}", "the name is none"),
    (f"a b:predict:{HASH}", "the name is none"),
    (f"a:predict:{HASH};a:read:{'b' * 64}", "holds a name twice"),
    (f"a:predict:{HASH};b:read:{HASH}", "holds a key twice"),
]


@pytest.mark.parametrize(("source", "expected"), BAD)
def test_a_list_that_is_none_is_refused_with_a_sentence_that_shows_no_key(source: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=f"^SERVING_API_KEYS .*{expected}") as refused:
        keys_of(source)
    assert KEY not in str(refused.value)


def test_a_file_without_a_key_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# later\n")
    with pytest.raises(SettingsError, match="holds no key"):
        keys_of(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="it is no text"):
        keys_of(str(path))


def test_a_service_that_asks_for_no_keys_refuses_to_start_with_a_list() -> None:
    refuse_keys(load_settings("async", "scoring"))
    with pytest.raises(SettingsError, match="SERVING_API_KEYS is set, but this service does not ask"):
        refuse_keys(load_settings("async", "scoring", api_keys=ASKS.line()))


def test_what_is_logged_of_the_settings_shows_no_hash() -> None:
    assert loggable(Settings(api_keys=ASKS.line()))["api_keys"] == "***"


def test_a_refused_setting_that_is_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings("sync", "scoring", api_keys=b"\xff" + KEY.encode())
    assert KEY not in str(refused.value)


def test_a_key_is_not_shown_where_it_is_compared_or_kept() -> None:
    assert KEY not in repr(vars(KEYS))
    assert KEY not in repr(ApiKey("a", frozenset(), ASKS.digest))


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "contract.api_keys", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_a_command_makes_a_key_and_the_line_that_lets_it_in() -> None:
    said = command("new", "dave", "--scope", "predict", "--scope", "read")
    assert (said.returncode, said.stderr) == (0, "")
    key, line = (each.partition(": ")[2] for each in said.stdout.splitlines())
    keys = keys_of(line)
    assert keys is not None
    keys.check(PREDICT, key, None)
    keys.check(DOCS_PATH, None, f"Bearer {key}")


@pytest.mark.parametrize(
    "arguments", [[], ["new"], ["new", "a"], ["new", "a", "--scope", "write"], ["new", "a b", "--scope", "read"]]
)
def test_a_command_line_that_is_wrong_is_a_usage_and_makes_no_key(arguments: list[str]) -> None:
    said = command(*arguments)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("usage: python -m contract.api_keys")


@pytest.mark.parametrize("server", ["sync_api.server", "async_api.server"])
def test_a_service_whose_keys_cannot_be_read_ends_with_status_2_and_a_sentence(server: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", server, "scoring"],
        env={**os.environ, "SERVING_API_KEYS": KEY},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (said,) = ended.stderr.splitlines()
    assert said.startswith(f"{server}: SERVING_API_KEYS is neither a list")
    assert KEY not in said
