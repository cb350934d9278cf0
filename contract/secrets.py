"""Masks secrets in URLs (user, password, query values) before they are logged or recorded."""

import re
from typing import Any

MASK = "***"

# Everything from the scheme to the last @ before the next URL (RFC 3986, section 3.2.1). A password may contain
# characters that are invalid in a URL; masking too much is better than showing part of a password.
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:(?!://)[^\s'\"])*@")
# The values of a query, such as `?password=...` or `?token=...`.
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?#'\"]*\?)([^\s#'\",]*)")
_VALUE = re.compile(r"=[^&]*")


def masked(value: Any) -> Any:
    """Return a value with user names, passwords and query values of all URLs in it masked.

    Everything that is logged or recorded passes through here, so no list of secret settings is needed.
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
