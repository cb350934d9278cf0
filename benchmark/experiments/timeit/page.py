"""The page of a timeit run: drawn from its record, and needing nothing but itself."""

from pathlib import Path
from typing import Final

from benchmark.analysis.wording import MISSING, fine_ms, minute_utc, significant, span
from benchmark.experiments.timeit.figures import all_figures, headline
from benchmark.experiments.timeit.repeats import read_repeats
from benchmark.experiments.timeit.schema import TimeitData, parse
from benchmark.experiments.timeit.verdict import write_verdict
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import TableRow, flatten

_FOLDER: Final = Path(__file__).parent


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    data = parse(run.summary, read_repeats(run.path))
    return write_page(run.path, render_page(run, data), headline(data))


def render_page(run: Run, data: TimeitData) -> str:
    """Return the page, the same bytes for the same record."""
    manifest = run.manifest
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
            verdict=write_verdict(data),
            pictures=all_figures(data),
            rows=[_row(data, name) for name in data.timeit],
            times=_times(data),
            settings=flatten(manifest["settings"]),
            plan=flatten(manifest["plan"]),
        )
    )


def _row(data: TimeitData, name: str) -> TableRow:
    each, contender = data.timeit[name], data.contender(name)
    cells = (
        significant(contender.floor_ms) if contender.floor_ms else MISSING,
        fine_ms(each.ms_per_call) if each.ms_per_call is not None else MISSING,
        span(each.ci95, fine_ms) if each.ci95 else MISSING,
        significant(each.over_floor),
        significant(each.intercept_ms, 2),
        significant(each.faster_than_baseline_pct) if name != data.baseline else "baseline",
        span(each.interval_pct) if each.interval_pct and name != data.baseline else MISSING,
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
