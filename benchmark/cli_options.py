"""Shared parts of the commands: options and their parsing, output, exit statuses."""

import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

import typer
from rich.console import Console, RenderableType
from rich.markup import escape
from typer.core import TyperGroup

from benchmark.contenders.discovery import ROOT, Contender, choose, discover
from benchmark.errors import (
    BenchmarkError,
    ContenderError,
    ObjectiveError,
    PlanRefused,
    ScenarioError,
    SettingRefused,
    ShapeError,
    SidesRefused,
    UnknownContender,
)
from contract.limits import raise_open_files

if TYPE_CHECKING:
    from benchmark.record.run import Run
    from benchmark.report.answers import Answer


class Outcome(Protocol):
    """The parts of an experiment that the console shows: its figures and its answers."""

    @property
    def table(self) -> Callable[[Mapping[str, Any]], RenderableType | None]: ...

    @property
    def answers(self) -> Callable[["Run"], Sequence["Answer"]]: ...


_END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 0.05
EXIT_FAILED, EXIT_USAGE, EXIT_INVALID, EXIT_BROKEN, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
RESULTS = ROOT / "results"

_WRONG_USAGE = (
    UnknownContender,
    ContenderError,
    ScenarioError,
    SettingRefused,
    ShapeError,
    ObjectiveError,
    SidesRefused,
    PlanRefused,
)

# Panels of `--help`.
WHAT, HOW_LONG, CONDITIONS, OUTPUT = "What to measure", "How long", "Conditions", "Output"
PYTHON = ".venv/bin/python -m benchmark"

_SET_OTHERWISE = {
    "model_seed": "use --seed, from which the durations of all contenders in a block are derived",
    **dict.fromkeys(("architecture", "role", "port", "host"), "it belongs to each contender's contender.toml"),
}

console = Console(highlight=False)

ResultsOption = Annotated[
    Path, typer.Option(help="Folder for run directories.", rich_help_panel=OUTPUT, show_default="results")
]
ContendersOption = Annotated[
    str,
    typer.Option(
        help="Names separated by commas, as listed by `contenders`; the first is the baseline. Default: the usual "
        "five.",
        rich_help_panel=WHAT,
    ),
]
UpContendersOption = Annotated[
    str,
    typer.Option(
        help="Names separated by commas, as listed by `contenders`. Default: one for each port of the usual ones.",
        rich_help_panel=WHAT,
    ),
]
RealContendersOption = Annotated[
    str,
    typer.Option(
        help="Names separated by commas, as listed by `contenders`; the first is the baseline. Default: the usual "
        "ones, without `null`.",
        rich_help_panel=WHAT,
    ),
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting of all services as name=value, e.g. model_cpu_ms=5; repeatable. See doc/settings.md.",
        rich_help_panel=CONDITIONS,
    ),
]
SeedOption = Annotated[
    int, typer.Option(help="Seed of the order, the requests and the model durations.", rich_help_panel=CONDITIONS)
]
FreePortsOption = Annotated[
    bool,
    typer.Option(
        "--free-ports",
        help="Use free ports, so that services on the usual ports may stay up.",
        rich_help_panel=CONDITIONS,
    ),
]
WaitIdleOption = Annotated[
    int,
    typer.Option(
        "--wait-idle",
        min=0,
        help="Wait up to so many seconds until the machine is idle; 0: warn, and start at once.",
        rich_help_panel=CONDITIONS,
    ),
]
LiveOption = Annotated[
    bool,
    typer.Option(
        "--live",
        help="Show what is being measured in a page on this machine: blocks as they end, intervals that narrow, why "
        "something is INVALID. Its address is printed.",
        rich_help_panel=OUTPUT,
    ),
]


def examples(*commands: str) -> str:
    """Return the end of a command's `--help`: examples, each `command    # comment` without the program's name."""
    lines = ["[bold]Examples[/]"]
    for command in commands:
        call, _, comment = command.partition("#")
        lines += [f"[dim]# {comment.strip()}[/]"] if comment else []
        lines.append(f"{PYTHON} {call.strip()}")
    return "\n".join(lines)


def help_of(command: Callable[..., None]) -> str:
    """Return a command's docstring with one line per paragraph: typer would keep the line breaks of the source."""
    return "\n\n".join(" ".join(each.split()) for each in inspect.cleandoc(command.__doc__ or "").split("\n\n"))


def choose_contenders(names: str, whole_field: bool = False) -> list[Contender]:
    """Return the contenders that an option names; without names the default ones.

    With `whole_field` all that follow the service contract: other strategies answer other requests.

    Raises UnknownContender, ContenderError, or ScenarioError if a contender's scenario is unusable.
    """
    from benchmark.load.scenario_requests import refuse_unknown

    known = discover()
    unnamed = [each.name for each in known.values() if each.default or (whole_field and each.follows_contract)]
    chosen = choose([name.strip() for name in names.split(",")] if names else unnamed, known)
    refuse_unknown(chosen)
    return chosen


def choose_real_contenders(names: str) -> list[Contender]:
    """Return the same without contenders that measure the harness itself, unless they are named."""
    return [contender for contender in choose_contenders(names) if names or not contender.harness_floor]


def refuse_together(**options: object) -> None:
    """Raise typer.BadParameter if more than one of these options is given: one of them would be ignored."""
    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} exclude each other: give one of them")


def parse_levels(text: str) -> list[int]:
    """Return the numbers of users of `--levels`. Raises typer.BadParameter."""
    try:
        levels = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        levels = [0]
    if any(level < 1 for level in levels) or levels != sorted(set(levels)):
        raise typer.BadParameter(f"--levels is {text!r}, expected ascending numbers of users such as 1,16,64")
    return levels


def parse_settings(pairs: list[str] | None) -> dict[str, str]:
    """Return the settings of `--set` by name. `with_overrides` checks whether each contender accepts them."""
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
        # The HTTP client is checked later, since its choices depend on the twin.
        settings_from(variables({name: value for name, value in settings.items() if name != "http_client"}))
    except SettingsError as error:
        raise typer.BadParameter(f"--set: {error}") from error
    return settings


def parse_sweep(text: str) -> tuple[str, list[str]] | None:
    """Return the setting of `--sweep` and its values, or None. Raises typer.BadParameter."""
    if not text:
        return None
    name, equals, values = text.partition("=")
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not equals or len(found) < 2 or len(set(found)) < len(found):
        raise typer.BadParameter(f"--sweep is {text!r}, expected name=value,value,... such as model_pool_size=16,32,64")
    for value in found:
        parse_settings([f"{name}={value}"])
    return name.strip().lower(), found


class Interrupted(KeyboardInterrupt):
    """A signal to end has come.

    Not the class itself: Python would end with the signal if that one had passed through an `exec`, as of a
    dataclass, even where it was handled afterwards.
    """


class Commands(TyperGroup):
    """The commands, each of which ends alike when it is interrupted, whatever it does at that moment."""

    def invoke(self, ctx: Any) -> Any:
        before = {number: signal.getsignal(number) for number in _END_SIGNALS}
        hook = sys.unraisablehook
        sys.unraisablehook = _interrupt_again
        end_on_signals()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.print("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        finally:
            sys.unraisablehook = hook
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def starting_command() -> Iterator[None]:
    """Run the body of a command that starts processes: an error is printed as one sentence.

    Also raises the limit of open files to the system's maximum; started processes inherit it.
    """
    raise_open_files()
    try:
        yield
    except BenchmarkError as error:
        fail(error)


@contextmanager
def measuring_command() -> Iterator[None]:
    """Run the body of a command that measures, and say first which settings of the shell it leaves out."""
    from benchmark.stack.chosen import unread_settings

    if unread := unread_settings():
        one = len(unread) == 1
        typer.echo(
            f"warning: {', '.join(unread)} of the shell or of .env {'is' if one else 'are'} ignored, as in every "
            "measurement: services get the settings of their contender.toml and of --set",
            err=True,
        )
    with starting_command():
        yield


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP act as Ctrl-C does: stop everything, and report what was measured.

    A signal that is ignored stays ignored, such as SIGHUP under nohup.
    """
    for number in _END_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, _: object) -> None:
    raise Interrupted(number)


def _interrupt_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Send a signal again that came in a callback of Python's own, which cannot be interrupted and ignores errors."""
    if unraisable.exc_type and issubclass(unraisable.exc_type, KeyboardInterrupt):
        # Later, since this itself is called by such a callback.
        number = unraisable.exc_value.args[0] if isinstance(unraisable.exc_value, Interrupted) else signal.SIGINT
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)


def conclude(run: "Run", experiment: Outcome) -> NoReturn:
    """Print the outcome of a run and exit with the status that belongs to it."""
    print_outcome(run, experiment)
    if not run.summary["complete"]:
        raise typer.Exit(EXIT_INTERRUPTED)
    if not any(trial.status == "measured" for trial in run.trials()):
        console.print("Nothing was measured.")
        raise typer.Exit(EXIT_FAILED)
    raise typer.Exit(0 if run.summary["valid"] else EXIT_INVALID)


def print_outcome(run: "Run", experiment: Outcome) -> None:
    """Print the figures, the answers, VALID or INVALID with the reasons, and the path of the report."""
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
    """Print an error and exit."""
    console.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
    raise typer.Exit(EXIT_USAGE if isinstance(error, _WRONG_USAGE) else EXIT_FAILED)
