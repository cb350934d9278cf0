"""The model of this strategy, which is the twins' fake model with a constant duration."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contract.model import FakeModel
from contract.settings import Settings
from strategies.workers.parameters import MODEL_MS


class ModelSettings(BaseSettings):
    """What the model does, and for how long."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    model: Literal["sleeps", "computes"] = "sleeps"
    model_ms: float = Field(MODEL_MS, ge=0)


def make_model(settings: Settings) -> FakeModel:
    """Return the model. It sleeps for what it draws, and burns CPU time for the rest."""
    chosen = ModelSettings()
    sleep_ms, cpu_ms = (chosen.model_ms, 0.0) if chosen.model == "sleeps" else (0.0, chosen.model_ms)
    durations = {"model_law": "constant", "model_min_ms": sleep_ms, "model_max_ms": sleep_ms, "model_cpu_ms": cpu_ms}
    return FakeModel(settings.model_copy(update=durations))


def body_of(numbers: Sequence[float]) -> bytes:
    """Return the body of the answer."""
    return b'{"total": %s}' % repr(sum(numbers)).encode()
