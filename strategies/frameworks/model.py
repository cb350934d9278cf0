"""The model that all three serve, and how. Imports nothing that is missing from one of their environments."""

import time
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat
from pydantic_settings import BaseSettings, SettingsConfigDict

from strategies.frameworks.parameters import WINDOW_MS, batch_ms

# A request: one row of up to 64 numbers. BentoML takes a list of rows, so all do.
OneRow = Annotated[
    list[Annotated[list[FiniteFloat], Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=1)
]


class Asked(BaseModel):
    """The body of a request."""

    rows: OneRow


class Form(BaseSettings):
    """How the model is served."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    max_batch: int = Field(1, ge=1, description="rows that are computed together; 1: no batches")
    window_ms: float = Field(WINDOW_MS, ge=0, description="ms that a batch is collected for")
    speed: float = Field(1.0, gt=0, description="of the model, to check its answers without waiting")


def predict(rows: Sequence[Sequence[float]], form: Form) -> list[float]:
    """Return the sum of each row, after as long as a GPU computes such a batch. It blocks, as a model does."""
    time.sleep(batch_ms(len(rows)) / 1e3 / form.speed)
    return [sum(row) for row in rows]
