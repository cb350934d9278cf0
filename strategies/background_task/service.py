"""`python -m strategies.background_task.service`: 202, and the work in FastAPI's BackgroundTasks.

The naive form: a job has no id, nobody can ask how it goes, and it lives in the memory of this process alone.
"""

import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, Response
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from async_api.web import answer, read_body
from contract.schema import JSON_CONTENT_TYPE, OK_BODY, parse_scoring_numbers
from contract.settings import Settings
from strategies.background_task.parameters import JOBS_PATH, LOOP_PATH, PLAIN_PATH, TASK_MS
from strategies.web import create_app, serve

_ACCEPTED_BODY = b'{"status": "accepted"}'


class TaskSettings(BaseSettings):
    """Where the work is done, how long it takes, and where its effects are written."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    form: Literal["in-background", "in-request"] = "in-background"
    task_ms: float = Field(TASK_MS, ge=0)
    effects: Path = Path(os.devnull)  # a line for each finished task


class Tasks:
    """The work, and how much of it there is."""

    def __init__(self, settings: TaskSettings) -> None:
        self._task_ms, self._path = settings.task_ms, settings.effects
        self._effects = -1
        self._accepted = self._done = 0
        self._counting = threading.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the effect log open for as long as the block runs."""
        self._effects = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            yield
        finally:
            os.close(self._effects)

    def accept(self) -> None:
        with self._counting:
            self._accepted += 1

    def work(self, numbers: list[float]) -> float:
        """Block, write the effect, and return the answer."""
        time.sleep(self._task_ms / 1e3)
        total = 2 * sum(numbers)
        os.write(self._effects, b"%s\n" % repr(total).encode())
        with self._counting:
            self._done += 1
        return total

    def statistics(self) -> dict[str, int]:
        """Return how many tasks were accepted, how many are done, and how many are not."""
        with self._counting:
            return {"accepted": self._accepted, "done": self._done, "pending": self._accepted - self._done}


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    chosen = TaskSettings()
    tasks = Tasks(chosen)
    routes = APIRouter()

    # A dependency that were `def` would take a thread of its own.
    async def numbers_in(request: Request) -> list[float]:
        return parse_scoring_numbers(await read_body(request, settings.max_body_bytes))

    async def in_background(
        numbers: Annotated[list[float], Depends(numbers_in)], background: BackgroundTasks
    ) -> Response:
        tasks.accept()
        background.add_task(tasks.work, numbers)
        return Response(_ACCEPTED_BODY, 202, media_type=JSON_CONTENT_TYPE)

    def in_request(numbers: Annotated[list[float], Depends(numbers_in)]) -> Response:
        tasks.accept()
        return answer(b'{"total": %s}' % repr(tasks.work(numbers)).encode())

    routes.post(JOBS_PATH)(in_background if chosen.form == "in-background" else in_request)

    @routes.get(PLAIN_PATH)
    def plain() -> Any:
        return answer(OK_BODY)

    @routes.get(LOOP_PATH)
    async def loop() -> Any:
        return answer(OK_BODY)

    return create_app(routes, tasks.statistics, tasks.running)


if __name__ == "__main__":
    serve(make_app)
