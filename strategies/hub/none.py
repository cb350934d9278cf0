"""No pool: the model is called on the event loop, which stands still meanwhile."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from strategies.hub.model import predict
from strategies.hub.settings import HubSettings


class NoPool:
    """The common mistake."""

    def __init__(self, settings: HubSettings) -> None:
        self._model_ms = settings.model_ms

    def running(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def predict(self, numbers: Sequence[float]) -> float:
        return predict(numbers, self._model_ms)

    def statistics(self) -> Mapping[str, Any]:
        return {}


make_pool = NoPool
