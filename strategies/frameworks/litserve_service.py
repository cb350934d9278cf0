"""`python -m strategies.frameworks.litserve_service PORT`, in an environment of its own.

One process that answers HTTP and one that computes, LitServe's default. A batch is collected for a window that begins
when the worker is free, not when a request comes.
"""

import sys
from collections.abc import Sequence
from typing import Any

import litserve
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from contract.errors import PROBLEM_CONTENT_TYPE, InvalidRequest
from strategies.frameworks.model import Asked, Form, predict


class Sums(litserve.LitAPI):  # type: ignore[misc]
    """Sums of rows."""

    def setup(self, device: Any) -> None:  # noqa: ARG002
        self.form = Form()

    def decode_request(self, request: Asked) -> list[float]:
        """The type makes FastAPI refuse a bad body. If this raised, all of a batch would fail."""
        return request.rows[0]

    def batch(self, inputs: Sequence[list[float]]) -> Sequence[list[float]]:
        return inputs

    def predict(self, x: Any) -> Any:
        """Called with one row, or with the batch."""
        return predict(x, self.form) if self.form.max_batch > 1 else predict([x], self.form)[0]

    def unbatch(self, output: list[float]) -> list[float]:
        return output

    def encode_response(self, output: float) -> list[float]:
        return [output]


async def refuse(_: Request, __: Exception) -> Response:
    """Answer a bad body as the contract does."""
    refused = InvalidRequest("Expected rows with one row of numbers.")
    return Response(refused.body(), int(refused.status), media_type=PROBLEM_CONTENT_TYPE)


def main(port: int) -> None:
    """Serve until SIGTERM."""
    form = Form()
    api = Sums(max_batch_size=form.max_batch, batch_timeout=form.window_ms / 1e3, api_path="/api/v1/score")
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, restart_workers=True)
    server.app.add_exception_handler(RequestValidationError, refuse)
    server.run(
        host="127.0.0.1",  # by default it listens on every address
        port=port,
        num_api_servers=1,
        log_level="warning",
        access_log=False,
        generate_client_file=False,  # by default it writes a client.py where it is started
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
