"""`python -m benchmark.measure.fault_proxy PORT HOST:PORT`: a TCP proxy that does to answers what it is told to.

It listens on a port of loopback and passes on what comes to another. A command is a UDP datagram to the same number,
a JSON object such as `{"mode": "delay", "ms": 200}`, and is acknowledged with one of the same content.

pass     everything as it is
delay    each piece of an answer comes so many ms later
drip     an answer comes byte by byte, with so many ms in between
garbage  in place of each piece of an answer comes what follows no protocol
reset    what is open is reset, and so is each new connection
"""

import asyncio
import contextlib
import json
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import Final, cast

MODES: Final = ("pass", "delay", "drip", "garbage", "reset")
GARBAGE: Final = b"\x00?this is neither HTTP nor RESP\r\n\r\n"
_HOST: Final = "127.0.0.1"
_CHUNK: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close() sends RST
_ACKNOWLEDGED_S: Final = 2.0


@dataclass
class Proxy:
    """What happens to answers now, and all open connections."""

    upstream: tuple[str, int]
    mode: str = "pass"
    pause_s: float = 0.0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def obey(self, command: bytes) -> bytes:
        """Carry out a command and return the acknowledgement. Raises ValueError."""
        told = json.loads(command)
        if told.get("mode") not in MODES:
            raise ValueError(f"mode {told.get('mode')!r}, expected one of {MODES}")
        self.mode, self.pause_s = told["mode"], told.get("ms", 0) / 1e3
        if self.mode == "reset":
            for writer in list(self.open):
                _reset(writer)
        return command

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        if self.mode == "reset":
            _reset(to_client)
            return
        try:
            server, to_server = await asyncio.open_connection(*self.upstream)
        except OSError:
            _reset(to_client)
            return
        both = {to_client, to_server}
        self.open |= both
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(self._pass_on(client, to_server, is_answer=False))
                directions.create_task(self._pass_on(server, to_client, is_answer=True))
        except* OSError:
            pass
        finally:
            self.open -= both
            for writer in both:
                writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool) -> None:
        while data := await reader.read(_CHUNK):
            await (self._answer(writer, data) if is_answer else _send(writer, data))
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _answer(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        match self.mode:
            case "delay":
                await asyncio.sleep(self.pause_s)
                await _send(writer, data)
            case "drip":
                for place in range(len(data)):
                    await asyncio.sleep(self.pause_s)
                    await _send(writer, data[place : place + 1])
            case "garbage":
                await _send(writer, GARBAGE)
            case _:
                await _send(writer, data)


class _Control(asyncio.DatagramProtocol):
    """Receives commands and acknowledges each that is one."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            self._transport.sendto(self._proxy.obey(data), address)


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def command(port: int, mode: str, ms: float = 0.0) -> None:
    """Tell the proxy at a port what to do, and wait until it does. Raises OSError if it does not answer."""
    said = json.dumps({"mode": mode, "ms": ms}).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        control.settimeout(_ACKNOWLEDGED_S)
        control.connect((_HOST, port))
        control.send(said)
        control.recv(len(said))


async def run(port: int, upstream: tuple[str, int]) -> None:
    """Serve until cancelled."""
    proxy = Proxy(upstream)
    control, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Control(proxy), local_addr=(_HOST, port)
    )
    try:
        async with await asyncio.start_server(proxy.serve, _HOST, port) as server:
            await server.serve_forever()
    finally:
        control.close()


if __name__ == "__main__":
    _, own_port, address = sys.argv
    host, _, upstream_port = address.rpartition(":")
    asyncio.run(run(int(own_port), (host, int(upstream_port))))
