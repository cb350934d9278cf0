"""What a scenario asks, wherever that was read from."""

import re
from dataclasses import dataclass, field
from typing import Any

from benchmark.errors import ScenarioError
from contract.secrets import is_secret_name

_SECRET_VALUE = re.compile(r"(Bearer|Basic|Token|ApiKey) .+", re.IGNORECASE)
_FROM_ENVIRONMENT = re.compile(r"([A-Za-z][A-Za-z0-9-]* )?env:[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Asked:
    """A request, and what is known of its answer."""

    method: str
    path: str
    title: str
    name: str = "mine"
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    body_is: str = ""  # where the body comes from, in words
    more_bodies: list[str] = field(default_factory=list)
    status: int = 200
    answer_schema: Any = None
    others: list[str] = field(default_factory=list)  # further operations, such as `POST /other`
    url: str = ""


def parse_headers(given: list[str]) -> dict[str, str]:
    """Return the headers of `--header`, written as Name=value or `Name: value`. Raises ScenarioError."""
    found = {}
    for text in given:
        match = re.fullmatch(r"\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+?)\s*[=:]\s*(.+?)\s*", text)
        if not match:
            name = re.match(r"[A-Za-z0-9-]*", text)
            raise ScenarioError(
                f"--header {name[0] if name else ''}...: expected Name=value, such as X-API-Key=env:MY_TOKEN"
            )
        found[match[1]] = match[2]
        if is_secret_header(*match.groups()) and not _FROM_ENVIRONMENT.fullmatch(match[2]):
            raise ScenarioError(
                f"--header {match[1]}: it may be a secret, which belongs into no file: "
                f"export {variable_for(match[1])}=..., and write --header {match[1]}=env:{variable_for(match[1])}"
            )
    return found


def with_headers(headers: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """Return headers with those that are given in place of their namesakes."""
    named = {name.lower() for name in given}
    return {**{name: value for name, value in headers.items() if name.lower() not in named}, **given}


def is_secret_header(name: str, value: str = "") -> bool:
    """Whether a header may hold a secret."""
    known = re.search(r"authorization|cookie|key|token|secret|password", name, re.IGNORECASE)
    return bool(known) or is_secret_name(name) or bool(_SECRET_VALUE.fullmatch(value))


def variable_for(header: str) -> str:
    """Return the name of a variable for the value of a header."""
    return re.sub(r"[^A-Z0-9]+", "_", header.upper()).strip("_") or "MY_TOKEN"
