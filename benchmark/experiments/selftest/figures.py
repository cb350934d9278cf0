"""The figures of a selftest: the same stall as an open and as a closed loop saw it."""

from typing import Final

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmark.analysis.wording import fine_ms
from benchmark.experiments.selftest.schema import Dots, SelftestSummary, StallResult
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import limits_of, number_axis
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import as_csv
from benchmark.report.charts.lines import title
from benchmark.report.charts.palette import GRID, MUTED, Style, styles
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

_PANEL_PX: Final = 200.0
_TIME: Final = "seconds"
_LATENCY: Final = "latency [ms]"


class _Loop:
    """A loop as `styles` takes it."""

    harness_floor = False


_STYLES: Final = styles({"open loop": _Loop(), "closed loop": _Loop()})


def headline(summary: SelftestSummary) -> Draw | None:
    """Return what draws the headline figure; None where nothing was measured."""
    stall = summary.stall
    return (lambda layout: _draw(layout, stall)) if stall else None


def picture(summary: SelftestSummary) -> Picture | None:
    """Return the figure of the page."""
    stall = summary.stall
    if stall is None:
        return None
    said = [f"open loop p99 {fine_ms(stall.open.p99_ms)} ms", f"what was so p99 {fine_ms(stall.truth.p99_ms)} ms"]
    said += [f"closed loop p99 {fine_ms(stall.closed.p99_ms)} ms"] if stall.closed else []
    return Picture(
        key="stall",
        title="The same stall, seen by an open and by a closed loop",
        caption=(
            f"Each dot is a request of a service that takes {stall.service_ms:g} ms and stands still for "
            f"{stall.seconds:g} s. Requests of the open loop come when they are due; the grey line is what each "
            "met. The closed loop waits while the service does, so it hardly sees the stall."
            + struck_note(not summary.valid)
        ),
        alt=alt_text("Dots, latency of each request over time", said),
        element=on_page(lambda layout: _draw(layout, stall)),
        data=as_csv(
            ["name", "second", "latency_ms"],
            (
                (name, at_s, latency_ms)
                for name, dots in (
                    ("open loop", stall.open_dots),
                    ("what was so", stall.truth_dots),
                    ("closed loop", stall.closed_dots),
                )
                for at_s, latency_ms in zip(dots.at_s, dots.latency_ms, strict=True)
            ),
        ),
    )


def _draw(layout: Layout, stall: StallResult) -> Sheet:
    sheet = Sheet("stall", layout, [_PANEL_PX, _PANEL_PX], columns=2)
    sheet.key(
        [
            Patch(label=f"stall of {stall.seconds:g} s", facecolor=GRID),
            Line2D([], [], color=MUTED, linewidth=2.0, label="what was so"),
        ]
    )
    shown = {"open loop": stall.open_dots, "closed loop": stall.closed_dots}
    until_s = max((at_s for dots in shown.values() for at_s in dots.at_s), default=1.0)
    highest_ms = max((each for dots in shown.values() for each in dots.latency_ms), default=1.0)
    for axes, (name, dots) in zip(sheet.panels, shown.items(), strict=True):
        number_axis(axes, "x", (0.0, until_s), is_log=False)
        number_axis(axes, "y", limits_of([highest_ms], from_zero=True), is_log=False)
        axes.axvspan(stall.start_s, stall.start_s + stall.seconds, color=GRID, linewidth=0)
        if name == "open loop":
            axes.plot(stall.truth_dots.at_s, stall.truth_dots.latency_ms, color=MUTED, linewidth=2.0)
        _dots(axes, dots, _STYLES[name])
        found = stall.open if name == "open loop" else stall.closed
        title(axes, name + (f": p99 {fine_ms(found.p99_ms)} ms" if found and found.p99_ms else ""))
        axes.set_xlabel(_TIME)
    sheet.panels[0].set_ylabel(_LATENCY)
    return sheet


def _dots(axes: Axes, dots: Dots, style: Style) -> None:
    axes.plot(dots.at_s, dots.latency_ms, ".", color=style.colour, markersize=3.5)
