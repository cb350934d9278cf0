"""How a drawing looks to a reader: which texts it shows, and whether each can be read."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from benchmark.report.charts.chart import Sheet

_TOUCH_PX = 1.5  # so far may the boxes of two texts reach into each other: their letters do not


def laid_out(sheet: Sheet) -> Sheet:
    """Return the sheet with everything in its place; within the settings that it was drawn with."""
    sheet.fit()
    sheet.figure.draw_without_rendering()
    return sheet


def texts(sheet: Sheet) -> list[Text]:
    """Return the texts that are drawn."""
    found = [*sheet.figure.texts, *(text for key in sheet.figure.legends for text in key.get_texts())]
    for axes in sheet.figure.axes:
        found += _of_axes(axes)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def words(sheet: Sheet) -> set[str]:
    """Return what the texts say."""
    return {text.get_text() for text in texts(sheet)}


def struck(sheet: Sheet) -> set[str]:
    """Return what is struck through."""
    return {text.get_text() for text in texts(sheet) if text.get_gid() == "struck"}


def unreadable(sheet: Sheet) -> list[str]:
    """Return the texts that touch another, or reach beyond the figure."""
    boxes = {text: Text.get_window_extent(text) for text in texts(sheet)}
    page = sheet.figure.bbox
    beyond = [
        f"{text.get_text()!r} is cut off"
        for text, box in boxes.items()
        if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1 or box.y0 < page.y0 - 1 or box.y1 > page.y1 + 1
    ]
    pairs = combinations(boxes.items(), 2)
    return beyond + [f"{a.get_text()!r} touches {b.get_text()!r}" for (a, x), (b, y) in pairs if _touch(x, y)]


def _touch(a: Bbox, b: Bbox) -> bool:
    wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return bool(wide > _TOUCH_PX and high > _TOUCH_PX)


def _of_axes(axes: Axes) -> Iterator[Text]:
    yield from axes.texts
    # A title on the left is no axes.title, which stands in the middle.
    yield from (child for child in axes.get_children() if isinstance(child, Text) and child not in axes.texts)
    key = axes.get_legend()
    if key:
        yield from (*key.get_texts(), key.get_title())
    window = axes.get_window_extent()
    yield axes.xaxis.label
    yield axes.yaxis.label
    for label in axes.get_xticklabels():
        if window.x0 - 0.1 <= _middle(label)[0] <= window.x1 + 0.1:  # the others are not drawn
            yield label
    for label in axes.get_yticklabels():
        if window.y0 - 4 <= _middle(label)[1] <= window.y1 + 4:
            yield label


def _middle(label: Text) -> tuple[float, float]:
    box = label.get_window_extent()
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
