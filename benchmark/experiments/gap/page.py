"""The page of a run: question, answers and picture first; then shares, anatomy, prediction, advice, doubts, numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from benchmark.analysis.wording import minute_utc
from benchmark.experiments.gap import figures, glance, notes, tables
from benchmark.experiments.gap.answers import answers, customary_answers
from benchmark.experiments.gap.schema import Explained, parse
from benchmark.experiments.gap.stages import TITLES
from benchmark.record.run import Run
from benchmark.report import page
from benchmark.report.charts.picture import Picture
from benchmark.report.page import machine_line, templates
from benchmark.report.tables import flatten

_FOLDER: Final = Path(__file__).parent
_PREDICTION: Final = "prediction.json"
Links = list[tuple[str, str]]  # what a link says, and where it leads


def write_page(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    data = parse(run.summary, run.manifest)
    return page.write_page(run.path, render_page(run.path, data, run.manifest), figures.headline(data))


def render_page(path: Path, data: Explained, manifest: Mapping[str, Any]) -> str:
    """Return the page, the same bytes for the same record. `path` is looked at for what can be linked."""
    environment = manifest.get("environment") or {}
    waterfalls = figures.waterfalls(data)
    return templates(_FOLDER).get_template("page.html.j2").render(
        data=data,
        manifest=manifest,
        environment=environment,
        date=minute_utc(data.started_utc),
        machine=machine_line(environment),
        predicted_at=minute_utc(data.predicted_before) if data.predicted_before else "",
        prediction_file=_PREDICTION if (path / _PREDICTION).exists() else "",
        answers=answers(data),
        customary=customary_answers(data),
        known=notes.known_beforehand(data),
        anatomy=notes.where_time_goes(data),
        first=notes.what_to_change_first(data),
        doubts=notes.doubts(data, manifest),
        picture=waterfalls[0] if waterfalls else None,
        pictures={"waterfalls": waterfalls[1:], **_pictures(data)},
        glance_heads=glance.glance_heads(data.attribution),
        glance_rows=glance.glance_rows(data, data.attribution),
        customary_heads=glance.glance_heads(data.attribution_customary),
        customary_rows=glance.glance_rows(data, data.attribution_customary),
        tables=_tables(data),
        heads=tables,
        stages=[TITLES.get(name, name) for name in tables.stages_of(data)],
        sample_files=_sample_files(path, data),
        settings=flatten(manifest.get("settings") or {}),
        plan=flatten(manifest.get("plan") or {}),
    )  # fmt: skip


def _pictures(data: Explained) -> dict[str, list[Picture]]:
    """Return the figures of each section of the page; a section without figures says so itself."""
    ends = data.ends
    medians = any(row.percentile == 50 for rows in data.anatomy.values() for row in rows)
    return {
        "customary": figures.customary_waterfalls(data),
        "anatomy": [figures.anatomy_figure(data), figures.growth_figure(data)] if medians else [],
        "prediction": [figures.prediction_figure(data)] if any(data.prediction.values()) else [],
        "crossover": [figures.map_figure(data, ends)] if data.crossover and ends else [],
    }


def _tables(data: Explained) -> dict[str, Any]:
    return {
        "cells": tables.cell_rows(data),
        "shares": tables.share_rows(data, data.attribution),
        "customary": tables.share_rows(data, data.attribution_customary),
        "parts": tables.part_rows(data),
        "interactions": tables.interaction_rows(data),
        "peaks": tables.peak_rows(data),
        "prediction": tables.prediction_rows(data),
        "what_if": tables.what_if_rows(data),
        "asked": tables.asked_rows(data),
        "what_if_medians": tables.what_if_median_rows(data),
        "anatomy": tables.anatomy_rows(data),
        "waiting": tables.waiting_rows(data),
        "crossover": tables.crossover_rows(data),
    }


def _sample_files(path: Path, data: Explained) -> list[tuple[str, Links]]:
    """Return the samples of each cell, and of each contender that is no cell: a file for each block that is there."""
    names = {cell.label: cell.contender or cell.label for cell in data.cells}
    names |= {label: name for name in data.contenders for label in data.labels_of(name)}
    found: dict[str, Links] = {label: [] for label in names}
    for file in sorted((path / "samples").glob("[0-9]*-*.csv")):
        block, _, label = file.stem.partition("-")
        if label in found:
            found[label].append((f"block {int(block) + 1}", f"samples/{quote(file.name)}"))
    return [(names[label], links) for label, links in found.items()]
