"""Ports that are given to services."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmark.errors import StackError
from benchmark.stack import processes
from benchmark.stack.processes import HOST, free_port


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as listener:
        listener.bind((HOST, port))
        listener.listen()
        yield


def test_a_free_port_can_be_bound_and_is_none_that_an_outgoing_connection_gets() -> None:
    port = free_port()
    assert port < 32_768
    with taken(port):
        pass


def test_a_port_that_is_taken_is_not_given_away_and_without_any_left_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = free_port(), free_port()
    monkeypatch.setattr(processes, "_FREE_PORTS", [first, second])
    with taken(first):
        assert free_port() == second
        with taken(second), pytest.raises(StackError, match="no port from"):
            free_port()
