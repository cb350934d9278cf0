"""The share card of a run, 1200 x 630 pixels as SVG and as PNG: what was asked and answered, the picture, and where."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmark.analysis.wording import unbroken
from benchmark.report.charts.chart import PX, Layout, Sheet, drawing, shorten, svg_of, text_px
from benchmark.report.charts.palette import INK, MUTED, PAPER
from benchmark.report.charts.picture import Draw

_WIDTH, _HEIGHT = 1200, 630
_MARGIN: Final = 48.0
_TEXT: Final = (132.0, 470.0)  # from where to where the answers reach, from the top
_PICTURE: Final = Layout("card", 480, 15.0)
_PICTURE_BOX: Final = (672.0, 118.0, 480.0, 396.0)  # left, top, width, height
_SIZES: Final = (32, 28, 25, 22, 20, 18, 16)
_LEADING: Final = 1.35
_GOOD, _BAD = "#116329", "#a40e26"


@dataclass(frozen=True)
class Card:
    """What a card says; `answers` are those that stand."""

    question: str
    answers: Sequence[str]
    valid: bool
    where: str  # date and machine
    command: str


def card_files(card: Card, draw: Draw | None) -> dict[str, bytes]:
    """Return the card as files by name; the same bytes for the same run."""
    with drawing(_PICTURE):
        sheet = draw(_PICTURE) if draw else None
        words = _words(card, is_narrow=sheet is not None)
        return {"share.svg": _svg(card, words, sheet), "share.png": _png(words, sheet)}


def _words(card: Card, is_narrow: bool) -> Figure:
    figure = Figure(figsize=(_WIDTH * PX, _HEIGHT * PX))
    figure.set_layout_engine("none")
    room_px = (_PICTURE_BOX[0] if is_narrow else _WIDTH) - 2 * _MARGIN
    _write(figure, shorten(card.question, _WIDTH - 2 * _MARGIN), 70, fontsize=20, color=MUTED)
    size, paragraphs = _fitted(card.answers, room_px)
    at_px = _TEXT[0]
    for lines in paragraphs:
        for line in lines:
            at_px += size * _LEADING
            _write(figure, line, at_px, fontsize=size, fontweight="bold" if lines is paragraphs[0] else "normal")
        at_px += size * 0.6
    colour = _GOOD if card.valid else _BAD
    edge = {"boxstyle": "round,pad=0.35", "facecolor": PAPER, "edgecolor": colour, "linewidth": 1.5}
    _write(
        figure, "VALID" if card.valid else "INVALID", 528, x_px=_MARGIN + 6, color=colour, fontweight="bold", bbox=edge
    )
    for text, place_px in ((card.where, 565), (card.command, 592)):
        _write(figure, shorten(text, _WIDTH - 2 * _MARGIN), place_px, color=MUTED)
    return figure


def _write(figure: Figure, text: str, at_px: float, x_px: float = _MARGIN, **how: Any) -> None:
    figure.text(x_px / _WIDTH, 1 - at_px / _HEIGHT, text, va="baseline", **{"color": INK, **how})


def _fitted(texts: Sequence[str], room_px: float) -> tuple[int, list[list[str]]]:
    """Return the largest size at which the texts fit, and their lines at that size."""
    for size in _SIZES:
        paragraphs = [_wrapped(text, room_px, size) for text in texts]
        high_px = sum(len(lines) * _LEADING + 0.6 for lines in paragraphs) * size
        if high_px <= _TEXT[1] - _TEXT[0]:
            break
    return size, paragraphs


def _wrapped(text: str, room_px: float, size: float) -> list[str]:
    lines: list[str] = []
    for word in unbroken(text).split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_px(longer, bold=True, font=size) <= room_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _placed(sheet: Sheet) -> tuple[float, float, float, float]:
    """Return where a picture stands, in the middle of its box: left, top, width and height in pixels."""
    sheet.fit()
    left, top, width, height = _PICTURE_BOX
    drawn = [side / PX for side in sheet.figure.get_size_inches()]
    scale = min(width / drawn[0], height / drawn[1])
    return left, top + (height - drawn[1] * scale) / 2, drawn[0] * scale, drawn[1] * scale


def _svg(card: Card, words: Figure, sheet: Sheet | None) -> bytes:
    root = ElementTree.fromstring(svg_of(words, "share"))
    title = ElementTree.Element("{http://www.w3.org/2000/svg}title")
    title.text = " ".join([card.question, *card.answers])
    root.insert(0, title)
    if sheet:
        place = _placed(sheet)
        picture = ElementTree.fromstring(sheet.svg())
        for name, value in zip(("x", "y", "width", "height"), place, strict=True):
            picture.set(name, f"{value:.1f}")
        root.append(picture)
    svg: bytes = ElementTree.tostring(root, encoding="utf-8")
    return svg


def _png(words: Figure, sheet: Sheet | None) -> bytes:
    if sheet:
        left, top, width, _ = _placed(sheet)
        sheet.figure.set_dpi(width * 72 / (sheet.figure.get_figwidth() / PX))
        pixels = _pixels(sheet.figure)
        words.figimage(pixels, round(left), round(_HEIGHT - top - len(pixels)))
    out = io.BytesIO()
    FigureCanvasAgg(words).print_png(out, metadata={"Software": None})
    return out.getvalue()


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())
