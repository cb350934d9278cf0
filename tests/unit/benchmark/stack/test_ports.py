"""Ports that are taken are all named at once, with who holds them, before anything is started."""

import os
import socket
from collections.abc import Iterator

import psutil
import pytest

from benchmark.contenders.discovery import Process
from benchmark.errors import StackError
from benchmark.stack.ports import HOST, holder, is_free, refuse_taken, refuse_taken_by_others
from benchmark.stack.processes import free_port
from tests.unit.benchmark.synthetic import make_contender


@pytest.fixture
def taken() -> Iterator[list[int]]:
    """Two ports on which this process listens."""
    with socket.socket() as one, socket.socket() as other:
        for listener in (one, other):
            listener.bind((HOST, free_port()))
            listener.listen()
        yield [listener.getsockname()[1] for listener in (one, other)]


def test_a_port_is_free_until_somebody_listens(taken: list[int]) -> None:
    assert [is_free(port) for port in (free_port(), *taken)] == [True, False, False]


def test_who_holds_a_port_is_told(taken: list[int]) -> None:
    assert holder(taken[0]) == f"{psutil.Process().name()} (pid {os.getpid()})"
    assert holder(free_port()) == ""


def test_all_taken_ports_are_named_at_once_with_what_they_are_for_and_who_holds_them(taken: list[int]) -> None:
    one, other = taken
    with pytest.raises(StackError) as raised:
        refuse_taken([(one, "model of sync"), (free_port(), "redis of sync"), (other, "scoring of sync")])
    message = str(raised.value)
    for port, purpose in ((one, "model of sync"), (other, "scoring of sync")):
        assert f"port {port} ({purpose}) is in use by {psutil.Process().name()} (pid {os.getpid()})" in message
    assert "redis" not in message
    assert "\n" not in message
    for hint in ("make down", "--free-ports"):
        assert hint in message


def test_a_holder_that_the_system_does_not_tell_is_left_out(taken: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: str) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    with pytest.raises(StackError, match=rf"port {taken[0]} \(model of sync\) is in use: stop"):
        refuse_taken([(taken[0], "model of sync")])


def test_a_port_that_contenders_share_is_named_once(taken: list[int]) -> None:
    shared = tuple(Process(role="scoring", module="nothing", port=port) for port in taken[:1])
    both = [make_contender(name).model_copy(update={"process": shared}) for name in ("a", "b")]
    with pytest.raises(StackError) as raised:
        refuse_taken_by_others(both)
    assert str(raised.value).count("is in use") == 1
    assert "scoring of a" in str(raised.value)
