"""Colours and marks: the same for a contender in every figure, and safe for the colour-blind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

# Neutral colours; the page replaces each by the CSS variable of that name, so that dark mode works.
INK: Final = "#1f2328"
MUTED: Final = "#59636e"
GRID: Final = "#d9dee3"
PAPER: Final = "#ffffff"
HARNESS: Final = "#8a939c"
CSS_VARIABLES: Final = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", HARNESS: "harness"}

# Okabe & Ito, Color Universal Design (2008), without its black (our ink) and yellow (unreadable on white); orange and
# sky blue are darkened until they have 3 : 1 on white, as the others do.
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#ca8600", "#3391c9")
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")
_SOLID: Final[tuple[float, ...]] = ()
_DASHES: Final = (_SOLID, (5.0, 1.4), (1.4, 1.4))
_HARNESS_DASH: Final = (4.0, 3.0)

# How dense a process of a contender is painted in a stack, first to last.
_DENSITIES: Final = (1.0, 0.6, 0.32, 0.18)


class Drawn(Protocol):
    """What is drawn under a name."""

    @property
    def harness_floor(self) -> bool:
        """Whether it is the harness itself, which is grey."""


@dataclass(frozen=True)
class Style:
    """How one contender is drawn: `dash` is on-off lengths in points, empty for a solid line."""

    colour: str
    marker: str
    dash: tuple[float, ...] = _SOLID

    @property
    def line(self) -> dict[str, Any]:
        """The colour and the dashes of a line, as matplotlib takes them."""
        return {"color": self.colour, "linestyle": (0, self.dash) if self.dash else "-"}


def styles(contenders: Mapping[str, Drawn]) -> dict[str, Style]:
    """Return each contender's style, in the order of the summary; after six, colours return with dashes."""
    chosen: dict[str, Style] = {}
    place = 0
    for name, contender in contenders.items():
        if contender.harness_floor:
            chosen[name] = Style(HARNESS, ".", _HARNESS_DASH)
            continue
        turn = place // len(_COLOURS) % len(_DASHES)
        chosen[name] = Style(_COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)], _DASHES[turn])
        place += 1
    return chosen


def density(place: int) -> float:
    """Return how dense the process at this place of a stack is painted, 1 for the first."""
    return _DENSITIES[min(place, len(_DENSITIES) - 1)]
