"""All runs of a results directory on one page: what each command asks and answers, and the runs behind it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmark.analysis.wording import minute_utc
from benchmark.errors import RecordError
from benchmark.experiments.registry import REGISTRY, experiment_of
from benchmark.record.damage import readable
from benchmark.record.run import Run
from benchmark.report.answers import REASON, Answer
from benchmark.report.charts.inline import for_page
from benchmark.report.charts.picture import HEADLINE_NAMES
from benchmark.report.page import REPORT_NAME, machine_line, templates, write_page


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
    def compares(self) -> bool:
        """Whether it is of more than one contender, besides those that only show the ceiling of the harness."""
        contenders = (self.summary or {}).get("contenders") or {}
        return sum(not each.get("harness_floor") for each in contenders.values()) > 1

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
    """One command: the run that speaks for it, and the others.

    That is the newest complete VALID run of several contenders; without one, the newest that is complete; without
    that, the newest.
    """

    command: str
    question: str
    shown: Listed
    others: tuple[Listed, ...]
    drawing: str  # as an element of the page, or nothing


def write_joined_report(results: Path) -> Path:
    """Write `report.html` over all runs of a results directory and return its path.

    A run of another schema is refused: named with its version, and left out. Raises RecordError if
    there is no run, or the page cannot be written.
    """
    runs, refused = _read_all(results)
    if not runs and not refused:
        raise RecordError(f"{results} holds no run; `python -m benchmark bench` makes one")
    sections = _sections(results, runs)
    template = templates().get_template("joined.html.j2")
    page = template.render(sections=sections, refused=refused)
    return write_page(results, page)


def _read_all(results: Path) -> tuple[list[Listed], list[str]]:
    """Return the runs, newest first, and a sentence about each folder that is refused."""
    runs: list[Listed] = []
    refused: list[str] = []
    for path in sorted(results.glob("*/manifest.json"), reverse=True):
        if path.parent.is_symlink():
            continue  # `latest`, which is one of the others
        try:
            with readable(path.parent):
                runs.append(_read(path.parent))
        except RecordError as error:
            refused.append(str(error).replace(str(path.parent), path.parent.name))
    return sorted(runs, key=lambda run: (run.started_utc, run.folder), reverse=True), refused


def _read(path: Path) -> Listed:
    run = Run.open(path)
    manifest = run.manifest
    summary = run.summary if (path / "summary.json").exists() else None
    command = str(manifest.get("command", ""))
    listed = Listed(
        folder=path.name,
        command=command,
        started_utc=str(manifest.get("started_utc", "")),
        manifest=manifest,
        summary=summary,
        answers=_answers(run, command) if summary else [],
        page=f"{quote(path.name)}/{REPORT_NAME}" if (path / REPORT_NAME).exists() else None,
    )
    # Everything that the page will take from it, now that a failure still names the run.
    _ = (listed.date, listed.complete, listed.state, listed.compares, listed.remarks, listed.machine)
    return listed


def _answers(run: Run, command: str) -> list[Answer]:
    """Return what a run answers, without reasons, which its page gives.

    None if its summary does not fit, or the command is none of ours.
    """
    try:
        found = [answer for answer in experiment_of(command).answers(run) if answer.topic != REASON]
    except Exception:  # whatever a summary of another version, or a damaged one, may cause
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
    complete = [run for run in runs if run.complete]
    fullest = [run for run in complete if run.state == "VALID" and run.compares]
    shown = (fullest or complete or runs)[0]
    others = tuple(run for run in runs if run is not shown)
    return Section(command, question, shown, others, _drawing(results / shown.folder, command))


def _drawing(folder: Path, command: str) -> str:
    """Return the headline figure that a run has left, with ids of its own; nothing if it has left no drawing."""
    for name in reversed(HEADLINE_NAMES):  # it stands in half of the page
        if (folder / name).exists():
            try:
                return for_page((folder / name).read_text(encoding="utf-8"), prefix=f"{command}-")
            except (OSError, ValueError, RecursionError):  # no drawing, or no text
                return ""
    return ""
