"""Contenders are told apart by the colour-blind, in grey, on white and in the dark."""

from itertools import combinations

import pytest
from matplotlib.colors import to_rgb

from benchmark.analysis.schema import ContenderSummary
from benchmark.report.charts.palette import PAPER, styles

DARK_PAPER = "#14171b"  # as in report.css
CHOSEN = styles({f"contender-{i}": ContenderSummary() for i in range(12)})
# How a colour looks without one kind of cone: rows of linear RGB (Viénot, Brettel & Mollon 1999).
WITHOUT = {
    "red cones": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "green cones": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
}


def linear(colour: str) -> tuple[float, ...]:
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour))


def luminance(colour: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("paper", [PAPER, DARK_PAPER])
def test_every_colour_stands_out_on_paper(paper: str) -> None:
    assert {
        style.colour: contrast(style.colour, paper) for style in CHOSEN.values() if contrast(style.colour, paper) < 3
    } == {}


@pytest.mark.parametrize("cones", list(WITHOUT))
def test_without_a_kind_of_cone_no_two_colours_become_the_same(cones: str) -> None:
    seen = {
        style.colour: tuple(
            sum(w * part for w, part in zip(row, linear(style.colour), strict=True)) for row in WITHOUT[cones]
        )
        for style in CHOSEN.values()
    }
    close = [
        (one, other)
        for one, other in combinations(seen, 2)
        if max(abs(a - b) for a, b in zip(seen[one], seen[other], strict=True)) < 0.05
    ]
    assert close == []


def test_in_grey_marks_tell_contenders_apart() -> None:
    assert len({style.marker for style in CHOSEN.values()}) == len(CHOSEN)
