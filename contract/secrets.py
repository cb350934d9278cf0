"""Secrets in settings: what a URL holds besides an address is for the server that it names, and for nobody's eyes."""

import re
from typing import Any

MASK = "***"

# All that stands between a scheme and the last @ before the next URL (RFC 3986, section 3.2.1). A password may hold
# what a URL should not; to mask too much of an address is better than to show half a password.
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:(?!://)[^\s'\"])*@")
# The values of a query: `?password=...` and `?token=...` are as secret as what stands before the host.
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?#'\"]*\?)([^\s#'\",]*)")
_VALUE = re.compile(r"=[^&]*")


def masked(value: Any) -> Any:
    """Return a text, or lists and tables of such, with user names, passwords and query values of URLs masked.

    Whatever is written down goes through here, so that no name of a setting has to be known for it.
    """
    if isinstance(value, str):
        return _masked(value) if "://" in value else value
    if isinstance(value, dict):
        return {key: masked(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return value


def _masked(text: str) -> str:
    text = _USER.sub(rf"\g<1>{MASK}@", text)
    return _QUERY.sub(lambda found: found[1] + _VALUE.sub(f"={MASK}", found[2]), text)
