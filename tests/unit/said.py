"""What reasons say, whether they are values or as a summary holds them."""

from collections.abc import Iterable
from typing import Any

from benchmark.analysis.reasons import Reason


def said(reasons: Iterable[Any]) -> list[str]:
    """Return the text of each reason."""
    return [Reason.model_validate(reason).text for reason in reasons]
