"""What an experiment is, and how any of them is carried out: record, watchdog, Ctrl-C, summary, page."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from rich.console import RenderableType

from benchmark.analysis.comparable import Comparable
from benchmark.analysis.validity import MAX_BUSY_BEFORE
from benchmark.analysis.wording import minute_utc
from benchmark.contenders.discovery import Contender
from benchmark.measure.preflight import await_idle
from benchmark.measure.progress import Progress
from benchmark.measure.session import Session
from benchmark.record.certificate import NOTED as CERTIFICATE
from benchmark.record.certificate import standing
from benchmark.record.manifest import make_manifest
from benchmark.record.run import SCHEMA, SUMMARY, Run
from benchmark.report.answers import Answer
from benchmark.report.card import Card, card_files
from benchmark.report.charts.picture import Draw
from benchmark.report.page import machine_line, write_whole
from benchmark.stack.ports import refuse_taken_by_others
from benchmark.stack.processes import Launcher, ProcessLauncher
from benchmark.stack.watchdog import Guard

PlanT = TypeVar("PlanT")
_NO_ANSWER: Final = "This run supports no claim."


@dataclass(frozen=True)
class Assignment(Generic[PlanT]):
    """What one run sets out to measure: contenders, with all settings that they run with, and how much of what."""

    contenders: Sequence[Contender]
    plan: PlanT
    recorded_plan: Mapping[str, Any]  # the plan as the manifest holds it
    trials: int  # that the progress display counts, each of about `trial_s` seconds; 0: nothing is measured
    trial_s: float
    seed: int = 1
    free_ports: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)  # of every service, as `--set` gave them
    facts: Mapping[str, Any] = field(default_factory=dict)  # what else the manifest must say
    launcher: Launcher = field(default_factory=ProcessLauncher)


@dataclass(frozen=True)
class Experiment(Generic[PlanT]):
    """A question, and how it is answered: measure -> record -> summarise -> page."""

    name: str  # the command
    question: str  # one line
    measure: Callable[[Session, Assignment[PlanT]], None]  # writes the record only, through `session.trial`
    summarise: Callable[[Run], Mapping[str, Mapping[str, Any]]]  # reads the record only; documents by file name
    write_page: Callable[[Run], Path]  # draws the summary
    table: Callable[[Mapping[str, Any]], RenderableType | None] = lambda _: None  # the summary, for the console
    # What page, index and share card say first: a sentence for each question, from the summary.
    answers: Callable[[Run], Sequence[Answer]] = lambda _: ()
    # The one figure of a run, which index and share card show; None where there is nothing to draw.
    headline: Callable[[Run], Draw | None] = lambda _: None
    # Of a contender, for `compare`; percentiles besides those at low load are of a number of users.
    comparable: Callable[[Run, str, int | None], Sequence[Comparable]] | None = None


def carry_out(
    experiment: Experiment[PlanT],
    assignment: Assignment[PlanT],
    results: Path,
    progress: Progress,
    wait_idle_s: float = 0,
) -> Run:
    """Measure, and write record, summary and page, whatever becomes of it; a complete run becomes the latest.

    Nothing is started if a port is taken, or if the machine is still busy after so many seconds of waiting; without
    any, a busy machine is warned of. After Ctrl-C what was measured by then is reported. Raises BenchmarkError.
    """
    if not assignment.free_ports:
        refuse_taken_by_others(assignment.contenders)
    busy = await_idle(MAX_BUSY_BEFORE, wait_idle_s, progress.say) if assignment.trials else 0.0
    manifest = make_manifest(
        assignment.contenders, assignment.seed, assignment.recorded_plan, assignment.settings, busy
    )
    held = standing(results, manifest["environment"]).recorded()
    run = Run.create(results, experiment.name, {**manifest, CERTIFICATE: held, **assignment.facts})
    interrupted = False
    with progress, closing(Guard()) as guard:
        if assignment.trials:
            progress.begin(run.path, assignment.trials, assignment.trial_s)
        session = Session(run, guard, progress, assignment.seed, assignment.free_ports, assignment.launcher)
        try:
            experiment.measure(session, assignment)
        except KeyboardInterrupt:
            interrupted = True
            progress.say("interrupted; reporting what was measured")
        finally:
            progress.phase("", "summary and report")
            run.note_end(interrupted)
            report(experiment, run)
            if run.summary["complete"]:
                run.point_latest_here()
    return run


def report(experiment: Experiment[Any], run: Run) -> Path:
    """Compute the summary of a run from its record, draw its page and its share card; return the path of the page.

    A record of an older schema may lack what a summary takes today: it keeps its own, and its page is drawn again.
    Raises RecordError.
    """
    if run.manifest["schema"] == SCHEMA or not (run.path / SUMMARY).exists():
        write_summary(experiment, run)
    path = experiment.write_page(run)
    for name, content in card_files(_card(experiment, run), experiment.headline(run)).items():
        write_whole(run.path / name, content)
    return path


def write_summary(experiment: Experiment[Any], run: Run) -> None:
    """Compute the summary of a run from its record, and write it. Raises RecordError."""
    for name, document in experiment.summarise(run).items():
        run.write_json(name, dict(document))


def _card(experiment: Experiment[Any], run: Run) -> Card:
    manifest, summary = run.manifest, run.summary
    date = minute_utc(str(manifest.get("started_utc", "")))
    return Card(
        question=experiment.question,
        answers=[each.text for each in experiment.answers(run) if not each.struck] or [_NO_ANSWER],
        valid=bool(summary["valid"]),
        where=f"{date} · {machine_line(manifest.get('environment') or {})}",
        command=str(manifest.get("command_line", "")),
    )
