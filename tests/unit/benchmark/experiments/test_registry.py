"""A new experiment is one folder and one row: every command knows it, and nothing else has to be told."""

import importlib.util
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from benchmark.errors import RecordError
from benchmark.experiments.registry import REGISTRY, ExperimentRow, experiment_of
from benchmark.record.run import Run
from tests.unit.benchmark.fakes import fake_stack

QUESTION = "How many contenders can be started?"
EXPERIMENT = f'''
from benchmark.analysis.comparable import Comparable
from benchmark.analysis.summary import against, summary_head
from benchmark.experiments.experiment import Experiment
from benchmark.report.page import write_page


def measure(session, assignment):
    for contender in assignment.contenders:
        with session.trial(contender) as trial:
            session.run.append_line("started.jsonl", {{"contender": trial.cell.contender}})
        session.progress.cell_done(trial.cell)


def summarise(run):
    started = run.lines("started.jsonl")
    entries = {{row["contender"]: {{"valid": True, "reasons": [], "started": 1}} for row in started}}
    return {{"summary.json": {{
        **summary_head(run.manifest, against(entries), not run.interrupted, "some"),
        "contenders": entries, "verdict": f"{{len(started)}} were started.",
    }}}}


EXPERIMENT = Experiment(
    name="census",
    question="{QUESTION}",
    measure=measure,
    summarise=summarise,
    write_page=lambda run: write_page(run.path, "a census"),
    table=lambda summary: f"started: {{len(summary['contenders'])}}",
    comparable=lambda run, label, _: [Comparable("starts", "starts", True, (1.0, 1.1, 0.9))],
)
'''
COMMAND = '''
from benchmark.cli_options import RESULTS, ContendersOption, ResultsOption, conclude, console, measuring_command

EXAMPLES = "census --contenders sync"


def command(contenders: ContendersOption = "", results: ResultsOption = RESULTS) -> None:
    """Count who can be started."""
    from benchmark.cli_options import choose_contenders
    from benchmark.experiments.experiment import Assignment, carry_out
    from benchmark.measure.progress import Progress
    from census.experiment import EXPERIMENT

    with measuring_command():
        chosen = choose_contenders(contenders)
        assignment = Assignment(chosen, None, {}, trials=len(chosen), trial_s=1.0)
        run = carry_out(EXPERIMENT, assignment, results, Progress(console))
    conclude(run, EXPERIMENT)
'''


def program() -> typer.Typer:
    """Return the command line as it is made at its start, from the registry as it is now."""
    spec = importlib.util.find_spec("benchmark.cli")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: typer.Typer = module.app
    return found


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[typer.Typer]:
    """The program with one experiment more; nothing of it is started."""
    package = tmp_path / "packages" / "census"
    package.mkdir(parents=True)
    for name, text in (("__init__", ""), ("experiment", EXPERIMENT), ("command", COMMAND)):
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(package.parent)
    fake_stack(monkeypatch)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    REGISTRY.append(ExperimentRow("census", "census"))
    yield program()
    REGISTRY.pop()
    for name in [name for name in sys.modules if name.partition(".")[0] == "census"]:
        del sys.modules[name]
    for number, handler in handlers.items():
        signal.signal(number, handler)


def invoke(app: typer.Typer, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_new_experiment_is_measured_reported_joined_and_compared_like_any_other(
    app: typer.Typer, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    measured = invoke(app, "census", "--contenders", "sync,async", "--results", results)
    assert measured.exit_code == 0, measured.output
    assert "started: 2" in measured.output
    run = Run.open(results / "latest")
    assert [cell.status for cell in run.cells()] == ["measured", "measured"]

    (run.path / "report.html").unlink()
    again = invoke(app, "report", run.path)
    assert again.exit_code == 0, again.output
    assert "2 were started." in again.output
    assert (run.path / "report.html").read_text() == "a census"

    assert invoke(app, "report", "--results", results).exit_code == 0
    joined = (results / "report.html").read_text()
    assert QUESTION in joined
    assert "2 were started." in joined

    compared = invoke(app, "compare", run.path, run.path)
    assert compared.exit_code == 0, compared.output
    assert "starts" in compared.output


def test_a_new_experiment_is_listed_with_the_commands(app: typer.Typer) -> None:
    assert "Count who can be started." in invoke(app, "--help").output


def test_every_experiment_is_called_as_its_row_says() -> None:
    assert {row.name: row.experiment.name for row in REGISTRY} == {row.name: row.name for row in REGISTRY}
    assert all(row.experiment.question for row in REGISTRY)


def test_a_command_that_is_no_experiment_is_one_sentence_with_those_that_are() -> None:
    with pytest.raises(
        RecordError, match="the run's command is 'census', expected one of bench, profile, timeit, locust, explain"
    ):
        experiment_of("census")
