"""`python -m tests.signals`: every command gets SIGKILL, SIGTERM, SIGINT and SIGHUP at random moments.

After each signal: no process is left, no port is taken, `report` can read what was recorded, and the next run works.
Prints a table, and ends with 1 if anything is wrong. The same seed gives the same moments, as shares of how long the
command takes without a signal. It takes over an hour; `--commands`, `--signals` and `--moments` make it shorter.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import ROOT
from tests.signals.commands import COMMANDS, Command
from tests.signals.trial import Place, signalled, undisturbed

SIGNALS: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_STORE_S: Final = 3.0


def main(arguments: list[str]) -> int:
    """Carry out the trials that are asked for; returns 0 if nothing is wrong."""
    asked = _parse(arguments)
    if (ROOT / "run" / "services.json").exists():
        print("services are up: run `make down` first", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A shell starts jobs in the background with some of them ignored, and children would inherit that.
        signal.signal(number, _stop)
    folder = Path(tempfile.mkdtemp(prefix="signals-"))
    outcomes = {command.name: _of_command(command, asked, folder) for command in asked.commands}
    failed = _print_table(outcomes, asked.signals)
    if failed:
        print(f"what they have said: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if failed else 0


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.signals", description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=10, help="how many for each command and signal")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--commands", type=_commands, default=COMMANDS, help="names, separated by commas")
    parser.add_argument("--signals", type=_signals, default=SIGNALS, help="names such as KILL,TERM")
    return parser.parse_args(arguments)


def _commands(names: str) -> list[Command]:
    known = {command.name: command for command in COMMANDS}
    try:
        return [known[name.strip()] for name in names.split(",")]
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"{error}: expected {', '.join(known)}") from error


def _signals(names: str) -> list[signal.Signals]:
    known = {number.name.removeprefix("SIG"): number for number in SIGNALS}
    try:
        return [known[name.strip().upper().removeprefix("SIG")] for name in names.split(",")]
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"{error}: expected {', '.join(known)}") from error


def _of_command(
    command: Command, asked: argparse.Namespace, folder: Path
) -> dict[signal.Signals, tuple[int, list[str]]]:
    """Return for each signal how many trials there were, and what is wrong after them."""
    outcome: dict[signal.Signals, tuple[int, list[str]]] = {}
    takes_s = 0.0
    for number in asked.signals:
        draw = random.Random(f"{asked.seed}-{command.name}-{number.name}")
        place = Place(folder / f"{command.name} {number.name}".replace(" ", "-"))
        with _beside(command, place):
            for argv in command.recorded:
                place.carry_out(command, argv)
                _keep_first(place)
            faults: list[str] = []
            if not outcome:
                takes_s, found = undisturbed(command, place)
                faults += [f"undisturbed: {fault}" for fault in found]
            for at in range(asked.moments):
                moment_s = takes_s * (at + draw.random()) / asked.moments
                found = signalled(command, place, number, moment_s)
                faults += [f"at {moment_s:.2f} of {takes_s:.1f} s: {fault}" for fault in found]
            place.number += 1
            faults += [f"the next run: {fault}" for fault in undisturbed(command, place)[1]]
        outcome[number] = (asked.moments, faults)
        print(f"{command.name:<16} {number.name:<8} {'as promised' if not faults else 'WRONG'}", flush=True)
        for fault in faults:
            print(f"    {fault}", flush=True)
    return outcome


def _keep_first(place: Place) -> None:
    """Let `first` be the first of several runs, for `compare`."""
    first, runs = place.results / "first", sorted(place.runs())
    if runs and not first.exists():
        first.symlink_to(runs[0].name)
    time.sleep(1)  # the next one gets another name


@contextmanager
def _beside(command: Command, place: Place) -> Iterator[None]:
    """Run what a command needs while the block runs."""
    beside = place.start(command, command.beside) if command.beside else None
    if beside:
        time.sleep(_STORE_S)
    try:
        yield
    finally:
        if beside:
            beside.popen.terminate()
            beside.popen.wait()
        for process in place.alive():
            process.kill()


def _print_table(
    outcomes: dict[str, dict[signal.Signals, tuple[int, list[str]]]], signals: list[signal.Signals]
) -> int:
    """Print how many trials of each command had nothing wrong with them; returns how many faults there are."""
    print(f"\n{'':<18}" + "".join(f"{number.name:>10}" for number in signals))
    for name, outcome in outcomes.items():
        cells = [f"{count}" if not faults else f"{len(faults)} WRONG" for count, faults in outcome.values()]
        print(f"{name:<18}" + "".join(f"{cell:>10}" for cell in cells))
    failed = sum(len(faults) for outcome in outcomes.values() for _, faults in outcome.values())
    print("every one as promised" if not failed else f"{failed} wrong")
    return failed


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
