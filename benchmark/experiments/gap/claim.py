"""A sentence of the answer, and what it rests on."""

from dataclasses import dataclass
from typing import Final

SUMMARY: Final = "summary.json"
PREDICTION: Final = "prediction.json"


@dataclass(frozen=True)
class Claim:
    """A sentence and what it rests on: files of the run, and the cells whose samples it was computed from."""

    text: str
    topic: str = ""
    struck: bool = False
    note: str = ""  # why it is struck
    files: tuple[str, ...] = (SUMMARY,)
    labels: tuple[str, ...] = ()
