"""The page of a run: the figure, its tables, what the profilers cost, and the profiles to open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmark.analysis.reasons import Reason, of_contenders
from benchmark.analysis.schema import RunData
from benchmark.analysis.wording import MISSING, minute_utc, significant
from benchmark.experiments.profiling.answers import answers, waiting_share, with_cpu, with_wall
from benchmark.experiments.profiling.export import OPENED_WITH
from benchmark.experiments.profiling.figures import NOT_ATTRIBUTED, figure, headline_of, panels
from benchmark.experiments.profiling.libraries import KINDS, kind_of
from benchmark.experiments.profiling.standing import Entries, entries_of
from benchmark.report.charts.picture import Draw
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import GlanceCell, GlanceRow

_FOLDER: Final = Path(__file__).parent


def write_report(run: RunData) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    return write_page(run.path, page(run), headline(run.summary))


def headline(summary: Mapping[str, Any]) -> Draw | None:
    """Return what draws the headline figure; None without a figure."""
    return headline_of(panels(entries_of(summary), summary["users"]))


def page(run: RunData) -> str:
    """Return the page, the same bytes for the same record."""
    summary, manifest = run.summary, run.manifest
    entries, reasons = entries_of(summary), list(map(Reason.model_validate, of_contenders(summary)))
    drawn = bool(panels(entries, summary["users"]))
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            summary={**summary, "reasons": reasons},
            date=minute_utc(summary["started_utc"]),
            machine=machine_line(manifest["environment"]),
            manifest=manifest,
            plan=manifest["plan"],
            answers=answers(summary),
            picture=figure(entries, summary["users"]) if drawn else None,
            glance_rows=glance_rows(entries),
            library_rows=library_rows(entries),
            labels=list(entries),
            cost_rows=cost_rows(entries),
            profiles=_profiles(entries),
        )
    )


def glance_rows(entries: Entries) -> list[GlanceRow]:
    """Return of each contender its CPU per request, what uses most of it, and how long a request waits."""
    cpu, wall = with_cpu(entries), with_wall(entries)
    most_ms = max((entry["cpu_ms_counted"] for entry in cpu.values()), default=1.0)
    rows = []
    for name, entry in entries.items():
        cells = [GlanceCell(MISSING)] * 3
        if name in cpu:
            ms, shares = entry["cpu_ms_counted"], entry["cpu_by_library"]
            first = max(shares, key=lambda library: shares[library])
            cells[0] = GlanceCell(f"{significant(ms)} ms", "", ms / most_ms)
            cells[1] = GlanceCell(f"{shares[first] / ms:.0%}", first, shares[first] / ms)
        if name in wall:
            share = waiting_share(entry)
            cells[2] = GlanceCell(f"{share:.0%}", f"of {significant(sum(entry['wall_split_ms'].values()))} ms", share)
        is_invalid = not entry["valid"] and name not in cpu and bool(entry["cpu_ms_counted"])
        rows.append(GlanceRow(name, entry.get("title", ""), tuple(cells), is_invalid))
    return rows


def library_rows(entries: Entries) -> list[tuple[str, str, list[str]]]:
    """Return library, kind and each contender's ms per request with its share, by kind and size."""
    largest: dict[str, float] = {}
    for entry in entries.values():
        for library, ms in entry["cpu_by_library"].items():
            largest[library] = max(ms, largest.get(library, 0.0))
    order = sorted(largest, key=lambda library: (KINDS.index(kind_of(library)), -largest[library]))
    rows = [
        (library, kind_of(library), [_share(e["cpu_by_library"].get(library), e) for e in entries.values()])
        for library in order
    ]
    rows.append((NOT_ATTRIBUTED, "", [_share(e["cpu_not_attributed"], e) for e in entries.values()]))
    rows.append(("counted", "by the operating system", [_share(e["cpu_ms_counted"], e) for e in entries.values()]))
    return rows


def cost_rows(entries: Entries) -> list[tuple[str, list[str]]]:
    """Return what each profiler cost: contender, then profiler, side, users, calls, latency and CPU."""
    return [
        (
            name,
            [
                cost["profiler"],
                cost["side"],
                str(cost["users"]),
                f"{cost['n']:,}",
                significant(cost["p50_ms_without"]),
                significant(cost["p50_ms_with"]),
                _ratio(cost["p50_ms_without"], cost["p50_ms_with"]),
                significant(cost["cpu_ms_without"]),
                significant(cost["cpu_ms_with"]),
                _ratio(cost["cpu_ms_without"], cost["cpu_ms_with"]),
            ],
        )
        for name, entry in entries.items()
        for cost in entry["profiler_cost"]
    ]


def _share(ms: float | None, entry: Mapping[str, Any]) -> str:
    if ms is None or not entry["cpu_ms_counted"]:
        return MISSING
    return f"{ms:.2f} ({ms / entry['cpu_ms_counted']:.0%})".replace("-", "−")


def _ratio(without: float | None, with_it: float | None) -> str:
    return _signed(with_it / without - 1, 0) if without and with_it else MISSING


def _signed(share: float, digits: int) -> str:
    return f"{share:+.{digits}%}".replace("-", "−")


def _profiles(entries: Entries) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return contenders with the links to their profiles: address, name, what opens it."""
    return [
        (name, [(f"profiles/{name}/{file}", file, _opened_with(file)) for file in entry["profiles"]])
        for name, entry in entries.items()
        if entry["profiles"]
    ]


def _opened_with(file: str) -> str:
    return next(what for suffix, what in OPENED_WITH.items() if file.endswith(suffix))
