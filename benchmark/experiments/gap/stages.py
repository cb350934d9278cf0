"""The anatomy of a request as stacked bars: side by side for the contenders, and over users for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from benchmark.analysis.wording import at_users
from benchmark.experiments.gap.anatomy import CLIENT, MODELS, OVERHEAD, PERCENTILES, QUEUE, SLEEP, STAGES
from benchmark.experiments.gap.formats import plain
from benchmark.experiments.gap.schema import Explained, Stages
from benchmark.report.charts import bars as rows_of
from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.bars import BarPart, rows_px, swatch
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.lines import title
from benchmark.report.charts.palette import HARNESS, INK, PAPER

TITLES: Final = {
    CLIENT: "client and network",
    QUEUE: "queued before the handler",
    "parse": "parse",
    "features": "features",
    SLEEP: "models: sleep",
    OVERHEAD: "models: all around it",
    MODELS: "models",
    "respond": "respond",
}
# Okabe & Ito (2008); the sleep, which nobody can serve away, is grey.
COLOURS: Final = {
    CLIENT: "#e69f00",
    QUEUE: "#d55e00",
    "parse": "#cc79a7",
    "features": "#009e73",
    SLEEP: HARNESS,
    OVERHEAD: "#0072b2",
    MODELS: HARNESS,
    "respond": "#56b4e9",
}
_PANEL_PX: Final = 146.0


@dataclass(frozen=True)
class StageBar:
    """One bar: whose, at which percentile, its stages in the order of drawing, in ms."""

    name: str
    percentile: int
    row: Stages | None  # None where there were not enough samples

    @property
    def words(self) -> str:
        return f"{plain(self.row.client_ms)} ms" if self.row else "n/a*"

    @property
    def pieces(self) -> list[tuple[str, float]]:
        return pieces(self.row) if self.row else []


def pieces(row: Stages) -> list[tuple[str, float]]:
    """Return a row's stages in reading order; what is below zero has no length."""
    ordered = sorted(row.stages_ms, key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES))
    return [(name, max(row.stages_ms[name], 0.0)) for name in ordered]


def bars_at(data: Explained, users: int) -> list[StageBar]:
    """Return the bars of every contender at a number of users."""
    found = {(name, row.percentile): row for name, rows in data.anatomy.items() for row in rows if row.users == users}
    names = [name for name in data.contenders if any((name, percent) in found for percent in PERCENTILES)]
    return [StageBar(name, percent, found.get((name, percent))) for name in names for percent in PERCENTILES]


def draw_anatomy(layout: Layout, data: Explained, levels: Sequence[int]) -> Sheet:
    """Draw a panel for each level below each other, under a common key."""
    panels = {users: bars_at(data, users) for users in levels}
    sheet = Sheet("anatomy", layout, [rows_px(len(bars), layout.width) for bars in panels.values()])
    sheet.key(_key(row for bars in panels.values() for bar in bars if (row := bar.row)))
    for axes, (users, bars) in zip(sheet.panels, panels.items(), strict=True):
        title(axes, f"At {at_users(users)}")
        rows_of.bars(axes, [_row(bar) for bar in bars], "latency [ms]")
    return sheet


def draw_growth(layout: Layout, data: Explained, percentile: int = 50) -> Sheet:
    """Draw for each contender its stages over the users, with an axis of its own."""
    panels = {
        name: sorted((row for row in data.anatomy[name] if row.percentile == percentile), key=lambda row: row.users)
        for name in data.contenders
        if name in data.anatomy
    }
    sheet = Sheet("growth", layout, [_PANEL_PX] * len(panels), columns=2)
    sheet.key(_key(row for rows in panels.values() for row in rows))
    for axes, (name, rows) in zip(sheet.panels, panels.items(), strict=True):
        title(axes, f"{name} [ms]")
        number_axis(axes, "y", (0, max((row.client_ms for row in rows), default=1.0) * 1.05), is_log=False)
        _columns(axes, rows)
    return sheet


def _row(bar: StageBar) -> rows_of.Bar:
    parts = [BarPart(ms, COLOURS.get(stage, INK)) for stage, ms in bar.pieces]
    return rows_of.Bar(f"{bar.name} p{bar.percentile}", bar.words, bool(bar.row and bar.row.reasons), parts=parts)


def _columns(axes: Axes, rows: Sequence[Stages]) -> None:
    """Draw a column for each number of users; one whose stages do not fit the latency is hollow."""
    for place, row in enumerate(rows):
        base = 0.0
        for stage, ms in pieces(row):
            colour = COLOURS.get(stage, INK)
            face, line = (PAPER, 1.2) if row.reasons else (colour, 0.0)
            axes.bar(place, ms, 0.72, bottom=base, facecolor=face, edgecolor=colour, linewidth=line)
            base += ms
    axes.set_xlim(-0.6, max(len(rows), 1) - 0.4)
    axes.set_xticks(range(len(rows)), [str(row.users) for row in rows])
    axes.set_xlabel("users at the same time")


def _key(rows: Iterable[Stages]) -> list[Artist]:
    """Return the key of the stages that occur."""
    names = {name for row in rows for name in row.stages_ms}
    return [swatch(TITLES[name], COLOURS[name]) for name in STAGES if name in names]
