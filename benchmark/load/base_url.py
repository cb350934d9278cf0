"""The base URL of a service as people write it: with a slash at the end, without a scheme, with the endpoint."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from benchmark.errors import LoadError
from contract.secrets import masked

_EXPECTED: Final = "expected the base URL of a service, such as http://127.0.0.1:8001"


def base_url(text: str, name: str, endpoint: str = "") -> str:
    """Return a URL as `http://host:port/prefix`, without slash or endpoint at its end.

    `name` is the option or variable that it comes from. Raises LoadError for what is no such URL.
    """
    given = text.strip()
    parts = _split(given if "://" in given else f"http://{given}")
    if parts is None:
        raise LoadError(f"{name} is {masked(text)!r}, {_EXPECTED}")
    for what, value in (("a query", parts.query), ("a fragment", parts.fragment)):
        if value:
            raise LoadError(f"{name} is {masked(text)!r}, which has {what} that would not be sent: {_EXPECTED}")
    path = parts.path.rstrip("/")
    path = path.removesuffix(endpoint).rstrip("/")
    return parts._replace(path=path).geturl()


def _split(url: str) -> SplitResult | None:
    """Return the parts of an HTTP URL with a host; None if it is none."""
    if any(character.isspace() or ord(character) < 32 for character in url):
        return None
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port, or half an IPv6 address
        return None
    return parts if is_usable else None
