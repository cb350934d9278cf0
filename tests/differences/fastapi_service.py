"""`python -m tests.differences.fastapi_service PORT`: scores a row in 40 to 50 ms.

PLANTED_MS makes every answer so much later. PLANTED_CPU makes the service use a share more CPU, 0.05 for 5 %, than it
needs: after each answer it works until it has.
"""

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

_OPENAPI = json.loads(Path(__file__).with_name("openapi.json").read_text())
_KEY = os.environ.get("SCORE_API_KEY", "")
_PLANTED_S = float(os.environ.get("PLANTED_MS", "0")) / 1e3
_PLANTED_CPU = float(os.environ.get("PLANTED_CPU", "0"))

service = FastAPI(openapi_url=None)


class Row(BaseModel):
    row: list[float]


@service.post("/score")
async def score(asked: Row, x_api_key: Annotated[str, Header()] = "") -> dict[str, float]:
    if x_api_key != _KEY:
        raise HTTPException(401, "the key is missing")
    await asyncio.sleep(random.uniform(0.04, 0.05) + _PLANTED_S)
    return {"score": min(max(sum(asked.row) / 100, 0.0), 1.0)}


@service.get("/openapi.json")
async def openapi() -> Any:
    return _OPENAPI


class Hungry:
    """Uses a share more CPU than the app that it wraps, from the first request on."""

    def __init__(self, app: ASGIApp, share: float) -> None:
        self._app, self._share = app, share
        self._begin_s, self._wasted_s = -1.0, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._begin_s < 0:
            self._begin_s = time.process_time()
        await self._app(scope, receive, send)
        if scope["type"] == "http":
            self._waste()

    def _waste(self) -> None:
        begin_s = time.process_time()
        needed_s = begin_s - self._begin_s - self._wasted_s
        end_s = begin_s + max(self._share * needed_s - self._wasted_s, 0.0)
        while time.process_time() < end_s:
            pass
        self._wasted_s += time.process_time() - begin_s


if __name__ == "__main__":
    app: ASGIApp = Hungry(service, _PLANTED_CPU) if _PLANTED_CPU else service
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
