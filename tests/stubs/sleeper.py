"""`python -m tests.stubs.sleeper PORT`: answers after FIRST_MS + SECOND_MS, two factors whose shares are known."""

import asyncio
import os
import sys

import uvloop

from benchmark.contenders.null.serve import NullProtocol
from contract.model import FakeModel
from contract.settings import Settings


class SleepingProtocol(NullProtocol):
    """Answers like the contender that answers at once, but later."""

    def __init__(self, model: FakeModel, delay_s: float) -> None:
        super().__init__(model)
        self._delay_s = delay_s

    def on_message_complete(self) -> None:
        asyncio.get_running_loop().call_later(self._delay_s, super().on_message_complete)


async def serve(port: int, delay_s: float) -> None:
    """Serve on loopback until the process is stopped."""
    model = FakeModel(Settings(role="model"))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SleepingProtocol(model, delay_s), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), (float(os.environ["FIRST_MS"]) + float(os.environ["SECOND_MS"])) / 1e3))
