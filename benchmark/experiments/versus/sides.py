"""Who is compared: two services by their URLs, or rows of a contender.toml; and how much load is polite there."""

import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from benchmark.contenders.discovery import ROOT, Contender, read_contenders
from benchmark.errors import LoadError, ServiceRefused, SidesRefused
from benchmark.load.base_url import base_url
from benchmark.scenarios.spec import Scenario
from contract.secrets import masked

Where = Literal["started here", "this machine", "private network", "elsewhere"]
POLITE_RPS: Final = 10.0  # at most, against a service on another machine, unless more is asked for
POLITE_REQUESTS: Final = 1_000  # in all, to one host
_MANY_REQUESTS: Final = ("poll", "callback")  # for each answer, so that nobody knows how many there will be
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,15}")
_EXPECTED: Final = "expected two services, such as A=http://127.0.0.1:9000 B=http://127.0.0.1:9001"


@dataclass(frozen=True)
class Side:
    """One of the two: a contender, and where it runs."""

    contender: Contender
    where: Where

    @property
    def label(self) -> str:
        return self.contender.label

    @property
    def is_polite(self) -> bool:
        """Whether it gets few requests only, unless more is asked for: it runs on another machine."""
        return self.where in {"private network", "elsewhere"}

    @property
    def host(self) -> str:
        return urlsplit(self.contender.url).hostname or ""


def parse_sides(
    written: Sequence[str], scenario: Scenario, scenario_file: Path, contenders_file: Path | None
) -> tuple[Side, Side]:
    """Return who is compared. Raises SidesRefused, ContenderError, or ServiceRefused for a host that nobody knows."""
    pairs = [text.partition("=") for text in written]
    labels = [label for label, _, _ in pairs]
    if len(pairs) != 2 or not all(equals and value for _, equals, value in pairs):
        raise SidesRefused(f"given {masked(' '.join(written)) or 'nothing'}: {_EXPECTED}")
    if len(set(labels)) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise SidesRefused(f"the names are {' and '.join(labels)}, expected two different ones of letters and digits")
    if scenario.check.same_as and scenario.check.same_as not in labels:
        raise SidesRefused(f"check.same_as is {scenario.check.same_as!r}, expected {' or '.join(labels)}")
    rows = read_contenders(contenders_file) if contenders_file else {}
    sides = [
        _url_side(label, value, scenario) if "://" in value else _row_side(label, value, rows, contenders_file)
        for label, _, value in pairs
    ]
    asked = {"scenario": scenario.name, "scenario_file": scenario_file}
    one, other = (Side(side.contender.model_copy(update=asked), side.where) for side in sides)
    return one, other


def refuse_without_leave(sides: Sequence[Side], scenario: Scenario, may_load: Sequence[str], climb: bool) -> None:
    """Raise SidesRefused for a host that may not be loaded, or not so much, without a word of its owner."""
    for side in sides:
        if side.host in may_load:
            continue
        if side.where == "elsewhere":
            raise SidesRefused(
                f"{side.label}: {side.host} is neither this machine nor in a private network: if its owner lets you "
                f"load it, add --yes-i-may-load {side.host}"
            )
        if scenario.protocol in _MANY_REQUESTS and side.is_polite:
            raise SidesRefused(
                f"{side.label}: the protocol {scenario.protocol} asks {side.host} again and again for each answer: if "
                f"its owner lets you, add --yes-i-may-load {side.host}"
            )
        if climb and side.is_polite:
            raise SidesRefused(
                f"{side.label}: --climb loads {side.host} as much as it can carry: if its owner lets you, add "
                f"--yes-i-may-load {side.host}"
            )


def request_limit(sides: Sequence[Side], asked: int | None) -> int | None:
    """Return how many requests each side gets at most; None without a limit. A host is shared by its services."""
    total = asked or (POLITE_REQUESTS if any(side.is_polite for side in sides) else None)
    shared = len({side.host for side in sides}) < len(sides)
    return total and (total // 2 if shared else total)


def where_is(host: str, port: int, label: str) -> Where:
    """Return where a host is, from all of its addresses. Raises ServiceRefused."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise ServiceRefused(f"{label}: there is no host {host!r} ({error}): look at the URL") from error
    addresses = [ipaddress.ip_address(address.partition("%")[0]) for address in found]
    if all(address.is_loopback for address in addresses):
        return "this machine"
    return "private network" if all(address.is_private for address in addresses) else "elsewhere"


def _url_side(label: str, value: str, scenario: Scenario) -> Side:
    if scenario.path is None:
        raise SidesRefused(f"scenario {scenario.name} has no path, and {label} is a URL: add path = '/...' to it")
    try:
        url = base_url(value, label, scenario.path)
    except LoadError as error:
        raise SidesRefused(str(error)) from error
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise SidesRefused(
            f"{label}: the URL {masked(url)} holds a password, which would be recorded: "
            'put it into a variable, and `Authorization = "env:NAME"` into the scenario\'s headers'
        )
    contender = Contender(
        name=label.lower(), label=label, title=url, floor="none", endpoint=scenario.path, url=url, folder=ROOT
    )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Side(contender, where_is(parts.hostname or "", port, label))


def _row_side(label: str, name: str, rows: Mapping[str, Contender], file: Path | None) -> Side:
    if file is None:
        raise SidesRefused(f"{label} is {name!r}, expected a URL, or --contenders-file with a row of this name")
    if name not in rows:
        raise SidesRefused(f"{label}: {file} has no contender {name!r}; choose from {', '.join(rows)}")
    row = rows[name]
    if row.url:
        raise SidesRefused(f"{label}: the row {name} is a URL: write {label}={row.url}")
    return Side(row.model_copy(update={"label": label}), "started here")
