"""Which services are watched: the URLs of the command line, with the path that is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmark.load.base_url import base_url
from contract.schema import HEALTHCHECK_PATH
from contract.secrets import masked


@dataclass(frozen=True)
class Target:
    """One service: the URL that is asked, and what it is called."""

    name: str
    url: str


def targets_of(urls: Sequence[str]) -> list[Target]:
    """Return the services of these URLs, each once: a base URL gets the path of the health check, a path stays.

    Raises LoadError for what is no URL of a service.
    """
    asked = dict.fromkeys(map(_asked, urls))
    hosts = [urlsplit(url).netloc for url in asked]
    return [Target(_name(url, alone=hosts.count(host) == 1), url) for url, host in zip(asked, hosts, strict=True)]


def _asked(text: str) -> str:
    url = base_url(text, "URL")
    if not urlsplit(url).path:
        return url + HEALTHCHECK_PATH
    return url + "/" * text.strip().endswith("/")


def _name(url: str, alone: bool) -> str:
    """Return host and port, and the path where it takes that to tell services apart; never a password."""
    short = str(masked(url)).partition("://")[2]
    return short.partition("/")[0] if alone else short
