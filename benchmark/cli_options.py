"""What the commands have in common: options, how they are read, how a command ends."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

from benchmark.contenders.discovery import ROOT, Contender, choose, discover
from benchmark.errors import BenchmarkError, ContenderError, ScenarioError, SettingRefused, UnknownContender
from contract.limits import raise_open_files

if TYPE_CHECKING:
    from benchmark.record.run import Run
    from benchmark.report.answers import Answer


class Outcome(Protocol):
    """What an experiment says of a run on the console: its figures, and its answers."""

    @property
    def table(self) -> Callable[[Mapping[str, Any]], RenderableType | None]: ...

    @property
    def answers(self) -> Callable[["Run"], Sequence["Answer"]]: ...


EXIT_FAILED, EXIT_USAGE, EXIT_INVALID, EXIT_INTERRUPTED = 1, 2, 3, 130
RESULTS = ROOT / "results"

_SET_OTHERWISE = {
    "model_seed": "the durations follow from --seed, so that every contender of a block has the same",
    **dict.fromkeys(("architecture", "role", "port", "host"), "each contender's own contender.toml says it"),
}

console = Console(highlight=False)

ResultsOption = Annotated[Path, typer.Option(help="Where run directories are written.")]
ContendersOption = Annotated[
    str, typer.Option(help="Names separated by commas, see `contenders`; the first is the baseline. Default: all.")
]
SettingOption = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of every service, e.g. model_cpu_ms=5; repeatable.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of order, requests and model durations.")]
FreePortsOption = Annotated[bool, typer.Option("--free-ports", help="Use free ports instead of the usual ones.")]


RealContendersOption = Annotated[
    str,
    typer.Option(
        help="Names separated by commas, see `contenders`; the first is the baseline. Default: all that have models."
    ),
]


def choose_contenders(names: str, whole_field: bool = False) -> list[Contender]:
    """Return the contenders that an option names, or else those measured by default, or all that there are.

    Raises UnknownContender or ContenderError, or ScenarioError for one that cannot be asked what its row says.
    """
    from benchmark.load.scenario_requests import refuse_unknown

    known = discover()
    unnamed = [contender.name for contender in known.values() if contender.default or whole_field]
    chosen = choose([name.strip() for name in names.split(",")] if names else unnamed, known)
    refuse_unknown(chosen)
    return chosen


def choose_real_contenders(names: str) -> list[Contender]:
    """Return the same; those that only show the harness's floor have to be named."""
    return [contender for contender in choose_contenders(names) if names or not contender.harness_floor]


def parse_levels(text: str) -> list[int]:
    """Return ascending numbers of users."""
    try:
        levels = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        levels = [0]
    if any(level < 1 for level in levels) or levels != sorted(set(levels)):
        raise typer.BadParameter(f"--levels is {text!r}, expected ascending numbers of users such as 1,16,64")
    return levels


def parse_settings(pairs: list[str] | None) -> dict[str, str]:
    """Return settings by name; whether each contender takes them is for `with_overrides` to say."""
    from benchmark.contenders.service_settings import variables
    from contract.settings import Settings, SettingsError, settings_from

    settings = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or name.lower() not in Settings.model_fields:
            raise typer.BadParameter(
                f"--set {pair!r}: expected name=value, name one of {', '.join(Settings.model_fields)}"
            )
        if name.lower() in _SET_OTHERWISE:
            raise typer.BadParameter(f"--set {pair!r}: {_SET_OTHERWISE[name.lower()]}")
        settings[name.lower()] = value
    try:
        # Which HTTP clients there are depends on the twin.
        settings_from(variables({name: value for name, value in settings.items() if name != "http_client"}))
    except SettingsError as error:
        raise typer.BadParameter(f"--set: {error}") from error
    return settings


def parse_sweep(text: str) -> tuple[str, list[str]] | None:
    """Return the name of a setting and its values, or None."""
    if not text:
        return None
    name, equals, values = text.partition("=")
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not equals or len(found) < 2 or len(set(found)) < len(found):
        raise typer.BadParameter(f"--sweep is {text!r}, expected name=value,value,... such as model_pool_size=16,32,64")
    for value in found:
        parse_settings([f"{name}={value}"])
    return name.strip().lower(), found


@contextmanager
def measuring_command() -> Iterator[None]:
    """The body of a command that measures: signals end it as Ctrl-C does, an error ends it with a sentence.

    Its limit of open files, which the processes that it starts inherit, is as high as the system lets it be.
    """
    end_on_signals()
    raise_open_files()
    try:
        yield
    except BenchmarkError as error:
        fail(error)


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does: everything is stopped, and what was measured reported.

    What is ignored remains so, as SIGHUP below nohup.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def conclude(run: "Run", experiment: Outcome) -> NoReturn:
    """End a command that has measured: print the outcome, and let the exit status say it, too."""
    print_outcome(run, experiment)
    if not run.summary["complete"]:
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(0 if run.summary["valid"] else EXIT_INVALID)


def print_outcome(run: "Run", experiment: Outcome) -> None:
    """Print the figures, the answers, VALID or INVALID and why, and where the report is."""
    from benchmark.analysis.reasons import Reason, merged, of_contenders

    summary = run.summary
    if (figures := experiment.table(summary)) is not None:
        console.print(figures)
    for answer in experiment.answers(run):
        if not answer.struck:
            console.print(answer.text, soft_wrap=True, markup=False)
    console.print("[bold green]VALID[/]" if summary["valid"] else "[bold red]INVALID[/]")
    for reason in merged([Reason.model_validate(reason) for reason in of_contenders(summary)]):
        console.print(f"  {reason}", soft_wrap=True, markup=False)
    for note in summary.get("notes", ()):
        console.print(f"  {note}", soft_wrap=True, markup=False)
    if summary.get("verdict"):
        console.print(summary["verdict"], soft_wrap=True, markup=False)
    console.print(f"report: {run.path / 'report.html'}", soft_wrap=True, markup=False)


def fail(error: BenchmarkError) -> NoReturn:
    """End a command with the sentence of an error."""
    console.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
    wrong_usage = isinstance(error, UnknownContender | ContenderError | ScenarioError | SettingRefused)
    raise typer.Exit(EXIT_USAGE if wrong_usage else EXIT_FAILED)
