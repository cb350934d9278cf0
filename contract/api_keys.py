"""API keys: who may ask what. A service knows only the SHA-256 of a key.

    python -m contract.api_keys new NAME --scope predict

prints a new key, once, and the line of the list that lets it in. A key is 32 random bytes, so nobody can guess it from
its hash by trying, and a fast hash without salt is enough; slow hashes protect passwords that people choose.
"""

import argparse
import hashlib
import hmac
import re
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.errors import Forbidden, Unauthorized
from contract.schema import HEALTHCHECK_PATH, INDEX_PATH, predict_path
from contract.secrets import KEY_PREFIX
from contract.settings import PREFIX, Architecture, Settings, SettingsError

API_KEY_HEADER: Final = "X-API-Key"
AUTHORIZATION_HEADER: Final = "Authorization"
PREDICT, READ = "predict", "read"
SCOPES: Final = (PREDICT, READ)
_OPEN: Final = frozenset({INDEX_PATH, HEALTHCHECK_PATH})
_KEY_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_FORM: Final = "name:scope[,scope]:sha256"


@dataclass(frozen=True)
class ApiKey:
    """A line of the list."""

    name: str
    scopes: frozenset[str]
    digest: bytes

    def line(self) -> str:
        """Return the line."""
        return f"{self.name}:{','.join(sorted(self.scopes))}:{self.digest.hex()}"


class ApiKeys:
    """The keys that a service knows."""

    def __init__(self, keys: Iterable[ApiKey], architecture: Architecture) -> None:
        self._keys = tuple(keys)
        self._predict = predict_path(architecture)

    def check(self, path: str, api_key: str | None, authorization: str | None) -> None:
        """Raise Unauthorized or Forbidden unless a request with these two headers may ask for a path."""
        if path in _OPEN:
            return
        given = api_key if api_key is not None else _bearer(authorization)
        if not given or not given.strip(" \t"):
            raise Unauthorized(f"This path needs an API key, in {API_KEY_HEADER} or as Authorization: Bearer.")
        key = self._find(given.strip(" \t"))
        if key is None:
            raise Unauthorized("The API key is unknown.")
        # Part of the path, since a framework may ignore more slashes before it, or a line break after it.
        scope = PREDICT if self._predict in path else READ
        if scope not in key.scopes:
            raise Forbidden(scope)

    def _find(self, given: str) -> ApiKey | None:
        """Return a key. All are compared, each in constant time, so how long it takes tells nothing about them."""
        digest = _digest(given)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def asks_for_keys(settings: Settings) -> bool:
    """Whether a service asks for keys. Only scoring handlers do: models are asked by them, and they send none."""
    return bool(settings.api_keys) and settings.role == "scoring"


def load_keys(settings: Settings) -> ApiKeys | None:
    """Return the keys of a service, or None if it asks for none. Raises SettingsError, which never shows a key."""
    if not asks_for_keys(settings):
        return None
    source = settings.api_keys.strip()
    lines = source.replace(";", "\n").splitlines() if ":" in source or not source else _read(source)
    keys = [_parse(number, line) for number, line in enumerate(map(str.strip, lines), 1) if _is_entry(line)]
    if not keys:
        raise _error("holds no key")
    for what, seen in (("name", {key.name for key in keys}), ("key", {key.digest for key in keys})):
        if len(seen) < len(keys):
            raise _error(f"holds a {what} twice")
    return ApiKeys(keys, settings.architecture)


def refuse_keys(settings: Settings) -> None:
    """Raise SettingsError if keys are set for a service that does not ask for them, and so would be open."""
    if settings.api_keys:
        raise _error("is set, but this service does not ask for API keys")


def new_key(name: str, scopes: Iterable[str]) -> tuple[str, ApiKey]:
    """Return a new key and what to store of it. Raises ValueError."""
    key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    made = ApiKey(name, frozenset(scopes), _digest(key))
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: expected letters, digits, dots, hyphens and underscores")
    return key, made


def _is_entry(line: str) -> bool:
    return bool(line) and not line.startswith("#")


def _read(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        # Without the path: what was meant as a list, and is none, may hold a key.
        reason = getattr(error, "strerror", None) or "it is no text"
        raise _error(f"is neither a list ({_FORM}) nor a file that can be read: {reason}") from error


def _parse(number: int, line: str) -> ApiKey:
    name, _, rest = line.partition(":")
    scopes, _, digest = rest.partition(":")
    listed = [scope.strip() for scope in scopes.split(",")]
    if not _NAME.fullmatch(name):
        raise _error(f"entry {number}: the name is none, expected {_FORM}")
    if not set(listed) <= set(SCOPES):
        raise _error(f"entry {number}: unknown scope, expected {' or '.join(SCOPES)}")
    if not _DIGEST.fullmatch(digest):
        raise _error(f"entry {number}: the hash is not 64 hexadecimal digits in lower case, expected {_FORM}")
    return ApiKey(name, frozenset(listed), bytes.fromhex(digest))


def _error(problem: str) -> SettingsError:
    return SettingsError(f"{PREFIX}API_KEYS {problem}")


def _bearer(authorization: str | None) -> str | None:
    """Return the token of an Authorization header; None for another scheme, which may be that of a proxy."""
    scheme, _, token = (authorization or "").strip(" \t").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def main(argv: list[str]) -> int:
    """Make a key; return the exit status."""
    parser = argparse.ArgumentParser("python -m contract.api_keys", description="Make an API key.")
    new = parser.add_subparsers(required=True, metavar="new").add_parser("new", help="make a key")
    new.add_argument("name", help="who uses it")
    new.add_argument("--scope", action="append", choices=SCOPES, required=True, help="may be given twice")
    arguments = parser.parse_args(argv)
    try:
        key, stored = new_key(arguments.name, arguments.scope)
    except ValueError as error:
        parser.error(str(error))
    print(f"key, shown only now: {key}\nline for {PREFIX}API_KEYS: {stored.line()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
