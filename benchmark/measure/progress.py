"""The progress display of a run: contender, phase, remaining time."""

import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from benchmark.record.run import TrialRecord


class Progress:
    """A progress bar on a terminal; elsewhere one line per trial."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar = Bar(
            TextColumn("[bold]{task.fields[contender]:<16}[/] {task.fields[phase]:<10}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} trials"),
            TextColumn("about {task.fields[remaining]} left,"),
            TimeElapsedColumn(),
            TextColumn("elapsed"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._cell_s = 0.0
        self._left_s = 0.0  # as expected beforehand
        self._done_s, self._took_s = 0.0, 0.0  # of the finished trials: as expected, and as it was
        self._last_s = time.monotonic()

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, path: Path, cells: int, cell_s: float) -> None:
        """Announce a run: the number of trials, and the expected duration of each."""
        self._left_s, self._cell_s, self._last_s = cells * cell_s, cell_s, time.monotonic()
        self.console.print(
            f"measuring {cells} trials, about {_minutes(cells * cell_s)}; raw data in {path}", soft_wrap=True
        )
        self._task = self._bar.add_task("", total=cells, contender="", phase="", remaining=_minutes(cells * cell_s))

    def phase(self, contender: str, phase: str) -> None:
        """Show the current contender and phase."""
        if self._task is not None:
            self._bar.update(self._task, contender=contender, phase=phase, remaining=self._remaining())

    def trials_begin(self) -> None:
        """Do not count what was done until now as part of the first trial."""
        self._last_s = time.monotonic()

    def cell_done(self, cell: TrialRecord, expected_s: float = 0.0) -> None:
        """Count a finished trial. Print a line if there is no bar, or if the trial failed.

        `expected_s` is how long it was expected to take, if trials differ.
        """
        now_s, expected_s = time.monotonic(), expected_s or self._cell_s
        self._took_s += now_s - self._last_s
        self._done_s += expected_s
        self._last_s, self._left_s = now_s, self._left_s - expected_s
        if self._task is not None:
            self._bar.advance(self._task)
        if cell.status != "measured":
            self.console.print(
                f"[red]block {cell.block + 1} {cell.contender} {cell.status}:[/] {escape(cell.reason)}", soft_wrap=True
            )
        elif not self.console.is_terminal:
            self.console.print(f"block {cell.block + 1} {cell.contender}: done, about {self._remaining()} left")

    def say(self, sentence: str) -> None:
        self.console.print(sentence, soft_wrap=True, markup=False)

    def _remaining(self) -> str:
        pace = self._took_s / self._done_s if self._done_s else 1.0
        return _minutes(max(self._left_s * pace - (time.monotonic() - self._last_s), 0))


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
