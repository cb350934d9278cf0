"""The page of a run: question, answer, figures, advice, doubts, all numbers; and where each of them comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from benchmark.analysis.wording import minute_utc
from benchmark.experiments.gap import advice, figures, tables
from benchmark.experiments.gap import text as story
from benchmark.experiments.gap.claim import PREDICTION, Claim
from benchmark.experiments.gap.schema import Explained, parse
from benchmark.experiments.gap.stages import TITLES
from benchmark.record.run import Run
from benchmark.report import page
from benchmark.report.charts.picture import Picture
from benchmark.report.page import machine_line, templates
from benchmark.report.tables import flatten

_FOLDER: Final = Path(__file__).parent
_NOT_DRAWN: Final = "This part was not measured in this run."


@dataclass(frozen=True)
class Source:
    """A file of the run's directory that a claim rests on."""

    text: str
    href: str


@dataclass(frozen=True)
class Said:
    """A claim, with the files that it rests on: some by name, and the samples of each cell, block by block."""

    claim: Claim
    sources: tuple[Source, ...]
    samples: tuple[tuple[str, tuple[Source, ...]], ...] = ()


class Files:
    """What a run's directory holds; only what is there is linked."""

    def __init__(self, path: Path, data: Explained) -> None:
        self._path = path
        self._names = {cell.label: cell.contender for cell in data.cells if cell.contender}
        self._samples: dict[str, list[str]] = {}
        for file in sorted((path / "samples").glob("[0-9]*-*.csv")):
            self._samples.setdefault(file.stem.partition("-")[2], []).append(file.name)

    def of(self, claim: Claim) -> Said:
        """Return a claim with links to its files, relative to the page."""
        named = [link for name in claim.files if (link := self.link(name))]
        samples = [(self._names.get(label, label), self.samples(label)) for label in claim.labels]
        return Said(claim, tuple(named), tuple((name, found) for name, found in samples if found))

    def samples(self, label: str) -> tuple[Source, ...]:
        """Return the samples of a label, one file for each block."""
        return tuple(
            Source(f"block {int(name.partition('-')[0]) + 1}", f"samples/{quote(name)}")
            for name in self._samples.get(label, [])
        )

    def link(self, name: str) -> Source | None:
        """Return a file of the run, or None if it is not there."""
        return Source(name, name) if (self._path / name).exists() else None


def write_page(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    data = parse(run.summary, run.manifest)
    return page.write_page(run.path, render_page(run.path, data, run.manifest), figures.headline(data))


def render_page(path: Path, data: Explained, manifest: Mapping[str, Any]) -> str:
    """Return the page, the same bytes for the same record. `path` is looked at for what can be linked."""
    files = Files(path, data)
    environment = manifest.get("environment") or {}
    return templates(_FOLDER).get_template("page.html.j2").render(
        data=data,
        manifest=manifest,
        environment=environment,
        date=minute_utc(data.started_utc),
        machine=machine_line(environment),
        missing=_NOT_DRAWN,
        predicted_at=minute_utc(data.predicted_before) if data.predicted_before else "",
        prediction_file=files.link(PREDICTION),
        state=story.write_state(data),
        answer=[files.of(claim) for claim in story.write_answer(data)],
        customary=[files.of(claim) for claim in story.write_customary(data)],
        known=[files.of(claim) for claim in story.write_known(data)],
        interactions=[files.of(claim) for claim in story.write_interactions(data)],
        anatomy=[files.of(claim) for claim in advice.write_anatomy(data)],
        first=[files.of(claim) for claim in advice.what_to_change_first(data)],
        doubts=advice.where_it_could_be_wrong(data, manifest),
        pictures=_pictures(data),
        tables=_tables(data),
        share_heads=list(tables.SHARE_HEADS),
        peak_heads=list(tables.PEAK_HEADS),
        simple_bound=story.simple_bound(data),
        what_if_heads=list(tables.WHAT_IF_HEADS),
        stages=[TITLES.get(name, name) for name in tables.stages_of(data)],
        cell_files=[(cell.contender or cell.label, files.samples(cell.label)) for cell in data.cells],
        settings=flatten(manifest.get("settings") or {}),
        plan=flatten(manifest.get("plan") or {}),
    )  # fmt: skip


def _pictures(data: Explained) -> dict[str, list[Picture]]:
    """Return the figures of each section of the page; a section without figures says so itself."""
    ends = data.ends
    medians = any(row.percentile == 50 for rows in data.anatomy.values() for row in rows)
    return {
        "waterfalls": figures.waterfalls(data),
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
        "interactions": tables.interaction_rows(data),
        "peaks": tables.peak_rows(data),
        "prediction": tables.prediction_rows(data),
        "what_if": tables.what_if_rows(data),
        "anatomy": tables.anatomy_rows(data),
        "waiting": tables.waiting_rows(data),
        "crossover": tables.crossover_rows(data),
    }
