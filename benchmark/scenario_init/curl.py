"""A curl command -> what it asks. Secrets of its headers become names of variables."""

import shlex
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from benchmark.errors import ScenarioError
from benchmark.scenario_init.asked import Asked, is_secret_header, variable_for
from contract.secrets import is_secret_name

_DATA: Final = {"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"}
_WITH_VALUE: Final = {"-X": "--request", "-H": "--header", "-u": "--user", "-b": "--cookie", "-A": "--user-agent",
                      "-e": "--referer", **{name: name for name in _DATA}}  # fmt: skip
_NAMED: Final = {*_WITH_VALUE.values(), "--url"}
_WITHOUT_EFFECT: Final = {"-s", "--silent", "-S", "--show-error", "-i", "--include", "-v", "--verbose", "-f", "--fail",
                          "--compressed", "-N", "--no-buffer", "-sS", "-sSf", "-k", "--insecure", "--http1.1", "-#",
                          "--location", "-L"}  # fmt: skip
_WITHOUT_EFFECT_BUT_A_VALUE: Final = {"-o", "--output", "-m", "--max-time", "--connect-timeout", "-w", "--write-out",
                                      "--retry"}  # fmt: skip


def is_curl(text: str) -> bool:
    return text.lstrip().startswith("curl ")


def read_curl(text: str) -> Asked:
    """Return what a curl command asks. Raises ScenarioError."""
    try:
        words = shlex.split(text.replace("\\\n", " "))[1:]
    except ValueError as error:
        raise ScenarioError(f"the curl command cannot be read: {error}") from error
    given, urls = _options(words)
    urls += [value for name, value in given if name == "--url"]
    if len(urls) != 1:
        raise ScenarioError(f"the curl command has {len(urls)} URLs, expected one")
    parts = urlsplit(urls[0] if "://" in urls[0] else f"http://{urls[0]}")
    if parts.username or any(is_secret_name(name) for name, _ in parse_qsl(parts.query)):
        raise ScenarioError("the URL of the curl command holds a secret, which would be recorded: put it into a header")
    bodies = [_content(value) for name, value in given if name in _DATA]
    headers = _headers(given, has_body=bool(bodies))
    method = next((value for name, value in given if name == "--request"), "POST" if bodies else "GET")
    path = parts._replace(scheme="", netloc="").geturl() or "/"
    return Asked(
        method=method.upper(),
        path=path if path.startswith("/") else f"/{path}",
        title=f"{method.upper()} {parts.path or '/'}",
        headers=headers,
        body="&".join(bodies) if bodies else None,
        body_is="that of the curl command",
        url=f"{parts.scheme}://{parts.netloc}",
    )


def _options(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the options with their values, and what is none. Raises ScenarioError for one that has another effect."""
    given, urls, rest = [], [], iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            urls.append(word)
        elif word in _WITHOUT_EFFECT:
            continue
        elif word in _WITHOUT_EFFECT_BUT_A_VALUE:
            next(rest, "")
        elif word in _WITH_VALUE or word in _NAMED:
            given.append((_WITH_VALUE.get(word, word), next(rest, "")))
        elif word[:2] in _WITH_VALUE and not word.startswith("--"):
            given.append((_WITH_VALUE[word[:2]], word[2:]))
        elif equals and name in _NAMED:
            given.append((name, value))
        else:
            raise ScenarioError(
                f"the curl option {word[:24]} is not understood: leave it out, or write the file by hand"
            )
    return given, urls


def _headers(given: list[tuple[str, str]], has_body: bool) -> dict[str, str]:
    headers: dict[str, str] = {}
    for option, value in given:
        if option == "--header":
            name, _, content = (part.strip() for part in value.partition(":"))
            headers[name] = _without_secret(name, content)
        elif option in {"--user", "--cookie"}:
            name = "Authorization" if option == "--user" else "Cookie"
            headers[name] = ("Basic " if option == "--user" else "") + f"env:{variable_for(name)}"
        elif option in {"--user-agent", "--referer"}:
            headers["User-Agent" if option == "--user-agent" else "Referer"] = value
    if any(option == "--json" for option, _ in given):
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    if has_body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return headers


def _without_secret(name: str, value: str) -> str:
    """Return the value of a header, or the name of a variable for it, if it may be a secret."""
    if value.startswith("env:") or not is_secret_header(name, value):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} env:{variable_for(name)}" if space and scheme.isalpha() else f"env:{variable_for(name)}"


def _content(value: str) -> str:
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"the curl command sends the file {value[1:]!r}, which cannot be read") from error
