"""The command `monitor`."""

from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli_options import (
    CONDITIONS,
    EXIT_FAILED,
    HOW_LONG,
    OUTPUT,
    RESULTS,
    console,
    end_on_signals,
    measuring_command,
)
from benchmark.errors import LoadError, RecordError

if TYPE_CHECKING:
    from benchmark.monitor.beside import Load
    from benchmark.monitor.record import Watch
    from benchmark.monitor.targets import Target

_MOST_IN_FLIGHT = 100  # questions to one service that wait at once

UrlsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Base URLs of services, or URLs of their health checks. None: draw the watch in --out again.",
        metavar="URL...",
        show_default=False,
    ),
]
EveryOption = Annotated[
    float, typer.Option(help="Seconds between two questions.", min=0.01, max=3600, rich_help_panel=CONDITIONS)
]
ForOption = Annotated[
    float | None,
    typer.Option("--for", help="Seconds to watch. Default: until Ctrl-C.", min=0.1, rich_help_panel=HOW_LONG),
]
TimeoutOption = Annotated[
    float, typer.Option(help="Seconds to wait for an answer.", min=0.05, max=600, rich_help_panel=CONDITIONS)
]
StallOption = Annotated[
    float,
    typer.Option(help="Seconds without an answer that count as stalled.", min=0.01, rich_help_panel=CONDITIONS),
]
WebhookOption = Annotated[
    str,
    typer.Option(
        help="URL to POST a JSON document to when a service goes down, stalls, or is well again.",
        rich_help_panel=OUTPUT,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(help="Folder of this watch. Default: a new one in results/monitor/.", rich_help_panel=OUTPUT),
]
BesideOption = Annotated[
    Path | None,
    typer.Option(help="A run that is measured at the same time: its load is drawn beside.", rich_help_panel=OUTPUT),
]


def monitor(
    urls: UrlsArgument = None,
    every: EveryOption = 0.1,
    seconds: ForOption = None,
    timeout: TimeoutOption = 1.0,
    stall: StallOption = 0.5,
    webhook: WebhookOption = "",
    out: OutOption = None,
    beside: BesideOption = None,
) -> None:
    """Watch services: ask their health checks ten times a second, alert, and draw what was seen. Until Ctrl-C.

    A late answer delays no later question. Each answer is written to disk at once. A service is reported when three of
    its last five answers were bad, and again when it is well.

    Exit status: 0 all were well, 1 one was down or stalled, or it could not be watched, 2 wrong usage.
    """
    targets = _targets(urls or [], out)
    _refuse_unusable(every, timeout, stall, seconds, webhook)
    with measuring_command():
        folder = out or _new_folder()
        if targets:
            _watch(targets, folder, every, timeout, stall, seconds, webhook)
            end_on_signals()  # asyncio has given the signals back to the system
        well = _draw(folder, beside)
    raise typer.Exit(0 if well else EXIT_FAILED)


def _targets(urls: list[str], out: Path | None) -> "list[Target]":
    from benchmark.monitor.targets import targets_of

    if not urls and out is None:
        raise typer.BadParameter("expected the URL of a service, or --out with a watch to draw again")
    try:
        return targets_of(urls)
    except LoadError as error:
        raise typer.BadParameter(str(error)) from error


def _refuse_unusable(every: float, timeout: float, stall: float, seconds: float | None, webhook: str) -> None:
    from urllib.parse import urlsplit

    if not all(map(isfinite, (every, timeout, stall, seconds or 0))):
        raise typer.BadParameter("seconds must be finite numbers")
    if stall > timeout:
        raise typer.BadParameter(f"--stall {stall:g} is above --timeout {timeout:g}: nothing would be seen to stall")
    if timeout / every > _MOST_IN_FLIGHT:
        raise typer.BadParameter(
            f"--timeout {timeout:g} with --every {every:g}: {timeout / every:,.0f} questions could wait at once, at "
            f"most {_MOST_IN_FLIGHT} may"
        )
    try:
        parts = urlsplit(webhook)
        usable = not webhook or (parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        usable = False
    if not usable:  # without its value, which is often a secret
        raise typer.BadParameter("--webhook is no URL, expected http://... or https://...")


def _new_folder() -> Path:
    from benchmark.monitor.record import new_folder

    return new_folder(RESULTS / "monitor", f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")


def _watch(
    targets: "list[Target]", folder: Path, every: float, timeout: float, stall: float, seconds: float | None, hook: str
) -> None:
    from benchmark.monitor.record import Watch
    from benchmark.monitor.watch import carry_out

    watch = Watch.begin(targets, every, timeout, stall)
    names = ", ".join(target.name for target in targets)
    until = "Ctrl-C ends it" if seconds is None else f"for {seconds:g} s"
    console.print(f"watching {names}, every {every:g} s, {until}; samples in {folder}", soft_wrap=True, markup=False)
    carry_out(targets, watch, folder, console, seconds, hook)


def _draw(folder: Path, beside: Path | None) -> bool:
    """Draw the page of a recorded watch, say what was seen, and return whether all was well."""
    from benchmark.monitor import page
    from benchmark.monitor.record import read_watch
    from benchmark.monitor.summary import end_of, seen_of

    watch, probes = read_watch(folder)
    if not any(probes.values()):
        raise RecordError(f"nothing was asked: {folder} holds no samples")
    seen, end_ns = seen_of(watch, probes), end_of(watch, probes)
    load, note = _beside(beside, watch, end_ns) if beside else (None, "")
    path = page.write(folder, watch, probes, seen, load, note)
    for each in seen:
        console.print(page.sentence(each, end_ns), soft_wrap=True, markup=False)
    if note:
        console.print(f"{note} Draw it again with --out {folder} --beside RUN.", soft_wrap=True, markup=False)
    console.print(f"report: {path}", soft_wrap=True, markup=False)
    return page.is_well(seen)


def _beside(folder: Path, watch: "Watch", end_ns: int) -> "tuple[Load | None, str]":
    """Return the load of a run, or why it cannot be drawn: what was watched is shown all the same."""
    from benchmark.monitor.beside import load_beside

    try:
        return load_beside(folder, watch, end_ns), ""
    except RecordError as error:
        return None, f"The load is not shown: {error}."
