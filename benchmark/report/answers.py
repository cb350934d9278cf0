"""Answers: what a run says to a question, in one plain sentence.

The words stand in `answers.j2` of the experiment's folder, a macro for each case that can come up; code decides
which case it is. An answer has at most 25 words and three numbers and no interval: those stand in the tables below it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.analysis.wording import at_users, fine_ms, listing, significant

TEMPLATE: Final = "answers.j2"
REASON: Final = "Why"  # the topic of what explains another answer


@dataclass(frozen=True)
class Answer:
    """One sentence on a topic; a struck one is INVALID, and `note`, which is not struck, says why."""

    text: str
    struck: bool = False
    note: str = ""
    topic: str = ""


class Phrases:
    """The macros of a folder's template, each a function that takes values by name and returns one line of text.

    In a macro, `1234.5 | number` is `1,230`, `51.23 | ms` is `51.2 ms`, `1 | users` is `one user`, and
    `["a", "b"] | listing` is `a and b`.
    """

    def __init__(self, folder: Path, template: str = TEMPLATE) -> None:
        environment = Environment(loader=FileSystemLoader(folder), autoescape=False, undefined=StrictUndefined)
        environment.filters.update(number=significant, ms=_ms, users=at_users, listing=listing)
        self._macros = environment.get_template(template).module

    def __getattr__(self, name: str) -> Callable[..., str]:
        macro = getattr(self._macros, name)
        return lambda **given: _one_line(str(macro(**given)))


def _ms(value_ms: float | None) -> str:
    return f"{fine_ms(value_ms)} ms"


def _one_line(text: str) -> str:
    """Return the text with single spaces, none before a comma, semicolon or full stop."""
    return " ".join(text.split()).replace(" ,", ",").replace(" .", ".").replace(" ;", ";")
