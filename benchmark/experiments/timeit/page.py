"""The page of a timeit run: drawn from its record, and needing nothing but itself."""

from pathlib import Path
from typing import Final

from benchmark.analysis.wording import MISSING, fine_ms, minute_utc, significant, span
from benchmark.experiments.timeit.answers import answers
from benchmark.experiments.timeit.figures import all_figures, headline
from benchmark.experiments.timeit.repeats import read_repeats
from benchmark.experiments.timeit.schema import TimeitData, parse
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import GlanceCell, GlanceRow, TableRow, flatten

_FOLDER: Final = Path(__file__).parent


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    data = parse(run.summary, read_repeats(run.path))
    return write_page(run.path, render_page(run, data), headline(data))


def render_page(run: Run, data: TimeitData) -> str:
    """Return the page, the same bytes for the same record."""
    manifest, pictures = run.manifest, all_figures(data)
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            data=data,
            summary=data.common,
            manifest=manifest,
            environment=manifest["environment"],
            date=minute_utc(data.common.started_utc),
            machine=machine_line(manifest["environment"]),
            answers=answers(data),
            picture=pictures[0] if pictures else None,
            pictures=pictures[1:],
            glance_rows=_glance_rows(data),
            rows=[_row(data, name) for name in data.timeit],
            times=_times(data),
            settings=flatten(manifest["settings"]),
            plan=flatten(manifest["plan"]),
        )
    )


def _glance_rows(data: TimeitData) -> list[GlanceRow]:
    """Return of each contender what a call takes, and what of it is not the models' own time."""
    longest = max((ms for ms, _ in data.fitted.values()), default=1.0)
    rows = []
    for name, contender in data.common.contenders.items():
        cells = (GlanceCell(MISSING), GlanceCell(MISSING))
        if name in data.fitted:
            ms, each = data.fitted[name]
            is_compared = each.times is not None and name != data.baseline and data.multiple_stands(name)
            times = f"{significant(each.times, 2)} × {data.baseline}" if is_compared else ""
            added_ms = ms - contender.floor_ms
            cells = (
                GlanceCell(f"{fine_ms(ms)} ms", times, ms / longest),
                GlanceCell(f"{significant(added_ms)} ms", "", max(added_ms, 0) / longest),
            )
        is_invalid = not contender.valid and bool(data.timeit[name].calls)
        rows.append(GlanceRow(name, contender.title, cells, is_invalid))
    return rows


def _row(data: TimeitData, name: str) -> TableRow:
    each, contender = data.timeit[name], data.contender(name)
    is_baseline = name == data.baseline
    cells = (
        significant(contender.floor_ms) if contender.floor_ms else MISSING,
        fine_ms(each.ms_per_call) if each.ms_per_call is not None else MISSING,
        span(each.ci95, fine_ms) if each.ci95 else MISSING,
        significant(each.over_floor),
        significant(each.intercept_ms, 2),
        "baseline" if is_baseline else significant(each.times),
        span(each.times_interval) if each.times_interval and not is_baseline else MISSING,
        "" if is_baseline or each.times is None else "yes" if each.difference_shown else "no",
        f"{each.calls:,}",
        str(each.repeats),
    )
    state = "VALID" if contender.valid else "INVALID" if each.calls else "not measured"
    return TableRow(name, cells, state == "INVALID", (*contender.reasons, *contender.notes), state)


def _times(data: TimeitData) -> list[tuple[str, list[str]]]:
    """Return for each number of calls the mean time of each contender in seconds, as in timeit.csv."""
    means = {name: dict(zip(frame["n"], frame["mean"], strict=True)) for name, frame in data.series.items()}
    return [
        (str(n), [significant(float(found[n]), 4) if n in found else MISSING for found in means.values()])
        for n in sorted({int(n) for found in means.values() for n in found})
    ]
