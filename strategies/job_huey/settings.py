"""The settings of service and workers."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from strategies.job_huey.parameters import BACKLOG, EXPIRE_S, MODEL_MS, REMEMBER_S, WAIT_S, WAITERS


class JobSettings(BaseSettings):
    """Read from the environment as STRATEGY_<NAME>, by the service and by its workers alike."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    redis_url: str = "redis://127.0.0.1:8192/0"
    redis_timeout_ms: int = Field(2_000, ge=1)  # to connect to it, or to wait for an answer
    order: Literal["fifo", "priority"] = "fifo"
    keeps: bool = True  # whether jobs are put into the queue again that nobody works on
    notifies: bool = True  # whether a blocking get is woken up; otherwise it polls

    model_min_ms: float = Field(MODEL_MS[0], ge=0)
    model_max_ms: float = Field(MODEL_MS[1], ge=0)
    cached: int = Field(0, ge=0)  # predictions that a worker keeps

    backlog: int = Field(BACKLOG, ge=1)
    waiters: int = Field(WAITERS, ge=1)
    wait_s: float = Field(WAIT_S, gt=0)
    expire_s: int = Field(EXPIRE_S, ge=1)
    remember_s: int = Field(REMEMBER_S, ge=0)
