"""All runs of a results directory on one page: the newest of each command first, the others below it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from benchmark.analysis.schema import parse_summary
from benchmark.analysis.wording import minute_utc
from benchmark.errors import RecordError
from benchmark.experiments.bench.figures import throughput_figure
from benchmark.experiments.registry import REGISTRY, experiment_of
from benchmark.record.run import Run
from benchmark.report.answers import Answer
from benchmark.report.charts.chart import NARROW, WIDE, for_page
from benchmark.report.charts.picture import Picture
from benchmark.report.page import HEADLINE_NAMES, REPORT_NAME, machine_line, templates, write_page


@dataclass(frozen=True)
class Listed:
    """A run as the page lists it; `summary` is None for one that ended before it had any."""

    folder: str
    command: str
    started_utc: str
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    answers: Sequence[Answer]
    page: str | None  # its own page, relative to the results directory

    @property
    def date(self) -> str:
        return minute_utc(self.started_utc)

    @property
    def complete(self) -> bool:
        return self.summary is not None and bool(self.summary.get("complete", True))

    @property
    def state(self) -> str:
        """VALID, INVALID, or that there is no summary."""
        return "no summary" if self.summary is None else "VALID" if self.summary.get("valid") else "INVALID"

    @property
    def remarks(self) -> list[str]:
        """What else a reader should know: that it was interrupted, or shortened."""
        scale = (self.summary or {}).get("scale", 1)
        shortened = [f"shortened: scale {scale:g}"] if isinstance(scale, int | float) and scale != 1 else []
        return shortened + ([] if self.complete else ["interrupted"])

    @property
    def machine(self) -> str:
        return machine_line(self.manifest.get("environment") or {})


@dataclass(frozen=True)
class Section:
    """One command: its newest complete run, or the newest one if none is, and the others."""

    command: str
    question: str
    newest: Listed
    others: tuple[Listed, ...]
    picture: Picture | None


def write_joined_report(results: Path) -> Path:
    """Write `report.html` over all runs of a results directory and return its path.

    A run of another schema is refused: named with its version, and left out. Raises RecordError if
    there is no run, or the page cannot be written.
    """
    runs, refused = _read_all(results)
    if not runs and not refused:
        raise RecordError(f"{results} holds no run; `python -m benchmark bench` makes one")
    page = templates().get_template("joined.html.j2").render(sections=_sections(results, runs), refused=refused)
    return write_page(results, page)


def _read_all(results: Path) -> tuple[list[Listed], list[str]]:
    """Return the runs, newest first, and a sentence about each folder that is refused."""
    runs: list[Listed] = []
    refused: list[str] = []
    for path in sorted(results.glob("*/manifest.json"), reverse=True):
        if path.parent.is_symlink():
            continue  # `latest`, which is one of the others
        try:
            runs.append(_read(path.parent))
        except RecordError as error:
            refused.append(str(error).replace(str(path.parent), path.parent.name))
    return sorted(runs, key=lambda run: (run.started_utc, run.folder), reverse=True), refused


def _read(path: Path) -> Listed:
    run = Run.open(path)
    manifest = run.manifest
    summary = run.summary if (path / "summary.json").exists() else None
    command = str(manifest.get("command", ""))
    return Listed(
        folder=path.name,
        command=command,
        started_utc=str(manifest.get("started_utc", "")),
        manifest=manifest,
        summary=summary,
        answers=_answers(run, command) if summary else [],
        page=f"{quote(path.name)}/{REPORT_NAME}" if (path / REPORT_NAME).exists() else None,
    )


def _answers(run: Run, command: str) -> list[Answer]:
    """Return what a run answers; none if its summary does not fit, or the command is none of ours."""
    try:
        found = list(experiment_of(command).answers(run))
    except (RecordError, ValidationError, KeyError, TypeError):
        found = []
    return found or [Answer(text) for text in [run.summary.get("verdict")] if isinstance(text, str)]


def _sections(results: Path, runs: Iterable[Listed]) -> list[Section]:
    by_command: dict[str, list[Listed]] = {}
    for run in runs:
        by_command.setdefault(run.command, []).append(run)
    known = {row.name: row.experiment.question for row in REGISTRY if row.name in by_command}
    questions = known | dict.fromkeys(sorted(set(by_command) - set(known)), "")
    return [_section(results, command, question, by_command[command]) for command, question in questions.items()]


def _section(results: Path, command: str, question: str, runs: list[Listed]) -> Section:
    newest = next((run for run in runs if run.complete), runs[0])
    others = tuple(run for run in runs if run is not newest)
    return Section(command, question, newest, others, _picture(results, newest))


def _picture(results: Path, run: Listed) -> Picture | None:
    """Return the headline figure of a run, or None if it has left none that can stand in a page.

    A `bench` leaves no file: its throughput is drawn from the summary.
    """
    paths = [results / run.folder / name for name in HEADLINE_NAMES]
    wide, narrow = (path.read_text(encoding="utf-8") if path.exists() else "" for path in paths)
    if not wide:
        return _throughput(run.summary)
    try:
        drawings = [for_page(svg) for svg in (wide, narrow or wide)]
    except ValueError:
        return None
    alt = f"The headline figure of the newest run of {run.command}"
    # Without a drawing for phones, the one for desks stands twice, and its ids must not.
    elements = {WIDE: drawings[0], NARROW: drawings[1] if narrow else _own_ids(drawings[1])}
    return Picture(f"headline-{run.command}", "", "", alt, elements.__getitem__)


def _throughput(summary: Mapping[str, Any] | None) -> Picture | None:
    try:
        parsed = parse_summary(summary or {})
        return throughput_figure(parsed) if any(each.levels for each in parsed.contenders.values()) else None
    except ValidationError:
        return None


def _own_ids(svg: str) -> str:
    for quoted in ('id="', 'href="#', "url(#"):
        svg = svg.replace(quoted, f"{quoted}phone-")
    return svg
