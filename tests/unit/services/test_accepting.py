"""Accepting connections: a busy event loop takes all that wait in one turn, and the last ones when it stops."""

import asyncio
import socket
from collections.abc import Coroutine
from typing import Any

import uvloop

from async_api.http.accepting import Acceptor

WAITING = 60
TURNS = 10  # iterations of the event loop; libuv alone accepts one connection in each


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def connect(listening: socket.socket, count: int) -> list[socket.socket]:
    """Connect while the event loop does something else: nothing is accepted meanwhile."""
    return [socket.create_connection(listening.getsockname()) for _ in range(count)]


class Arrivals:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> asyncio.Protocol:
        self.count += 1
        return asyncio.Protocol()


async def take_turns(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def accepted_in_some_turns(helped: bool, room: int = WAITING) -> int:
    arrivals = Arrivals()
    server = await asyncio.get_running_loop().create_server(arrivals, "127.0.0.1", 0, backlog=WAITING)
    acceptor = Acceptor(server.sockets, arrivals, lambda: room - arrivals.count)
    if helped:
        acceptor.start()
    clients = connect(server.sockets[0], WAITING)
    await take_turns(TURNS)
    count = arrivals.count
    server.close()
    await take_turns(TURNS)
    await acceptor.finish()
    for client in clients:
        client.close()
    return count


def test_all_connections_that_wait_are_accepted_in_a_few_turns_of_the_event_loop() -> None:
    async def main() -> None:
        assert await accepted_in_some_turns(helped=True) == WAITING

    run(main())


def test_the_event_loop_alone_accepts_one_connection_per_turn() -> None:
    """The reason for it; if this fails, libuv has changed, and the help may go."""

    async def main() -> None:
        assert await accepted_in_some_turns(helped=False) <= 2 * TURNS

    run(main())


def test_what_there_is_no_room_for_waits() -> None:
    async def main() -> None:
        assert await accepted_in_some_turns(helped=True, room=20) <= 20 + 2 * TURNS

    run(main())


def test_what_waits_when_a_server_stops_is_accepted_and_then_nobody_can_connect() -> None:
    async def main() -> None:
        arrivals = Arrivals()
        with socket.create_server(("127.0.0.1", 0), backlog=WAITING) as listening:
            address = listening.getsockname()
            acceptor = Acceptor([listening], arrivals, lambda: WAITING)
            clients = connect(listening, 3)
        await acceptor.finish()
        assert arrivals.count == 3
        with socket.socket() as late:
            assert late.connect_ex(address) != 0
        for client in clients:
            client.close()

    run(main())


def test_a_client_that_has_gone_before_it_was_accepted_does_no_harm() -> None:
    async def main() -> None:
        arrivals = Arrivals()
        with socket.create_server(("127.0.0.1", 0), backlog=WAITING) as listening:
            acceptor = Acceptor([listening], arrivals, lambda: WAITING)
            acceptor.start()
            for client in connect(listening, 3):
                client.close()
            (stays,) = connect(listening, 1)
            await take_turns(TURNS)
            await acceptor.finish()
        assert arrivals.count == 4
        stays.close()

    run(main())
