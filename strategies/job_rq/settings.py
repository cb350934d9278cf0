"""The settings of service and workers."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from strategies.job_rq.parameters import BACKLOG, LONGEST_MS, RESULT_TTL_S, SHORTEST_MS


class JobSettings(BaseSettings):
    """Read from the environment as STRATEGY_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    redis_url: str = "redis://127.0.0.1:6379/0"
    redis_timeout_s: float = Field(2.0, gt=0)  # of the service; workers wait longer
    worker: Literal["forks", "simple"] = "forks"  # a process for each job, or the worker itself
    shortest_ms: float = Field(SHORTEST_MS, ge=0)
    longest_ms: float = Field(LONGEST_MS, ge=0)
    backlog: int = Field(BACKLOG, ge=0)
    result_ttl_s: int = Field(RESULT_TTL_S, ge=1)
    callback_to: str = ""  # where a job is told that names no Callback-URL; by default nowhere
    callbacks: Literal["jobs", "once"] = "jobs"  # on a queue of their own, or by the worker, without a second attempt
    waits: bool = False  # whether a request waits for its result, as if there were no queue
    samples: bool = False  # whether the service looks all the time how many jobs there are

    @model_validator(mode="after")
    def _check(self) -> "JobSettings":
        if self.longest_ms < self.shortest_ms:
            raise ValueError(f"longest_ms is {self.longest_ms:g}, below shortest_ms {self.shortest_ms:g}")
        return self
