"""Masks secrets before they are logged or recorded: in URLs, and where a name says that its value is one."""

import re
from typing import Any

MASK = "***"
KEY_PREFIX = "soa_"  # of the API keys that contract.api_keys makes, so that they are known wherever they appear

# Everything from the scheme to the last @ before the next URL (RFC 3986, section 3.2.1). A password may contain
# characters that are invalid in a URL; masking too much is better than showing part of a password.
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:(?!://)[^\s'\"])*@")
# The values of a query, such as `?password=...` or `?token=...`.
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?#'\"]*\?)([^\s#'\",]*)")
_VALUE = re.compile(r"=[^&]*")
# Names whose value is a secret, as whole words of NAMES_LIKE_THIS, such as `AWS_SECRET_ACCESS_KEY` or `api-key`.
_KINDS = (
    "KEY|KEYS|APIKEY|APIKEYS|TOKEN|TOKENS|PASSWORD|PASSWORDS|PASSWD|PASS|PASSPHRASE|PWD|SECRET|SECRETS|CREDENTIAL|"
    "CREDENTIALS|AUTH|AUTHORIZATION|COOKIE|DSN|SIGNATURE|WEBHOOK"
)
_SECRET_NAME = re.compile(
    rf"(?:^|[^A-Za-z0-9])(?:[A-Za-z0-9]*(?:PASSWORD|SECRET|TOKEN)|{_KINDS})(?:$|[^A-Za-z0-9])", re.I
)
# `NAME=value` in a text such as a command line, where NAME is like the above.
_ASSIGNED = re.compile(
    rf"((?<![A-Za-z0-9])(?:[A-Za-z0-9]+[_-])*(?:[A-Za-z0-9]*(?:PASSWORD|SECRET|TOKEN)|{_KINDS})(?:[_-][A-Za-z0-9]+)*[=])"
    r"([^\s'\"&;]+)",
    re.I,
)
# `Name: value` of a header that carries a secret, as in a dump of a request, and an API key without any name.
_HEADER = re.compile(
    r"""((?<![A-Za-z0-9])(?:X-API-Key|(?:Proxy-)?Authorization|(?:Set-)?Cookie)(?:['"]?\s*:|['"],)\s*b?['"]?)"""
    r"""([^'"\r\n]+)""",
    re.I,
)
_API_KEY = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9_-]{{43}}")


def masked(value: Any) -> Any:
    """Return a value with user names, passwords and query values of all URLs in it masked.

    So are API keys, the values of headers that carry secrets, texts below a name of a secret, and what such a name is
    set to within a text: by the kind of name, so no list of settings is needed. Everything that is logged or recorded
    passes through here.
    """
    if isinstance(value, str):
        text = _masked(value) if "://" in value else value
        text = _ASSIGNED.sub(rf"\g<1>{MASK}", text) if "=" in text else text
        text = _HEADER.sub(rf"\g<1>{MASK}", text) if ":" in text or "'," in text or '",' in text else text
        return _API_KEY.sub(MASK, text) if KEY_PREFIX in text else text
    if isinstance(value, dict):
        return {
            key: MASK if isinstance(each, str) and each and is_secret_name(str(key)) else masked(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return value


def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is a secret, such as `HF_TOKEN` or `db_password`."""
    return bool(_SECRET_NAME.search(name))


def _masked(text: str) -> str:
    text = _USER.sub(rf"\g<1>{MASK}@", text)
    return _QUERY.sub(lambda found: found[1] + _VALUE.sub(f"={MASK}", found[2]), text)
