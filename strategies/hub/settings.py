"""The settings of the service, and what every form of it offers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from strategies.hub.parameters import DEADLINE_MS, MODEL_MS, WAITING, WORKERS


class HubSettings(BaseSettings):
    """Which form, of what size. Read from the environment as STRATEGY_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    form: Literal["none", "ours", "executor", "gibbs_pool"] = "ours"  # a module of this folder
    workers: int = Field(WORKERS, ge=0)
    model_ms: float = Field(MODEL_MS, ge=0)
    waiting: int = Field(WAITING, ge=0)
    deadline_ms: float = Field(DEADLINE_MS, gt=0)
    rebuilds: bool = True  # whether the executor is made again when it is broken


class Pool(Protocol):
    """What answers the requests. Every module of a form has a function `make_pool(settings)`."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Run the workers for as long as the block runs."""
        ...

    async def predict(self, numbers: Sequence[float]) -> float:
        """Return the model's answer. Raises BadModelAnswer, Unavailable or TimeoutError."""
        ...

    def statistics(self) -> Mapping[str, Any]:
        """Return counters, and `pids` of the workers."""
        ...
