"""Callbacks: which URLs are refused, and whose signature is believed."""

import re
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.errors import InvalidRequest
from strategies import callbacks
from strategies.callbacks import (
    MAX_URL_CHARS,
    BadSignature,
    CallbackSettings,
    check_callback_url,
    signed,
    verify,
)
from tests.unit.strategies.resolver import resolve_to

SECRET = b"0123456789abcdef0123456789abcdef"
NOW_S = 1_800_000_000.0
LOOPBACK = ("127.0.0.0/8",)


# Which URLs


@pytest.mark.parametrize(
    "url",
    [
        "",
        "callback",
        "//example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://:80/",
        "http://user@example.org/",
        "http://user:word@example.org/",
        "http://@example.org/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:x/",
        "http://[::1/",
        "http://[fe80::1%25lo]/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org/\r\nX: 1",
        "http://example.org/a b",
        "http://exämple.org/",
        "http://%31%32%37.0.0.1/",
        "http://exam_ple$.org/",
        f"http://{'a' * 64}.example.org/",
        "http://example.org/" + "a" * MAX_URL_CHARS,
    ],
)
def test_what_is_no_url_of_a_receiver_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\.$"):
        check_callback_url(url, ())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "[fec0::1]",
        "[fc00::1]",
        "[ff02::1]",
        "[2001:db8::1]",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_that_is_not_public_is_refused_in_every_form(scheme: str, host: str) -> None:
    with pytest.raises(InvalidRequest, match="not a public address"):
        check_callback_url(f"{scheme}://{host}:8080/callbacks?of=me", ())


@pytest.mark.parametrize("host", ["1.1.1.1", "16843009", "[2606:4700::1111]", "[::ffff:1.1.1.1]", "[2002:101:101::]"])
def test_a_public_address_may_be_called(host: str) -> None:
    check_callback_url(f"https://{host}/callbacks", ())


def test_a_name_is_judged_by_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "1.1.1.1", "10.0.0.1")
    with pytest.raises(InvalidRequest, match=r"10\.0\.0\.1"):
        check_callback_url("http://example.org/", ())
    resolve_to(monkeypatch, "1.1.1.1", "2606:4700::1111")
    check_callback_url("http://example.org/", ())


def test_a_name_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(InvalidRequest, match=r"'nobody\.example', cannot be found"):
        check_callback_url("http://nobody.example/", ())


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:1/", "127.0.0.1"),
        ("http://127.9.9.9/", "127.0.0.0/8"),
        ("http://2130706433/", "127.0.0.0/8"),
        ("http://[::ffff:127.0.0.1]/", "127.0.0.0/8"),
        ("http://[::1]/", "::1"),
        ("http://localhost/", "LocalHost"),
        ("http://localhost./", "localhost"),
        ("http://10.2.3.4/", "192.168.0.0/16,10.0.0.0/8"),
    ],
)
def test_what_is_allowed_by_name_or_network_may_be_called(url: str, allowed: str) -> None:
    check_callback_url(url, CallbackSettings(allow=allowed).allow)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1/", "10.0.0.0/8"),
        ("http://[::1]/", "127.0.0.0/8"),
        ("http://10.0.0.1/", "localhost"),
        ("http://127.0.0.1/", "localhost"),
    ],
)
def test_what_is_allowed_allows_nothing_else(url: str, allowed: str) -> None:
    with pytest.raises(InvalidRequest):
        check_callback_url(url, [allowed])


@given(st.ip_addresses())
def test_no_address_of_this_machine_or_network_is_ever_public(address: IPv4Address | IPv6Address) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    try:
        check_callback_url(f"http://{host}/", ())
    except InvalidRequest:
        return
    inner = getattr(address, "ipv4_mapped", None) or address
    assert inner.is_global
    assert not any((inner.is_private, inner.is_loopback, inner.is_multicast, inner.is_link_local))


@given(st.integers(0, 2**32 - 1).map(IPv4Address), st.sampled_from(["{}", "::ffff:{}", "2002:{:x}:{:x}::"]))
def test_an_ipv4_address_is_judged_the_same_inside_an_ipv6_address(address: IPv4Address, form: str) -> None:
    high, low = divmod(int(address), 2**16)
    text = form.format(high, low) if form.startswith("2002") else form.format(address)
    host = f"[{text}]" if ":" in text else text
    assert _is_refused(f"http://{host}/") == _is_refused(f"http://{address}/")


def _is_refused(url: str) -> bool:
    try:
        check_callback_url(url, ())
    except InvalidRequest:
        return True
    return False


@given(st.text() | st.text().map("http://{}/".format) | st.text(st.characters(codec="ascii")).map("http://{}".format))
def test_any_text_is_a_url_that_may_be_called_or_is_refused(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        asked = resolve_to(patch, "1.1.1.1")
        if not _is_refused(text):
            assert len(asked) == 1
            assert re.fullmatch(r"[a-z0-9._:-]+", asked[0])


# The settings


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLBACK_ALLOW", " localhost, 10.0.0.0/8 ,")
    monkeypatch.setenv("CALLBACK_SECRET", "whsec_MDEyMw==")
    monkeypatch.setenv("CALLBACK_TIMEOUT_S", "1.5")
    settings = CallbackSettings()
    assert settings.allow == ("localhost", "10.0.0.0/8")
    assert (settings.key, settings.timeout_s) == (b"0123", 1.5)
    assert "whsec" not in repr(settings)


@pytest.mark.parametrize("given", [{"allow": "10.0.0.0/33"}, {"secret": "whsec_?"}, {"timeout_s": 0}])
def test_a_setting_that_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CallbackSettings(**given)


def test_without_a_secret_no_callback_is_accepted() -> None:
    with pytest.raises(InvalidRequest, match="no secret"):
        CallbackSettings(allow=LOOPBACK).check("http://127.0.0.1/")
    CallbackSettings(allow=LOOPBACK, secret="s").check("http://127.0.0.1/")


# The signature


def test_it_is_that_of_standard_webhooks() -> None:
    """The example with which the libraries of Standard Webhooks are tested."""
    settings = CallbackSettings(secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', settings.key, 1614265330.7)
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.from_regex(callbacks._ID, fullmatch=True), st.binary(), st.binary(min_size=1), st.integers(0, 10**12 - 1))
def test_what_is_signed_is_verified(message_id: str, body: bytes, secret: bytes, now_s: int) -> None:
    verify(signed(message_id, body, secret, now_s), body, secret, now_s)


@given(st.binary(), st.data())
def test_a_changed_bit_is_noticed(body: bytes, data: st.DataObject) -> None:
    headers = signed("job-1", body, SECRET, NOW_S)
    changed = bytearray(body or b"\0")
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        verify(headers, bytes(changed), SECRET, NOW_S)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "job-2"),
        ("webhook-timestamp", "1799999999"),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1,ä"),
        ("webhook-signature", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ],
)
def test_a_changed_header_is_noticed(name: str, value: str) -> None:
    with pytest.raises(BadSignature):
        verify({**signed("job-1", b"x", SECRET, NOW_S), name: value}, b"x", SECRET, NOW_S)


def test_the_secret_of_another_is_noticed() -> None:
    with pytest.raises(BadSignature):
        verify(signed("job-1", b"x", SECRET, NOW_S), b"x", SECRET + b"x", NOW_S)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(name: str) -> None:
    headers = signed("job-1", b"x", SECRET, NOW_S)
    del headers[name]
    with pytest.raises(InvalidRequest, match=name):
        verify(headers, b"x", SECRET, NOW_S)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", ""),
        ("webhook-id", "a.1"),
        ("webhook-id", "a/b"),
        ("webhook-id", "a" * 201),
        ("webhook-timestamp", "now"),
        ("webhook-timestamp", "-1"),
        ("webhook-timestamp", "١"),
        ("webhook-timestamp", "1e9"),
    ],
)
def test_an_id_or_time_that_cannot_be_read_is_bad_input(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest):
        verify({**signed("job-1", b"x", SECRET, NOW_S), name: value}, b"x", SECRET, NOW_S)


@pytest.mark.parametrize("message_id", ["", "a.1", "a b", "a\n"])
def test_an_id_that_nobody_could_verify_is_not_sent(message_id: str) -> None:
    with pytest.raises(ValueError, match="cannot be the id"):
        signed(message_id, b"x", SECRET, NOW_S)


@pytest.mark.parametrize("late_s", [-301, 301, 10**9])
def test_an_old_callback_and_one_from_the_future_are_refused(late_s: float) -> None:
    headers = signed("job-1", b"x", SECRET, NOW_S)
    verify(headers, b"x", SECRET, NOW_S + 300)
    verify(headers, b"x", SECRET, NOW_S - 300)
    with pytest.raises(BadSignature, match="300 s before or after"):
        verify(headers, b"x", SECRET, NOW_S + late_s)


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed("job-1", b"x", SECRET, NOW_S)
    headers["webhook-signature"] = f"v1,old v1a,other {headers['webhook-signature']}"
    verify(headers, b"x", SECRET, NOW_S)


def test_names_of_headers_are_read_in_any_case() -> None:
    verify({n.title(): v for n, v in signed("job-1", b"x", SECRET, NOW_S).items()}, b"x", SECRET, NOW_S)


def test_nobody_signs_without_a_secret() -> None:
    with pytest.raises(ValueError, match="anybody"):
        signed("job-1", b"x", b"", NOW_S)


def test_a_bad_signature_answers_401_with_its_challenge() -> None:
    error = BadSignature("No.")
    assert (error.status, error.headers()) == (401, {"WWW-Authenticate": "Webhook-Signature"})
