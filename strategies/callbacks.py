"""Callbacks: which URLs may be called, how a result is delivered to one, and how its receiver knows who sent it.

Whoever sends a job names the URL. Unchecked, it would make the service ask what only the service can reach: its own
machine, its network, the metadata of its cloud. So what the host resolves to is checked, and checked again at the
delivery, which connects to the very address that was checked: a name that resolves to another address by then (DNS
rebinding) gains nothing. Redirects are not followed, since they would lead to unchecked hosts.

Signed as Standard Webhooks demands (https://www.standardwebhooks.com), so that its libraries verify it in any language.
"""

import base64
import hashlib
import hmac
import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contract.errors import InvalidRequest, ServiceError

MAX_URL_CHARS: Final = 2048
TOLERANCE_S: Final = 300.0
ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"

_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(r"[!-\[\]-~]*")  # printable ASCII without a space, and without the backslash
_HOST: Final = re.compile(r"[a-z0-9._:-]+")
# Without a full stop, which separates the parts that are signed: else one message could be read as another.
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SERIALISED: Final = "whsec_"

Address = IPv4Address | IPv6Address


class DeliveryError(Exception):
    """A callback was not delivered; the message is a sentence that says why."""


class BadSignature(ServiceError):
    """A callback that the holder of the secret has not signed, or not within the last minutes."""

    status = HTTPStatus.UNAUTHORIZED

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Webhook-Signature"}


class CallbackSettings(BaseSettings):
    """What may be called, and how it is signed. Read from the environment as CALLBACK_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="CALLBACK_", frozen=True)

    allow: Annotated[tuple[str, ...], NoDecode] = ()  # hosts or networks that may be called though they are private
    secret: SecretStr = SecretStr("")  # as it is, or whsec_ and base64; without one, there are no callbacks
    timeout_s: float = Field(5.0, gt=0)  # for one delivery

    @field_validator("allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(each.strip() for each in value.split(",") if each.strip()) if isinstance(value, str) else value

    @field_validator("allow")
    @classmethod
    def _are_hosts_or_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if _network(each) is None and not _HOST.fullmatch(each.lower()):
                raise ValueError(f"{each!r} is neither a host nor a network such as 10.1.0.0/16")
        return value

    @field_validator("secret")
    @classmethod
    def _is_readable(cls, value: SecretStr) -> SecretStr:
        _key(value.get_secret_value())
        return value

    @property
    def key(self) -> bytes:
        """The bytes to sign with."""
        return _key(self.secret.get_secret_value())

    def check(self, url: str) -> None:
        """Raise InvalidRequest if a callback to this URL would not be delivered. May wait for the name server."""
        if not self.key:
            raise InvalidRequest("This service delivers no callbacks, since it has no secret to sign them with.")
        check_callback_url(url, self.allow)


def _key(secret: str) -> bytes:
    if secret.startswith(_SERIALISED):
        return base64.b64decode(secret.removeprefix(_SERIALISED), validate=True)
    return secret.encode()


@dataclass(frozen=True)
class _Target:
    """A URL that was checked, and the addresses that were found then."""

    parts: SplitResult
    host: str
    addresses: tuple[Any, ...]  # as getaddrinfo returns them

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.parts.port is None else f"{host}:{self.parts.port}"

    @property
    def path(self) -> str:
        return (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")


def check_callback_url(url: str, allowed: Collection[str]) -> None:
    """Raise InvalidRequest unless a callback may go to this URL. Waits for the name server if the host is a name.

    `allowed` are hosts and networks that may be called although they are not public.
    """
    _checked(url, allowed)


def _checked(url: str, allowed: Collection[str]) -> _Target:
    if len(url) > MAX_URL_CHARS or not _URL.fullmatch(url):
        raise InvalidRequest(
            f"The callback URL must be at most {MAX_URL_CHARS} characters of ASCII, without spaces and backslashes."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequest(f"The callback URL is not valid: {error}.") from error
    if parts.scheme not in _PORTS:
        raise InvalidRequest("The callback URL must begin with http:// or https://.")
    if "@" in parts.netloc:
        raise InvalidRequest("The callback URL must not hold a user name or a password.")
    host = (parts.hostname or "").removesuffix(".")
    if not host or not _HOST.fullmatch(host) or port == 0:
        raise InvalidRequest("The callback URL must name a host, and no port or one of 1 to 65535.")
    addresses = _resolved(host, port or _PORTS[parts.scheme])
    for *_, (address, *_) in addresses:
        if not _may_be_called(host, ip_address(address), allowed):
            raise InvalidRequest(f"The callback URL leads to {address}, which is not a public address.")
    return _Target(parts, host, addresses)


def _resolved(host: str, port: int) -> tuple[Any, ...]:
    """Return what the host stands for. The resolver also reads forms such as 0x7f.1 and 2130706433."""
    try:
        return tuple(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # a part of a name that is too long is a UnicodeError
        raise InvalidRequest(f"The host of the callback URL, {host[:80]!r}, cannot be found.") from error


def _may_be_called(host: str, address: Address, allowed: Collection[str]) -> bool:
    inner = _inner(address)
    if inner.is_global and not _is_special(inner):
        return True
    networks = [network for network in map(_network, allowed) if network is not None]
    return host in {each.lower().removesuffix(".") for each in allowed} or any(inner in each for each in networks)


def _is_special(address: Address) -> bool:
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_multicast or address.is_reserved or site_local


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def deliver(
    url: str,
    job_id: str,
    body: bytes,
    secret: bytes,
    timeout_s: float,
    allowed: Collection[str],
    now_s: Callable[[], float] = time.time,
) -> None:
    """POST a result to a callback URL. Raises DeliveryError unless the answer is a 2xx within the time.

    The same id is sent whenever the same result is delivered again, so that the receiver can tell.
    """
    until_s = time.monotonic() + timeout_s
    try:
        status = _post(_checked(url, allowed), body, signed(job_id, body, secret, now_s()), until_s)
    except InvalidRequest as error:
        raise DeliveryError(error.detail) from error
    except TimeoutError:
        raise DeliveryError(f"The receiver of the callback did not answer within {timeout_s:g} s.") from None
    except OSError as error:
        raise DeliveryError(f"The receiver of the callback gave no answer: {error.strerror or error}.") from error
    except http.client.HTTPException as error:
        raise DeliveryError("The receiver of the callback gave no answer of HTTP.") from error
    if 300 <= status < 400:
        raise DeliveryError(f"The receiver of the callback answered {status}, and redirects are not followed.")
    if not 200 <= status < 300:
        raise DeliveryError(f"The receiver of the callback answered {status}.")


def signed(message_id: str, body: bytes, secret: bytes, now_s: float) -> dict[str, str]:
    """Return the headers of a message of Standard Webhooks."""
    if not _ID.fullmatch(message_id):
        raise ValueError(f"{message_id!r} cannot be the id of a message: letters, digits, - and _ only")
    timestamp = str(int(now_s))
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: f"v1,{_signature(message_id, timestamp, body, secret)}",
    }


def verify(
    headers: Mapping[str, str], body: bytes, secret: bytes, now_s: float, tolerance_s: float = TOLERANCE_S
) -> None:
    """Check who sent a message, and when. Raises InvalidRequest if it is not signed at all, else BadSignature."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = (given[n] for n in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
    except KeyError as error:
        raise InvalidRequest(f"The callback has no header {error.args[0]}.") from None
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise InvalidRequest(f"The headers {ID_HEADER} and {TIMESTAMP_HEADER} of the callback cannot be read.")
    # Several during a change of the secret; those of another version are for others.
    expected = f"v1,{_signature(message_id, timestamp, body, secret)}".encode()
    if not any(hmac.compare_digest(each.encode(), expected) for each in signatures.split(" ")):
        raise BadSignature("The signature of the callback is not that of its id, timestamp and body.")
    if abs(now_s - int(timestamp)) > tolerance_s:
        raise BadSignature(f"The callback was signed more than {tolerance_s:g} s before or after now.")


def _signature(message_id: str, timestamp: str, body: bytes, secret: bytes) -> str:
    if not secret:
        raise ValueError("without a secret, anybody could sign")
    content = b"%s.%s.%s" % (message_id.encode(), timestamp.encode(), body)
    return base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()


class _Timed(socket.socket):
    """A socket that receives until a moment, however slowly the bytes come."""

    until_s = 0.0

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_left_s(self.until_s))
        return super().recv_into(*args)


class _TimedTls(_Timed, ssl.SSLSocket):
    """The same, encrypted."""


def _post(target: _Target, body: bytes, headers: Mapping[str, str], until_s: float) -> int:
    """Return the status of the answer; what follows it is not read. Raises OSError and HTTPException."""
    with _connected(target, until_s) as connected:
        connection = http.client.HTTPConnection(target.host)
        connection.sock = connected  # so that it does not look up the host again
        fixed = {"Host": target.authority, "Content-Type": "application/json", "Connection": "close"}
        connected.settimeout(_left_s(until_s))
        connection.request("POST", target.path, body, {**fixed, **headers})
        with connection.getresponse() as answer:
            return answer.status


def _connected(target: _Target, until_s: float) -> _Timed:
    """Connect to the first address that takes it, with TLS if the URL says so."""
    refusal: OSError | None = None
    for family, kind, protocol, _, address in target.addresses:
        plain = _Timed(family, kind, protocol)
        plain.until_s = until_s
        try:
            plain.settimeout(_left_s(until_s))
            plain.connect(address)
            return _encrypted(plain, target.host) if target.parts.scheme == "https" else plain
        except OSError as error:
            plain.close()
            refusal = error
    raise refusal or OSError("the host has no address")


def _encrypted(plain: _Timed, host: str) -> _Timed:
    context = ssl.create_default_context()
    context.sslsocket_class = _TimedTls
    plain.settimeout(_left_s(plain.until_s))
    encrypted = context.wrap_socket(plain, server_hostname=host)
    assert isinstance(encrypted, _TimedTls)
    encrypted.until_s = plain.until_s
    return encrypted


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
