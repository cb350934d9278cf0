"""The model of this strategy. It blocks whoever calls it, in this process, as a client without async support does."""

import time
from collections.abc import Sequence

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contract.errors import BadModelAnswer
from strategies.blocking.parameters import MODEL_MS


class ModelSettings(BaseSettings):
    """How long the model blocks."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    model_ms: float = Field(MODEL_MS, ge=0)


def predict(numbers: Sequence[float], model_ms: float) -> bytes:
    """Return the body of the answer after a blocking wait. Raises BadModelAnswer for a negative number."""
    if min(numbers) < 0:
        raise BadModelAnswer("The model takes no negative number.")
    time.sleep(model_ms / 1e3)
    return b'{"total": %s}' % repr(sum(numbers)).encode()
